//! The files that a container sees: layers laid over one another without a mount.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
};

use serde::Serialize;

use crate::{
    LayerId, Store, StoreError,
    layer::{self, Entry, Kind},
};

/// The merged view of some layers.
pub struct Merged {
    layers: Vec<LayerContent>,
    /// path -> (layer, entry in the layer)
    paths: BTreeMap<Vec<u8>, (usize, usize)>,
    wasted: Vec<Wasted>,
}

struct LayerContent {
    root: PathBuf,
    entries: Vec<Entry>,
    epoch: Option<i64>,
}

/// Bytes that an image carries and no container sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wasted {
    /// The file's path in the image, without a leading slash.
    pub path: String,
    /// Its size in the layer that brought it.
    pub bytes: u64,
    /// Index of the layer that brought it, from 0 for the lowest.
    pub layer: usize,
    /// Index of the layer that removed or replaced it.
    pub hidden_by: usize,
    /// True when it was removed, false when it was replaced by another.
    pub removed: bool,
}

/// Something that a container sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visible {
    /// Its path, without the leading slash.
    pub path: String,
    /// `file`, `directory`, `symlink`, `device` or `fifo`.
    pub kind: &'static str,
    /// Bytes of a file; 0 for its further names.
    pub bytes: u64,
    /// The twelve permission bits.
    pub mode: u32,
    /// The numbers of its user and its group.
    pub owner: (u32, u32),
    /// Where a symbolic link leads.
    pub target: Option<Vec<u8>>,
    /// Index of the layer that it comes from, from 0 for the lowest.
    pub layer: usize,
    /// Where it is on this machine.
    pub host: PathBuf,
}

impl Merged {
    /// Reads the layers, lowest first.
    pub fn read(store: &Store, layers: &[LayerId]) -> Result<Self, StoreError> {
        let mut merged = Self { layers: Vec::new(), paths: BTreeMap::new(), wasted: Vec::new() };
        for id in layers {
            let layer = store.require_layer(id)?;
            let entries = layer::scan(&layer.path)?;
            merged.layers.push(LayerContent { root: layer.path, entries, epoch: layer.epoch });
            merged.lay_over(merged.layers.len() - 1);
        }
        Ok(merged)
    }

    fn lay_over(&mut self, layer: usize) {
        for index in 0..self.layers[layer].entries.len() {
            let entry = &self.layers[layer].entries[index];
            let (path, kind) = (entry.path.clone(), entry.kind.clone());
            match kind {
                Kind::Whiteout => {
                    self.hide_below(&path, layer, true);
                    self.hide(&path, layer, true);
                }
                Kind::Directory { opaque } => {
                    if opaque {
                        self.hide_below(&path, layer, true);
                    }
                    if self.paths.get(&path).is_some_and(|at| !self.is_directory(*at)) {
                        self.hide(&path, layer, false);
                    }
                    self.paths.insert(path, (layer, index));
                }
                _ => {
                    self.hide_below(&path, layer, false);
                    self.hide(&path, layer, false);
                    self.paths.insert(path, (layer, index));
                }
            }
        }
    }

    fn is_directory(&self, (layer, index): (usize, usize)) -> bool {
        matches!(self.layers[layer].entries[index].kind, Kind::Directory { .. })
    }

    /// Hides everything below a directory that lower layers have there.
    fn hide_below(&mut self, path: &[u8], by: usize, removed: bool) {
        let (start, end) = ([path, b"/"].concat(), [path, b"0"].concat());
        let below: Vec<Vec<u8>> = self.paths.range(start..end).map(|(path, _)| path.clone()).collect();
        for path in below {
            self.hide(&path, by, removed);
        }
    }

    fn hide(&mut self, path: &[u8], by: usize, removed: bool) {
        let Some((layer, index)) = self.paths.remove(path) else { return };
        let entry = &self.layers[layer].entries[index];
        if let Kind::File { size } = entry.kind
            && layer != by
            && size > 0
        {
            let path = String::from_utf8_lossy(&entry.path).into_owned();
            self.wasted.push(Wasted { path, bytes: size, layer, hidden_by: by, removed });
        }
    }

