//! Logical lines: text joined over continuations that still knows where every byte came from.
use plimsoll_source::Span;

use crate::Word;

/// One instruction's text without continuations.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogicalLine {
    text: String,
    /// Where in `text` a piece starts, and where it stands in the source.
    pieces: Vec<(usize, usize)>,
}

impl LogicalLine {
    /// Appends `text`, which stands at `source` in the file.
    pub(crate) fn push(&mut self, text: &str, source: usize) {
        if !text.is_empty() {
            self.pieces.push((self.text.len(), source));
            self.text.push_str(text);
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn all(&self) -> Part<'_> {
        Part { line: self, start: 0, end: self.text.len() }
    }

    fn source_of(&self, at: usize) -> usize {
        let piece = self.pieces.partition_point(|(start, _)| *start <= at);
        let (start, source) =
            piece.checked_sub(1).and_then(|piece| self.pieces.get(piece)).copied().unwrap_or_default();
        source + (at - start.min(at))
    }
}

/// A part of a logical line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    line: &'a LogicalLine,
    start: usize,
    end: usize,
}

impl<'a> Part<'a> {
    pub(crate) fn text(self) -> &'a str {
        &self.line.text[self.start..self.end]
    }

    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The part from byte `start` to `end` of this one.
    pub(crate) fn sub(self, start: usize, end: usize) -> Self {
        let limit = |at: usize| (self.start + at).min(self.end);
        Self { line: self.line, start: limit(start), end: limit(end) }
    }

    /// From the start of this part to the end of `last`, a later part of the same line.
    pub(crate) fn up_to(self, last: Self) -> Self {
        Self { end: last.end, ..self }
    }

    pub(crate) fn trim(self) -> Self {
        let text = self.text();
        let start = text.len() - text.trim_start().len();
        self.sub(start, start + text.trim().len())
    }

    /// Where byte `at` of this part stands in the file.
    pub(crate) fn source_of(self, at: usize) -> usize {
        self.line.source_of(self.start + at)
    }

    pub(crate) fn span(self) -> Span {
        if self.is_empty() {
            let at = self.line.source_of(self.start.min(self.line.text.len().saturating_sub(1)));
            let behind = usize::from(self.start > 0 && self.start == self.line.text.len());
            let width = self.line.text[..self.start].chars().next_back().map_or(0, char::len_utf8);
            // An empty part at the end of the line stands behind its last character.
            let at = if behind == 1 { self.line.source_of(self.start - width) + width } else { at };
            return Span::new(at, at);
        }
        let width = self.text().chars().next_back().map_or(0, char::len_utf8);
        Span::new(self.line.source_of(self.start), self.line.source_of(self.end - width) + width)
    }

    pub(crate) fn word(self) -> Word {
        Word::new(self.text(), self.span())
    }

    /// The parts between runs of blanks.
    pub(crate) fn split_blanks(self) -> Vec<Self> {
        let mut parts = Vec::new();
        let mut rest = self;
        while !rest.is_empty() {
            let (first, behind) = rest.split_at_blanks();
            parts.push(first);
            let Some(behind) = behind else { break };
            rest = behind;
        }
        parts
    }

    /// What stands before the first run of blanks, and what behind it.
    pub(crate) fn split_at_blanks(self) -> (Self, Option<Self>) {
        let text = self.text();
        let Some(at) = text.find(is_blank) else { return (self, None) };
        let behind = text[at..].find(|ch| !is_blank(ch)).map_or(text.len(), |width| at + width);
        (self.sub(0, at), Some(self.sub(behind, text.len())))
    }
}

/// What separates arguments; a no-break space does not.
pub(crate) fn is_blank(ch: char) -> bool {
    matches!(ch, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_reach_over_continuations() {
        // source: `RUN a \⏎  b`
        let mut line = LogicalLine::default();
        line.push("RUN a ", 0);
        line.push("  b", 8);
        let words = line.all().split_blanks();
        assert_eq!(words.iter().map(|word| word.text()).collect::<Vec<_>>(), ["RUN", "a", "b"]);
        assert_eq!(words[2].span(), Span::new(10, 11));
        assert_eq!(line.all().sub(4, 9).span(), Span::new(4, 11));
        assert_eq!(line.all().sub(9, 9).span(), Span::new(11, 11));
    }
}
