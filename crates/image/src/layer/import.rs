//! Unpacks an OCI layer tar into an empty directory, as overlay's upper format.
//!
//! The archive is hostile until proved otherwise: every path is resolved by the kernel inside the layer's own root
//! (`openat2`, `RESOLVE_IN_ROOT`), so that neither `..`, absolute names, symbolic links nor hard links reach
//! anything outside.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Write as _},
    os::{
        fd::{AsFd, AsRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, XattrFlags,
        chmodat, chownat, linkat, mkdirat, mknodat, openat, openat2, statat, symlinkat, unlinkat, utimensat,
    },
    io::Errno,
};

use super::{
    CAPABILITY, OPAQUE,
    archive::{ArchiveReader, Member, MemberKind, bad, read_failed},
    tar::{OPAQUE_MARKER, WHITEOUT_PREFIX},
};
use crate::{StoreError, error::At as _};

/// Longest path in bytes (Linux `PATH_MAX`).
const MAX_PATH: usize = 4096;
/// Deepest path in components.
const MAX_DEPTH: usize = 512;

/// What an imported layer may cost.
#[derive(Debug, Clone, Copy)]
pub struct ImportLimits {
    /// The most members that the archive may have.
    pub entries: u64,
    /// Bytes of the uncompressed archive.
    pub bytes: u64,
}

impl Default for ImportLimits {
    /// Two million members, 64 GiB.
    fn default() -> Self {
        Self { entries: 2_000_000, bytes: 64 << 30 }
    }
}

/// How bytes are compressed, by their first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
    Xz,
}

/// Looks at the stream's first bytes and takes the compression off.
pub(crate) fn decompress<'r>(
    reader: impl Read + 'r,
) -> Result<(Compression, Box<dyn Read + 'r>), StoreError> {
    let mut reader = BufReader::with_capacity(128 << 10, reader);
    let start = loop {
        match reader.fill_buf() {
            Ok(start) => break start,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(read_failed(error)),
        }
    };
    Ok(match start {
        [0x1f, 0x8b, ..] => (Compression::Gzip, Box::new(flate2::bufread::MultiGzDecoder::new(reader))),
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(reader).map_err(read_failed)?;
            // 128 MiB: more memory than this no honest layer asks for
            decoder.window_log_max(27).map_err(read_failed)?;
            (Compression::Zstd, Box::new(decoder))
        }
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            // as for zstd: a stream that wants more memory is refused
            let stream =
                liblzma::stream::Stream::new_stream_decoder(192 << 20, liblzma::stream::CONCATENATED)
                    .map_err(|error| read_failed(error.into()))?;
            (Compression::Xz, Box::new(liblzma::bufread::XzDecoder::new_stream(reader, stream)))
        }
        _ => (Compression::None, Box::new(reader)),
    })
}

/// Ends a stream with an error instead of reading more than a number of bytes.
pub struct Bounded<R> {
    reader: R,
    left: u64,
}

impl<R> Bounded<R> {
    /// Reads `bytes` bytes from `reader`.
    pub fn new(reader: R, bytes: u64) -> Self {
        Self { reader, left: bytes }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::other("the archive is larger than the limit"))?;
        Ok(read)
    }
}

/// Unpacks the uncompressed tar `reader` into the empty directory `root`, reading it to its end.
pub(crate) fn unpack(reader: impl Read, root: &Path, limits: &ImportLimits) -> Result<(), StoreError> {
    unpack_as(Form::Layer, reader, root, limits)
}

/// As [`unpack`], where no name means a removal and devices are refused.
pub(crate) fn unpack_plain(reader: impl Read, root: &Path, limits: &ImportLimits) -> Result<(), StoreError> {
    unpack_as(Form::Files, reader, root, limits)
}

/// What an archive's members mean.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Changes to the layers below.
    Layer,
    /// Files, and nothing else.
    Files,
}

fn unpack_as(form: Form, reader: impl Read, root: &Path, limits: &ImportLimits) -> Result<(), StoreError> {
    let mut archive = ArchiveReader::new(Bounded::new(reader, limits.bytes));
    let mut unpacker = Unpacker::new(root, form)?;
    let mut entries = 0;
    while let Some(member) = archive.next()? {
        entries += 1;
        if entries > limits.entries {
            return Err(bad(&member.path, format!("more than {} members", limits.entries)));
        }
        unpacker.add(&member, &mut archive.body())?;
    }
    archive.drain()?;
    unpacker.finish()
}

