use std::{fmt, ops::Range, sync::Arc};

/// A half-open range of byte offsets into one [`Source`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset behind the last byte.
    pub end: usize,
}

impl Span {
    /// The span of `range`.
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The smallest span that holds both.
    pub fn to(self, other: Self) -> Self {
        Self::new(self.start.min(other.start), self.end.max(other.end))
    }

    /// The span as a range, to slice text with.
    pub const fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A position as people count it: both start at 1, columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineCol {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// One text with its name, cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    inner: Arc<Inner>,
}

#[derive(PartialEq, Eq)]
struct Inner {
    name: String,
    text: String,
    lines: Vec<usize>,
}

impl Source {
    /// `name` is how messages call the text: a path as the user wrote it, or `<stdin>`.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { inner: Arc::new(Inner { name: name.into(), text, lines }) }
    }

    /// How messages call this text.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.inner.text
    }

    /// The text of `span`; empty when the span does not lie on character borders of this text.
    pub fn slice(&self, span: Span) -> &str {
        self.inner.text.get(span.range()).unwrap_or_default()
    }

    /// Line and column of the byte at `offset`.
    pub fn line_col(&self, offset: usize) -> LineCol {
        let offset = offset.min(self.inner.text.len());
        let line = self.inner.lines.partition_point(|&start| start <= offset);
        let start = self.inner.lines[line - 1];
        let column = self.inner.text.get(start..offset).map_or(0, |before| before.chars().count()) + 1;
        LineCol { line, column }
    }

    /// The span of line `line` (from 1) without its line break; empty behind the end.
    pub fn line_span(&self, line: usize) -> Span {
        let Some(&start) = line.checked_sub(1).and_then(|at| self.inner.lines.get(at)) else {
            return Span::new(self.inner.text.len(), self.inner.text.len());
        };
        let end = self.inner.lines.get(line).map_or(self.inner.text.len(), |next| next - 1);
        Span::new(start, end)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({:?}, {} bytes)", self.inner.name, self.inner.text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_lines_from_one() {
        let source = Source::new("a", "ab\nçd\n");
        assert_eq!(source.line_col(0), LineCol { line: 1, column: 1 });
        assert_eq!(source.line_col(5), LineCol { line: 2, column: 2 });
        assert_eq!(source.line_col(7), LineCol { line: 3, column: 1 });
        assert_eq!(source.slice(source.line_span(2)), "çd");
        assert_eq!(source.line_span(9), Span::new(7, 7));
    }
}
