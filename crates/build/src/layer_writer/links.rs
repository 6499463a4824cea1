//! Links on the way to a path, followed inside a tree and never out of it.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs,
    path::{Component, Path, PathBuf},
};

use super::error::LayerError;
use crate::tree::{Kind, Tree};

/// What an absolute path means inside the root of `tree`; names that do not exist are kept as they are.
pub(crate) fn resolve(tree: &Tree, path: &Path) -> Result<PathBuf, LayerError> {
    resolve_below(tree, Path::new(""), path)
}

/// As [`resolve`]; absolute links begin at the directory `root` of the tree, and `..` ends there.
pub(super) fn resolve_below(tree: &Tree, root: &Path, path: &Path) -> Result<PathBuf, LayerError> {
    const MAX_LINKS: usize = 255;
    let names = |path: &Path| -> VecDeque<OsString> {
        path.components()
            .filter_map(|part| match part {
                Component::Normal(name) => Some(name.to_owned()),
                Component::ParentDir => Some(OsString::from("..")),
                _ => None,
            })
            .collect()
    };
    let mut todo = names(path);
    let mut at = root.to_owned();
    let mut links = 0;
    while let Some(name) = todo.pop_front() {
        if name == ".." {
            if at != root {
                at.pop();
            }
            continue;
        }
        let next = at.join(&name);
        let node = tree.lookup(&next, false).map_err(|error| LayerError::Io(next.clone(), error))?;
        let Some(node) = node.filter(|node| node.kind == Kind::Symlink) else {
            at = next;
            continue;
        };
        links += 1;
        if links > MAX_LINKS {
            return Err(LayerError::TooManyLinks(path.to_owned()));
        }
        let target = fs::read_link(&node.host).map_err(|error| LayerError::Io(next, error))?;
        if target.is_absolute() {
            root.clone_into(&mut at);
        }
        for name in names(&target).into_iter().rev() {
            todo.push_front(name);
        }
    }
    Ok(at)
}
