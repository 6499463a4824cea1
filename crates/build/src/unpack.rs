//! ADD unpacks local archives: tar, plain or compressed with gzip, bzip2, xz or zstd, recognised by content.
//!
//! As in BuildKit, the destination is the archive's root: neither `..` nor a link, whether of the archive or there
//! already, leads out of it. Bounded in entries and bytes, so that a small archive cannot fill the disk.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, BufReader, Read, Seek, SeekFrom},
    os::unix::{
        ffi::OsStrExt,
        fs::{PermissionsExt, symlink},
    },
    path::{Component, Path, PathBuf},
};

use plimsoll_image::{ArchiveMember, ArchiveReader, Bounded, MemberKind, StoreError};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, makedev, mknodat, utimensat,
};

use crate::layer_writer::{LayerError, LayerWriter};

/// What an archive may cost.
#[derive(Clone, Copy, Debug)]
struct ArchiveLimits {
    entries: usize,
    /// Bytes of the archive without compression, and of its files with their holes.
    bytes: u64,
}

const LIMITS: ArchiveLimits = ArchiveLimits { entries: 1_000_000, bytes: 64 << 30 };

/// Memory that taking a compression off may cost, in bytes: `xz -9` and `zstd --ultra -22` need less.
const MAX_MEMORY: u64 = 192 << 20;

/// Why an archive cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    #[error("cannot unpack: {0}")]
    Archive(#[from] StoreError),
    #[error("cannot unpack `{name}`: {reason}")]
    Entry { name: String, reason: String },
    #[error(transparent)]
    Layer(#[from] LayerError),
}

/// The archive in `file` as a plain tar stream; `None` when it is no archive.
pub(crate) fn open(file: &Path) -> io::Result<Option<Box<dyn Read>>> {
    let mut magic = Vec::new();
    let mut source = crate::select::open_plain(file)?;
    source.by_ref().take(6).read_to_end(&mut magic)?;
    let decoder = |source: File| -> io::Result<Box<dyn Read>> {
        let source = BufReader::with_capacity(256 << 10, source);
        Ok(match magic.as_slice() {
            [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
            [b'B', b'Z', b'h', ..] => Box::new(bzip2::bufread::MultiBzDecoder::new(source)),
            [0xfd, b'7', b'z', b'X', b'Z', 0] => {
                let stream =
                    liblzma::stream::Stream::new_stream_decoder(MAX_MEMORY, liblzma::stream::CONCATENATED)?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(source, stream))
            }
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::with_buffer(source)?),
            _ => Box::new(source),
        })
    };
    source.rewind()?;
    let mut header = Vec::new();
    if decoder(source.try_clone()?)?.take(512).read_to_end(&mut header).is_err() || !is_tar(&header) {
        return Ok(None);
    }
    source.rewind()?;
    decoder(source).map(Some)
}

/// Whether these 512 bytes are the header of a tar's first entry: its checksum is right.
fn is_tar(header: &[u8]) -> bool {
    let Ok(block) = <&[u8; 512]>::try_from(header) else { return false };
    if block.iter().all(|&byte| byte == 0) {
        return false;
    }
    let header = tar::Header::from_byte_slice(block);
    let sum: u32 = block
        .iter()
        .enumerate()
        .map(|(at, &byte)| if (148..156).contains(&at) { 32 } else { u32::from(byte) })
        .sum();
    header.cksum().is_ok_and(|stored| stored == sum)
}

/// Unpacks `archive` into the directory `dest` (as COPY understands destinations). As in BuildKit, modes are the
/// archive's, whatever `--chmod` says, and so are owners unless `--chown` gives another. Directories that only a
/// member's path names belong to the owner of `--chown` too.
pub(crate) fn unpack(layer: &mut LayerWriter<'_>, archive: impl Read, dest: &str) -> Result<(), UnpackError> {
    unpack_within(layer, archive, dest, LIMITS)
}

fn unpack_within(
    layer: &mut LayerWriter<'_>,
    archive: impl Read,
    dest: &str,
    limits: ArchiveLimits,
) -> Result<(), UnpackError> {
    let root = layer.resolve(dest)?;
    layer.make_directories(&root)?;
    let mut archive = ArchiveReader::with_sparse(Bounded::new(archive, limits.bytes));
    let mut directories: Vec<(PathBuf, i64)> = Vec::new();
    let (mut count, mut bytes) = (0, 0_u64);
    while let Some(member) = archive.next()? {
        count += 1;
        bytes = bytes.saturating_add(member.sparse.as_ref().map_or(member.size, |sparse| sparse.size));
        if count > limits.entries || bytes > limits.bytes {
            return Err(refuse(&member, "the archive is larger than allowed"));
        }
        let Some(relative) = inside(Path::new(OsStr::from_bytes(&member.path))) else {
            return Err(refuse(&member, "its path leads out of the destination"));
        };
        // The archive's own root has neither.
        let (Some(parent), Some(last)) = (relative.parent(), relative.file_name()) else { continue };
        let parent = layer.resolve_below(&root, parent)?;
        layer.make_directories(&parent)?;
        let target = parent.join(last);
        let owner = layer.owner.unwrap_or((member.uid, member.gid));
        if member.kind == MemberKind::Directory {
            let host = layer.replace_with_directory(&target)?;
            set(&host, &member, owner).map_err(|error| refuse(&member, error))?;
            directories.push((host, member.mtime));
            continue;
        }
        let host = layer.draft().join(&target);
        let source = match &member.kind {
            MemberKind::HardLink { target } => Some(link_source(layer, &root, &member, target)?),
            _ => None,
        };
        let made = clear(&host).and_then(|()| match &source {
            Some(source) => fs::hard_link(source, &host),
            None => make(&host, &member, owner, &mut archive),
        });
        made.map_err(|error| refuse(&member, error))?;
    }
    for (host, mtime) in directories.iter().rev() {
        // a later member may have taken its place
        if fs::symlink_metadata(host).is_ok_and(|meta| meta.is_dir()) {
            set_time(host, *mtime).map_err(|error| LayerError::Io(host.clone(), error))?;
        }
    }
    Ok(())
}

