//! Changes to a text as data: made by one part, shown or applied by another.

use crate::{Diagnostic, Source, Span};

/// One replacement: the bytes of `span` become `text`. An empty span inserts, an empty text removes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The text that is changed.
    pub source: Source,
    /// What goes.
    pub span: Span,
    /// What takes its place.
    pub text: String,
}

/// Why edits cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// Two edits change the same bytes, or insert different text at the same place.
    #[error("{file}:{line}: two edits change the same place")]
    Overlap {
        /// The name of the text.
        file: String,
        /// The line where the second one begins.
        line: usize,
    },
    /// The span ends outside the text or within a character.
    #[error("{file}: an edit of bytes {} to {} is not on character borders of the text", .span.start, .span.end)]
    Borders {
        /// The name of the text.
        file: String,
        /// The span.
        span: Span,
    },
}

impl From<EditError> for Diagnostic {
    fn from(error: EditError) -> Self {
        Self::error(error.to_string())
    }
}

impl Edit {
    /// Replaces the bytes of `span`.
    pub fn new(source: &Source, span: Span, text: impl Into<String>) -> Self {
        Self { source: source.clone(), span, text: text.into() }
    }
}

/// The text of `source` after `edits`; edits of other texts are passed over.
///
/// All spans are those of the text before. The order in which edits are given does not matter, and the same edit given
/// twice counts once. An insertion at the border of a replacement does not overlap it.
pub fn apply<'a>(source: &Source, edits: impl IntoIterator<Item = &'a Edit>) -> Result<String, EditError> {
    let text = source.text();
    let mut edits: Vec<&Edit> = edits
        .into_iter()
        .filter(|edit| edit.source == *source)
        .filter(|edit| edit.span.start != edit.span.end || !edit.text.is_empty())
        .collect();
    edits.sort_by(|a, b| (a.span, &a.text).cmp(&(b.span, &b.text)));
    edits.dedup();
    let mut new = String::with_capacity(text.len());
    let mut done = 0;
    let mut inserted = None;
    for edit in edits {
        let span = edit.span;
        if text.get(span.range()).is_none() {
            return Err(EditError::Borders { file: source.name().to_owned(), span });
        }
        let is_insertion = span.start == span.end;
        if span.start < done || (is_insertion && inserted == Some(span.start)) {
            let line = source.line_col(span.start).line;
            return Err(EditError::Overlap { file: source.name().to_owned(), line });
        }
        if is_insertion {
            inserted = Some(span.start);
        }
        new.push_str(&text[done..span.start]);
        new.push_str(&edit.text);
        done = span.end;
    }
    new.push_str(&text[done..]);
    Ok(new)
}
