//! What is kept between builds, as steps use it.

use crate::{index::Index, remote::Remotes, statcache::StatCache};

/// The digests of files by their time stamps, the results of keys, and what was downloaded.
#[derive(Clone, Copy)]
pub(crate) struct Caches<'a> {
    pub(crate) stat: &'a StatCache,
    pub(crate) index: &'a Index,
    pub(crate) remotes: &'a Remotes,
}
