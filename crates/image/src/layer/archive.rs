//! Reads tars that nobody vouches for: every name, number and size is checked before it is used.

use std::io::{self, Read};

use tar::{EntryType, Header};

use super::sparse::{PaxSparse, Sparse};
use crate::StoreError;

/// No extended header, long name or link target is larger (bytes).
const MAX_EXTENSION: u64 = 1 << 20;

/// No body is larger (bytes): what is added to it stays a number.
const MAX_SIZE: u64 = 1 << 62;

/// One member of an archive.
#[derive(Debug, Clone)]
pub struct Member {
    /// As written, not yet cleaned: it may be absolute and may hold `..`.
    pub path: Vec<u8>,
    /// The kind of file that it becomes.
    pub kind: MemberKind,
    /// Permissions with set-id and sticky bits.
    pub mode: u32,
    /// Owner; never `u32::MAX`, which `chown` takes for none.
    pub uid: u32,
    /// Group, as `uid`.
    pub gid: u32,
    /// Seconds since 1970.
    pub mtime: i64,
    /// Bytes of the body.
    pub size: u64,
    /// The attribute `security.capability`.
    pub capability: Option<Vec<u8>>,
    /// Where the bytes of the body belong in a file with holes.
    pub sparse: Option<Sparse>,
}

/// The kind of file that a member becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberKind {
    /// A regular file; its bytes are the body.
    File,
    /// A directory, which has no body.
    Directory,
    /// Another name of an earlier member.
    HardLink {
        /// That member's path, as written.
        target: Vec<u8>,
    },
    /// A symbolic link.
    Symlink {
        /// Where it points, as written.
        target: Vec<u8>,
    },
    /// A character device.
    Character {
        /// The number of the driver.
        major: u32,
        /// The number of the device among those of its driver.
        minor: u32,
    },
    /// A block device.
    Block {
        /// The number of the driver.
        major: u32,
        /// The number of the device among those of its driver.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
}

/// Reads one member after the other.
pub struct ArchiveReader<R> {
    reader: R,
    /// What is left of the current member's body, and its padding after it.
    left: u64,
    padding: u64,
    /// Files with holes are read, not refused.
    sparse: bool,
}

/// What extended headers said about the next member.
#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u32>,
    gid: Option<u32>,
    mtime: Option<i64>,
    capability: Option<Vec<u8>>,
    sparse: PaxSparse,
}

impl<R: Read> ArchiveReader<R> {
    /// Reads an archive in which files with holes are refused: no layer has any.
    pub fn new(reader: R) -> Self {
        Self { reader, left: 0, padding: 0, sparse: false }
    }

    /// Reads an archive in which files may have holes, as GNU tar writes them (its own form, and pax 0.1 and 1.0).
    pub fn with_sparse(reader: R) -> Self {
        Self { sparse: true, ..Self::new(reader) }
    }

    /// The next member; `None` at the end of the archive.
    ///
    /// # Errors
    /// With what is wrong in the archive, or when it cannot be read.
    #[expect(clippy::should_implement_trait, reason = "a member's body borrows the reader")]
    pub fn next(&mut self) -> Result<Option<Member>, StoreError> {
        let mut extensions = Extensions::default();
        loop {
            self.skip()?;
            let Some(header) = self.header()? else { return Ok(None) };
            let name = header.path_bytes().into_owned();
            let size = header.entry_size().map_err(|error| bad(&name, error))?;
            match header.entry_type() {
                EntryType::XHeader => extensions.read(&self.extension(&name, size)?, &name)?,
                EntryType::XGlobalHeader => drop(self.extension(&name, size)?),
                EntryType::GNULongName => extensions.path = Some(text(self.extension(&name, size)?)),
                EntryType::GNULongLink => extensions.link = Some(text(self.extension(&name, size)?)),
                kind => return self.member(&header, kind, name, size, extensions).map(Some),
            }
        }
    }

