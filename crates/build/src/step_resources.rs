use plimsoll_image::LayerDraft;

use crate::{cachemount::CacheMount, ssh::Forward};

/// Cache mounts, sockets and directories that have to stay until a step has ended.
#[derive(Default)]
pub(crate) struct StepResources {
    pub(crate) caches: Vec<CacheMount>,
    pub(crate) forwards: Vec<Forward>,
    pub(crate) drafts: Vec<LayerDraft>,
}
