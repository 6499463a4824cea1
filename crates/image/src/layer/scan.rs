//! Reads a layer's directory into a sorted list of entries.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::{FileTypeExt as _, MetadataExt as _},
    },
    path::{Path, PathBuf},
};

use rustix::io::Errno;

use super::{CAPABILITY, OPAQUE};
use crate::{StoreError, error::At as _};

/// Overlay's note that a directory was renamed: its lower content has another name and cannot be written as a tar.
const REDIRECT: [&str; 2] = ["trusted.overlay.redirect", "user.overlay.redirect"];

/// One name in a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Relative to the layer, without leading or trailing slash.
    pub(crate) path: Vec<u8>,
    pub(crate) kind: Kind,
    /// The twelve permission bits.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Seconds since 1970.
    pub(crate) mtime: i64,
    /// The bytes of `security.capability`.
    pub(crate) capability: Option<Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory {
        opaque: bool,
    },
    File {
        size: u64,
    },
    /// Another name of the file whose index in the list is given.
    HardLink {
        first: usize,
    },
    Symlink {
        target: Vec<u8>,
    },
    Character {
        major: u32,
        minor: u32,
    },
    Block {
        major: u32,
        minor: u32,
    },
    Fifo,
    /// A whiteout: the name is removed from the layers below.
    Whiteout,
}

impl Entry {
    pub(crate) fn file_path(&self, root: &Path) -> PathBuf {
        root.join(OsStr::from_bytes(&self.path))
    }
}

/// Everything below `root`: parents before children, names in byte order, sockets left out. `root` itself is not
/// listed.
pub(crate) fn scan(root: &Path) -> Result<Vec<Entry>, StoreError> {
    scan_below(root, b"")
}

/// As [`scan`], of what is below the directory `part` of `root`; paths stay relative to `root`.
pub(crate) fn scan_below(root: &Path, part: &[u8]) -> Result<Vec<Entry>, StoreError> {
    let mut scan = Scan { entries: Vec::new(), links: HashMap::new() };
    // each directory's names are pushed in reverse, so the last one on the stack is the next in order
    let mut stack = Vec::new();
    push_children(&root.join(OsStr::from_bytes(part)), part, &mut stack)?;
    while let Some(relative) = stack.pop() {
        let path = root.join(OsStr::from_bytes(&relative));
        if scan.add(&path, relative.clone())? {
            push_children(&path, &relative, &mut stack)?;
        }
    }
    Ok(scan.entries)
}

fn push_children(dir: &Path, relative: &[u8], stack: &mut Vec<Vec<u8>>) -> Result<(), StoreError> {
    let start = stack.len();
    for child in fs::read_dir(dir).at("read", dir)? {
        let name = child.at("read", dir)?.file_name();
        let mut path = relative.to_vec();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend(name.as_bytes());
        stack.push(path);
    }
    stack[start..].sort_unstable_by(|left, right| right.cmp(left));
    Ok(())
}

struct Scan {
    entries: Vec<Entry>,
    /// (device, inode) of a file with several names -> its first entry
    links: HashMap<(u64, u64), usize>,
}

impl Scan {
    /// Adds one name; true for a directory.
    fn add(&mut self, path: &Path, relative: Vec<u8>) -> Result<bool, StoreError> {
        let meta = fs::symlink_metadata(path).at("read", path)?;
        let file_type = meta.file_type();
        if file_type.is_socket() {
            return Ok(false);
        }
        let device = || {
            let device = meta.rdev();
            (rustix::fs::major(device), rustix::fs::minor(device))
        };
        let kind = if file_type.is_dir() {
            if REDIRECT.iter().any(|name| matches!(attribute(path, name), Ok(Some(_)))) {
                let reason = "overlay noted a rename here; mount it with redirect_dir=off";
                return Err(StoreError::NotALayer { path: path.to_owned(), reason });
            }
            let mut opaque = false;
            for name in OPAQUE {
                opaque |= attribute(path, name).at("read the attributes of", path)?.as_deref() == Some(b"y");
            }
            Kind::Directory { opaque }
        } else if file_type.is_symlink() {
            Kind::Symlink { target: fs::read_link(path).at("read", path)?.into_os_string().into_vec() }
        } else if file_type.is_char_device() {
            match device() {
                (0, 0) => Kind::Whiteout,
                (major, minor) => Kind::Character { major, minor },
            }
        } else if file_type.is_block_device() {
            let (major, minor) = device();
            Kind::Block { major, minor }
        } else if file_type.is_fifo() {
            Kind::Fifo
        } else {
            if is_mostly_hole(&meta) {
                let reason =
                    "it is sparse, a few bytes on disk that a layer would hold as many gigabytes of zeros";
                return Err(StoreError::NotALayer { path: path.to_owned(), reason });
            }
            Kind::File { size: meta.len() }
        };
        let kind = match kind {
            // links to files of other layers share the inode too: only a second name in this layer counts
            Kind::Directory { .. } | Kind::Whiteout => kind,
            kind if meta.nlink() > 1 => match self.links.get(&(meta.dev(), meta.ino())) {
                Some(first) => Kind::HardLink { first: *first },
                None => {
                    self.links.insert((meta.dev(), meta.ino()), self.entries.len());
                    kind
                }
            },
            kind => kind,
        };
        let capability = match kind {
            Kind::File { .. } => attribute(path, CAPABILITY).at("read the attributes of", path)?,
            _ => None,
        };
        let is_directory = matches!(kind, Kind::Directory { .. });
        let (mode, uid, gid) = match kind {
            // what a removal's device node looks like is no content
            Kind::Whiteout => (0, 0, 0),
            _ => {
                let (uid, gid) = super::owner_of(path, &meta);
                (meta.mode() & 0o7777, uid, gid)
            }
        };
        self.entries.push(Entry { path: relative, kind, mode, uid, gid, mtime: meta.mtime(), capability });
        Ok(is_directory)
    }
}

/// Whether a file of more than 16 GiB has less than an eighth of its bytes on disk. A tar has no holes that every
/// reader knows, so such a file (`/var/log/lastlog` of a user with a large id) would fill disks.
pub fn is_mostly_hole(meta: &fs::Metadata) -> bool {
    const SMALL: u64 = 16 << 30;
    meta.len() > SMALL && meta.blocks().saturating_mul(512) < meta.len() / 8
}

fn attribute(path: &Path, name: &str) -> Result<Option<Vec<u8>>, Errno> {
    let mut value = [0_u8; 256];
    match rustix::fs::lgetxattr(path, name, &mut value) {
        Ok(size) => Ok(Some(value[..size].to_vec())),
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::PERM) => Ok(None),
        Err(error) => Err(error),
    }
}