struct Unpacker {
    form: Form,
    root: OwnedFd,
    root_path: PathBuf,
    /// Directories' times are set last: every new name in them changes them.
    directories: Vec<(Vec<u8>, i64)>,
    /// The last parent, because neighbours follow one another.
    parent: Option<(Vec<u8>, OwnedFd)>,
    buffer: Vec<u8>,
}

/// What lies at a name already.
enum Existing {
    Nothing,
    Directory,
    Whiteout,
    Other,
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Unpacker {
    fn new(root: &Path, form: Form) -> Result<Self, StoreError> {
        let fd = openat(CWD, root, DIRECTORY, Mode::empty()).at("open", root)?;
        Ok(Self {
            form,
            root: fd,
            root_path: root.to_owned(),
            directories: Vec::new(),
            parent: None,
            buffer: vec![0; 256 << 10],
        })
    }

    fn add(&mut self, member: &Member, body: &mut impl Read) -> Result<(), StoreError> {
        let path = clean(&member.path)?;
        let Some((parent, name)) = split(&path) else {
            // `./` describes the root itself
            if member.kind == MemberKind::Directory {
                Self::attributes(&self.root, b".", member).map_err(|error| self.failed(&path, error))?;
            }
            return Ok(());
        };
        let fd = self.open_parent(parent)?;
        let added = if let (Form::Layer, Some(hidden)) = (self.form, name.strip_prefix(WHITEOUT_PREFIX)) {
            whiteout(&fd, name, hidden, &path)
        } else if let MemberKind::HardLink { target } = &member.kind {
            self.hard_link(&fd, name, target, &path)
        } else {
            self.create(&fd, name, member, body, &path)
        };
        self.parent = Some((parent.to_vec(), fd));
        added
    }

    fn create(
        &mut self,
        parent: &OwnedFd,
        name: &[u8],
        member: &Member,
        body: &mut impl Read,
        path: &[u8],
    ) -> Result<(), StoreError> {
        let failed = |error: Errno| bad(path, io::Error::from(error));
        let existing = existing(parent, name).map_err(failed)?;
        let is_directory = member.kind == MemberKind::Directory;
        match existing {
            Existing::Nothing => {}
            Existing::Directory if is_directory => {}
            _ => remove(parent, name).map_err(|error| bad(path, error))?,
        }
        match &member.kind {
            MemberKind::Directory => {
                if !matches!(existing, Existing::Directory) {
                    mkdirat(parent, name, Mode::from_raw_mode(0o700)).map_err(failed)?;
                }
                if matches!(existing, Existing::Whiteout) {
                    opaque(&openat(parent, name, DIRECTORY, Mode::empty()).map_err(failed)?)
                        .map_err(failed)?;
                }
                self.directories.push((path.to_vec(), member.mtime));
            }
            MemberKind::File => {
                let flags =
                    OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file = openat(parent, name, flags, Mode::from_raw_mode(0o600)).map_err(failed)?;
                self.write(File::from(file), body, member.size, path)?;
            }
            MemberKind::Symlink { target } => {
                if target.is_empty() || target.contains(&0) || target.len() >= MAX_PATH {
                    return Err(bad(path, "its link target is empty or not a path"));
                }
                symlinkat(target.as_slice(), parent, name).map_err(failed)?;
            }
            MemberKind::Character { .. } | MemberKind::Block { .. } if self.form == Form::Files => {
                return Err(bad(path, "a device"));
            }
            MemberKind::Character { major: 0, minor: 0 } => {
                return Err(bad(path, "a device 0:0 would hide files of lower layers"));
            }
            MemberKind::Character { major, minor } => {
                let device = rustix::fs::makedev(*major, *minor);
                mknodat(parent, name, FileType::CharacterDevice, Mode::empty(), device).map_err(failed)?;
            }
            MemberKind::Block { major, minor } => {
                let device = rustix::fs::makedev(*major, *minor);
                mknodat(parent, name, FileType::BlockDevice, Mode::empty(), device).map_err(failed)?;
            }
            MemberKind::Fifo => mknodat(parent, name, FileType::Fifo, Mode::empty(), 0).map_err(failed)?,
            MemberKind::HardLink { .. } => {}
        }
        Self::attributes(parent, name, member).map_err(|error| self.failed(path, error))
    }

    fn write(
        &mut self,
        mut file: File,
        body: &mut impl Read,
        size: u64,
        path: &[u8],
    ) -> Result<(), StoreError> {
        let mut written = 0;
        loop {
            match body.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(read) => {
                    file.write_all(&self.buffer[..read]).map_err(|error| self.failed(path, error))?;
                    written += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(read_failed(error)),
            }
        }
        if written != size {
            return Err(bad(path, "the archive ends inside a member"));
        }
        Ok(())
    }

    /// Owner, mode, capabilities, time. The order matters: changing the owner clears set-id bits and capabilities.
    fn attributes(parent: impl AsFd, name: &[u8], member: &Member) -> io::Result<()> {
        let parent = parent.as_fd();
        let (uid, gid) = (Uid::from_raw(member.uid), Gid::from_raw(member.gid));
        if let Err(error) = chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW) {
            if !super::owner::is_refusal(&error.into()) {
                return Err(error.into());
            }
            // the name was just made by us in a directory that we hold open
            let place = PathBuf::from(format!("/proc/self/fd/{}", parent.as_raw_fd()));
            super::set_owner(&place.join(std::ffi::OsStr::from_bytes(name)), member.uid, member.gid)?;
        }
        if !matches!(member.kind, MemberKind::Symlink { .. }) {
            chmodat(parent, name, Mode::from_raw_mode(member.mode), AtFlags::empty())?;
        }
        if let (MemberKind::File, Some(capability)) = (&member.kind, &member.capability) {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = openat(parent, name, flags, Mode::empty())?;
            rustix::fs::fsetxattr(&file, CAPABILITY, capability, XattrFlags::empty())?;
        }
        if member.kind != MemberKind::Directory {
            set_time(parent, name, member.mtime)?;
        }
        Ok(())
    }

