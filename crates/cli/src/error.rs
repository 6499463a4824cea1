//! What a verb returns when it could not do its work. Rendered once, by [`crate::render::error`].

use std::{io, path::Path};

use plimsoll_source::Diagnostic;

/// What to do when a disk is full.
const FREE_SPACE: &str =
    "free some space there; `plimsoll image df` shows what Plimsoll takes, `plimsoll image prune` frees it";

fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// What to do when a file that was asked for cannot be written.
pub(crate) fn cannot_write(path: &Path, error: &io::Error) -> CommandError {
    let hint = if is_disk_full(error) { FREE_SPACE } else { "check the path" };
    CommandError::new(format!("cannot write {}: {error}", path.display()), hint)
}

/// Why a verb could not run.
#[derive(Debug)]
pub(crate) struct CommandError {
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The exit code: 2, or 1 where the stack is the reason.
    pub(crate) code: u8,
}

/// The exit code of what could not run.
const NOT_RUN: u8 = 2;

impl CommandError {
    /// A message with what to do next.
    pub(crate) fn new(title: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { diagnostics: vec![Diagnostic::error(title).hint(hint)], code: NOT_RUN }
    }

    /// From a library's error, with its chain of causes as notes.
    pub(crate) fn from_error(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut diagnostic = Diagnostic::error(error.to_string());
        let mut cause = Some(error);
        while let Some(error) = cause {
            if error.downcast_ref::<io::Error>().is_some_and(is_disk_full) {
                diagnostic = diagnostic.hint(FREE_SPACE);
            }
            cause = error.source();
            if let Some(error) = cause {
                diagnostic = diagnostic.note(format!("caused by: {error}"));
            }
        }
        Self { diagnostics: vec![diagnostic], code: NOT_RUN }
    }
}

impl From<Vec<Diagnostic>> for CommandError {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self { diagnostics, code: NOT_RUN }
    }
}

impl From<Diagnostic> for CommandError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { diagnostics: vec![diagnostic], code: NOT_RUN }
    }
}
