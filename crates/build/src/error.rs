use std::{
    io,
    path::{Path, PathBuf},
};

use plimsoll_image::StoreError;
use plimsoll_sandbox::SandboxError;
use plimsoll_source::Diagnostic;

/// Why a build failed.
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
        /// With what.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The image store refused.
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
            other => vec![Diagnostic::error(other.to_string())],
        }
    }
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
