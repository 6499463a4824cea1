//! Reads of the environment, as they stand in a script.

use super::{
    super::{Script, modules::literal},
    Value,
};
use crate::model::Evidence;

/// `{ format: "port", default: 3000, env: "PORT" }`.
pub(super) fn convict(script: &Script, open: usize) -> Option<Value> {
    if !script.is(open, "{") {
        return None;
    }
    let member = |key: &str| {
        script.arguments(open).into_iter().find(|&at| script.is(at, key) && script.is(at + 1, ":"))
    };
    let env = member("env")?;
    let variable = script.string(env + 2).filter(|name| is_variable(name))?;
    let default = member("default").and_then(|at| literal(script, at + 2));
    let evidence = Evidence::new(&script.source, script.span(env, env + 2), "reads the variable");
    Some(Value { variable: Some(variable), literal: default, evidence: vec![evidence] })
}

/// `.default("3000")` behind a call of env-var.
pub(super) fn default_call(script: &Script, open: usize) -> Option<String> {
    let mut at = script.close(open)? + 1;
    for _ in 0..8 {
        if !script.is(at, ".") || !script.is(at + 2, "(") {
            return None;
        }
        if script.is(at + 1, "default") {
            return literal(script, at + 3);
        }
        at = script.close(at + 2)? + 1;
    }
    None
}

/// A read of one variable that begins at a token: its name and its last token.
pub(crate) fn environment_read(script: &Script, at: usize) -> Option<(String, usize)> {
    let behind = environment_object(script, at)?;
    let (name, last) = if (script.is(behind, ".") || script.is(behind, "?.")) && script.is_word(behind + 1) {
        if script.is(behind + 1, "get") && script.is(behind + 2, "(") {
            (script.string(behind + 3)?, behind + 4)
        } else {
            (script.text(behind + 1).to_owned(), behind + 1)
        }
    } else if script.is(behind, "[") {
        (script.string(behind + 1)?, behind + 2)
    } else {
        return None;
    };
    is_variable(&name).then_some((name, last))
}

/// The token behind `process.env`, `import.meta.env`, `Bun.env`, `Deno.env`, or behind an object called `env`.
pub(crate) fn environment_object(script: &Script, at: usize) -> Option<usize> {
    // Asked of every token: the token's own text tells nearly all apart.
    match script.text(at) {
        "process" | "Bun" | "Deno" => (script.is(at + 1, ".") && script.is(at + 2, "env")).then_some(at + 3),
        "import" => (script.is(at + 2, "meta") && script.is(at + 4, "env")).then_some(at + 5),
        "env" | "environment" if script.is_word(at) => {
            let before = if at > 0 { script.text(at - 1) } else { "" };
            let member = matches!(before, "." | "?.");
            let declared = script.is(at + 1, ":") || matches!(before, "const" | "let" | "var");
            (!member && !declared).then_some(at + 1)
        }
        _ => None,
    }
}

/// Whether a text is a variable's name.
pub(crate) fn is_variable(name: &str) -> bool {
    let shape = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.len() > 1 && name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(shape)
}
