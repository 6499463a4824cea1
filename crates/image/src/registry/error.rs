//! What can go wrong between us and a registry. No variant ever holds a password or a token.

use plimsoll_source::Explain;

use crate::{Digest, StoreError};

/// Why a pull or push failed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The registry could not be reached, or the connection broke more often than we try.
    #[error("cannot reach registry `{host}`: {reason}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the connection said last.
        reason: String,
    },
    /// The registry wants other credentials, or any.
    #[error("registry `{host}` refuses access to `{object}`: {reason}")]
    Refused {
        /// Host and port.
        host: String,
        /// What was asked for.
        object: String,
        /// The registry's words.
        reason: String,
    },
    /// The registry does not have it.
    #[error("registry `{host}` does not have `{object}`")]
    NotFound {
        /// Host and port.
        host: String,
        /// What was asked for.
        object: String,
    },
    /// An answer that the protocol does not foresee.
    #[error("registry `{host}` answered `{object}` with status {status}: {reason}")]
    Status {
        /// Host and port.
        host: String,
        /// What was asked for.
        object: String,
        /// HTTP status.
        status: u16,
        /// The registry's words.
        reason: String,
    },
    /// Bytes do not have the digest that was promised.
    #[error("registry `{host}` sent `{object}` with digest {found}, expected {expected}")]
    DigestMismatch {
        /// Host and port.
        host: String,
        /// What was asked for.
        object: String,
        /// The promise.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// A document that is not what it should be.
    #[error("registry `{host}` sent an unusable `{object}`: {reason}")]
    Invalid {
        /// Host and port.
        host: String,
        /// What was asked for.
        object: String,
        /// What is wrong.
        reason: String,
    },
    /// The image exists, but not for this platform.
    #[error("`{image}` has no image for {platform}; it has {available}")]
    NoPlatform {
        /// The image.
        image: String,
        /// What was asked for.
        platform: String,
        /// What is there.
        available: String,
    },
    /// Docker's configuration file is unusable.
    #[error("cannot use the credentials in `{path}`: {reason}")]
    Credentials {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that says how registries are reached is unusable.
    #[error("cannot use the configuration in `{path}`: {reason}")]
    Configuration {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Explain for RegistryError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unreachable { .. } => Some(
                "check the name and the network; `[images]` in plimsoll.toml can map the image to one made here",
            ),
            Self::Refused { .. } => Some("log in with `docker login`; its config.json is read"),
            Self::NotFound { .. } => Some("check the name and the tag"),
            Self::Configuration { .. } => Some("`plimsoll help policy` lists what it may hold"),
            Self::Store(error) => return error.hint(),
            _ => None,
        };
        hint.map(str::to_owned)
    }
}
