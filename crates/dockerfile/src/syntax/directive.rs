//! Parser directives: `# name=value` before anything else.
use plimsoll_source::Span;

use crate::{Directives, Word};

/// Reads directives until the first line that is none.
#[derive(Default)]
pub(super) struct DirectiveReader {
    done: bool,
    seen_any_line: bool,
}

impl DirectiveReader {
    /// Takes one line that stands at `start`. True when it is a directive, which is then in `directives`.
    pub(super) fn line(
        &mut self,
        line: &str,
        start: usize,
        directives: &mut Directives,
    ) -> Result<bool, (String, Word)> {
        let first = !std::mem::replace(&mut self.seen_any_line, true);
        if self.done || (first && line.starts_with("#!")) {
            return Ok(false);
        }
        let Some((name, value)) = line.strip_prefix('#').and_then(|rest| split(rest, start + 1)) else {
            self.done = true;
            return Ok(false);
        };
        let slot = match name.as_str() {
            "syntax" => &mut directives.syntax,
            "escape" => &mut directives.escape_word,
            "check" => &mut directives.check,
            _ => {
                self.done = true;
                return Ok(false);
            }
        };
        if slot.is_some() {
            return Err((format!("only one {name} parser directive can be used"), value));
        }
        if name == "escape" {
            match value.text.as_str() {
                "\\" => directives.escape = '\\',
                "`" => directives.escape = '`',
                other => {
                    return Err((format!("invalid escape token '{other}' does not match ` or \\"), value));
                }
            }
        }
        *slot = Some(value);
        Ok(true)
    }
}

/// `name = value`, the name lower-cased.
fn split(rest: &str, start: usize) -> Option<(String, Word)> {
    let (name, value) = rest.split_once('=')?;
    let name = name.trim();
    let first = name.chars().next()?;
    if !first.is_ascii_alphabetic() || !name.chars().all(|ch| ch.is_ascii_alphanumeric()) {
        return None;
    }
    let indent = value.len() - value.trim_start().len();
    let at = start + (rest.len() - value.len()) + indent;
    let value = value.trim();
    (!value.is_empty())
        .then(|| (name.to_ascii_lowercase(), Word::new(value, Span::new(at, at + value.len()))))
}

/// `name=value` in a comment above an instruction, such as `check=skip=RULE`.
pub(crate) fn in_comment(comment: &Word) -> Option<(String, Word)> {
    split(&comment.text, comment.span.start)
}

/// The frontend that a text asks for: `# syntax=`, `// syntax=`, or a JSON object with a `syntax` string; a shebang
/// line may stand before it. For texts that are no Dockerfile but name a frontend that reads them.
pub fn detect_syntax(text: &str) -> Option<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = if text.starts_with("#!") { text.split_once('\n')?.1 } else { text };
    for prefix in ["#", "//"] {
        for line in text.lines() {
            let Some((name, value)) = line.strip_prefix(prefix).and_then(|rest| split(rest, 0)) else {
                break;
            };
            match name.as_str() {
                "syntax" => return value.text.split(' ').next().map(str::to_owned),
                "escape" | "check" => {}
                _ => break,
            }
        }
    }
    let object: serde_json::Value = serde_json::from_str(text).ok()?;
    object.get("syntax")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::detect_syntax;

    #[test]
    fn syntax_is_found_in_three_forms() {
        let found = Some("docker/dockerfile:1".to_owned());
        assert_eq!(
            detect_syntax("#!/usr/bin/env x\n# escape=`\n# Syntax = docker/dockerfile:1 a\nFROM a"),
            found
        );
        assert_eq!(detect_syntax("// syntax=docker/dockerfile:1\n{}"), found);
        assert_eq!(detect_syntax(r#"{"syntax": "docker/dockerfile:1"}"#), found);
        assert_eq!(detect_syntax("# comment\n# syntax=a"), None);
        assert_eq!(detect_syntax(""), None);
    }
}
