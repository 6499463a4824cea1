//! Writes tars whose bytes depend on nothing but what goes in (POSIX PAX, numeric owners, whole seconds).

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
};

use tar::{EntryType, Header};

use super::{Entry, Kind};
use crate::StoreError;

const BLOCK: usize = 512;
/// What is read of a file at once.
const BUFFER: usize = 256 << 10;
/// Largest number in a seven-digit octal field.
const MAX_SMALL: u64 = 0o7_777_777;
/// Largest number in an eleven-digit octal field.
const MAX_LARGE: u64 = 0o77_777_777_777;
const CAPABILITY_RECORD: &str = "SCHILY.xattr.security.capability";
pub(crate) const WHITEOUT_PREFIX: &[u8] = b".wh.";
pub(crate) const OPAQUE_MARKER: &[u8] = b".wh..wh..opq";

/// What the header of one member says.
#[derive(Debug, Clone)]
pub(crate) struct Member<'a> {
    pub(crate) path: &'a [u8],
    pub(crate) kind: EntryType,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: i64,
    pub(crate) size: u64,
    pub(crate) link: &'a [u8],
    pub(crate) device: (u32, u32),
    pub(crate) capability: Option<&'a [u8]>,
}

impl<'a> Member<'a> {
    /// A regular file of root.
    pub(crate) fn file(path: &'a [u8], size: u64, mtime: i64) -> Self {
        Self {
            path,
            kind: EntryType::Regular,
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime,
            size,
            link: b"",
            device: (0, 0),
            capability: None,
        }
    }

    /// A directory of root.
    pub(crate) fn directory(path: &'a [u8], mtime: i64) -> Self {
        Self { kind: EntryType::Directory, mode: 0o755, ..Self::file(path, 0, mtime) }
    }

    /// The extended header's records, empty when the plain header can hold everything.
    fn records(&self) -> Vec<u8> {
        let mut records = Vec::new();
        if !fits(self.path) {
            record(&mut records, "path", self.path);
        }
        if !fits(self.link) {
            record(&mut records, "linkpath", self.link);
        }
        if self.size > MAX_LARGE {
            record(&mut records, "size", self.size.to_string().as_bytes());
        }
        for (key, id) in [("uid", self.uid), ("gid", self.gid)] {
            if u64::from(id) > MAX_SMALL {
                record(&mut records, key, id.to_string().as_bytes());
            }
        }
        if u64::try_from(self.mtime).map_or(true, |mtime| mtime > MAX_LARGE) {
            record(&mut records, "mtime", self.mtime.to_string().as_bytes());
        }
        if let Some(capability) = self.capability {
            record(&mut records, CAPABILITY_RECORD, capability);
        }
        records
    }

    fn header(&self) -> Header {
        let mut header = Header::new_ustar();
        header.set_entry_type(self.kind);
        header.set_mode(self.mode);
        header.set_uid(zero_above(self.uid.into(), MAX_SMALL));
        header.set_gid(zero_above(self.gid.into(), MAX_SMALL));
        header.set_size(zero_above(self.size, MAX_LARGE));
        header.set_mtime(zero_above(u64::try_from(self.mtime).unwrap_or(0), MAX_LARGE));
        let fields = header.as_old_mut();
        copy(&mut fields.name, self.path);
        copy(&mut fields.linkname, self.link);
        if matches!(self.kind, EntryType::Char | EntryType::Block)
            && let Some(fields) = header.as_ustar_mut()
        {
            fields.set_device_major(self.device.0);
            fields.set_device_minor(self.device.1);
        }
        header.set_cksum();
        header
    }
}

fn fits(name: &[u8]) -> bool {
    name.len() <= 100 && name.is_ascii()
}

fn zero_above(number: u64, max: u64) -> u64 {
    if number > max { 0 } else { number }
}

fn copy(field: &mut [u8], bytes: &[u8]) {
    let length = bytes.len().min(field.len());
    field[..length].copy_from_slice(&bytes[..length]);
}

