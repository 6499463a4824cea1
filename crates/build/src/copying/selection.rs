//! The files that a COPY names, and what they are called in its key.

use std::path::Path;

use crate::{
    graph::CopyOp,
    select::{Picked, Rules, SelectError, select},
    snapshot::Snapshot,
    tree::Tree,
};

/// Where the sources of a COPY are.
pub(crate) enum Sources<'a> {
    /// A directory of the host, and its name (empty for the build context).
    Context(&'a Tree, &'a str),
    /// The files of another step, and its title.
    Snapshot(&'a Snapshot, &'a str),
}

/// The files of all sources, and what the paths of each begin with.
pub(super) fn pick(op: &CopyOp, tree: &Tree) -> Result<Vec<(String, Picked)>, SelectError> {
    let rules = Rules { excludes: &op.excludes, parents: op.parents };
    let mut all = Vec::new();
    for path in &op.paths {
        all.extend(select(tree, path, &rules)?.into_iter().map(|picked| (shown(op, path, &picked), picked)));
    }
    Ok(all)
}

/// What the paths of a source's files begin with.
pub(super) fn shown(op: &CopyOp, path: &str, picked: &Picked) -> String {
    if plimsoll_dockerfile::glob::has_wildcard(path) {
        let first = picked.items.first();
        first.map(|item| item.node.path.to_string_lossy().into_owned()).unwrap_or_default()
    } else if op.parents {
        path.split_once("/./").map_or("", |(base, _)| base).to_owned()
    } else {
        path.to_owned()
    }
}

pub(super) fn source_part(op: &CopyOp, sources: &Sources<'_>) -> String {
    let title = match sources {
        Sources::Snapshot(_, title) => title,
        Sources::Context(_, name) => name,
    };
    format!("{} of {title}", op.paths.join(" "))
}

/// What the names of the parts that are files begin with.
pub(super) const FILE: &str = "file ";

pub(super) fn file_part(source: &str, path: &Path, context: &str) -> String {
    let base = source.trim_start_matches('/');
    let path = Path::new(base).join(path);
    let path = path.display().to_string();
    let path = if path.is_empty() { "." } else { path.trim_end_matches('/') };
    if context.is_empty() { format!("{FILE}{path}") } else { format!("{FILE}{path} of {context}") }
}
