//! Errors for people: one trait that every library's errors speak, and what a piece of work ends with.

use std::{error::Error, io, path::Path};

use crate::Diagnostic;

/// What to do when a disk is full.
pub const FREE_SPACE: &str =
    "free some space there; `plimsoll image df` shows what Plimsoll takes, `plimsoll image prune` frees it";

/// Whether a full disk, or a used-up quota, is at the bottom of an error.
pub fn is_disk_full(error: &(dyn Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
}

/// An error that can say what to do about it.
///
/// A library implements it for its errors, mostly with nothing but [`hint`](Self::hint). `?` turns such an error into a
/// [`Failure`].
pub trait Explain: Error + Sized + 'static {
    /// What a person can do about it, where one thing stands out.
    fn hint(&self) -> Option<String> {
        None
    }

    /// The error for a person: its text, its causes as notes, and what to do next.
    fn explain(&self) -> Diagnostic {
        let diagnostic = with_causes(self);
        match self.hint() {
            Some(hint) => diagnostic.hint(hint),
            None => diagnostic,
        }
    }

    /// The same where several things are wrong at once.
    fn explain_all(&self) -> Vec<Diagnostic> {
        vec![self.explain()]
    }

    /// Whether the request was right and the running stack is the reason: the exit code tells.
    fn is_of_stack(&self) -> bool {
        false
    }
}

impl Explain for serde_json::Error {}
impl Explain for io::Error {}
impl Explain for std::fmt::Error {}

/// The error's text with the chain of its causes as notes. Where a full disk is among them, the hint says how to get room.
pub fn with_causes(error: &(dyn Error + 'static)) -> Diagnostic {
    let mut diagnostic = Diagnostic::error(error.to_string());
    for cause in std::iter::successors(error.source(), |&error| error.source()) {
        diagnostic = diagnostic.note(format!("caused by: {cause}"));
    }
    if is_disk_full(error) { diagnostic.hint(FREE_SPACE) } else { diagnostic }
}

/// Why a piece of work could not be done. The binary renders it once.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What is wrong; everything that was found, not only the first.
    pub diagnostics: Vec<Diagnostic>,
    /// The request was right and the running stack is the reason.
    pub of_stack: bool,
}

impl Failure {
    /// A message with what to do next.
    pub fn new(title: impl Into<String>, hint: impl Into<String>) -> Self {
        Diagnostic::error(title).hint(hint).into()
    }

    /// From an error of a crate that is not ours, with its chain of causes as notes.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        with_causes(error).into()
    }

    /// A file that was asked for cannot be written.
    pub fn cannot_write(path: &Path, error: &io::Error) -> Self {
        let hint = if is_disk_full(error) { FREE_SPACE } else { "check the path" };
        Self::new(format!("cannot write {}: {error}", path.display()), hint)
    }

    /// The same with one more fact in each message.
    pub fn note(mut self, note: &str) -> Self {
        for diagnostic in &mut self.diagnostics {
            diagnostic.notes.push(note.to_owned());
        }
        self
    }
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self { diagnostics, of_stack: false }
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        vec![diagnostic].into()
    }
}

impl<E: Explain> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { diagnostics: error.explain_all(), of_stack: error.is_of_stack() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Full(io::Error);

    impl std::fmt::Display for Full {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("cannot keep it")
        }
    }

    impl Error for Full {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    impl Explain for Full {}

    #[test]
    fn causes_are_notes_and_a_full_disk_has_a_hint() {
        let fails = || -> Result<(), Failure> { Err(Full(io::ErrorKind::StorageFull.into()))? };
        let failure = fails().unwrap_err();
        let diagnostic = &failure.diagnostics[0];
        assert_eq!(diagnostic.title, "cannot keep it");
        assert_eq!(diagnostic.notes, [format!("caused by: {}", io::Error::from(io::ErrorKind::StorageFull))]);
        assert!(diagnostic.hint.as_deref().unwrap_or_default().starts_with("free some space"));
    }
}
