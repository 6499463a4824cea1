//! What a verb returns when it could not do its work. Rendered once, by [`crate::render::error`].

use plimsoll_source::Diagnostic;

/// Why a verb could not run. Every variant ends the process with exit code 2.
#[derive(Debug)]
pub(crate) struct CommandError {
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl CommandError {
    /// A message with what to do next.
    pub(crate) fn new(title: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { diagnostics: vec![Diagnostic::error(title).hint(hint)] }
    }

    /// From a library's error, with its chain of causes as notes.
    pub(crate) fn from_error(error: &dyn std::error::Error) -> Self {
        let mut diagnostic = Diagnostic::error(error.to_string());
        let mut cause = error.source();
        while let Some(error) = cause {
            diagnostic = diagnostic.note(format!("caused by: {error}"));
            cause = error.source();
        }
        Self { diagnostics: vec![diagnostic] }
    }
}

impl From<Vec<Diagnostic>> for CommandError {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self { diagnostics }
    }
}

impl From<Diagnostic> for CommandError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { diagnostics: vec![diagnostic] }
    }
}