    fn hard_link(
        &mut self,
        parent: &OwnedFd,
        name: &[u8],
        target: &[u8],
        path: &[u8],
    ) -> Result<(), StoreError> {
        let failed = |error: Errno| bad(path, io::Error::from(error));
        let target = clean(target)?;
        let missing = || bad(path, "its hard link's target is not a file of this layer");
        if target == path {
            return Err(bad(path, "a hard link to itself"));
        }
        let (target_parent, target_name) = split(&target).ok_or_else(missing)?;
        let target_fd = self.resolve(target_parent).map_err(|_| missing())?;
        match existing(&target_fd, target_name).map_err(failed)? {
            Existing::Other => {}
            _ => return Err(missing()),
        }
        if !matches!(existing(parent, name).map_err(failed)?, Existing::Nothing) {
            remove(parent, name).map_err(|error| bad(path, error))?;
        }
        linkat(&target_fd, target_name, parent, name, AtFlags::empty()).map_err(failed)
    }

    /// Opens a directory by its path inside the layer; links in it are followed inside the layer only.
    fn resolve(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let path = if path.is_empty() { b".".as_slice() } else { path };
        let flags = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        loop {
            match openat2(&self.root, path, DIRECTORY, Mode::empty(), flags) {
                Err(Errno::INTR | Errno::AGAIN) => {}
                done => return done,
            }
        }
    }

    /// As [`Unpacker::resolve`]; missing directories are made, owned by root with mode 0755.
    fn open_parent(&mut self, path: &[u8]) -> Result<OwnedFd, StoreError> {
        if let Some((_, fd)) = self.parent.take_if(|(parent, _)| parent == path) {
            return Ok(fd);
        }
        if let Ok(fd) = self.resolve(path) {
            return Ok(fd);
        }
        let failed = |error: Errno| match error {
            Errno::NOTDIR => bad(path, "one of its parents is not a directory"),
            Errno::NOENT => bad(path, "one of its parents is a symbolic link to nothing"),
            error => bad(path, io::Error::from(error)),
        };
        let mut fd = self.resolve(b"").map_err(failed)?;
        let mut end = 0;
        while end < path.len() {
            let start = if end == 0 { 0 } else { end + 1 };
            end =
                path[start..].iter().position(|byte| *byte == b'/').map_or(path.len(), |slash| start + slash);
            let name = &path[start..end];
            let hidden = match existing(&fd, name).map_err(failed)? {
                Existing::Nothing => false,
                Existing::Whiteout => {
                    unlinkat(&fd, name, AtFlags::empty()).map_err(failed)?;
                    true
                }
                _ => {
                    fd = self.resolve(&path[..end]).map_err(failed)?;
                    continue;
                }
            };
            mkdirat(&fd, name, Mode::from_raw_mode(0o755)).map_err(failed)?;
            chmodat(&fd, name, Mode::from_raw_mode(0o755), AtFlags::empty()).map_err(failed)?;
            fd = self.resolve(&path[..end]).map_err(failed)?;
            if hidden {
                opaque(&fd).map_err(failed)?;
            }
            // nobody said when it was made, so its time must not be the time of unpacking
            self.directories.push((path[..end].to_vec(), 0));
        }
        Ok(fd)
    }

