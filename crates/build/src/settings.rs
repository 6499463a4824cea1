//! How the steps of a build run.

use std::path::PathBuf;

/// The certificates that steps trust, beside those of their image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CaBundle {
    /// The host's bundle, where it has one that differs from the image's.
    #[default]
    Auto,
    /// The certificates of this file, after those of the image.
    File(PathBuf),
    /// Those of the image alone.
    Off,
}

/// The network of every RUN that does not choose one itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Net {
    /// One of its own, with a way out.
    #[default]
    Default,
    /// No network but the loopback device.
    None,
    /// The host's; has to be allowed.
    Host,
}

/// Whom new cache mounts belong to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheOwner {
    /// Root, as in BuildKit.
    #[default]
    Root,
    /// The `USER` of the step.
    User,
}