    /// What the image carries and no container sees, largest first.
    pub fn wasted(&self) -> Vec<Wasted> {
        let mut wasted = self.wasted.clone();
        wasted.sort_by(|left, right| right.bytes.cmp(&left.bytes).then_with(|| left.path.cmp(&right.path)));
        wasted
    }

    /// Bytes of all files that a container sees, a hard-linked file once.
    pub fn bytes(&self) -> u64 {
        self.visible()
            .iter()
            .map(|(_, entry)| if let Kind::File { size } = entry.kind { size } else { 0 })
            .sum()
    }

    /// Everything that a container sees, parents first, as the entries of one layer. A hard link whose first name is
    /// hidden becomes the file, and its other names link to it.
    fn visible(&self) -> Vec<(usize, Entry)> {
        let mut order: Vec<(&[u8], (usize, usize))> =
            self.paths.iter().map(|(path, at)| (path.as_slice(), *at)).collect();
        // as `scan` sorts: `a`, `a/b`, `a.c`
        order.sort_by(|(left, _), (right, _)| {
            left.split(|byte| *byte == b'/').cmp(right.split(|byte| *byte == b'/'))
        });
        let mut entries: Vec<(usize, Entry)> = Vec::with_capacity(order.len());
        // (layer, index of the file in the layer) -> index in the result
        let mut files: HashMap<(usize, usize), usize> = HashMap::new();
        for (_, (layer, index)) in order {
            let content = &self.layers[layer].entries;
            let mut entry = content[index].clone();
            let file = if let Kind::HardLink { first } = entry.kind { first } else { index };
            match files.get(&(layer, file)) {
                Some(first) => entry.kind = Kind::HardLink { first: *first },
                None => {
                    files.insert((layer, file), entries.len());
                    entry.kind = content[file].kind.clone();
                    entry.capability.clone_from(&content[file].capability);
                }
            }
            if let Kind::Directory { opaque } = &mut entry.kind {
                *opaque = false;
            }
            entries.push((layer, entry));
        }
        entries
    }

    /// Everything that a container sees, parents first.
    pub fn visible_files(&self) -> Vec<Visible> {
        let visible = |(layer, entry): (usize, Entry)| {
            let (kind, bytes, target) = match &entry.kind {
                Kind::Directory { .. } => ("directory", 0, None),
                Kind::File { size } => ("file", *size, None),
                Kind::HardLink { .. } => ("file", 0, None),
                Kind::Symlink { target } => ("symlink", 0, Some(target.clone())),
                Kind::Character { .. } | Kind::Block { .. } => ("device", 0, None),
                Kind::Fifo => ("fifo", 0, None),
                Kind::Whiteout => return None,
            };
            Some(Visible {
                path: String::from_utf8_lossy(&entry.path).into_owned(),
                kind,
                bytes,
                mode: entry.mode,
                owner: (entry.uid, entry.gid),
                target,
                layer,
                host: entry.file_path(&self.layers[layer].root),
            })
        };
        self.visible().into_iter().filter_map(visible).collect()
    }

    /// Whether the layer that replaced a file holds the same bytes again.
    pub(crate) fn is_same_again(&self, wasted: &Wasted) -> bool {
        let place = |layer: usize| self.layers.get(layer).map(|layer| layer.root.join(&wasted.path));
        match (place(wasted.layer), place(wasted.hidden_by)) {
            (Some(old), Some(new)) => {
                let plain = |path: &PathBuf| path.symlink_metadata().is_ok_and(|meta| meta.is_file());
                plain(&old) && plain(&new) && crate::report::same_bytes(&old, &new)
            }
            _ => false,
        }
    }

    /// The visible entries with the place of their bytes and their layer's epoch.
    pub(crate) fn files(&self) -> MergedFiles {
        let visible = self.visible();
        let places = visible
            .iter()
            .map(|(layer, _)| (self.layers[*layer].root.clone(), self.layers[*layer].epoch))
            .collect();
        MergedFiles { entries: visible.into_iter().map(|(_, entry)| entry).collect(), places }
    }
}

/// A merged view as one sorted list.
pub(crate) struct MergedFiles {
    pub(crate) entries: Vec<Entry>,
    /// For each entry: the directory that its path is relative to, and its layer's epoch.
    pub(crate) places: Vec<(PathBuf, Option<i64>)>,
}
