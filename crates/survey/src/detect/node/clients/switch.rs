//! The variable that chooses which database a program opens: `process.env.DB_TYPE === "postgres"`, and the same in a
//! `switch`. The stack sets it to the database that it starts.

use super::dialect;
use crate::{
    javascript::{
        Script,
        values::{Program, environment_read},
    },
    model::{Address, Evidence, Service, Setting, StoreKind},
};

/// Tokens in front of a text that are looked at for what it is compared with, and in front of a `case` for its `switch`.
const MAX_EXPRESSION: usize = 30;
const MAX_SWITCH: usize = 3000;

/// Words of variables that choose something else, which the database can do too: `SEARCH_PROVIDER=postgres`.
const OTHERS: [&str; 9] =
    ["SEARCH", "CACHE", "QUEUE", "SESSION", "SESSIONS", "AUTH", "LOG", "VECTOR", "PUBSUB"];

/// What to set, where the one database of the service is not what the program takes by itself.
pub(super) fn setting(program: &Program, service: &Service) -> Option<Setting> {
    let relational = |kind: StoreKind| matches!(kind, StoreKind::Postgresql | StoreKind::Mysql);
    let mut wired = service.stores.iter().filter(|used| relational(used.kind));
    let first = wired.next()?;
    if wired.any(|other| other.kind != first.kind) {
        return None;
    }
    let names: Vec<&str> = match first.address.as_ref()? {
        Address::Url { variable, .. } => vec![variable.value.as_str()],
        Address::Parts { variables, .. } => {
            variables.iter().map(|(_, variable)| variable.value.as_str()).collect()
        }
        Address::Fixed { .. } => return None,
    };
    for (module, other) in program.modules.iter().enumerate() {
        let script = &other.script;
        for at in 1..script.tokens.len() {
            let Some(text) = script.string(at).filter(|text| dialect(text) == Some(first.kind)) else {
                continue;
            };
            let Some(place) = compared(script, at) else { continue };
            // Read on the spot, or the value of a name.
            let (name, default) = match environment_read(script, place) {
                Some((name, _)) => (Some(name), None),
                None => {
                    program.value(module, place).map_or((None, None), |value| (value.variable, value.literal))
                }
            };
            let of_database = |name: &String| {
                !names.contains(&name.as_str()) && !name.split('_').any(|word| OTHERS.contains(&word))
            };
            let Some(name) = name.filter(of_database) else { continue };
            if default.as_deref().and_then(dialect) == Some(first.kind) {
                return None;
            }
            let line = Evidence::new(&script.source, script.span(at, at), "").line;
            let reason = format!(
                "With it the program opens the stack's {} ({}:{line}).",
                first.kind.label(),
                script.source.name()
            );
            return Some(Setting { name, value: text, reason, at_build: false });
        }
    }
    None
}

/// First token of what a text is compared with.
fn compared(script: &Script, at: usize) -> Option<usize> {
    if script.is(at - 1, "case") {
        let switch = (at.saturating_sub(MAX_SWITCH)..at).rev().find(|&before| {
            script.is(before, "switch") && script.is(before + 1, "(") && {
                let body = script.close(before + 1).map(|close| close + 1);
                body.and_then(|body| script.close(body)).is_some_and(|end| end > at)
            }
        })?;
        return Some(switch + 2);
    }
    // `X === "postgres"`, read from behind: the comparison is of two or three signs.
    let signs = (0..at).rev().take(3).take_while(|&before| script.is(before, "=")).count();
    if signs >= 2 {
        let end = at.checked_sub(signs + 1)?;
        if script.is(end, "!") {
            return None;
        }
        let part = |before: &usize| {
            script.is_word(*before)
                || [".", "?.", "(", ")", "[", "]"].iter().any(|sign| script.is(*before, sign))
        };
        let words = ["return", "if", "case", "typeof"];
        let mut start = end;
        let mut brackets = 0_usize;
        for before in (end.saturating_sub(MAX_EXPRESSION)..=end).rev().take_while(part) {
            match script.text(before) {
                ")" | "]" => brackets += 1,
                "(" | "[" if brackets == 0 => break,
                "(" | "[" => brackets -= 1,
                word if words.contains(&word) => break,
                _ => {}
            }
            start = before;
        }
        return script.is_word(start).then_some(start);
    }
    // `"postgres" === X`
    let behind = (at + 1..at + 4).take_while(|&next| script.is(next, "=")).count();
    (behind >= 2 && script.is_word(at + 1 + behind)).then_some(at + 1 + behind)
}
