//! Flags: `--name`, `--name=value`, with quotes and backslashes as BuildKit reads them.
use std::ops::Range;

use plimsoll_source::Span;

use super::line::Part;
use crate::Word;

/// One `--name[=value]` of an instruction, quotes and escapes removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The whole flag.
    pub word: Word,
    /// For each byte of the text the offset in the file.
    offsets: Vec<usize>,
}

impl Flag {
    /// The name without dashes.
    pub fn name(&self) -> &str {
        let text = self.word.text.strip_prefix("--").unwrap_or(&self.word.text);
        text.split_once('=').map_or(text, |(name, _)| name)
    }

    /// The value behind `=`, unexpanded.
    pub fn value(&self) -> Option<Word> {
        let at = self.word.text.find('=')? + 1;
        let span = if at == self.word.text.len() {
            Span::new(self.word.span.end, self.word.span.end)
        } else {
            self.span_of(at..self.word.text.len())
        };
        Some(Word::new(&self.word.text[at..], span))
    }

    /// Where the bytes `range` of the value stand.
    pub(crate) fn value_span(&self, range: Range<usize>) -> Span {
        let at = self.word.text.find('=').map_or(0, |at| at + 1);
        if range.is_empty() { self.word.span } else { self.span_of(at + range.start..at + range.end) }
    }

    fn span_of(&self, range: Range<usize>) -> Span {
        match (self.offsets.get(range.start), self.offsets.get(range.end - 1)) {
            (Some(start), Some(last)) => Span::new(*start, last + 1),
            _ => self.word.span,
        }
    }
}

/// Collects one flag.
#[derive(Default)]
struct Builder {
    text: String,
    offsets: Vec<usize>,
    start: Option<usize>,
    /// Quotes make an empty word count.
    quoted: bool,
}

impl Builder {
    fn push(&mut self, part: Part<'_>, at: usize, ch: char) {
        self.offsets.extend((0..ch.len_utf8()).map(|byte| part.source_of(at + byte)));
        self.text.push(ch);
    }

    fn finish(self, part: Part<'_>, end: usize, flags: &mut Vec<Flag>) {
        if self.quoted || !self.text.is_empty() {
            let span = part.sub(self.start.unwrap_or(end), end).span();
            flags.push(Flag { word: Word::new(self.text, span), offsets: self.offsets });
        }
    }
}

/// Takes the flags off the front of `part`; the rest starts at the first word without dashes or behind a `--`.
///
/// The backslash always escapes here, whatever `# escape=` says.
pub(super) fn split(part: Part<'_>) -> (Vec<Flag>, Part<'_>) {
    let text = part.text();
    let mut flags = Vec::new();
    let mut builder = Builder::default();
    let mut quote = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, ch)) = chars.next() {
        if builder.start.is_none() {
            if ch.is_whitespace() {
                continue;
            }
            if !text[at..].starts_with("--") {
                return (flags, part.sub(at, text.len()));
            }
            builder.start = Some(at);
        }
        match (quote, ch) {
            (None, ch) if ch.is_whitespace() => {
                if builder.text == "--" {
                    return (flags, part.sub(at, text.len()));
                }
                std::mem::take(&mut builder).finish(part, at, &mut flags);
            }
            (None, '\'' | '"') => {
                quote = Some(ch);
                builder.quoted = true;
            }
            (Some(open), _) if open == ch => quote = None,
            (_, '\\') => match chars.next() {
                Some((at, ch)) => builder.push(part, at, ch),
                None => quote = None,
            },
            _ => builder.push(part, at, ch),
        }
    }
    if builder.start.is_some() && builder.text != "--" {
        builder.finish(part, text.len(), &mut flags);
    }
    (flags, part.sub(text.len(), text.len()))
}

#[cfg(test)]
mod tests {
    use super::{super::line::LogicalLine, *};

    #[test]
    fn flags_lose_quotes_and_keep_places() {
        let mut line = LogicalLine::default();
        line.push(r#"--mount=type=bind,"source=a b" --x -- --rest"#, 10);
        let (flags, rest) = split(line.all());
        let texts: Vec<&str> = flags.iter().map(|flag| flag.word.text.as_str()).collect();
        assert_eq!(texts, ["--mount=type=bind,source=a b", "--x"]);
        assert_eq!(rest.trim().text(), "--rest");
        assert_eq!(flags[0].name(), "mount");
        assert_eq!(flags[0].word.span, Span::new(10, 40));
        assert_eq!(flags[0].value().map(|value| value.span), Some(Span::new(18, 39)));
        assert_eq!(flags[1].value(), None);
    }
}
