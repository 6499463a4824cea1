//! Values that are chosen: defaults behind `??` and `||`, conditions, production by `NODE_ENV`.

use super::{super::Script, Program, Value};

impl Program {
    /// `?? default`, `|| default`, `? a : b` behind a value.
    pub(super) fn trailing(
        &self,
        module: usize,
        script: &Script,
        (value, end): (Option<Value>, usize),
        path: &[String],
        depth: usize,
    ) -> Option<Value> {
        match script.text(end) {
            "??" | "||" => combine(value, self.eval(module, end + 1, path, depth + 1)),
            // `...(isSqlite && { filename })`
            "&&" if !path.is_empty() => self.eval(module, end + 1, path, depth + 1).or(value),
            "?" if !script.is(end + 1, ".") => {
                let (yes, no) = self.branches(module, script, end, path, depth)?;
                chosen(value, yes, no)
            }
            // `process.env.NODE_ENV === "production" ? a : b`
            "=" | "!" => self.compared(module, script, value, end, path, depth),
            "+" | "-" | "*" | "/" | "%" => None,
            _ => value,
        }
    }

    pub(super) fn branches(
        &self,
        module: usize,
        script: &Script,
        question: usize,
        path: &[String],
        depth: usize,
    ) -> Option<(Option<Value>, Option<Value>)> {
        let mut at = question + 1;
        let end = script.tokens.len().min(question + 200);
        while at < end && !script.is(at, ":") {
            if matches!(script.text(at), ";" | ")" | "}" | "]") {
                return None;
            }
            at = script.close(at).unwrap_or(at) + 1;
        }
        script.is(at, ":").then_some(())?;
        Some((self.eval(module, question + 1, path, depth + 1), self.eval(module, at + 1, path, depth + 1)))
    }

    pub(super) fn compared(
        &self,
        module: usize,
        script: &Script,
        value: Option<Value>,
        end: usize,
        path: &[String],
        depth: usize,
    ) -> Option<Value> {
        let mut at = end;
        while script.is(at, "=") || script.is(at, "!") {
            at += 1;
        }
        if at == end + 1 {
            return None;
        }
        let equal = script.is(end, "=");
        let mode = value?.variable? == "NODE_ENV";
        let production = script.string(at).as_deref() == Some("production");
        if !mode || !script.is(at + 1, "?") {
            return None;
        }
        let (yes, no) = self.branches(module, script, at + 1, path, depth)?;
        if equal == production { yes } else { no }
    }
}

pub(super) fn chosen(condition: Option<Value>, yes: Option<Value>, no: Option<Value>) -> Option<Value> {
    let variable = |value: &Option<Value>| value.as_ref().and_then(|value| value.variable.clone());
    match (variable(&yes), variable(&no)) {
        // A file's content, or the variable itself.
        (_, Some(other)) if variable(&condition).is_some_and(|name| name == format!("{other}_FILE")) => no,
        (Some(first), None) if Some(&first) == variable(&condition).as_ref() => combine(yes, no),
        (Some(first), Some(second)) if first == second => combine(yes, no),
        (Some(_), Some(second)) if second.ends_with("_FILE") => yes,
        (None | Some(_), None) => combine(yes, no),
        (None | Some(_), Some(_)) => no,
    }
}

/// A value, or the other one where it is missing.
pub(super) fn combine(value: Option<Value>, other: Option<Value>) -> Option<Value> {
    let Some(mut value) = value else { return other };
    let Some(other) = other else { return Some(value) };
    if value.variable.is_none() && value.literal.is_some() {
        return Some(value);
    }
    value.literal = value.literal.or(other.literal);
    Some(value)
}