    fn finish(mut self) -> Result<(), StoreError> {
        let directories = std::mem::take(&mut self.directories);
        for (path, mtime) in &directories {
            // a directory may have been replaced by a later member
            let Ok(fd) = self.resolve(path) else { continue };
            set_time(fd.as_fd(), b".", *mtime).map_err(|error| self.failed(path, error))?;
        }
        Ok(())
    }

    /// Full disks and the like are not the archive's fault: name the file.
    fn failed(&self, path: &[u8], error: impl Into<io::Error>) -> StoreError {
        let file = self.root_path.join(String::from_utf8_lossy(path).as_ref());
        StoreError::io("unpack", file, error)
    }
}

/// `.wh.NAME` removes NAME of lower layers; `.wh..wh..opq` hides everything that lower layers have here.
fn whiteout(parent: &OwnedFd, name: &[u8], hidden: &[u8], path: &[u8]) -> Result<(), StoreError> {
    let failed = |error: Errno| bad(path, io::Error::from(error));
    if name == OPAQUE_MARKER {
        return opaque(parent).map_err(failed);
    }
    if hidden.starts_with(WHITEOUT_PREFIX) {
        // bookkeeping of the AUFS driver, not content
        return Ok(());
    }
    if matches!(hidden, b"" | b"." | b"..") {
        return Err(bad(path, "it removes a directory itself"));
    }
    match existing(parent, hidden).map_err(failed)? {
        Existing::Nothing => {
            mknodat(parent, hidden, FileType::CharacterDevice, Mode::empty(), 0).map_err(failed)
        }
        // a removal never concerns its own layer, so a directory of this layer stays and hides what is below
        Existing::Directory => {
            opaque(&openat(parent, hidden, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()).map_err(failed)?)
                .map_err(failed)
        }
        Existing::Whiteout | Existing::Other => Ok(()),
    }
}

fn opaque(directory: &OwnedFd) -> Result<(), Errno> {
    match rustix::fs::fsetxattr(directory, OPAQUE[0], b"y", XattrFlags::empty()) {
        // only the machine's root may: the root of a user namespace has the other
        Err(Errno::PERM) => rustix::fs::fsetxattr(directory, OPAQUE[1], b"y", XattrFlags::empty()),
        done => done,
    }
}

fn existing(parent: &OwnedFd, name: &[u8]) -> Result<Existing, Errno> {
    match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(Existing::Nothing),
        Err(error) => Err(error),
        Ok(stat) => Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Existing::Directory,
            FileType::CharacterDevice if stat.st_rdev == 0 => Existing::Whiteout,
            _ => Existing::Other,
        }),
    }
}

/// Removes a name of the layer, a directory with everything in it.
fn remove(parent: &OwnedFd, name: &[u8]) -> io::Result<()> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR) => {
            let directory = PathBuf::from(format!("/proc/self/fd/{}", parent.as_raw_fd()));
            std::fs::remove_dir_all(directory.join(std::ffi::OsStr::from_bytes(name)))
        }
        done => Ok(done?),
    }
}

fn set_time(parent: impl AsFd, name: &[u8], seconds: i64) -> io::Result<()> {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(utimensat(parent, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Makes a member's name relative, without empty and `.` components; `..` is refused.
fn clean(path: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut clean = Vec::with_capacity(path.len());
    let mut depth = 0;
    for component in path.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => return Err(bad(path, "`..` in its path")),
            component if component.contains(&0) => return Err(bad(path, "a zero byte in its path")),
            component => {
                if !clean.is_empty() {
                    clean.push(b'/');
                }
                clean.extend(component);
                depth += 1;
            }
        }
    }
    if clean.len() >= MAX_PATH || depth > MAX_DEPTH {
        return Err(bad(path, "its path is too long"));
    }
    Ok(clean)
}

/// `a/b/c` -> (`a/b`, `c`); `None` for the root.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.is_empty() {
        return None;
    }
    Some(match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    })
}
