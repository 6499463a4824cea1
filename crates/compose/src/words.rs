//! Splits a command line into words as a shell does, without expansion.

use thiserror::Error;

/// Why a command could not be split.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum SplitError {
    #[error("a quote is not closed")]
    Unclosed,
    #[error("it ends with a backslash")]
    Backslash,
}

/// Words by blanks; `'…'` is literal, in `"…"` a backslash escapes only `\`, `"`, `$`, `` ` `` and newlines.
pub(crate) fn split(text: &str) -> Result<Vec<String>, SplitError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(next) = chars.next() {
        match next {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\'' => loop {
                match chars.next() {
                    None => return Err(SplitError::Unclosed),
                    Some('\'') => break word.get_or_insert_default().push_str(""),
                    Some(inside) => word.get_or_insert_default().push(inside),
                }
            },
            '"' => double_quoted(&mut chars, word.get_or_insert_default())?,
            '\\' => match chars.next() {
                None => return Err(SplitError::Backslash),
                Some('\n') => {}
                Some(escaped) => word.get_or_insert_default().push(escaped),
            },
            _ => word.get_or_insert_default().push(next),
        }
    }
    words.extend(word);
    Ok(words)
}

fn double_quoted(chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), SplitError> {
    loop {
        match chars.next().ok_or(SplitError::Unclosed)? {
            '"' => return Ok(()),
            '\\' => match chars.next().ok_or(SplitError::Unclosed)? {
                '\n' => {}
                escaped @ ('\\' | '"' | '$' | '`') => word.push(escaped),
                other => {
                    word.push('\\');
                    word.push(other);
                }
            },
            inside => word.push(inside),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_a_shell() {
        assert_eq!(
            split(r#"sh -c "echo \"a b\" '$x'" '' a\ b"#).expect("splits"),
            ["sh", "-c", r#"echo "a b" '$x'"#, "", "a b"]
        );
        assert_eq!(split("  "), Ok(vec![]));
        assert_eq!(split("'a"), Err(SplitError::Unclosed));
        assert_eq!(split("a\\"), Err(SplitError::Backslash));
    }
}
