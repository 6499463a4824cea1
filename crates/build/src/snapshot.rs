//! The files of a step: a stack of layers with a digest of its content.

use plimsoll_disk::{Links, read_regular};
use std::path::PathBuf;

use plimsoll_image::{Layer, LayerId};

use crate::{key::Key, tree::Tree};

/// The files that a step leaves.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// Lowest first.
    pub(crate) layers: Vec<LayerId>,
    /// The layers' directories, top first.
    pub(crate) paths: Vec<PathBuf>,
    /// Digest of the content of all layers.
    pub(crate) state: Key,
    /// When its step was done, in seconds since 1970.
    pub(crate) created: i64,
    /// Its step changed something.
    pub(crate) changed: bool,
}

impl Snapshot {
    /// No files.
    pub(crate) fn empty() -> Self {
        Self {
            layers: Vec::new(),
            paths: Vec::new(),
            state: Key::of(b"plimsoll: no files"),
            created: 0,
            changed: false,
        }
    }

    /// With one more layer, or with none when the step changed nothing.
    pub(crate) fn with(&self, layer: Option<&Layer>, created: i64) -> Self {
        let mut next = self.clone();
        next.created = created;
        next.changed = layer.is_some();
        if let Some(layer) = layer {
            next.layers.push(layer.id);
            // Overlay takes a directory only once; whatever a layer does, its upper occurrence does as well.
            next.paths.retain(|path| *path != layer.path);
            next.paths.insert(0, layer.path.clone());
            let mut hash = blake3::Hasher::new();
            hash.update(self.state.as_bytes());
            hash.update(layer.content.as_bytes());
            next.state = Key::from_bytes(*hash.finalize().as_bytes());
        }
        next
    }

    /// The merged view of its layers.
    pub(crate) fn tree(&self) -> Tree {
        Tree::layers(self.paths.clone())
    }

    /// A small text file in it, empty when it is missing; for `/etc/passwd` and the like.
    pub(crate) fn text(&self, path: &str) -> String {
        const LIMIT: u64 = 4 << 20;
        self.tree()
            .lookup(std::path::Path::new(path), true)
            .ok()
            .flatten()
            .filter(|node| node.stamp.size <= LIMIT)
            .and_then(|node| read_regular(&node.host, LIMIT, Links::Refuse).ok())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }
}
