//! What can go wrong between us and a registry. No variant ever holds a password or a token.

use plimsoll_source::Explain;

use crate::{Digest, StoreError};

/// Why a pull or push failed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The registry could not be reached, or the connection broke more often than we try.
    #[error("cannot reach registry `{host}`: {reason}")]
    Unreachable {
        /// The registry, as host and port.
        host: String,
        /// What the connection said last.
        reason: String,
    },
    /// The registry wants other credentials, or any.
    #[error("registry `{host}` refuses access to `{object}`: {reason}")]
    Refused {
        /// The registry, as host and port.
        host: String,
        /// The blob, manifest or tag that was asked for.
        object: String,
        /// What the registry said about it.
        reason: String,
    },
    /// The registry does not have it.
    #[error("registry `{host}` does not have `{object}`")]
    NotFound {
        /// The registry, as host and port.
        host: String,
        /// The blob, manifest or tag that was asked for.
        object: String,
    },
    /// An answer that the protocol does not foresee.
    #[error("registry `{host}` answered `{object}` with status {status}: {reason}")]
    Status {
        /// The registry, as host and port.
        host: String,
        /// The blob, manifest or tag that was asked for.
        object: String,
        /// The status of its answer over HTTP.
        status: u16,
        /// What the registry said about it.
        reason: String,
    },
    /// Bytes do not have the digest that was promised.
    #[error("registry `{host}` sent `{object}` with digest {found}, expected {expected}")]
    DigestMismatch {
        /// The registry, as host and port.
        host: String,
        /// The blob, manifest or tag that was asked for.
        object: String,
        /// The digest that was promised.
        expected: Digest,
        /// The digest of the bytes that came.
        found: Digest,
    },
    /// A document that is not what it should be.
    #[error("registry `{host}` sent an unusable `{object}`: {reason}")]
    Invalid {
        /// The registry, as host and port.
        host: String,
        /// The blob, manifest or tag that was asked for.
        object: String,
        /// What is wrong with the answer, for a message.
        reason: String,
    },
    /// The image exists, but not for this platform.
    #[error("`{image}` has no image for {platform}; it has {available}")]
    NoPlatform {
        /// The image's name as it was asked for.
        image: String,
        /// The platform that was asked for.
        platform: String,
        /// The platforms that the registry has it for.
        available: String,
    },
    /// Docker's configuration file is unusable.
    #[error("cannot use the credentials in `{path}`: {reason}")]
    Credentials {
        /// The configuration file with credentials or certificates.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that says how registries are reached is unusable.
    #[error("cannot use the configuration in `{path}`: {reason}")]
    Configuration {
        /// The configuration file with credentials or certificates.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store could not read or write what travels.
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
