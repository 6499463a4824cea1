use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
};

use plimsoll_image::StoreError;
use plimsoll_sandbox::SandboxError;
use plimsoll_source::{Diagnostic, Explain, FREE_SPACE, is_disk_full};

/// Why a build failed; [`BuildError::diagnostics`] is what a person reads.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The Dockerfile, or something that it names, is wrong; or a step failed.
    #[error("{}", .0.first().map_or("the build failed", |first| first.title.as_str()))]
    Invalid(Vec<Diagnostic>),
    /// A file could not be used.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was to be done.
        what: &'static str,
        /// The file or directory that it was to be done to.
        path: PathBuf,
        /// What the operating system answered to the call.
        #[source]
        source: io::Error,
    },
    /// The image store could not read or write what the build needs.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A step could not be started.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}

impl BuildError {
    pub(crate) fn io(what: &'static str, path: impl AsRef<Path>, source: io::Error) -> Self {
        Self::Io { what, path: path.as_ref().to_owned(), source }
    }

    /// Whether the caller asked for this end.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Sandbox(SandboxError::Cancelled))
    }

    /// The error as messages for a person.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        match self {
            Self::Invalid(diagnostics) => diagnostics.clone(),
            other => vec![if is_disk_full(other) {
                Diagnostic::error(told(other)).hint(FREE_SPACE)
            } else {
                Diagnostic::error(told(other))
            }],
        }
    }
}

impl Explain for BuildError {
    fn explain(&self) -> Diagnostic {
        Diagnostic::error(told(self))
    }

    fn explain_all(&self) -> Vec<Diagnostic> {
        self.diagnostics()
    }
}

/// An error with its causes, as far as it does not tell them itself.
pub(crate) fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

impl From<Diagnostic> for BuildError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Invalid(vec![diagnostic])
    }
}

impl From<Vec<Diagnostic>> for BuildError {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self::Invalid(diagnostics)
    }
}
