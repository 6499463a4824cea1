//! Branches of a program that production does not take by itself: what only they read is not demanded.

use super::environment::enclosing;
use crate::python::{Kind, Module};

/// Blocks around a line that are looked at.
const MAX_DEPTH: usize = 8;
/// Tokens of a condition, and of a value in it, that are looked at.
const MAX_TOKENS: usize = 120;
/// Lines of a module in which a name's value is looked for.
const MAX_LINES: usize = 5000;

/// Whether the line at `at` stands in a branch that is taken where something is set, in a command that a person runs, or
/// where the program goes on without what it reads.
pub(super) fn may_be_left(module: &Module, at: usize) -> bool {
    let commands = module.source.name().contains("management/commands/");
    let mut inner = at;
    for depth in 0..MAX_DEPTH {
        let Some(header) = enclosing(module, inner) else { return false };
        let left = match module.text(header) {
            "if" | "elif" => !may_hold(module, header),
            "try" => depth == 0 && goes_on(module, header),
            "def" => commands,
            _ => false,
        };
        if left {
            return true;
        }
        inner = header;
    }
    false
}

/// The tokens of a header's condition.
fn condition(module: &Module, header: usize) -> (usize, usize) {
    let end = module.line_end(header).min(header + MAX_TOKENS);
    let mut at = header + 1;
    while at < end && !module.is(at, ":") {
        at = module.close(at).unwrap_or(at) + 1;
    }
    (header + 1, at.min(end))
}

/// Whether a condition may hold in production where nothing is set: it asks for production, it is negated, or its default
/// makes it so.
fn may_hold(module: &Module, header: usize) -> bool {
    let (from, to) = condition(module, header);
    let negated = (from..to).any(|at| matches!(module.text(at), "not" | "!=" | "else" | "__name__" | "is"));
    negated || (from..to).any(|at| speaks_of_production(module, at)) || is_on(module, (from, to))
}

/// `PRODUCTION`, `"prod"`, `is_deployed`.
pub(super) fn speaks_of_production(module: &Module, at: usize) -> bool {
    let text = match module.kind(at) {
        Some(Kind::Word) => module.text(at).to_lowercase(),
        Some(Kind::String) => module.string(at).unwrap_or_default().to_lowercase(),
        _ => return false,
    };
    let words = ["prod", "production", "live", "deployed"];
    text.split(|c: char| !c.is_alphanumeric()).any(|part| words.contains(&part))
        || text.contains("production")
}

/// Whether the condition holds by a default: `os.getenv("A", "1") == "1"`, or a name that was given such a value.
fn is_on(module: &Module, (from, to): (usize, usize)) -> bool {
    let sign = (from..to).find(|&at| matches!(module.text(at), "==" | "in"));
    let texts: Vec<String> = (sign.unwrap_or(to)..to).filter_map(|at| module.string(at)).collect();
    let wanted = |module: &Module, at: usize| {
        let literal = module.literal(at);
        literal.is_some_and(|literal| match sign {
            Some(_) => texts.contains(&literal),
            None => matches!(literal.to_lowercase().as_str(), "true" | "1" | "yes" | "on"),
        })
    };
    let left = || from..sign.unwrap_or(to);
    // `"NAME" in os.environ` asks for the variable itself.
    if sign.is_some_and(|sign| module.is(sign, "in")) && !module.is_word(from) {
        return false;
    }
    left().any(|at| wanted(module, at))
        || left().filter(|&at| module.is_word(at)).any(|at| {
            let name = module.text(at);
            let lines = module.lines().take(MAX_LINES).filter(|&line| module.is(line, name));
            lines.filter_map(|line| module.assigned(line)).any(|value| {
                let end = module.line_end(value).min(value + MAX_TOKENS);
                let compared =
                    (value..end).find(|&at| matches!(module.text(at), "==" | "!=" | "in")).unwrap_or(end);
                (value..compared).any(|at| wanted(module, at))
            })
        })
}

/// Whether the program goes on behind a `try:` whose block failed.
fn goes_on(module: &Module, header: usize) -> bool {
    let indent = module.tokens[header].indent;
    let mut lines =
        (header + 1..module.tokens.len().min(header + 2000)).filter(|&at| module.tokens[at].first);
    let Some(except) = lines.find(|&line| module.tokens[line].indent <= indent) else { return false };
    if !module.is(except, "except") {
        return false;
    }
    let body = lines.take_while(|&line| module.tokens[line].indent > indent);
    let ends = |line: usize| {
        (line..module.line_end(line).min(line + 6)).any(|at| matches!(module.text(at), "raise" | "exit"))
    };
    !ends(except) && !body.take(50).any(ends)
}
