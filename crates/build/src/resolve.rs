//! The images that a Dockerfile names.

use plimsoll_image::{Digest, Image, Reference, manifest};

/// An image that a Dockerfile names, in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedImage {
    /// The configuration and the layers, as the store has them.
    pub image: Image,
    /// What it was resolved to, to be shown: a digest or a local name.
    pub shown: String,
    /// The digest of its manifest or index where it came from.
    pub digest: Option<Digest>,
}

/// Finds the images that a Dockerfile names.
pub trait ImageResolver: Sync {
    /// Brings the image for a platform into the store.
    ///
    /// # Errors
    /// With the reason, and what to do.
    fn resolve(&self, name: &Reference, platform: &manifest::Platform)
    -> Result<ResolvedImage, ResolveError>;
}

/// Why an image could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ResolveError {
    /// What went wrong, with the image's name.
    pub message: String,
    /// What a person can do about it, one sentence.
    pub hint: Option<String>,
}

impl plimsoll_source::Explain for ResolveError {
    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}
