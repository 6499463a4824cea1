//! `$VAR`, `${VAR}`, `${VAR:-default}` and the rest of Compose's substitution.

use thiserror::Error;

/// How deep defaults may hold further substitutions.
const MAX_NESTING: usize = 50;

/// What variables may add to one text, in bytes. Ten lines that each name the line before ten times would take all
/// memory.
const MAX_GROWTH: usize = 1 << 20;

/// Why a text could not be substituted.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SubstituteError {
    /// Not a form that exists.
    #[error("`{0}` is not a valid substitution")]
    Invalid(String),
    /// `${VAR?message}` without a value.
    #[error("required variable `{name}` is missing a value{}", if message.is_empty() { String::new() } else { format!(": {message}") })]
    Required {
        /// The variable.
        name: String,
        /// What the author says of it.
        message: String,
    },
    /// Defaults in defaults without end.
    #[error("substitutions are nested more than {MAX_NESTING} levels deep")]
    TooDeep,
    /// Values of values without end.
    #[error("its variables make it longer than {MAX_GROWTH} bytes")]
    TooLong,
}

/// Replaces every variable of `template` by what `lookup` gives. Calls `unset` with each variable that has no value and
/// no default, in a branch that is taken. `$$` stands for `$`; a `$` in front of anything else stays.
pub fn substitute<'v>(
    template: &str,
    lookup: &dyn Fn(&str) -> Option<&'v str>,
    unset: &mut dyn FnMut(&str),
) -> Result<String, SubstituteError> {
    run(template, lookup, unset, 0)
}

fn run<'v>(
    template: &str,
    lookup: &dyn Fn(&str) -> Option<&'v str>,
    unset: &mut dyn FnMut(&str),
    depth: usize,
) -> Result<String, SubstituteError> {
    if depth > MAX_NESTING {
        return Err(SubstituteError::TooDeep);
    }
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix('$') {
            out.push('$');
            rest = behind;
        } else if rest.starts_with('{') {
            let end = closing_brace(rest).ok_or_else(|| SubstituteError::Invalid(format!("${rest}")))?;
            push(&mut out, &braced(&rest[1..end], lookup, unset, depth)?, template)?;
            rest = &rest[end + 1..];
        } else {
            let name = &rest[..name_length(rest)];
            if name.is_empty() {
                out.push('$');
            } else {
                push(&mut out, value_of(name, lookup, unset), template)?;
                rest = &rest[name.len()..];
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn push(out: &mut String, value: &str, template: &str) -> Result<(), SubstituteError> {
    if out.len() + value.len() > template.len() + MAX_GROWTH {
        return Err(SubstituteError::TooLong);
    }
    out.push_str(value);
    Ok(())
}

/// `NAME` and an operator with its word, as between the braces. The first operator counts.
fn braced<'v>(
    inside: &str,
    lookup: &dyn Fn(&str) -> Option<&'v str>,
    unset: &mut dyn FnMut(&str),
    depth: usize,
) -> Result<String, SubstituteError> {
    let invalid = || SubstituteError::Invalid(format!("${{{inside}}}"));
    let name = &inside[..name_length(inside)];
    if name.is_empty() {
        return Err(invalid());
    }
    let behind = &inside[name.len()..];
    if behind.is_empty() {
        return Ok(value_of(name, lookup, unset).to_owned());
    }
    let (unless_empty, behind) = behind.strip_prefix(':').map_or((false, behind), |behind| (true, behind));
    let mut behind_chars = behind.chars();
    let operator = behind_chars.next();
    let word = behind_chars.as_str();
    let value = lookup(name).filter(|value| !(unless_empty && value.is_empty()));
    match (operator, value) {
        (Some('-'), None) => run(word, lookup, unset, depth + 1),
        (Some('+'), Some(_)) => run(word, lookup, unset, depth + 1),
        (Some('+'), None) => Ok(String::new()),
        (Some('?'), None) => Err(SubstituteError::Required {
            name: name.to_owned(),
            message: run(word, lookup, unset, depth + 1)?,
        }),
        (Some('-' | '?'), Some(value)) => Ok(value.to_owned()),
        _ => Err(invalid()),
    }
}

/// A variable that a text uses, as its author wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Whether it must have a value: `${NAME?…}`.
    pub required: bool,
    /// What stands for it when it has none: `${NAME:-default}`.
    pub default: Option<String>,
    /// What stands for it when it has one: `${NAME:+alternate}`.
    pub alternate: Option<String>,
    /// What is said where it has none: `${NAME:?message}`.
    pub message: Option<String>,
}

/// Every variable that `template` uses, those in defaults included, in order.
pub fn variables(template: &str) -> Result<Vec<Variable>, SubstituteError> {
    let mut found = Vec::new();
    collect(template, &mut found, 0)?;
    Ok(found)
}

fn collect(template: &str, found: &mut Vec<Variable>, depth: usize) -> Result<(), SubstituteError> {
    if depth > MAX_NESTING {
        return Err(SubstituteError::TooDeep);
    }
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix('$') {
            rest = behind;
            continue;
        }
        let (inside, end) = if rest.starts_with('{') {
            let end = closing_brace(rest).ok_or_else(|| SubstituteError::Invalid(format!("${rest}")))?;
            (&rest[1..end], end + 1)
        } else {
            let length = name_length(rest);
            (&rest[..length], length)
        };
        let name = &inside[..name_length(inside)];
        if name.is_empty() {
            if end > 0 {
                return Err(SubstituteError::Invalid(format!("${{{inside}}}")));
            }
            continue;
        }
        let behind = &inside[name.len()..];
        let behind = behind.strip_prefix(':').unwrap_or(behind);
        let word = behind.get(1..).unwrap_or_default();
        let given = |operator: char| behind.starts_with(operator).then(|| word.to_owned());
        found.push(Variable {
            name: name.to_owned(),
            required: behind.starts_with('?'),
            default: given('-'),
            alternate: given('+'),
            message: given('?'),
        });
        collect(word, found, depth + 1)?;
        rest = &rest[end..];
    }
    Ok(())
}

