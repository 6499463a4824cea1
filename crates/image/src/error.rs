//! What can go wrong in the store. Every variant names the object.

use std::{
    io,
    path::{Path, PathBuf},
};

use plimsoll_source::Explain;

use crate::{Digest, LayerId};

/// Why a store operation failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused to read or write a file.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory that it was to be done to.
        path: PathBuf,
        /// What the operating system answered to the call.
        #[source]
        source: io::Error,
    },
    /// A stream that is not a file of the store failed.
    #[error("cannot {action}")]
    Stream {
        /// What was tried, as a verb and its object.
        action: &'static str,
        /// What went wrong while the stream was read or written.
        #[source]
        source: io::Error,
    },
    /// A file of the store does not hold what it must.
    #[error("`{}` is damaged: {reason}", path.display())]
    Corrupt {
        /// The file that is damaged or in another format.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The store was written by a newer version.
    #[error("the store at `{}` has format {found}; this version reads format {supported}", root.display())]
    Version {
        /// The folder that the store is in.
        root: PathBuf,
        /// The version of the format that the store has.
        found: u64,
        /// The newest version of the format that this program reads.
        supported: u64,
    },
    /// Another process reads the store and removal has to wait.
    #[error("the store at `{}` is in use by another process", root.display())]
    InUse {
        /// The folder that the store is in.
        root: PathBuf,
    },
    /// A layer is not in the store.
    #[error("layer {0} is not in the store")]
    NoLayer(LayerId),
    /// A blob is not in the store.
    #[error("blob {0} is not in the store")]
    NoBlob(Digest),
    /// No image has this name or id.
    #[error("no image `{0}` in the store")]
    NoImage(String),
    /// A short id fits several images.
    #[error("`{name}` fits {count} images")]
    Ambiguous {
        /// The name, or the beginning of an id, that was asked for.
        name: String,
        /// How many images it may mean.
        count: usize,
    },
    /// Bytes do not have the digest that was promised.
    #[error("{object} has digest {found}, expected {expected}")]
    DigestMismatch {
        /// What the bytes are, for a message.
        object: String,
        /// The digest that was promised.
        expected: Digest,
        /// The digest that the bytes have.
        found: Digest,
    },
    /// Something in a layer's directory cannot be put into a layer.
    #[error("`{}` cannot be part of a layer: {reason}", path.display())]
    NotALayer {
        /// The file or directory that no layer can hold.
        path: PathBuf,
        /// Why it cannot be used, for a message.
        reason: &'static str,
    },
    /// A file has a name that no layer can hold.
    #[error("/{path} cannot be in an image: names that begin with .wh. delete files")]
    Order {
        /// Its path in the image, made printable.
        path: String,
    },
    /// Two files of an output would be at one place.
    #[error("`{path}` is in {first} and in {second}, and an output has one place for it")]
    Twice {
        /// Its path in the output, made printable.
        path: String,
        /// The first of the two images, or trees, that have a file there.
        first: String,
        /// The second of the two that have it.
        second: String,
    },
    /// An archive is damaged, hostile or too large.
    #[error("bad archive entry `{entry}`: {reason}")]
    Archive {
        /// The entry's name, made printable.
        entry: String,
        /// What is wrong with it, for a message.
        reason: String,
    },
    /// An image archive or layout does not fit its format.
    #[error("`{object}` is not a usable image: {reason}")]
    Format {
        /// The file or document that is wrong, for a message.
        object: String,
        /// What is wrong with it, for a message.
        reason: String,
    },
}

impl StoreError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        Self::Io { action, path: path.into(), source: source.into() }
    }

    pub(crate) fn corrupt(path: impl Into<PathBuf>, reason: impl ToString) -> Self {
        Self::Corrupt { path: path.into(), reason: reason.to_string() }
    }

    pub(crate) fn format(object: impl Into<String>, reason: impl ToString) -> Self {
        Self::Format { object: object.into(), reason: reason.to_string() }
    }
}

impl Explain for StoreError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Version { .. } => Some("use a newer plimsoll, or another PLIMSOLL_HOME"),
            Self::InUse { .. } => Some("wait until the running build has ended, then try again"),
            Self::NoImage(_) => Some("`plimsoll image ls` shows what is there"),
            Self::Ambiguous { .. } => Some("give more digits of the id, or a name"),
            Self::Order { .. } => {
                Some("remove or rename the file before or in this step, or exclude it in .dockerignore")
            }
            Self::Twice { .. } => {
                Some("give each platform a folder of its own with platform-split=true, or rename the file")
            }
            Self::Corrupt { .. } => Some("remove the image and make it again"),
            _ => None,
        };
        hint.map(str::to_owned)
    }
}

/// Adds to an operating system's error what was tried and on what.
pub(crate) trait At<T> {
    fn at(self, action: &'static str, path: impl AsRef<Path>) -> Result<T, StoreError>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, action: &'static str, path: impl AsRef<Path>) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::io(action, path.as_ref(), source))
    }
}
