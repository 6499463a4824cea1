//! What of a build a RUN needs beside its instruction.

use std::{path::Path, sync::Arc};

use plimsoll_image::Store;
use plimsoll_sandbox::{Cancel, CgroupLimits, ExtraHost};

use crate::{
    caches::Caches,
    graph::TreeRef,
    secret::Secret,
    settings::{CaBundle, CacheOwner},
    snapshot::Snapshot,
    ssh::{KeyFiles, SshAgent},
    tree::Tree,
};

/// Everything of the build that a RUN needs.
pub(crate) struct Surroundings<'a> {
    pub(crate) store: &'a Store,
    pub(crate) caches: Caches<'a>,
    pub(crate) cache_mounts: &'a Path,
    pub(crate) cache_owner: CacheOwner,
    pub(crate) secrets: &'a [Secret],
    pub(crate) ssh: &'a [SshAgent],
    pub(crate) key_files: &'a KeyFiles,
    pub(crate) ca: &'a CaBundle,
    pub(crate) hosts: &'a [ExtraHost],
    pub(crate) limits: &'a CgroupLimits,
    pub(crate) cancel: &'a Cancel,
    /// Hears for what the step waits.
    pub(crate) waiting: &'a dyn Fn(&str),
    /// Finds the files that a mount names.
    pub(crate) trees: &'a (dyn Fn(&TreeRef) -> TreeSource<'a> + Sync),
}

/// The files that a mount names.
#[derive(Clone)]
pub(crate) enum TreeSource<'a> {
    Context(&'a Tree),
    Snapshot(Arc<Snapshot>),
    Empty,
}
