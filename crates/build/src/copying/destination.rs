//! What of the files below a COPY decides about it: its destination, and whom its owner's name means.

use std::path::{Path, PathBuf};

use plimsoll_sandbox::lookup;

use super::error::CopyError;
use crate::{
    graph::CopyOp,
    layer_writer::{LayerError, resolve},
    select::Picked,
    snapshot::Snapshot,
};

/// What of the parent's files decides where a COPY writes and what it repeats in its layer.
pub(super) struct Destination {
    pub(super) facts: Vec<(String, String)>,
    /// Nothing is there, so nothing can be in the way.
    pub(super) free: bool,
}

impl Destination {
    pub(super) fn look(op: &CopyOp, parent: &Snapshot) -> Result<Self, CopyError> {
        let tree = parent.tree();
        let at = resolve(&tree, Path::new(&op.dest))?;
        let mut facts = vec![("the resolved destination".to_owned(), at.display().to_string())];
        let mut free = true;
        let look =
            |path: &Path| tree.lookup(path, false).map_err(|error| LayerError::Io(path.to_owned(), error));
        if !parent.paths.is_empty() {
            let mut path = PathBuf::new();
            for name in &at {
                path.push(name);
                let Some(node) = look(&path)? else { break };
                let text = format!("{:?} {:o} {} {}", node.kind, node.mode, node.uid, node.gid);
                facts.push((format!("the directory /{} below", path.display()), text));
            }
            if let Some(node) = look(&at)? {
                free = node.is_directory()
                    && tree.children(&node).map_err(|error| LayerError::Io(at.clone(), error))?.is_empty();
            }
        }
        Ok(Self { facts, free })
    }
}

/// The first thing of the parent that a COPY would have to replace and may not.
pub(super) fn conflicts(
    op: &CopyOp,
    picked: &[(String, Picked)],
    parent: &Snapshot,
) -> Result<Option<String>, CopyError> {
    let tree = parent.tree();
    let at = resolve(&tree, Path::new(&op.dest))?;
    let at_is_directory = tree
        .lookup(&at, false)
        .map_err(|error| LayerError::Io(at.clone(), error))?
        .is_some_and(|node| node.is_directory());
    for (_, picked) in picked {
        // Directories that the parent does not have hold nothing to collide with.
        let mut absent: Option<PathBuf> = None;
        for item in &picked.items {
            if absent.as_ref().is_some_and(|absent| item.path.starts_with(absent)) {
                continue;
            }
            let single = item.path.as_os_str().is_empty();
            if single && item.node.is_directory() {
                continue;
            }
            let target = match (single, at_is_directory) {
                (true, true) => at.join(&picked.name),
                (true, false) => at.clone(),
                (false, _) => at.join(&item.path),
            };
            let there = tree.lookup(&target, false).map_err(|error| LayerError::Io(target.clone(), error))?;
            match there {
                None if item.node.is_directory() => absent = Some(item.path.clone()),
                None => {}
                Some(node) if node.is_directory() != item.node.is_directory() => {
                    return Ok(Some(format!("/{} is in the way", target.display())));
                }
                Some(_) => {}
            }
        }
    }
    Ok(None)
}

/// `--chown` to numbers. A user without a group has, as in BuildKit, its own group, or the group of its number.
pub(super) fn owner(chown: &str, parent: &Snapshot) -> Result<(u32, u32), CopyError> {
    let (user, group) = chown.split_once(':').unwrap_or((chown, ""));
    if let Ok(uid) = user.parse::<u32>() {
        if group.is_empty() {
            return Ok((uid, uid));
        }
        if let Ok(gid) = group.parse::<u32>() {
            return Ok((uid, gid));
        }
    }
    let identity = lookup(chown, &parent.text("/etc/passwd"), &parent.text("/etc/group"))?;
    Ok((identity.uid, identity.gid))
}
