//! ADD unpacks local archives: tar, plain or compressed with gzip, bzip2, xz or zstd, recognised by content.
//!
//! Names are taken inside the root: `..` and links that are there already lead nowhere else. Bounded in entries and
//! bytes, so that a small archive cannot fill the disk.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read, Seek},
    os::unix::{
        ffi::OsStrExt,
        fs::{PermissionsExt, symlink},
    },
    path::{Component, Path, PathBuf},
};

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, makedev, mknodat, utimensat};
use tar::EntryType;

use crate::place::{Place, PlaceError};

const MAX_ENTRIES: usize = 1_000_000;
const MAX_BYTES: u64 = 64 << 30;

/// Why an archive cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    #[error("cannot unpack: {0}")]
    Read(#[source] io::Error),
    #[error("cannot unpack `{name}`: {reason}")]
    Entry { name: String, reason: String },
    #[error(transparent)]
    Place(#[from] PlaceError),
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
                Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(source))
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

/// Unpacks `archive` into the directory `dest` (as COPY understands destinations). As in BuildKit, owners are the
/// archive's: `--chown` is for the directories that have to be made for it.
pub(crate) fn unpack(place: &mut Place<'_>, archive: impl Read, dest: &str) -> Result<(), UnpackError> {
    let root = place.resolve(dest)?;
    place.make_directories(&root)?;
    let mut archive = tar::Archive::new(archive);
    let mut directories: Vec<(PathBuf, i64)> = Vec::new();
    let mut bytes = 0;
    for (count, entry) in archive.entries().map_err(UnpackError::Read)?.enumerate() {
        let mut entry = entry.map_err(UnpackError::Read)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let refuse = |reason: &str| UnpackError::Entry { name: name.clone(), reason: reason.to_owned() };
        bytes += entry.header().size().unwrap_or(0);
        if count >= MAX_ENTRIES || bytes > MAX_BYTES {
            return Err(refuse("the archive is larger than allowed"));
        }
        let path = PathBuf::from(std::ffi::OsStr::from_bytes(&entry.path_bytes()));
        let Some(relative) = inside(&path) else {
            return Err(refuse("its path leads out of the destination"));
        };
        let failed = |error: io::Error| UnpackError::Entry { name: name.clone(), reason: error.to_string() };
        let mtime = entry.header().mtime().ok().and_then(|time| i64::try_from(time).ok()).unwrap_or(0);
        // The archive's own root has neither.
        let (Some(parent), Some(last)) = (relative.parent(), relative.file_name()) else { continue };
        let parent = place.resolve(&format!("/{}", root.join(parent).display()))?;
        place.make_directories(&parent)?;
        let target = parent.join(last);
        if entry.header().entry_type() == EntryType::Directory {
            let host = place.replace_with_directory(&target)?;
            set(&host, &entry).map_err(failed)?;
            directories.push((host, mtime));
            continue;
        }
        let host = place.draft().join(&target);
        match fs::symlink_metadata(&host) {
            Ok(meta) if meta.is_dir() => fs::remove_dir_all(&host).map_err(failed)?,
            Ok(_) => fs::remove_file(&host).map_err(failed)?,
            Err(_) => {}
        }
        let mode = Mode::from_raw_mode(entry.header().mode().unwrap_or(0o644) & 0o7777);
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let mut file = File::create_new(&host).map_err(failed)?;
                io::copy(&mut entry, &mut file).map_err(failed)?;
            }
            EntryType::Symlink => {
                let to =
                    entry.link_name().map_err(failed)?.ok_or_else(|| refuse("a link without a target"))?;
                symlink(to, &host).map_err(failed)?;
            }
            EntryType::Link => {
                let to =
                    entry.link_name().map_err(failed)?.ok_or_else(|| refuse("a link without a target"))?;
                let Some(to) = inside(&to) else {
                    return Err(refuse("its target leads out of the destination"));
                };
                let to = place.resolve(&format!("/{}", root.join(to).display()))?;
                fs::hard_link(place.draft().join(to), &host).map_err(failed)?;
                continue;
            }
            EntryType::Fifo => {
                mknodat(CWD, &host, FileType::Fifo, mode, 0).map_err(|error| failed(error.into()))?;
            }
            kind @ (EntryType::Char | EntryType::Block) => {
                let number = |found: io::Result<Option<u32>>| found.ok().flatten().unwrap_or(0);
                let device =
                    makedev(number(entry.header().device_major()), number(entry.header().device_minor()));
                let kind =
                    if kind == EntryType::Char { FileType::CharacterDevice } else { FileType::BlockDevice };
                mknodat(CWD, &host, kind, mode, device).map_err(|error| failed(error.into()))?;
            }
            _ => continue,
        }
        set(&host, &entry).map_err(failed)?;
        set_time(&host, mtime).map_err(failed)?;
    }
    for (host, mtime) in directories.iter().rev() {
        set_time(host, *mtime).map_err(|error| PlaceError::Io(host.clone(), error))?;
    }
    Ok(())
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

fn set(host: &Path, entry: &tar::Entry<'_, impl Read>) -> io::Result<()> {
    let header = entry.header();
    let id = |id: io::Result<u64>| id.ok().and_then(|id| u32::try_from(id).ok()).unwrap_or(0);
    plimsoll_image::set_owner(host, id(header.uid()), id(header.gid()))?;
    if header.entry_type() != EntryType::Symlink {
        fs::set_permissions(host, fs::Permissions::from_mode(header.mode()? & 0o7777))?;
    }
    Ok(())
}

fn set_time(host: &Path, seconds: i64) -> io::Result<()> {
    let at = Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = Timestamps { last_access: at, last_modification: at };
    Ok(utimensat(CWD, host, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}