    /// The rest of the current member's body.
    pub fn body(&mut self) -> Body<'_, R> {
        Body { archive: self }
    }

    pub(crate) fn inner(&self) -> &R {
        &self.reader
    }

    /// Reads to the end of the stream, past the end of the archive.
    pub(crate) fn drain(mut self) -> Result<R, StoreError> {
        io::copy(&mut self.reader, &mut io::sink()).map_err(read_failed)?;
        Ok(self.reader)
    }

    fn member(
        &mut self,
        header: &Header,
        kind: EntryType,
        name: Vec<u8>,
        size: u64,
        extensions: Extensions,
    ) -> Result<Member, StoreError> {
        let path = extensions.path.unwrap_or(name);
        let size = extensions.size.unwrap_or(size);
        if size > MAX_SIZE {
            return Err(bad(&path, format!("{size} bytes are too many")));
        }
        let link = match extensions.link {
            Some(link) => link,
            None => header.link_name_bytes().map(|link| link.into_owned()).unwrap_or_default(),
        };
        let kind = self.kind(header, kind, &path, link)?;
        let fields = header.as_old();
        let id = |field: &[u8], id: io::Result<u64>| {
            let id = or_zero(field, id).map_err(|error| bad(&path, error))?;
            u32::try_from(id).map_err(|_| bad(&path, format!("owner {id} is too large")))
        };
        let mut member = Member {
            mode: or_zero(&fields.mode, header.mode()).map_err(|error| bad(&path, error))? & 0o7777,
            uid: extensions.uid.map_or_else(|| id(&fields.uid, header.uid()), Ok)?,
            gid: extensions.gid.map_or_else(|| id(&fields.gid, header.gid()), Ok)?,
            mtime: match extensions.mtime {
                Some(mtime) => mtime,
                None => or_zero(&fields.mtime, header.mtime()).map_err(|error| bad(&path, error))? as i64,
            },
            size,
            capability: extensions.capability,
            sparse: None,
            kind,
            path,
        };
        if member.uid == u32::MAX || member.gid == u32::MAX {
            return Err(bad(&member.path, format!("owner {} is too large", u32::MAX)));
        }
        let old = header.entry_type() == EntryType::GNUSparse;
        if old {
            let sparse = Sparse::of_header(header, &mut |block| self.block(block));
            member.sparse = Some(sparse.map_err(|reason| bad(&member.path, reason))?);
        }
        self.left = size;
        self.padding = size.wrapping_neg() % 512;
        if !old && extensions.sparse.is_some() && member.kind == MemberKind::File {
            if !self.sparse {
                return Err(bad(&member.path, NO_SPARSE));
            }
            let (name, sparse) =
                extensions.sparse.finish(&mut self.body()).map_err(|reason| bad(&member.path, reason))?;
            member.path = name.unwrap_or(member.path);
            member.size = self.left;
            member.sparse = Some(sparse);
        }
        if let Some(sparse) = &member.sparse {
            sparse.check(member.size).map_err(|reason| bad(&member.path, reason))?;
        }
        Ok(member)
    }

    /// What a header says that its member is; `link` is the target of a link.
    fn kind(
        &self,
        header: &Header,
        kind: EntryType,
        path: &[u8],
        link: Vec<u8>,
    ) -> Result<MemberKind, StoreError> {
        let device = || -> Result<(u32, u32), StoreError> {
            let number = |field: std::ops::Range<usize>, number: io::Result<Option<u32>>| {
                let number = number.map(Option::unwrap_or_default);
                or_zero(&header.as_bytes()[field], number).map_err(|error| bad(path, error))
            };
            Ok((number(329..337, header.device_major())?, number(337..345, header.device_minor())?))
        };
        Ok(match kind {
            // old archives mark a directory by its slash alone
            EntryType::Regular if path.ends_with(b"/") => MemberKind::Directory,
            EntryType::Regular | EntryType::Continuous => MemberKind::File,
            EntryType::Directory => MemberKind::Directory,
            EntryType::Link => MemberKind::HardLink { target: link },
            EntryType::Symlink => MemberKind::Symlink { target: link },
            EntryType::Char => device().map(|(major, minor)| MemberKind::Character { major, minor })?,
            EntryType::Block => device().map(|(major, minor)| MemberKind::Block { major, minor })?,
            EntryType::Fifo => MemberKind::Fifo,
            EntryType::GNUSparse if self.sparse => MemberKind::File,
            EntryType::GNUSparse => return Err(bad(path, NO_SPARSE)),
            other => return Err(bad(path, format!("unknown type {:#04x}", other.as_byte()))),
        })
    }

    fn header(&mut self) -> Result<Option<Header>, StoreError> {
        let mut block = [0_u8; 512];
        if !self.block(&mut block)? {
            return Ok(None);
        }
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let header = Header::from_byte_slice(&block).clone();
        let sum: u32 =
            block[..148].iter().chain(&[b' '; 8]).chain(&block[156..]).map(|byte| u32::from(*byte)).sum();
        if header.cksum().ok() != Some(sum) {
            return Err(bad(b"", "a header's checksum does not fit; this is no tar, or it is damaged"));
        }
        Ok(Some(header))
    }

    /// Fills a block; false at the end of the stream.
    fn block(&mut self, block: &mut [u8; 512]) -> Result<bool, StoreError> {
        let mut filled = 0;
        while filled < block.len() {
            match self.reader.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(false),
                Ok(0) => return Err(bad(b"", "the archive ends inside a header")),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(read_failed(error)),
            }
        }
        Ok(true)
    }

    fn extension(&mut self, name: &[u8], size: u64) -> Result<Vec<u8>, StoreError> {
        if size > MAX_EXTENSION {
            return Err(bad(name, format!("an extended header of {size} bytes is too large")));
        }
        self.left = size;
        self.padding = size.wrapping_neg() % 512;
        let mut bytes = Vec::with_capacity(size as usize);
        self.body().read_to_end(&mut bytes).map_err(read_failed)?;
        if bytes.len() as u64 != size {
            return Err(bad(name, "the archive ends inside an extended header"));
        }
        Ok(bytes)
    }

    fn skip(&mut self) -> Result<(), StoreError> {
        let left = std::mem::take(&mut self.left) + std::mem::take(&mut self.padding);
        let skipped = io::copy(&mut (&mut self.reader).take(left), &mut io::sink()).map_err(read_failed)?;
        if skipped != left {
            return Err(bad(b"", "the archive ends inside a member"));
        }
        Ok(())
    }
}

