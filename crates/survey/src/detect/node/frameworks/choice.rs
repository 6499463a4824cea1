//! A setting that a condition on the environment chooses. The build of an image has `NODE_ENV` and `CI` at most:
//! a variable of the project's own is not set there.

use crate::javascript::{Script, values::environment_read};

/// Conditions inside of one another are followed this far, and so many tokens of one are read.
const MAX_DEPTH: usize = 5;
const MAX_TOKENS: usize = 400;

/// The token of the value of a setting: behind `KEY:` in an object.
pub(super) fn of_key(script: &Script, key: &str) -> Option<usize> {
    let named =
        |at: usize| script.is(at, key) && script.is(at + 1, ":") && matches!(script.text(at - 1), "{" | ",");
    (1..script.tokens.len()).find(|&at| named(at)).map(|at| at + 2)
}

/// Where the value begins that a build takes of an expression; nothing where the condition cannot be said.
pub(super) fn taken(script: &Script, at: usize) -> Option<usize> {
    branch(script, at, 0)
}

fn branch(script: &Script, at: usize, depth: usize) -> Option<usize> {
    if depth > MAX_DEPTH {
        return None;
    }
    if script.is(at, "(")
        && let Some(close) = script.close(at).filter(|&close| ends(script, close + 1))
        && close > at + 1
    {
        return branch(script, at + 1, depth + 1);
    }
    let Some(question) = find(script, at, "?") else { return Some(at) };
    let colon = colon(script, question + 1)?;
    let (truth, end) = test(script, at, depth)?;
    if end != question {
        return None;
    }
    branch(script, if truth { question + 1 } else { colon + 1 }, depth + 1)
}

/// Whether an expression ends in front of this token.
fn ends(script: &Script, at: usize) -> bool {
    at >= script.tokens.len() || matches!(script.text(at), "," | ";" | ")" | "}" | "]" | ":")
}

/// A token of an expression, brackets left out.
fn find(script: &Script, from: usize, text: &str) -> Option<usize> {
    let mut at = from;
    while at < script.tokens.len().min(from + MAX_TOKENS) && !ends(script, at) {
        if script.is(at, text) {
            return Some(at);
        }
        at = script.close(at).unwrap_or(at) + 1;
    }
    None
}

/// The colon of a condition, those of conditions between left out.
fn colon(script: &Script, from: usize) -> Option<usize> {
    let (mut at, mut inner) = (from, 0_usize);
    while at < script.tokens.len().min(from + MAX_TOKENS) {
        match script.text(at) {
            "?" => inner += 1,
            ":" if inner == 0 => return Some(at),
            ":" => inner -= 1,
            "," | ";" | ")" | "}" | "]" => return None,
            _ => {}
        }
        at = script.close(at).unwrap_or(at) + 1;
    }
    None
}

/// Whether a condition holds while the image is built, and the token behind it.
fn test(script: &Script, at: usize, depth: usize) -> Option<(bool, usize)> {
    if depth > MAX_DEPTH {
        return None;
    }
    if script.is(at, "!") {
        let (truth, end) = test(script, at + 1, depth + 1)?;
        return Some((!truth, end));
    }
    if script.is(at, "(") {
        let close = script.close(at)?;
        let (truth, end) = test(script, at + 1, depth + 1)?;
        return (end == close).then_some((truth, close + 1));
    }
    let Some((name, last)) = environment_read(script, at) else {
        return named(script, at, depth);
    };
    let set = match name.as_str() {
        "NODE_ENV" => Some("production"),
        // The stages of an image that install and build have it.
        "CI" => Some("true"),
        _ => None,
    };
    let equal = script.is(last + 1, "=") && script.is(last + 2, "=");
    let different = script.is(last + 1, "!") && script.is(last + 2, "=");
    if !equal && !different {
        return Some((set.is_some(), last + 1));
    }
    let mut with = last + 2;
    while script.is(with, "=") {
        with += 1;
    }
    let same = match script.string(with) {
        Some(text) => set == Some(text.as_str()),
        None if script.is(with, "undefined") => set.is_none(),
        None => return None,
    };
    Some((same == equal, with + 1))
}

/// `const isStatic = process.env.X === "1"` behind a name.
fn named(script: &Script, at: usize, depth: usize) -> Option<(bool, usize)> {
    if !script.is_word(at) || matches!(script.text(at + 1), "." | "?." | "(" | "[" | "=" | "!") {
        return None;
    }
    let name = script.text(at);
    let mut declared = (1..script.tokens.len()).filter(|&index| {
        script.is(index, name)
            && matches!(script.text(index - 1), "const" | "let" | "var")
            && script.is(index + 1, "=")
            && !script.is(index + 2, "=")
    });
    let value = declared.next()? + 2;
    if declared.next().is_some() || !matches!(script.text(value - 3), "const") {
        return None;
    }
    let (truth, end) = test(script, value, depth + 1)?;
    let goes_on = matches!(script.text(end), "&&" | "||" | "??" | "?" | "." | "?." | "(" | "+" | "=" | "!");
    (!goes_on).then_some((truth, at + 1))
}

/// The package that a name in a file was imported from.
pub(super) fn imported_from(script: &Script, name: &str) -> Option<String> {
    let import = script.imported().iter().find(|(at, _)| {
        let start = (0..*at)
            .rev()
            .take(40)
            .find(|&start| matches!(script.text(start), "import" | "const" | "let" | "var" | ";"));
        start.is_some_and(|start| (start + 1..*at).any(|at| script.is(at, name)))
    })?;
    Some(import.1.clone())
}
