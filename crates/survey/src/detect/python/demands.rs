//! Variables without which a program ends in production, whatever default the read itself has: a check behind the read,
//! `if not settings.KEY: raise …`, also under a condition that holds in production.

use super::{
    branches::speaks_of_production,
    conditions::read_in,
    environment::{Read, enclosing},
    project::Project,
};
use crate::python::Module;

/// Blocks around a check that are looked at.
const MAX_DEPTH: usize = 6;
/// Tokens of a condition that are looked at.
const MAX_TOKENS: usize = 80;
/// Checks of one project that are looked at.
const MAX_CHECKS: usize = 3000;

/// Marks the reads that a check demands.
pub(super) fn mark(project: &Project, reads: &mut [Read]) {
    let mut looked_at = 0;
    for module in &project.modules {
        if module.source.name().contains("management/commands/") {
            continue;
        }
        for line in module.lines().filter(|&line| module.is(line, "if")) {
            looked_at += 1;
            if looked_at > MAX_CHECKS {
                return;
            }
            let Some((subjects, body)) = missing(module, line) else { continue };
            if !ends(module, body, 0) || !runs_at_start(module, line, body) {
                continue;
            }
            for subject in subjects {
                demand(module, subject, reads);
            }
        }
    }
}

fn demand(module: &Module, subject: usize, reads: &mut [Read]) {
    let Some((name, _)) = module.dotted(subject) else { return };
    let name = name.rsplit('.').next().unwrap_or(&name).to_owned();
    // The variable with the name, else the one whose value the name was given.
    let wanted = name.to_uppercase();
    let known = reads.iter().any(|read| read.name == wanted).then_some(wanted);
    let given = || {
        let values = module.lines().filter(|&line| module.is(line, &name));
        let mut values = values.filter_map(|line| module.assigned(line));
        values.find_map(|value| {
            let end = module.line_end(value).min(value + MAX_TOKENS);
            read_in(reads, module, (value, end)).map(|read| read.name.clone())
        })
    };
    let Some(variable) = known.or_else(given) else { return };
    let empty = |read: &Read| read.default.as_deref().unwrap_or_default().is_empty();
    if reads.iter().all(|read| read.name != variable || empty(read)) {
        for read in reads.iter_mut().filter(|read| read.name == variable) {
            read.default = None;
            read.required = true;
        }
    }
}

/// What a condition says is missing, and the first token of its block: `not A`, `A is None`, `not A or not B`, each beside
/// conditions that hold in production. Of `not A and not B` either would do.
fn missing(module: &Module, line: usize) -> Option<(Vec<usize>, usize)> {
    let end = module.line_end(line).min(line + MAX_TOKENS);
    let mut colon = line + 1;
    while colon < end && !module.is(colon, ":") {
        colon = module.close(colon).unwrap_or(colon) + 1;
    }
    if colon >= end {
        return None;
    }
    let either = (line + 1..colon).any(|at| module.is(at, "or"));
    let (mut subjects, mut from) = (Vec::new(), line + 1);
    let mut at = from;
    while at <= colon {
        if at == colon || matches!(module.text(at), "and" | "or") {
            match subject(module, from, at) {
                Some(subject) => subjects.push(subject),
                None if !either && holds_in_production(module, from, at) => {}
                None => return None,
            }
            from = at + 1;
        }
        at = module.close(at).filter(|&close| close < colon).unwrap_or(at) + 1;
    }
    let mixed = either && (line + 1..colon).any(|at| module.is(at, "and"));
    (!mixed && !subjects.is_empty() && (either || subjects.len() == 1)).then_some((subjects, colon + 1))
}

/// `not NAME`, `not self.NAME`, `NAME is None`, `NAME == ""`.
fn subject(module: &Module, from: usize, to: usize) -> Option<usize> {
    let at = if module.is(from, "not") { from + 1 } else { from };
    let (name, next) = module.dotted(at)?;
    let last = name.rsplit('.').next()?.to_uppercase();
    let mode = ["DEBUG", "TESTING", "DEV", "LOCAL"].iter().any(|word| last.contains(word));
    let asked = at > from && next == to;
    let compared = at == from
        && next + 2 == to
        && ((module.is(next, "is") && module.is(next + 1, "None"))
            || (module.is(next, "==") && module.string(next + 1).as_deref() == Some("")));
    (!mode && (asked || compared)).then_some(at)
}

/// `not DEBUG`, `ENVIRONMENT == "production"`, `settings.is_deployed`.
fn holds_in_production(module: &Module, from: usize, to: usize) -> bool {
    let negated = (from..to).any(|at| matches!(module.text(at), "not" | "!="));
    let production = (from..to).any(|at| speaks_of_production(module, at));
    let development = (from..to).any(|at| {
        let text = module.text(at).trim_matches(['"', '\'']).to_lowercase();
        text.split('_').any(|part| {
            matches!(part, "debug" | "testing" | "test" | "dev" | "development" | "local" | "localhost")
        })
    });
    if negated { development && !production } else { production && !development }
}

/// Whether a block's first line ends the program.
fn ends(module: &Module, body: usize, depth: usize) -> bool {
    if module.is(body, "raise") {
        // An answer to a request is no end.
        return !matches!(
            module.text(body + 1),
            "HTTPException"
                | "Http404"
                | "PermissionDenied"
                | "StopIteration"
                | "NotImplementedError"
                | "abort"
        );
    }
    let exits = module.is(body, "exit") || (module.is(body, "sys") && module.is(body + 2, "exit"));
    let nested = || {
        let end = module.line_end(body).min(body + MAX_TOKENS);
        let colon = (body..end).find(|&at| module.is(at, ":"));
        colon.is_some_and(|colon| {
            holds_in_production(module, body + 1, colon) && ends(module, colon + 1, depth + 1)
        })
    };
    exits || (module.is(body, "if") && depth < 2 && nested())
}

/// Whether the check is reached when the program starts: on the level of a module, in a validator of settings, in a function
/// that makes the application, or where Django's own error for its settings is raised.
fn runs_at_start(module: &Module, line: usize, body: usize) -> bool {
    let configured = (body..module.tokens.len().min(body + MAX_TOKENS)).any(|at| {
        module.is(at, "ImproperlyConfigured") && enclosing(module, at).is_some_and(|header| header >= line)
    });
    let mut inner = line;
    for _ in 0..MAX_DEPTH {
        let Some(header) = enclosing(module, inner) else { return true };
        let passes = match module.text(header) {
            "class" => true,
            "if" => {
                let end = module.line_end(header).min(header + MAX_TOKENS);
                let colon = (header..end).rev().find(|&at| module.is(at, ":")).unwrap_or(end);
                holds_in_production(module, header + 1, colon)
            }
            "def" => configured || is_validator(module, header) || makes_the_application(module, header),
            _ => false,
        };
        if !passes {
            return false;
        }
        inner = header;
    }
    false
}

/// `@model_validator(mode="after")` in front of the function.
fn is_validator(module: &Module, def: usize) -> bool {
    let names = ["model_validator", "field_validator", "root_validator", "validator"];
    let indent = module.tokens[def].indent;
    let own = (0..def).rev().take(40).take_while(|&at| {
        !module.tokens[at].first || module.is(at, "@") && module.tokens[at].indent == indent
    });
    own.into_iter().any(|at| names.contains(&module.text(at))) || module.is(def + 1, "model_post_init")
}

fn makes_the_application(module: &Module, def: usize) -> bool {
    matches!(
        module.text(def + 1),
        "create_app" | "make_app" | "create_application" | "lifespan" | "on_startup"
    )
}
