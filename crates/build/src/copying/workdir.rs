//! WORKDIR makes its directory where it is missing.

use std::path::{Path, PathBuf};

use plimsoll_image::{Layer, SealOptions, Store};

use super::{destination::owner, error::CopyError};
use crate::{
    graph::WorkdirOp,
    key::{Key, KeyBuilder, Part},
    layer_writer::{LayerError, LayerWriter, resolve, what},
    snapshot::Snapshot,
};

/// What WORKDIR has to do.
pub(crate) enum Workdir {
    /// The directory is there.
    Exists,
    /// It must be made, with this key.
    Make { key: Key, parts: Vec<Part>, owner: (u32, u32) },
}

/// Finds out what a WORKDIR has to do.
pub(crate) fn prepare_workdir(op: &WorkdirOp, parent: &Snapshot) -> Result<Workdir, CopyError> {
    let tree = parent.tree();
    let at = resolve(&tree, Path::new(&op.path))?;
    let found = if parent.paths.is_empty() {
        None
    } else {
        tree.lookup(&at, false).map_err(|error| LayerError::Io(at.clone(), error))?
    };
    match found {
        Some(node) if node.is_directory() => return Ok(Workdir::Exists),
        Some(node) => return Err(LayerError::WorkdirInTheWay { is: what(&node.host), path: at }.into()),
        None => {}
    }
    let owner = if op.user.is_empty() { (0, 0) } else { owner(&op.user, parent)? };
    let mut key = KeyBuilder::new("workdir 1");
    key.part("the path", at.as_os_str().as_encoded_bytes());
    key.part("the owner", format!("{owner:?}"));
    let mut above = PathBuf::new();
    for name in &at {
        above.push(name);
        let node = if parent.paths.is_empty() {
            None
        } else {
            tree.lookup(&above, false).map_err(|error| LayerError::Io(above.clone(), error))?
        };
        let Some(node) = node else { break };
        let text = format!("{:o} {} {}", node.mode, node.uid, node.gid);
        key.part(format!("the directory /{} below", above.display()), text);
    }
    let (key, parts) = key.finish();
    Ok(Workdir::Make { key, parts, owner })
}

/// Makes the directory of a WORKDIR.
pub(crate) fn workdir(
    op: &WorkdirOp,
    owner: (u32, u32),
    parent: &Snapshot,
    store: &Store,
    seal: &SealOptions,
) -> Result<Layer, CopyError> {
    let draft = store.begin_layer()?;
    let mut layer = LayerWriter::new(&draft.fs, &parent.paths);
    layer.owner = Some(owner);
    layer.make_directories(&layer.resolve(&op.path)?)?;
    layer.keep_times()?;
    Ok(draft.seal(seal)?)
}