fn refuse(member: &ArchiveMember, reason: impl ToString) -> UnpackError {
    let name = String::from_utf8_lossy(&member.path).chars().take(200).flat_map(char::escape_debug).collect();
    UnpackError::Entry { name, reason: reason.to_string() }
}

/// Where the file is that a hard link is another name of. Links on the way are followed, the last one is not.
fn link_source(
    layer: &LayerWriter<'_>,
    root: &Path,
    member: &ArchiveMember,
    target: &[u8],
) -> Result<PathBuf, UnpackError> {
    let path = inside(Path::new(OsStr::from_bytes(target)));
    let Some(path) = path else { return Err(refuse(member, "its target leads out of the destination")) };
    let (Some(parent), Some(last)) = (path.parent(), path.file_name()) else {
        return Err(refuse(member, "a link without a target"));
    };
    let parent = layer.resolve_below(root, parent)?;
    let source = layer.draft().join(parent).join(last);
    match fs::symlink_metadata(&source) {
        Ok(meta) if !meta.is_dir() => Ok(source),
        _ => Err(refuse(member, "its hard link's target is not a file of the archive")),
    }
}

/// Removes what an earlier member made.
fn clear(host: &Path) -> io::Result<()> {
    match fs::symlink_metadata(host) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(host),
        Ok(_) => fs::remove_file(host),
        Err(_) => Ok(()),
    }
}

/// Makes a member that is neither a directory nor a hard link.
fn make<R: Read>(
    host: &Path,
    member: &ArchiveMember,
    owner: (u32, u32),
    archive: &mut ArchiveReader<R>,
) -> io::Result<()> {
    let mode = Mode::from_raw_mode(member.mode);
    match &member.kind {
        MemberKind::Symlink { target } => symlink(OsStr::from_bytes(target), host)?,
        MemberKind::Fifo => mknodat(CWD, host, FileType::Fifo, mode, 0)?,
        MemberKind::Character { major: 0, minor: 0 } => {
            return Err(io::Error::other("a device 0:0 would hide files of lower layers"));
        }
        MemberKind::Character { major, minor } => {
            mknodat(CWD, host, FileType::CharacterDevice, mode, makedev(*major, *minor))?;
        }
        MemberKind::Block { major, minor } => {
            mknodat(CWD, host, FileType::BlockDevice, mode, makedev(*major, *minor))?;
        }
        MemberKind::File | MemberKind::Directory | MemberKind::HardLink { .. } => {
            write(host, member, archive)?;
        }
    }
    set(host, member, owner)?;
    set_time(host, member.mtime)
}

/// Writes a file, its holes as holes.
fn write<R: Read>(host: &Path, member: &ArchiveMember, archive: &mut ArchiveReader<R>) -> io::Result<()> {
    let mut file = File::create_new(host)?;
    let mut body = archive.body();
    let whole = [(0, member.size)];
    let parts = member.sparse.as_ref().map_or(whole.as_slice(), |sparse| &sparse.parts);
    for (offset, length) in parts {
        file.seek(SeekFrom::Start(*offset))?;
        if io::copy(&mut body.by_ref().take(*length), &mut file)? != *length {
            return Err(io::Error::other("the archive ends inside a member"));
        }
    }
    match &member.sparse {
        Some(sparse) => file.set_len(sparse.size),
        None => Ok(()),
    }
}

/// The path without `/`, `.` and what a leading `..` would mean; `None` when it leads out.
fn inside(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                if !clean.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Some(clean)
}

/// Owner, mode, capabilities: a change of the owner clears set-id bits and capabilities.
fn set(host: &Path, member: &ArchiveMember, (uid, gid): (u32, u32)) -> io::Result<()> {
    plimsoll_image::set_owner(host, uid, gid)?;
    if !matches!(member.kind, MemberKind::Symlink { .. }) {
        fs::set_permissions(host, fs::Permissions::from_mode(member.mode))?;
    }
    if let (MemberKind::File, Some(capability)) = (&member.kind, &member.capability) {
        rustix::fs::lsetxattr(host, "security.capability", capability, XattrFlags::empty())?;
    }
    Ok(())
}

fn set_time(host: &Path, seconds: i64) -> io::Result<()> {
    let at = Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = Timestamps { last_access: at, last_modification: at };
    Ok(utimensat(CWD, host, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}
