//! Directories as tars that are no layers: every name means itself.

use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use tar::EntryType;

use crate::{
    ImportLimits, StoreError,
    error::At as _,
    layer::{Bounded, Kind, Member, TarWriter, decompress, owner_of, scan_below, unpack_plain, write_entry},
};

/// Writes parts of one directory into a tar: owners as numbers, times in whole seconds, hard links, capabilities.
/// Sockets and devices are left out.
pub struct TreeWriter<'a, W> {
    root: &'a Path,
    tar: TarWriter<W>,
}

impl<'a, W: Write> TreeWriter<'a, W> {
    /// A tar of files below `root`.
    pub fn new(root: &'a Path, out: W) -> Self {
        Self { root, tar: TarWriter::new(out) }
    }

    /// Adds a directory with everything in it, or a file; `part` is its path below the root, and its name in the tar.
    ///
    /// # Errors
    /// When a file cannot be read, or changes while it is read.
    pub fn add(&mut self, part: &str) -> Result<(), StoreError> {
        let path = self.root.join(part);
        let meta = fs::symlink_metadata(&path).at("read", &path)?;
        let failed = |source| StoreError::Stream { action: "write an archive", source };
        let (uid, gid) = owner_of(&path, &meta);
        let mut member = Member {
            mode: meta.mode() & 0o7777,
            uid,
            gid,
            ..Member::file(part.as_bytes(), meta.len(), meta.mtime())
        };
        if !meta.is_dir() {
            self.tar.header(&member).map_err(failed)?;
            let file = fs::File::open(&path).at("open", &path)?;
            return self.tar.body(file, meta.len()).at("copy", &path);
        }
        (member.kind, member.size) = (EntryType::Directory, 0);
        self.tar.header(&member).map_err(failed)?;
        let entries = scan_below(self.root, part.as_bytes())?;
        for entry in &entries {
            if !matches!(entry.kind, Kind::Whiteout | Kind::Character { .. } | Kind::Block { .. }) {
                write_entry(&mut self.tar, b"", self.root, &entries, entry, None)?;
            }
        }
        Ok(())
    }

    /// Ends the tar.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> Result<W, StoreError> {
        self.tar.finish().map_err(|source| StoreError::Stream { action: "write an archive", source })
    }
}

/// Unpacks a tar (plain, gzip, zstd or xz) into an empty directory. Nothing in it reaches anything outside; devices are
/// refused, and so is more than `limits`.
///
/// # Errors
/// When the archive is damaged, hostile or too large, or the disk is full; what was unpacked then stays.
pub fn unpack_trees(reader: impl Read, directory: &Path, limits: &ImportLimits) -> Result<(), StoreError> {
    let (_, tar) = decompress(Bounded::new(reader, limits.bytes))?;
    unpack_plain(tar, directory, limits)
}