fn value_of<'v>(
    name: &str,
    lookup: &dyn Fn(&str) -> Option<&'v str>,
    unset: &mut dyn FnMut(&str),
) -> &'v str {
    lookup(name).unwrap_or_else(|| {
        unset(name);
        ""
    })
}

fn name_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    match bytes.first() {
        Some(first) if first.is_ascii_alphabetic() || *first == b'_' => bytes
            .iter()
            .position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')
            .unwrap_or(bytes.len()),
        _ => 0,
    }
}

/// The brace that closes the one `text` starts with. Braces in a default are balanced where they can be; where they
/// can't, the last brace closes.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' => {
                open -= 1;
                if open == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    text.rfind('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untaken_branches_are_not_looked_at() {
        let mut unset = Vec::new();
        let text = substitute("${A:-${B}}${A?${B}}$C", &|name| (name == "A").then_some("a"), &mut |name| {
            unset.push(name.to_owned());
        });
        assert_eq!(text.as_deref(), Ok("aa"));
        assert_eq!(unset, ["C"]);
    }

    #[test]
    fn variables_are_found_with_what_stands_for_them() {
        let found = variables("$A-${B:-x${C?why}}$$D${E:+y}${A-}").expect("valid");
        let words: Vec<String> = found
            .iter()
            .map(|v| format!("{} {} {:?} {:?}", v.name, v.required, v.default, v.alternate))
            .collect();
        assert_eq!(
            words,
            [
                "A false None None",
                "B false Some(\"x${C?why}\") None",
                "C true None None",
                "E false None Some(\"y\")",
                "A false Some(\"\") None",
            ]
        );
        assert!(variables("${}").is_err() && variables(&"${A:-".repeat(100)).is_err());
    }

    #[test]
    fn growth_is_bounded() {
        let long = "x".repeat(MAX_GROWTH);
        let one = |name: &str| (name == "A").then_some(long.as_str());
        assert_eq!(substitute("$A", &one, &mut |_| {}).map(|text| text.len()), Ok(MAX_GROWTH));
        for text in ["$A$A", "${A:-}${A}", "${B:-$A$A}", "${A:+$A$A}", "${B-${B-$A}}$A"] {
            assert_eq!(substitute(text, &one, &mut |_| {}), Err(SubstituteError::TooLong), "{text}");
        }
        let literal = format!("{}$B", "y".repeat(3 * MAX_GROWTH));
        assert!(substitute(&literal, &one, &mut |_| {}).is_ok(), "what a person wrote is not growth");
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = format!("{}x{}", "${A:-".repeat(100_000), "}".repeat(100_000));
        assert_eq!(substitute(&deep, &|_| None, &mut |_| {}), Err(SubstituteError::TooDeep));
    }
}
