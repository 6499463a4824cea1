//! What takes how much room, what needs it, and when it was used last.

use std::{
    collections::{HashMap, HashSet},
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};

use super::{Store, prune::children};
use crate::{Digest, LayerId, StoreError, error::At as _};

/// Room on disk as `du` counts it: allocated blocks, a hard-linked file once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskUsage {
    /// The bytes that the disk has allocated.
    pub bytes: u64,
    /// How many inodes of the disk are in use.
    pub inodes: u64,
}

/// Measures one tree after the other. A file with several names counts where it is met first, and nothing counts twice.
#[derive(Debug, Default)]
pub struct DiskMeter {
    /// Trees that are left out wherever they are met.
    pub except: HashSet<PathBuf>,
    seen: HashSet<(u64, u64)>,
}

impl DiskMeter {
    /// A meter that leaves these trees out.
    pub fn without(except: HashSet<PathBuf>) -> Self {
        Self { except, ..Self::default() }
    }

    /// The room that `root` takes, beside what was measured already. What is not there takes none.
    ///
    /// # Errors
    /// When a directory cannot be read.
    pub fn measure(&mut self, root: &Path) -> Result<DiskUsage, StoreError> {
        let mut usage = DiskUsage::default();
        let mut stack = vec![root.to_owned()];
        while let Some(path) = stack.pop() {
            if self.except.contains(&path) {
                continue;
            }
            let meta = match fs::symlink_metadata(&path) {
                // another process may finish its work meanwhile
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                meta => meta.at("read", &path)?,
            };
            if meta.nlink() > 1 && !meta.is_dir() && !self.seen.insert((meta.dev(), meta.ino())) {
                continue;
            }
            usage.bytes += meta.blocks() * 512;
            usage.inodes += 1;
            if meta.is_dir() {
                match children(&path) {
                    Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
                    found => stack.extend(found?),
                }
            }
        }
        Ok(usage)
    }
}

/// An image and when it was made or pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageUse {
    /// The digest by which the store knows it.
    pub id: Digest,
    /// It has a name.
    pub named: bool,
    /// When it was last used.
    pub used: SystemTime,
}

/// What a part of the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The record of an image.
    Image(Digest),
    /// A layer.
    Layer(LayerId),
    /// A blob: a compressed layer, a configuration.
    Blob(Digest),
    /// Unfinished work.
    Unfinished,
}

/// A part of the store that can be removed by itself.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Which object of the store it is.
    pub part: Part,
    /// Where its files are.
    pub path: PathBuf,
    /// An image that stays needs it.
    pub needed: bool,
    /// The layer without which a blob is of no use.
    pub owner: Option<LayerId>,
    /// When it was used last, as far as is known.
    pub used: SystemTime,
}

impl Store {
    /// Notes that layers are used now, so that they are not the first to go when room is needed.
    pub fn note_use(&self, layers: &[LayerId]) {
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let times = Timestamps { last_access: now, last_modification: now };
        for id in layers {
            // what cannot be noted only counts as old
            let _ = utimensat(CWD, self.layer_dir(id).join("layer.json"), &times, AtFlags::empty());
        }
    }

    /// Every image.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn image_uses(&self) -> Result<Vec<ImageUse>, StoreError> {
        let nameless: HashSet<Digest> = self.nameless_images()?.into_iter().collect();
        let ids = self.image_ids()?.into_iter();
        Ok(ids
            .map(|id| ImageUse { id, named: !nameless.contains(&id), used: modified(&self.image_file(&id)) })
            .collect())
    }

    /// Everything that could be removed by itself, and whether an image other than those in `going` needs it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn parts(&self, going: &HashSet<Digest>) -> Result<Vec<Stored>, StoreError> {
        let (mut layers, mut blobs) = (HashSet::new(), HashSet::new());
        let mut parts = Vec::new();
        for id in self.image_ids()? {
            if going.contains(&id) {
                let path = self.image_file(&id);
                let used = modified(&path);
                parts.push(Stored { part: Part::Image(id), path, needed: false, owner: None, used });
            } else {
                layers.extend(self.layers_of_image(&id)?);
                blobs.insert(id);
            }
        }
        let mut owners: HashMap<Digest, (LayerId, SystemTime)> = HashMap::new();
        for id in self.layers()? {
            let needed = layers.contains(&id);
            let path = self.layer_dir(&id);
            let used = modified(&path.join("layer.json"));
            for digest in self.blobs_of_layer(&id)? {
                if needed {
                    blobs.insert(digest);
                }
                // of several layers the one that is used last keeps it
                let owner = owners.entry(digest).or_insert((id, used));
                if owner.1 < used {
                    *owner = (id, used);
                }
            }
            parts.push(Stored { part: Part::Layer(id), path, needed, owner: None, used });
        }
        for digest in self.blobs()? {
            let path = self.blob_path(&digest);
            let owner = owners.get(&digest);
            let used = owner.map_or_else(|| modified(&path), |(_, used)| *used);
            let owner = owner.map(|(id, _)| *id);
            parts.push(Stored {
                part: Part::Blob(digest),
                path,
                needed: blobs.contains(&digest),
                owner,
                used,
            });
        }
        for path in self.leftovers()? {
            let used = modified(&path);
            parts.push(Stored { part: Part::Unfinished, path, needed: false, owner: None, used });
        }
        Ok(parts)
    }
}

fn modified(path: &Path) -> SystemTime {
    fs::symlink_metadata(path).and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}
