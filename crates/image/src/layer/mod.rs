//! Layers: immutable directories in overlay's upper format.
//!
//! A removed name is a character device 0:0, a directory that hides what lies below has `trusted.overlay.opaque=y`
//! (`user.overlay.opaque` without root). A layer's identity is its content with its times: two steps that made
//! the same files share one directory.

mod ahead;
mod archive;
mod content;
mod import;
mod owner;
mod scan;
mod sparse;
mod tar;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, FileType, Mode, XattrFlags};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) use ahead::write_ahead;
pub use archive::{ArchiveReader, Body, Member as ArchiveMember, MemberKind};
pub(crate) use content::digest;
pub use import::{Bounded, ImportLimits};
pub(crate) use import::{Compression, decompress, unpack, unpack_plain};
pub use owner::{owner_of, set_owner};
pub use scan::is_mostly_hole;
pub(crate) use scan::{Entry, Kind, scan, scan_below};
pub use sparse::Sparse;
pub(crate) use tar::{END_SIZE, Member, TarWriter, member_size, write_entry, write_layer};

use crate::{
    Pin, Store, StoreError,
    digest::{decode_hex, encode_hex},
    error::At as _,
};

/// A layer's identity: blake3 over its content (an imported layer: over its diff id).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayerId([u8; 32]);

/// A text that is not a layer id.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{0}` is not a layer id: expected 64 lower-case hexadecimal digits")]
pub struct LayerIdError(pub String);

impl plimsoll_source::Explain for LayerIdError {}

impl LayerId {
    pub(crate) fn new(hash: blake3::Hash) -> Self {
        Self(hash.into())
    }

    /// Reads 64 hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, LayerIdError> {
        decode_hex(text).map(Self).ok_or_else(|| LayerIdError(text.chars().take(100).collect()))
    }

    /// The 32 bytes, for use in keys.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for LayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode_hex(&self.0))
    }
}

impl fmt::Debug for LayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for LayerId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LayerId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A sealed layer in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Its identity: a digest of its files without their times.
    pub id: LayerId,
    /// Digest of its content without times: equal for layers that differ in nothing else.
    pub content: LayerId,
    /// Its directory, an overlay lower. Never write there.
    pub path: PathBuf,
    /// Unpacked size in bytes: the sum of its regular files, a hard-linked file once.
    pub bytes: u64,
    /// Number of its files, directories, links and removals.
    pub entries: u64,
    /// The time that its time stamps are clamped to, in seconds since 1970.
    pub epoch: Option<i64>,
}

/// How to seal a draft.
#[derive(Debug, Clone, Copy, Default)]
pub struct SealOptions {
    /// `SOURCE_DATE_EPOCH`: no time stamp in the layer's tar is later (seconds since 1970). `None` keeps the files' times.
    pub epoch: Option<i64>,
}

/// An empty layer being filled. Dropping it unsealed removes it.
#[derive(Debug)]
pub struct LayerDraft {
    /// The layer's directory: fill it, or mount it as an overlay upper.
    pub fs: PathBuf,
    /// An empty directory on the same file system, for overlay's `workdir`.
    pub work: PathBuf,
    dir: PathBuf,
    store: Store,
    _pin: Pin,
}

impl LayerDraft {
    pub(crate) fn begin(store: &Store) -> Result<Self, StoreError> {
        let pin = store.pin()?;
        let drafts = store.root().join("drafts");
        let dir = tempfile::Builder::new()
            .prefix("d-")
            .tempdir_in(&drafts)
            .at("create a folder in", &drafts)?
            .keep();
        let draft = Self { fs: dir.join("fs"), work: dir.join("work"), dir, store: store.clone(), _pin: pin };
        for folder in [&draft.fs, &draft.work] {
            fs::create_dir(folder).at("create", folder)?;
        }
        // the upper's root becomes the mounted root's attributes, so the caller's umask must not show
        rustix::fs::chmod(&draft.fs, Mode::from_raw_mode(0o755)).at("change the mode of", &draft.fs)?;
        Ok(draft)
    }

    /// Makes the layer immutable and visible. When the store already has this content, the existing layer is
    /// returned and this one removed.
    ///
    /// Sockets, and everything that overlay notes for itself, do not become part of the layer. A name that begins with
    /// `.wh.` is refused: in a layer's tar it is the order to delete another one (OCI image specification, "whiteouts").
    pub fn seal(self, options: &SealOptions) -> Result<Layer, StoreError> {
        self.seal_knowing(options, &|_| None)
    }

    /// As [`LayerDraft::seal`]; files (named relative to the layer) whose bytes' blake3 digest is `known` from
    /// writing them are not read again.
    pub fn seal_knowing(
        self,
        options: &SealOptions,
        known: &dyn Fn(&[u8]) -> Option<[u8; 32]>,
    ) -> Result<Layer, StoreError> {
        let entries = scan(&self.fs)?;
        if let Some(entry) = entries.iter().find(|entry| is_order(&entry.path)) {
            let path = String::from_utf8_lossy(&entry.path).chars().take(1000).collect();
            return Err(StoreError::Order { path });
        }
        let known = |entry: &Entry| known(&entry.path).map(blake3::Hash::from_bytes);
        let digests = content::digest(&self.fs, &entries, options.epoch, &known)?;
        self.store.clone().add_layer(self, digests.id, digests.content, &entries, options.epoch, None)
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for LayerDraft {
    fn drop(&mut self) {
        // after sealing the folder has moved and there is nothing to remove; else prune repeats what fails here
        let _ = remove_tree(&self.dir);
    }
}

/// Whether the last name of `path` means a removal in a layer's tar.
fn is_order(path: &[u8]) -> bool {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    name.starts_with(tar::WHITEOUT_PREFIX)
}

/// Removes a tree even when directories in it are not writable for a caller who is not root.
pub(crate) fn remove_tree(dir: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            for entry in walk_directories(dir) {
                let _ = rustix::fs::chmod(&entry, Mode::from_raw_mode(0o700));
            }
            fs::remove_dir_all(dir)
        }
        done => done,
    }
}

fn walk_directories(dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![dir.to_owned()];
    let mut next = 0;
    while let Some(dir) = found.get(next).cloned() {
        let _ = rustix::fs::chmod(&dir, Mode::from_raw_mode(0o700));
        let children = fs::read_dir(&dir).into_iter().flatten().flatten();
        found.extend(children.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()));
        next += 1;
    }
    found
}

/// Marks a name as removed: the layer hides what lower layers have there. The name must be free.
pub fn make_whiteout(path: &Path) -> Result<(), StoreError> {
    rustix::fs::mknodat(CWD, path, FileType::CharacterDevice, Mode::empty(), rustix::fs::makedev(0, 0))
        .at("mark as removed", path)
}

/// Makes a directory hide everything that lower layers have in it.
pub fn make_opaque(directory: &Path) -> Result<(), StoreError> {
    let set = |name| rustix::fs::lsetxattr(directory, name, b"y", XattrFlags::empty());
    match set(OPAQUE[0]) {
        // only the machine's root may: the root of a user namespace has the other
        Err(rustix::io::Errno::PERM) => set(OPAQUE[1]),
        done => done,
    }
    .at("make opaque", directory)
}

pub(crate) const OPAQUE: [&str; 2] = ["trusted.overlay.opaque", "user.overlay.opaque"];
pub(crate) const CAPABILITY: &str = "security.capability";
