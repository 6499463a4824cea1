//! Removal of what nothing needs, and how much room things take.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use super::{DiskMeter, DiskUsage, Store, lock::Alone};
use crate::{Digest, LayerId, StoreError, error::At as _, layer::remove_tree};

/// What [`Store::prune`] spares and removes.
#[derive(Debug, Clone, Default)]
pub struct PruneOptions {
    /// Layers that stay although no image has them: those of the builder's cache.
    pub keep_layers: HashSet<LayerId>,
    /// Also remove images without a name.
    pub nameless_images: bool,
    /// Also remove every image, named or not.
    pub all_images: bool,
    /// Images that stay all the same.
    pub keep_images: HashSet<Digest>,
    /// Remove nothing; only say what would go.
    pub dry_run: bool,
}

/// What was removed (or would be).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The images whose records are removed.
    pub images: Vec<Digest>,
    /// The layers that are removed.
    pub layers: Vec<LayerId>,
    /// The blobs that are removed.
    pub blobs: Vec<Digest>,
    /// Unfinished work of processes that are gone.
    pub leftovers: usize,
    /// Bytes on disk that are free now, as `du` counts them.
    pub bytes: u64,
}

impl Store {
    /// The whole store's room on disk: equal to `du -s --block-size=1` of its folder.
    pub fn disk_usage(&self) -> Result<DiskUsage, StoreError> {
        DiskMeter::default().measure(self.root())
    }

    /// Removes images as asked, then every layer and blob that neither an image nor `keep_layers` needs, and what
    /// killed processes left behind. Fails with [`StoreError::InUse`] while anybody else holds a [`super::Pin`].
    pub fn prune(&self, options: &PruneOptions) -> Result<Pruned, StoreError> {
        self.prune_alone(&self.alone()?, options)
    }

    /// As [`Store::prune`], for a caller who has the store to itself already.
    pub fn prune_alone(&self, _alone: &Alone, options: &PruneOptions) -> Result<Pruned, StoreError> {
        let _lock = self.write_lock()?;
        let mut pruned = Pruned::default();
        if options.all_images {
            pruned.images = self.image_ids()?;
        } else if options.nameless_images {
            pruned.images = self.nameless_images()?;
        }
        pruned.images.retain(|id| !options.keep_images.contains(id));
        let doomed: HashSet<_> = pruned.images.iter().collect();
        let mut layers = options.keep_layers.clone();
        let mut blobs = HashSet::new();
        for id in self.image_ids()?.iter().filter(|id| !doomed.contains(id)) {
            layers.extend(self.layers_of_image(id)?);
            blobs.insert(*id);
        }
        for id in self.layers()? {
            if layers.contains(&id) {
                blobs.extend(self.blobs_of_layer(&id)?);
            } else {
                pruned.layers.push(id);
            }
        }
        pruned.blobs = self.blobs()?.into_iter().filter(|digest| !blobs.contains(digest)).collect();
        let leftovers = self.leftovers()?;
        pruned.leftovers = leftovers.len();

        let mut gone: HashSet<PathBuf> = leftovers.iter().cloned().collect();
        gone.extend(
            pruned.images.iter().map(|id| self.root().join("images").join(format!("{}.json", id.hex()))),
        );
        gone.extend(pruned.layers.iter().map(|id| self.layer_dir(id)));
        gone.extend(pruned.blobs.iter().map(|digest| self.blob_path(digest)));
        for id in &pruned.layers {
            if let Some(diff_id) = self.known_diff_id(id)? {
                gone.insert(self.root().join("diff-ids").join(diff_id.hex()));
            }
        }
        let before = self.disk_usage()?;
        if options.dry_run {
            let mut meter = DiskMeter::without(gone);
            pruned.bytes = before.bytes.saturating_sub(meter.measure(self.root())?.bytes);
            return Ok(pruned);
        }
        self.remove(&pruned, &leftovers)?;
        pruned.bytes = before.bytes.saturating_sub(self.disk_usage()?.bytes);
        Ok(pruned)
    }

    /// Names first, content after: killed in between, nothing visible misses a part.
    fn remove(&self, pruned: &Pruned, leftovers: &[PathBuf]) -> Result<(), StoreError> {
        for id in &pruned.images {
            self.remove_image_locked(id)?;
        }
        for id in &pruned.layers {
            if let Some(diff_id) = self.known_diff_id(id)? {
                self.forget_diff_id(&diff_id, id)?;
            }
            // a layer disappears at once; its files go after
            let dir = self.layer_dir(id);
            let grave = self.root().join("drafts").join(format!("gone-{id}"));
            fs::rename(&dir, &grave).at("remove", &dir)?;
            remove_tree(&grave).at("remove", &grave)?;
        }
        for digest in &pruned.blobs {
            self.remove_blob(digest)?;
        }
        for path in leftovers {
            if fs::symlink_metadata(path).at("read", path)?.is_dir() {
                remove_tree(path).at("remove", path)?;
            } else {
                fs::remove_file(path).at("remove", path)?;
            }
        }
        Ok(())
    }

    pub(super) fn blobs(&self) -> Result<Vec<Digest>, StoreError> {
        let dir = self.root().join("blobs/sha256");
        let mut blobs = Vec::new();
        for path in children(&dir)? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            blobs.extend(Digest::parse(&format!("sha256:{name}")).ok());
        }
        blobs.sort_unstable();
        Ok(blobs)
    }

    /// Drafts and temporary files. Their makers hold a pin, so with the store to ourselves all of them are orphans.
    pub(super) fn leftovers(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut found = children(&self.root().join("drafts"))?;
        found.extend(children(&self.root().join("tmp"))?);
        for path in children(&self.root().join("diff-ids"))? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let known = match Digest::parse(&format!("sha256:{name}")) {
                Ok(diff_id) => self.layer_by_diff_id(&diff_id)?.is_some(),
                Err(_) => false,
            };
            if !known {
                found.push(path);
            }
        }
        Ok(found)
    }
}

pub(super) fn children(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    fs::read_dir(dir).at("read", dir)?.map(|entry| Ok(entry.at("read", dir)?.path())).collect()
}
