//! Debian control data: paragraphs of `Name: value` fields (Policy 5.1, "Syntax of control files").
//!
//! Borrowed from the text, nothing is copied. Values keep their continuation lines (each begins with a space or a tab).
//! Bounded: a paragraph has at most [`MAX_FIELDS`] fields and [`MAX_PARAGRAPH`] bytes.

use std::fmt;

/// Fields in one paragraph.
const MAX_FIELDS: usize = 256;
/// Bytes in one paragraph. The largest in Debian (a kernel's, with its signatures) has 60 kB.
const MAX_PARAGRAPH: usize = 1 << 20;

/// One paragraph: the fields in the order of the text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Paragraph<'a> {
    fields: Vec<(&'a str, &'a str)>,
}

/// Why text is no paragraph: the line (from 1, in the paragraph) and the cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ControlError {
    pub(crate) line: usize,
    pub(crate) cause: &'static str,
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.cause)
    }
}

impl<'a> Paragraph<'a> {
    /// Reads one paragraph; `text` holds no empty line but at its end.
    pub(crate) fn parse(text: &'a str) -> Result<Self, ControlError> {
        let fail = |line, cause| Err(ControlError { line, cause });
        if text.len() > MAX_PARAGRAPH {
            return fail(1, "paragraph too long");
        }
        let mut fields: Vec<(&'a str, &'a str)> = Vec::with_capacity(24);
        let mut open: Option<(&'a str, usize)> = None;
        let mut at = 0;
        for (number, line) in text.split_inclusive('\n').enumerate() {
            let start = at;
            at += line.len();
            if line.trim_ascii().is_empty() {
                if text[at..].trim_ascii().is_empty() {
                    at = start;
                    break;
                }
                return fail(number + 1, "empty line inside a paragraph");
            }
            if line.starts_with([' ', '\t']) {
                if open.is_none() {
                    return fail(number + 1, "continuation line without a field");
                }
                continue;
            }
            if let Some((name, from)) = open.take() {
                fields.push((name, text[from..start].trim_ascii()));
            }
            let Some(colon) = line.find(':') else { return fail(number + 1, "no colon") };
            let name = &text[start..start + colon];
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
                return fail(number + 1, "not a field name");
            }
            if fields.len() == MAX_FIELDS {
                return fail(number + 1, "too many fields");
            }
            if fields.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
                return fail(number + 1, "field given twice");
            }
            open = Some((name, start + colon + 1));
        }
        if let Some((name, from)) = open {
            fields.push((name, text[from..at].trim_ascii()));
        }
        Ok(Self { fields })
    }

    /// The value of a field; names are compared without case (Policy 5.1).
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// All fields in their order.
    pub(crate) fn fields(&self) -> &[(&'a str, &'a str)] {
        &self.fields
    }
}

/// The texts of all paragraphs, with the byte offset of each.
pub(crate) fn split(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while text[at..].starts_with('\n') {
            at += 1;
        }
        if at >= text.len() {
            return None;
        }
        let start = at;
        let len = text[start..].find("\n\n").map_or(text.len() - start, |end| end + 1);
        at = start + len;
        Some((start, &text[start..at]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_fields_and_continuations() {
        let text = "Package: a\nDescription: short\n long\n .\n more\nEmpty:\nVersion: 1:2\n";
        let paragraph = Paragraph::parse(text).unwrap();
        assert_eq!(paragraph.get("package"), Some("a"));
        assert_eq!(paragraph.get("Description"), Some("short\n long\n .\n more"));
        assert_eq!(paragraph.get("Empty"), Some(""));
        assert_eq!(paragraph.get("Version"), Some("1:2"));
        assert_eq!(paragraph.get("Versio"), None);
    }

    #[test]
    fn splits_at_empty_lines() {
        let text = "\nA: 1\nB: 2\n\n\nA: 3\n";
        let all: Vec<_> = split(text).collect();
        assert_eq!(all, [(1, "A: 1\nB: 2\n"), (13, "A: 3\n")]);
        assert_eq!(split("").count(), 0);
        assert_eq!(split("A: 1").collect::<Vec<_>>(), [(0, "A: 1")]);
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, line, cause) in [
            (" x\n", 1, "continuation line without a field"),
            ("A: 1\nb\n", 2, "no colon"),
            ("A: 1\na: 2\n", 2, "field given twice"),
            ("A: 1\n\nB: 2\n", 2, "empty line inside a paragraph"),
            (": 2\n", 1, "not a field name"),
        ] {
            assert_eq!(Paragraph::parse(text).unwrap_err(), ControlError { line, cause });
        }
    }

    #[test]
    fn is_bounded() {
        let many = (0..300).fold(String::new(), |text, n| text + &format!("F{n}: x\n"));
        assert_eq!(Paragraph::parse(&many).unwrap_err().cause, "too many fields");
        let long = format!("A: {}\n", "x".repeat(MAX_PARAGRAPH));
        assert_eq!(Paragraph::parse(&long).unwrap_err().cause, "paragraph too long");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "([A-Za-z-]{0,3}:? ?[a-zß]{0,3}\\PC?\n? ?\n?){0,8}") {
            for (start, paragraph) in split(&text) {
                proptest::prop_assert_eq!(&text[start..start + paragraph.len()], paragraph);
                if let Ok(paragraph) = Paragraph::parse(paragraph) {
                    for (name, value) in paragraph.fields() {
                        proptest::prop_assert_eq!(paragraph.get(name), Some(*value));
                    }
                }
            }
        }
    }
}
