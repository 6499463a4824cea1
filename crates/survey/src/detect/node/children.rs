//! Programs that a server starts: they need to be in its image, and an init to reap what they leave behind.

use super::processes::imports;
use crate::{
    javascript::{Kind, values::Program},
    model::{Evidence, Fact, is_below},
};

/// The first program that a service starts by itself: `sh` for a line of a shell, `node` for its own kind.
pub(super) fn detect(program: &Program, path: &str) -> Option<Fact<String>> {
    let mut found: Option<Fact<String>> = None;
    for script in program.scripts().filter(|script| is_below(script.source.name(), path)) {
        let module =
            ["child_process", "execa", "shelljs", "zx"].into_iter().find(|name| imports(script, name));
        let Some(module) =
            module.or_else(|| imports(script, "node:child_process").then_some("child_process"))
        else {
            continue;
        };
        for at in 0..script.tokens.len() {
            if !script.is(at + 1, "(") || at > 0 && script.is(at - 1, "function") {
                continue;
            }
            let started = match script.text(at) {
                // `/x/.exec(text)` is another one
                "exec" | "execSync" if module == "child_process" && !is_expression(script, at) => {
                    "sh".to_owned()
                }
                "spawn" | "spawnSync" | "execFile" | "execFileSync" | "execa" => {
                    let shell = script
                        .arguments(at + 1)
                        .iter()
                        .any(|&argument| script.is(argument, "{") && has_shell(script, argument));
                    if shell { "sh".to_owned() } else { named(script, at + 2) }
                }
                "fork" if module == "child_process" => "node".to_owned(),
                _ => continue,
            };
            // One that is not Node.js decides what the image must have.
            if found.as_ref().is_none_or(|known| known.value == "node" && started != "node") {
                let evidence =
                    Evidence::new(&script.source, script.span(at, at + 2), "starts another program");
                found = Some(Fact::new(started, evidence));
            }
        }
    }
    found
}

fn is_expression(script: &crate::javascript::Script, at: usize) -> bool {
    at > 1
        && script.is(at - 1, ".")
        && !matches!(script.text(at - 2), "child_process" | "cp" | "childProcess")
}

/// `{ shell: true }`.
fn has_shell(script: &crate::javascript::Script, open: usize) -> bool {
    (open..(open + 40).min(script.tokens.len()))
        .any(|at| script.is(at, "shell") && script.is(at + 1, ":") && !script.is(at + 2, "false"))
}

/// What the first argument says.
fn named(script: &crate::javascript::Script, at: usize) -> String {
    if script.is(at, "process") && script.is(at + 2, "execPath") {
        return "node".to_owned();
    }
    let text = (script.kind(at) == Some(Kind::String)).then(|| script.string(at)).flatten();
    text.unwrap_or_else(|| "a program".to_owned())
}