/// `LENGTH key=value\n`, where LENGTH counts itself (POSIX pax, "pax Extended Header").
fn record(records: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = 1 + key.len() + 1 + value.len() + 1;
    let mut length = rest + 1;
    while length.to_string().len() + rest != length {
        length = length.to_string().len() + rest;
    }
    records.extend(format!("{length} {key}=").bytes());
    records.extend(value);
    records.push(b'\n');
}

/// Writes members one after the other.
pub(crate) struct TarWriter<W> {
    out: W,
    /// Reused for copying bodies from file to tar.
    buffer: Vec<u8>,
}

impl<W: Write> TarWriter<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, buffer: Vec::new() }
    }

    /// Writes a member's header; the caller then writes exactly `size` bytes by [`TarWriter::body`].
    pub(crate) fn header(&mut self, member: &Member<'_>) -> io::Result<()> {
        let records = member.records();
        if !records.is_empty() {
            let extension = Member {
                kind: EntryType::XHeader,
                path: b"PaxHeaders.0/entry",
                link: b"",
                size: records.len() as u64,
                uid: 0,
                gid: 0,
                mtime: 0,
                mode: 0o644,
                capability: None,
                device: (0, 0),
            };
            self.out.write_all(extension.header().as_bytes())?;
            self.out.write_all(&records)?;
            self.pad(records.len() as u64)?;
        }
        self.out.write_all(member.header().as_bytes())
    }

    /// Copies a member's bytes; an error when there are not exactly `size`.
    pub(crate) fn body(&mut self, mut reader: impl Read, size: u64) -> io::Result<()> {
        // one byte more is asked for, so that a file that grew is seen
        let room = usize::try_from(size + 1).unwrap_or(BUFFER).min(BUFFER);
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        }
        let mut copied = 0;
        loop {
            let read = match reader.read(&mut self.buffer[..room]) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            copied += read as u64;
            if copied > size {
                return Err(io::Error::other(format!("more than the expected {size} bytes")));
            }
            self.out.write_all(&self.buffer[..read])?;
        }
        if copied != size {
            return Err(io::Error::other(format!("expected {size} bytes, found {copied}")));
        }
        self.pad(size)
    }

    pub(crate) fn pad(&mut self, size: u64) -> io::Result<()> {
        let used = (size % BLOCK as u64) as usize;
        self.out.write_all(&[0; BLOCK][..(BLOCK - used) % BLOCK])
    }

    pub(crate) fn inner(&mut self) -> &mut W {
        &mut self.out
    }

    /// Ends the archive with its two empty blocks.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        Ok(self.out)
    }
}

/// Size in bytes of a member with its headers and padding.
pub(crate) fn member_size(member: &Member<'_>) -> u64 {
    let block = BLOCK as u64;
    let records = member.records().len() as u64;
    let extension = if records > 0 { block + records.next_multiple_of(block) } else { 0 };
    extension + block + member.size.next_multiple_of(block)
}

/// Size in bytes of the blocks that end an archive.
pub(crate) const END_SIZE: u64 = 2 * BLOCK as u64;

/// Writes a layer as an OCI layer tar (image-spec `layer.md`): removals as `.wh.NAME`, opaque directories with
/// `.wh..wh..opq`, time stamps in whole seconds not after `epoch`.
pub(crate) fn write_layer<W: Write>(
    root: &Path,
    entries: &[Entry],
    epoch: Option<i64>,
    out: W,
) -> Result<W, StoreError> {
    let mut tar = TarWriter::new(out);
    let failed = |source| StoreError::Stream { action: "write a layer's tar", source };
    for entry in entries {
        match &entry.kind {
            Kind::Whiteout => {
                tar.header(&whiteout(&marker_path(&entry.path))).map_err(failed)?;
            }
            _ => write_entry(&mut tar, b"", root, entries, entry, epoch)?,
        }
        if entry.kind == (Kind::Directory { opaque: true }) {
            let path = [entry.path.as_slice(), b"/", OPAQUE_MARKER].concat();
            tar.header(&whiteout(&path)).map_err(failed)?;
        }
    }
    tar.finish().map_err(failed)
}

