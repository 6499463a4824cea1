//! Paths to values: `services.web.ports[0]`.

use plimsoll_source::{Diagnostic, yaml::Limits};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// The entry of a mapping.
    Key(String),
    /// The item of a list, from 0. Behind the last one stands a new one.
    Item(usize),
    /// A new item at the end of a list: `[+]`.
    Append,
}

/// Reads `services.web.ports[0]`. A key with dots or brackets stands in `["…"]` or in quotes:
/// `services.web.labels["com.example.a"]`.
pub fn steps(text: &str) -> Result<Vec<Segment>, Diagnostic> {
    let fault = |problem: &str| {
        Diagnostic::error(format!("`{text}` is not a path: {problem}"))
            .hint("write keys with dots between them, and positions in brackets: services.web.ports[0]")
    };
    let mut steps = Vec::new();
    let mut rest = text.trim();
    loop {
        let bare = rest.find(['.', '[']).unwrap_or(rest.len());
        if let Some(quote @ ('"' | '\'')) = rest.chars().next() {
            let end = rest[1..].find(quote).ok_or_else(|| fault("a quote is not closed"))? + 1;
            steps.push(Segment::Key(rest[1..end].to_owned()));
            rest = &rest[end + 1..];
        } else if bare > 0 {
            steps.push(Segment::Key(rest[..bare].to_owned()));
            rest = &rest[bare..];
        } else if !rest.starts_with('[') {
            return Err(fault("a key is empty"));
        }
        while let Some(inside) = rest.strip_prefix('[') {
            let quote = inside.chars().next().filter(|first| matches!(first, '"' | '\''));
            let end = match quote {
                // Behind the first quote: a key may begin with a bracket.
                Some(quote) => inside[1..].find(&format!("{quote}]")[..]).map(|end| end + 2),
                None => inside.find(']'),
            };
            let end = end.ok_or_else(|| fault("a bracket is not closed"))?;
            steps.push(match (&inside[..end], quote) {
                (key, Some(_)) => Segment::Key(key[1..key.len() - 1].to_owned()),
                ("+" | "", None) => Segment::Append,
                (position, None) => {
                    let number = position.bytes().all(|byte| byte.is_ascii_digit());
                    let position = number.then(|| position.parse().ok()).flatten();
                    Segment::Item(position.ok_or_else(|| fault("a position is a whole number or `+`"))?)
                }
            });
            rest = &inside[end + 1..];
        }
        match rest.strip_prefix('.') {
            Some(behind) => rest = behind,
            None if rest.is_empty() && steps.len() > Limits::default().depth => {
                return Err(fault("no file is read so deep"));
            }
            None if rest.is_empty() => return Ok(steps),
            None => return Err(fault("a dot is missing")),
        }
    }
}

/// Whether a key is read as itself only between quotes. Blanks around a whole path are nobody's.
fn needs_quotes(key: &str) -> bool {
    key.is_empty() || key.contains(['.', '[', ']', '"', '\'']) || key.trim() != key
}

/// The path as [`steps`] reads it.
pub fn text(steps: &[Segment]) -> String {
    let mut out = String::new();
    for step in steps {
        match step {
            Segment::Item(at) => out.push_str(&format!("[{at}]")),
            Segment::Append => out.push_str("[+]"),
            Segment::Key(key) if needs_quotes(key) => {
                let quote = if key.contains('"') { '\'' } else { '"' };
                out.push_str(&format!("[{quote}{key}{quote}]"));
            }
            Segment::Key(key) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(key);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_and_written() {
        let key = |key: &str| Segment::Key(key.to_owned());
        for (path, expected) in [
            ("services.web.image", vec![key("services"), key("web"), key("image")]),
            ("services.web.ports[0]", vec![key("services"), key("web"), key("ports"), Segment::Item(0)]),
            ("a[+].b[2][\"c.d\"]", vec![key("a"), Segment::Append, key("b"), Segment::Item(2), key("c.d")]),
            ("labels['x[0]'].y", vec![key("labels"), key("x[0]"), key("y")]),
            ("a[\"]b\"][\"\"]", vec![key("a"), key("]b"), key("")]),
            ("[\" a\"].b", vec![key(" a"), key("b")]),
            ("a[\"b\\n\"]", vec![key("a"), key("b\\n")]),
            ("[\"a\n\"]", vec![key("a\n")]),
        ] {
            assert_eq!(steps(path).expect("a path"), expected, "{path}");
            assert_eq!(steps(&text(&expected)).expect("a path"), expected, "{path}");
        }
        assert_eq!(steps("\"a.b\".c").expect("a path"), [key("a.b"), key("c")]);
        for wrong in ["", ".", "a.", "a..b", "a[x]", "a[", "a[0]b", "a[+4]", "\"a", "a[\"]"] {
            assert!(steps(wrong).is_err(), "{wrong}");
        }
        assert!(steps(&"a.".repeat(99)[..197]).is_ok());
        let deep = steps(&format!("a{}", ".a".repeat(3000))).unwrap_err();
        assert!(deep.title.ends_with("no file is read so deep"), "{}", deep.title);
    }
}
