use serde::Serialize;

use crate::{Source, Span};

/// How bad a [`Diagnostic`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Likely wrong, but the work can go on.
    Warning,
    /// The work cannot be done.
    Error,
}

/// A marked place of a text with what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The text.
    pub source: Source,
    /// The place in it.
    pub span: Span,
    /// What is wrong there; may be empty.
    pub message: String,
}

/// One message to a person: what is wrong, where, and what to do next. Plain data; the binary renders it.
///
/// `title`, messages and `hint` are lower-case fragments without a final full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable identifier for people to search for, if the message has one.
    pub code: Option<&'static str>,
    /// What is wrong, in one line.
    pub title: String,
    /// Places; the first one is the primary place.
    pub labels: Vec<Label>,
    /// Further facts, one line each.
    pub notes: Vec<String>,
    /// What to do next.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error with nothing but its title.
    pub fn error(title: impl Into<String>) -> Self {
        Self::new(Severity::Error, title)
    }

    /// A warning with nothing but its title.
    pub fn warning(title: impl Into<String>) -> Self {
        Self::new(Severity::Warning, title)
    }

    fn new(severity: Severity, title: impl Into<String>) -> Self {
        Self { severity, code: None, title: title.into(), labels: Vec::new(), notes: Vec::new(), hint: None }
    }

    /// The title behind the file and line of the primary place: for logs and tests, where nothing is drawn.
    pub fn one_line(&self) -> String {
        match self.labels.first() {
            Some(label) => {
                let line = label.source.line_col(label.span.start).line;
                format!("{}:{line}: {}", label.source.name(), self.title)
            }
            None => self.title.clone(),
        }
    }

    /// Adds a stable identifier.
    pub fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// Adds a place; the first one added is the primary one.
    pub fn label(mut self, source: &Source, span: Span, message: impl Into<String>) -> Self {
        self.labels.push(Label { source: source.clone(), span, message: message.into() });
        self
    }

    /// Adds a fact.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Says what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
