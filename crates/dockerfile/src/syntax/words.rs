//! The words of ENV, LABEL and ARG: separated by spaces, grouped by quotes, quotes kept.
use super::line::Part;
use crate::{KeyValue, Word};

/// Splits `part` at spaces outside of quotes; escapes and quotes stay in the words.
pub(super) fn split(part: Part<'_>, escape: char) -> Vec<Part<'_>> {
    let text = part.text();
    let mut words = Vec::new();
    let mut start = None;
    let mut quote = None;
    let mut end = text.len();
    let mut chars = text.char_indices().peekable();
    while let Some((at, ch)) = chars.next() {
        if quote.is_none() && ch.is_whitespace() {
            words.extend(start.take().map(|start| part.sub(start, at)));
            continue;
        }
        let first = *start.get_or_insert(at);
        // The escape character has no meaning inside single quotes.
        if ch == escape && quote != Some('\'') {
            if chars.next().is_none() {
                // One that escapes nothing is dropped.
                end = at;
                if first == at {
                    start = None;
                }
            }
        } else if quote == Some(ch) {
            quote = None;
        } else if quote.is_none() && matches!(ch, '\'' | '"') {
            quote = Some(ch);
        }
    }
    words.extend(start.map(|start| part.sub(start, end)));
    words
}

/// `K=V...` or the old `K V`; the error is BuildKit's text and its place.
pub(super) fn key_values(
    part: Part<'_>,
    keyword: &str,
    escape: char,
) -> Result<Vec<KeyValue>, (String, Word)> {
    let words = split(part, escape);
    let Some(first) = words.first() else { return Ok(Vec::new()) };
    if !first.text().contains('=') {
        let (key, value) = part.split_at_blanks();
        let Some(value) = value else {
            return Err((format!("{keyword} must have two arguments"), part.word()));
        };
        return Ok(vec![KeyValue { key: key.word(), value: value.word(), legacy: true }]);
    }
    words
        .into_iter()
        .map(|word| match word.text().find('=') {
            Some(at) => Ok(KeyValue {
                key: word.sub(0, at).word(),
                value: word.sub(at + 1, word.text().len()).word(),
                legacy: false,
            }),
            None => Err((
                format!(
                    "Syntax error - can't find = in {}. Must be of the form: name=value",
                    crate::quote::quote(word.text())
                ),
                word.word(),
            )),
        })
        .collect()
}
