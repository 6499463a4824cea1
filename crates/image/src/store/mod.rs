//! The content store: blobs, layers, images.
//!
//! ```text
//! store.json                 format version
//! blobs/sha256/<hex>         image configurations, compressed layers
//! layers/<id>/fs/            one layer in overlay's upper format, immutable
//! layers/<id>/layer.json     epoch, sizes, where its tar comes from
//! layers/<id>/diff.json      diff id and tar size, once somebody needed them
//! layers/<id>/blobs.json     compressed forms, once somebody needed them
//! diff-ids/<hex>             the layer that has this diff id
//! images/<hex>.json          one record for each image
//! references.json            name -> image
//! platforms.json             name -> its images for other platforms
//! origins.json               name, image -> who gave the image that name, unless a person did
//! drafts/, tmp/              unfinished work; removed by prune when nobody uses it
//! ```
//!
//! Everything becomes visible by one rename, so a process that is killed at any moment leaves a valid store. Nothing
//! is synced; what a power failure took is found out at the next use and made again.
//! Writers of names take `write.lock`; whoever uses layers holds `use.lock` shared ([`Store::pin`]), and only
//! [`Store::prune`] takes it alone.

mod blobs;
mod endurance;
mod images;
mod layers;
mod lock;
mod origins;
mod platforms;
mod prune;
mod usage;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use images::{Image, ImageRecord};
pub(crate) use layers::LayerBlob;
pub use lock::{Alone, Pin};
pub use origins::Origin;
pub use prune::{PruneOptions, Pruned};
pub use usage::{DiskMeter, DiskUsage, ImageUse, Part, Stored};

use crate::{StoreError, error::At as _};

const FORMAT: u64 = 1;
/// No JSON document of the store or of an image is larger.
pub(crate) const MAX_JSON: u64 = 16 << 20;

/// A content store in one folder. Cheap to clone; safe for several threads and processes.
#[derive(Debug, Clone)]
pub struct Store {
    root: Arc<Path>,
    /// Hears for whom a lock is waited, if that takes long.
    waiting: Option<fn(&str)>,
}

#[derive(Serialize, Deserialize)]
struct Format {
    version: u64,
}

impl Store {
    /// Opens the store in `root`, making it when it is not there.
    pub fn open(root: impl AsRef<Path>) -> Result<Self, StoreError> {
        let root = std::path::absolute(root.as_ref()).at("resolve", root.as_ref())?;
        let store = Self { root: root.into(), waiting: None };
        let format_file = store.root.join("store.json");
        if !format_file.exists() {
            for folder in ["blobs/sha256", "layers", "diff-ids", "images", "drafts", "tmp"] {
                let folder = store.root.join(folder);
                fs::create_dir_all(&folder).at("create", &folder)?;
            }
            store.write_json(&format_file, &Format { version: FORMAT })?;
        }
        let format: Format = read_json(&format_file)?;
        if format.version != FORMAT {
            return Err(StoreError::Version {
                root: store.root.to_path_buf(),
                found: format.version,
                supported: FORMAT,
            });
        }
        Ok(store)
    }

    /// Tells `tell`, in one sentence, when another process has the store for longer than a moment.
    #[must_use]
    pub fn telling(self, tell: fn(&str)) -> Self {
        Self { waiting: Some(tell), ..self }
    }

    /// Who hears of waiting, as [`Store::telling`] was told.
    pub fn waiting(&self) -> Option<fn(&str)> {
        self.waiting
    }

    /// The folder that holds blobs, layers and images.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    pub(crate) fn temporary_file(&self) -> Result<tempfile::NamedTempFile, StoreError> {
        tempfile::Builder::new().prefix("w-").tempfile_in(self.tmp()).at("create a file in", self.tmp())
    }

    /// Makes a file visible with all its bytes at once.
    pub(crate) fn write_atomically(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let mut file = self.temporary_file()?;
        // the temporary name would tell nobody what is missing
        file.as_file_mut().write_all(bytes).at("write", path)?;
        file.persist(path).map_err(|error| StoreError::io("write", path, error.error))?;
        Ok(())
    }

    pub(crate) fn write_json(&self, path: &Path, value: &impl Serialize) -> Result<(), StoreError> {
        let mut text = serde_json::to_vec_pretty(value).map_err(|error| StoreError::corrupt(path, error))?;
        text.push(b'\n');
        self.write_atomically(path, &text)
    }
}

pub(crate) fn read_bounded(path: &Path) -> Result<Vec<u8>, StoreError> {
    let size = fs::metadata(path).at("read", path)?.len();
    if size > MAX_JSON {
        return Err(StoreError::corrupt(path, format!("{size} bytes are too many for a JSON document")));
    }
    fs::read(path).at("read", path)
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, StoreError> {
    serde_json::from_slice(&read_bounded(path)?).map_err(|error| StoreError::corrupt(path, error))
}

/// As [`read_json`], with `None` when the file is not there.
pub(crate) fn read_json_if_there<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StoreError> {
    match read_json(path) {
        Ok(value) => Ok(Some(value)),
        Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What can be made again is as good as missing when it cannot be read.
pub(crate) fn derived<T>(read: Result<Option<T>, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Err(StoreError::Corrupt { .. }) => Ok(None),
        read => read,
    }
}
