//! Keys that a program draws for itself when it starts: each of its processes has another one, and a visitor who meets the
//! next process is signed out.

use super::{environment::is_for_development, project::Project};
use crate::{
    model::{Evidence, Gap, Service},
    python::{Kind, Module},
    rules,
};

/// Functions that draw something.
const DRAWS: [&str; 6] =
    ["get_random_secret_key", "token_hex", "token_urlsafe", "token_bytes", "urandom", "uuid4"];
/// Names of settings that sign sessions and tokens.
const KEYS: [&str; 5] = ["SECRET_KEY", "JWT_SECRET", "JWT_SECRET_KEY", "SESSION_SECRET", "SESSION_KEY"];
const MAX_TOKENS: usize = 60;

/// Says it of the first such key that no variable sets.
pub(super) fn add(project: &Project, service: &Service, gaps: &mut Vec<Gap>) {
    let modules = project.modules.iter().filter(|module| !is_for_development(module.source.name()));
    let found = modules.filter(|module| !is_of_tests(module)).find_map(|module| {
        let at = (0..module.tokens.len()).find(|&at| is_drawn(module, at, service))?;
        Some((module, at))
    });
    let Some((module, at)) = found else { return };
    let evidence = Evidence::new(&module.source, module.span(at, at), "the key is drawn here");
    gaps.push(Gap { rule: rules::RANDOM_KEY,
        subject: service.name.clone(),
        message: "the key that it signs with is another one in each process and after each start: sessions and tokens of one are refused by the others"
            .to_owned(),
        hint: "read SECRET_KEY from the environment: the stack then makes one and keeps it".to_owned(),
        evidence: vec![evidence],
    });
}

fn is_of_tests(module: &Module) -> bool {
    module.source.name().split('/').any(|part| part.starts_with("test") || part == "conftest.py")
}

/// `SECRET_KEY = …`, `app.secret_key = …`, `app.config["SECRET_KEY"] = …` with a value that is drawn and read from no
/// variable.
fn is_drawn(module: &Module, at: usize, service: &Service) -> bool {
    let name = match module.kind(at) {
        Some(Kind::Word) => module.text(at).to_uppercase(),
        Some(Kind::String) => module.string(at).unwrap_or_default(),
        _ => return false,
    };
    if !KEYS.contains(&name.as_str()) || service.environment.iter().any(|variable| variable.name == name) {
        return false;
    }
    let behind = if module.is(at + 1, "]") { at + 2 } else { at + 1 };
    if !module.is(behind, "=") {
        return false;
    }
    // A keyword of a call ends with its argument.
    let end = super::paths::value_end(module, behind + 1).min(behind + MAX_TOKENS);
    let end = if module.is(end, "or") { module.line_end(end).min(end + MAX_TOKENS) } else { end };
    let words = || behind + 1..end;
    words().any(|at| DRAWS.contains(&module.text(at)))
        && !words().any(|at| matches!(module.text(at), "environ" | "getenv" | "env" | "config"))
}