/// Writes one entry that is not a removal, below the folder `prefix` (empty, or with a slash at its end).
pub(crate) fn write_entry<W: Write>(
    tar: &mut TarWriter<W>,
    prefix: &[u8],
    root: &Path,
    entries: &[Entry],
    entry: &Entry,
    epoch: Option<i64>,
) -> Result<(), StoreError> {
    let mut path = [prefix, &entry.path].concat();
    let mut link = prefix.to_vec();
    let mut member = Member {
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        capability: entry.capability.as_deref(),
        ..Member::file(&[], 0, epoch.map_or(entry.mtime, |epoch| entry.mtime.min(epoch)))
    };
    match &entry.kind {
        Kind::Directory { .. } => {
            path.push(b'/');
            member.kind = EntryType::Directory;
        }
        Kind::File { size } => member.size = *size,
        Kind::HardLink { first } => {
            member.kind = EntryType::Link;
            link.extend(&entries[*first].path);
            member.link = &link;
        }
        Kind::Symlink { target } => {
            member.kind = EntryType::Symlink;
            member.link = target;
        }
        Kind::Character { major, minor } => {
            member.kind = EntryType::Char;
            member.device = (*major, *minor);
        }
        Kind::Block { major, minor } => {
            member.kind = EntryType::Block;
            member.device = (*major, *minor);
        }
        Kind::Fifo => member.kind = EntryType::Fifo,
        Kind::Whiteout => return Ok(()),
    }
    member.path = &path;
    let failed = |source| StoreError::Stream { action: "write a layer's tar", source };
    tar.header(&member).map_err(failed)?;
    if let Kind::File { size } = entry.kind {
        let path = entry.file_path(root);
        let file = File::open(&path).map_err(|error| StoreError::io("open", &path, error))?;
        tar.body(file, size).map_err(|error| StoreError::io("copy", &path, error))?;
    }
    Ok(())
}

/// `a/b` -> `a/.wh.b`
fn marker_path(path: &[u8]) -> Vec<u8> {
    let name = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    [&path[..name], WHITEOUT_PREFIX, &path[name..]].concat()
}

/// A removal has mode 0 and time 0, as containerd 2 writes it.
fn whiteout(path: &[u8]) -> Member<'_> {
    Member { mode: 0, ..Member::file(path, 0, 0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_length() {
        let mut records = Vec::new();
        record(&mut records, "path", b"x");
        assert_eq!(records, b"9 path=x\n");
        records.clear();
        record(&mut records, "path", &[b'x'; 90]);
        assert_eq!(records.len(), 99);
        assert!(records.starts_with(b"99 path="));
        records.clear();
        record(&mut records, "path", &[b'x'; 91]);
        assert_eq!(records.len(), 101);
        assert!(records.starts_with(b"101 path="));
    }

    #[test]
    fn announced_and_written_sizes_are_equal() {
        let long = vec![b'a'; 300];
        for path in [b"a".as_slice(), &long, "ä".as_bytes()] {
            let member = Member { uid: u32::MAX, ..Member::file(path, 700, -5) };
            let mut tar = TarWriter::new(Vec::new());
            tar.header(&member).unwrap();
            tar.body(&[7; 700][..], 700).unwrap();
            let bytes = tar.finish().unwrap();
            assert_eq!(bytes.len() as u64, member_size(&member) + END_SIZE);
        }
    }

    #[test]
    fn a_file_that_grew_is_an_error() {
        let mut tar = TarWriter::new(Vec::new());
        assert!(tar.body(&[0; 11][..], 10).is_err());
        let mut tar = TarWriter::new(Vec::new());
        assert!(tar.body(&[0; 9][..], 10).is_err());
    }
}