const NO_SPARSE: &str = "sparse files are not supported";

/// A member's body; what is left of it is skipped with the next member.
pub struct Body<'a, R> {
    archive: &'a mut ArchiveReader<R>,
}

impl<R: Read> Read for Body<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.archive.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.archive.reader.read(&mut buffer[..most])?;
        self.archive.left -= read as u64;
        Ok(read)
    }
}

impl Extensions {
    /// Reads `LENGTH key=value\n` records.
    fn read(&mut self, mut bytes: &[u8], name: &[u8]) -> Result<(), StoreError> {
        let broken = || bad(name, "a broken extended header");
        while !bytes.is_empty() {
            let space = bytes.iter().position(|byte| *byte == b' ').ok_or_else(broken)?;
            let length: usize = number(&bytes[..space]).ok_or_else(broken)?;
            if length <= space + 1 || length > bytes.len() || bytes[length - 1] != b'\n' {
                return Err(broken());
            }
            let pair = &bytes[space + 1..length - 1];
            bytes = &bytes[length..];
            let equals = pair.iter().position(|byte| *byte == b'=').ok_or_else(broken)?;
            let (key, value) = (&pair[..equals], &pair[equals + 1..]);
            // an empty value takes a global header's value back; global headers are not used here
            if value.is_empty() {
                continue;
            }
            match key {
                b"path" => self.path = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => self.size = Some(number(value).ok_or_else(broken)?),
                b"uid" => self.uid = Some(number(value).ok_or_else(broken)?),
                b"gid" => self.gid = Some(number(value).ok_or_else(broken)?),
                b"mtime" => {
                    let seconds = value.split(|byte| *byte == b'.').next().unwrap_or_default();
                    self.mtime = Some(number(seconds).ok_or_else(broken)?);
                }
                b"SCHILY.xattr.security.capability" => self.capability = Some(value.to_vec()),
                key => {
                    if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
                        self.sparse.set(key, value).map_err(|reason| bad(name, reason))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// An empty numeric field means zero, as in Go's and GNU's readers.
fn or_zero<T: Default>(field: &[u8], number: io::Result<T>) -> io::Result<T> {
    if field.iter().all(|byte| matches!(byte, 0 | b' ')) { Ok(T::default()) } else { number }
}

pub(super) fn number<T: std::str::FromStr>(bytes: &[u8]) -> Option<T> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// GNU's long names end with a zero byte.
fn text(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
        bytes.truncate(end);
    }
    bytes
}

pub(crate) fn bad(path: &[u8], reason: impl ToString) -> StoreError {
    let entry: String =
        String::from_utf8_lossy(path).chars().take(200).flat_map(char::escape_debug).collect();
    StoreError::Archive { entry, reason: reason.to_string() }
}

pub(crate) fn read_failed(source: io::Error) -> StoreError {
    StoreError::Stream { action: "read an archive", source }
}
