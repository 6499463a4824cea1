use plimsoll_source::Span;

/// A piece of a Dockerfile: its text as the parser read it, and where it stands.
///
/// `text` is **not expanded**: quotes, escapes and variables are still in it, unless the field that holds the word
/// says otherwise. Continuations are gone from it, so it may be shorter than the text under `span`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Word {
    /// The text, continuations removed.
    pub text: String,
    /// From the first to behind the last byte of it in the file.
    pub span: Span,
}

impl Word {
    /// A word of `text` at `span`.
    pub fn new(text: impl Into<String>, span: Span) -> Self {
        Self { text: text.into(), span }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same place with another text.
    pub(crate) fn with(&self, text: impl Into<String>) -> Self {
        Self::new(text, self.span)
    }
}
