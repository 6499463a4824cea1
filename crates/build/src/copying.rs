//! COPY, ADD and WORKDIR: their keys, and their layers.

mod destination;
mod download;
mod error;
mod prepare;
mod previous;
mod selection;
mod workdir;

use std::{collections::HashMap, ffi::OsStr, os::unix::ffi::OsStrExt as _, path::Path};

use plimsoll_image::{Layer, SealOptions, Store};

use self::selection::pick;
pub(crate) use self::{
    download::{Fetched, fetch},
    error::CopyError,
    prepare::{Prepared, Recall, prepare_copy},
    previous::Previous,
    selection::Sources,
    workdir::{Workdir, prepare_workdir, workdir},
};
use crate::{
    caches::Caches,
    graph::CopyOp,
    layer_writer::LayerWriter,
    select::{Rules, SelectError, digest_files, select},
    snapshot::Snapshot,
    statcache::StatCache,
    tree::{Kind, Tree},
    unpack,
};

/// Writes the layer of a COPY or ADD; `None` when nothing was copied.
#[expect(clippy::too_many_arguments, reason = "all of a build that a copy depends on")]
pub(crate) fn copy(
    op: &CopyOp,
    mut prepared: Prepared,
    sources: &Sources<'_>,
    parent: &Snapshot,
    previous: Option<&Previous>,
    caches: &Caches<'_>,
    store: &Store,
    seal: &SealOptions,
) -> Result<Option<Layer>, CopyError> {
    let own_tree;
    let tree = match sources {
        Sources::Context(tree, _) => *tree,
        Sources::Snapshot(snapshot, _) => {
            own_tree = snapshot.tree();
            &own_tree
        }
    };
    let previous = previous.filter(|previous| previous.mark(op, &mut prepared, sources));
    let picked = match prepared.picked {
        Some(picked) => picked,
        None => pick(op, tree)?.into_iter().map(|(_, picked)| picked).collect(),
    };
    let draft = store.begin_layer()?;
    let below = if op.link { &[][..] } else { parent.paths.as_slice() };
    let mut layer = LayerWriter::new(&draft.fs, below);
    layer.owner = prepared.owner;
    layer.chmod = op.chmod.as_ref();
    layer.epoch = seal.epoch;
    layer.previous = previous.map(|previous| previous.layer.path.as_path());
    let mut wrote = false;
    for picked in &picked {
        wrote = true;
        if op.unpack
            && let [only] = picked.items.as_slice()
            && only.node.kind == Kind::File
            && let Some(archive) = unpack::open(&only.node.host)
                .map_err(|error| SelectError::Io(only.node.host.clone(), error))?
        {
            unpack::unpack(&mut layer, archive, &op.dest)?;
            continue;
        }
        layer.copy(tree, picked, &op.dest)?;
    }
    for (name, content) in &op.files {
        wrote = true;
        let at = layer.destination(&op.dest, &name.into(), false)?;
        layer.write_content(&at, content.as_bytes(), 0o644, None)?;
    }
    for fetched in &prepared.fetched {
        wrote = true;
        write_fetched(&mut layer, fetched, op, caches.stat)?;
    }
    if !wrote {
        return Ok(None);
    }
    layer.keep_times()?;
    // An archive may have replaced what was copied before.
    let known = if op.unpack { HashMap::new() } else { layer.into_known() };
    let digest = |path: &[u8]| known.get(Path::new(OsStr::from_bytes(path))).map(|key| *key.as_bytes());
    Ok(Some(draft.seal_knowing(seal, &digest)?))
}

fn write_fetched(
    layer: &mut LayerWriter<'_>,
    fetched: &Fetched,
    op: &CopyOp,
    cache: &StatCache,
) -> Result<(), CopyError> {
    let failed = |path: &Path, error| CopyError::from(SelectError::Io(path.to_owned(), error));
    match fetched {
        Fetched::Tree(checkout) => {
            let tree = Tree::directory(checkout.root.clone(), None);
            let rules = Rules { excludes: &op.excludes, parents: false };
            for mut picked in select(&tree, "/", &rules)? {
                digest_files(std::slice::from_mut(&mut picked), cache)?;
                layer.copy(&tree, &picked, &op.dest)?;
            }
        }
        Fetched::File { file, unpack } => {
            if *unpack && let Some(archive) = unpack::open(&file.path).map_err(|e| failed(&file.path, e))? {
                unpack::unpack(layer, archive, &op.dest)?;
                return Ok(());
            }
            let at = layer.destination(&op.dest, &file.name.clone().into(), false)?;
            let content = std::fs::read(&file.path).map_err(|error| failed(&file.path, error))?;
            layer.write_content(&at, &content, 0o600, Some(file.modified))?;
        }
    }
    Ok(())
}
