//! A root file system that is being filled: an upper directory over the (immutable) directories of lower layers.
//!
//! Every path is walked component by component inside the root: links on the way are followed as the kernel would inside
//! a chroot, so `/var/run/x` lands in `/run/x` and nothing is ever written outside the upper directory. Nobody else
//! writes to the upper directory meanwhile, so looking and then writing is safe.

use std::collections::HashSet;
use std::fs::{self, Metadata, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

use crate::error::BaseError;
use crate::filter::Filter;

/// Links followed on one path, as the kernel counts them.
const MAX_LINKS: usize = 40;
/// Entries of one package.
const MAX_ENTRIES: usize = 1_000_000;

/// Owner, group and permission bits of a file or directory, and its time (seconds since 1970).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes {
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: i64,
}

impl Attributes {
    /// Root's, with a mode; `mtime` as the tree's other files have it.
    pub(crate) fn root(mode: u32, mtime: i64) -> Self {
        Self { mode, uid: 0, gid: 0, mtime }
    }

    fn of(metadata: &Metadata) -> Self {
        Self {
            mode: metadata.mode() & 0o7777,
            uid: metadata.uid(),
            gid: metadata.gid(),
            mtime: metadata.mtime(),
        }
    }
}

/// The union of an upper and its lower directories.
#[derive(Debug)]
pub(crate) struct Tree {
    upper: PathBuf,
    lowers: Vec<PathBuf>,
    /// Directories made only because something lies in them; the first package that names one says how it shall be.
    implicit: HashSet<PathBuf>,
}

/// What a package's data held.
#[derive(Debug, Default)]
pub(crate) struct Unpacked {
    /// Every path, as dpkg's `.list` files have it (`/.`, `/usr`, ...), also those that the filter kept out.
    pub(crate) list: Vec<String>,
    /// The newest time stamp, in seconds since 1970.
    pub(crate) newest: i64,
}

impl Tree {
    /// `lowers` top first.
    pub(crate) fn new(upper: PathBuf, lowers: Vec<PathBuf>) -> Self {
        Self { upper, lowers, implicit: HashSet::new() }
    }

    /// The upper directory.
    pub(crate) fn upper(&self) -> &Path {
        &self.upper
    }

    /// Looks a path up without following a link at its end.
    pub(crate) fn metadata(&self, path: &str) -> Option<Metadata> {
        self.find(&self.resolve(path).ok()?).map(|(_, metadata)| metadata)
    }

    /// Reads a file of the union, following links inside the root; `None` when there is none.
    pub(crate) fn read(&self, path: &str) -> Option<Vec<u8>> {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            let resolved = self.resolve(&path).ok()?;
            let (real, metadata) = self.find(&resolved)?;
            if !metadata.is_symlink() {
                return fs::read(real).ok();
            }
            path = join_link(&resolved, &fs::read_link(real).ok()?);
        }
        None
    }

    /// Makes a directory with its attributes, or sets them on one that is there.
    pub(crate) fn directory(&mut self, path: &str, attributes: Attributes) -> Result<(), BaseError> {
        let relative = self.with_parents(path)?;
        self.make_directory(&relative, attributes, true)
    }

    /// Writes a file, in place of what was there.
    pub(crate) fn file(
        &mut self,
        path: &str,
        attributes: Attributes,
        content: &mut dyn Read,
    ) -> Result<(), BaseError> {
        let relative = self.with_parents(path)?;
        let target = self.cleared(&relative)?;
        let fail = BaseError::io(&target);
        let mut write = || {
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&target)?;
            io::copy(content, &mut file)?;
            Ok(())
        };
        write().map_err(fail)?;
        set_attributes(&target, attributes, false).map_err(BaseError::io(&target))
    }

    /// Makes a symbolic link, in place of a file or link that was there.
    pub(crate) fn link(&mut self, path: &str, to: &Path, mtime: i64) -> Result<(), BaseError> {
        let relative = self.with_parents(path)?;
        let target = self.cleared(&relative)?;
        std::os::unix::fs::symlink(to, &target).map_err(BaseError::io(&target))?;
        set_attributes(&target, Attributes::root(0o777, mtime), true).map_err(BaseError::io(&target))
    }

    /// Removes what the upper directory has at a path, with everything below it. Lower layers stay as they are.
    pub(crate) fn remove(&mut self, path: &str) -> Result<(), BaseError> {
        let Ok(relative) = self.resolve(path) else { return Ok(()) };
        let target = self.upper.join(&relative);
        let result = match fs::symlink_metadata(&target) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&target),
            Ok(_) => fs::remove_file(&target),
            Err(_) => Ok(()),
        };
        result.map_err(BaseError::io(&target))
    }

    /// Unpacks the data member of a package through a filter. `name` is for messages.
    pub(crate) fn unpack(
        &mut self,
        name: &str,
        data: &mut dyn Read,
        filter: &Filter,
    ) -> Result<Unpacked, BaseError> {
        let malformed = |cause: String| BaseError::Malformed { file: name.to_owned(), cause };
        let mut unpacked = Unpacked::default();
        let mut archive = tar::Archive::new(data);
        for entry in archive.entries().map_err(|error| malformed(error.to_string()))? {
            let mut entry = entry.map_err(|error| malformed(error.to_string()))?;
            if unpacked.list.len() == MAX_ENTRIES {
                return Err(malformed("too many files".to_owned()));
            }
            let raw = String::from_utf8(entry.path_bytes().into_owned())
                .map_err(|error| malformed(format!("a path that is not UTF-8: {error}")))?;
            let path =
                clean(&raw).ok_or_else(|| malformed(format!("a path that leaves the root: `{raw}`")))?;
            unpacked.list.push(if path.is_empty() { "/.".to_owned() } else { format!("/{path}") });
            let header = entry.header();
            let number =
                |value: io::Result<u64>| value.map_err(|error| malformed(format!("{path}: {error}")));
            let attributes = Attributes {
                mode: number(header.mode().map(u64::from))? as u32 & 0o7777,
                uid: number(header.uid())? as u32,
                gid: number(header.gid())? as u32,
                mtime: i64::try_from(number(header.mtime())?).unwrap_or(0),
            };
            unpacked.newest = unpacked.newest.max(attributes.mtime);
            let kind = header.entry_type();
            if path.is_empty() {
                continue;
            }
            if kind.is_dir() {
                if filter.keeps(&path) {
                    let relative = self.with_parents(&path)?;
                    self.make_directory(&relative, attributes, false)?;
                }
            } else if kind.is_file() {
                if filter.keeps(&path) {
                    self.file(&path, attributes, &mut entry)?;
                }
            } else if kind.is_symlink() {
                let to =
                    entry.link_name_bytes().ok_or_else(|| malformed(format!("{path}: a link to nothing")))?;
                let to = PathBuf::from(std::ffi::OsString::from(String::from_utf8_lossy(&to).into_owned()));
                let over_directory = self.metadata(&path).is_some_and(|metadata| metadata.is_dir());
                if filter.keeps_link(&path) && !over_directory {
                    self.link(&path, &to, attributes.mtime)?;
                }
            } else if kind.is_hard_link() {
                let to = entry.link_name_bytes().map(|to| String::from_utf8_lossy(&to).into_owned());
                let to = to
                    .as_deref()
                    .and_then(clean)
                    .ok_or_else(|| malformed(format!("{path}: a link outside")))?;
                if filter.keeps(&path) {
                    self.hard_link(&path, &to)?;
                }
            } else {
                return Err(malformed(format!("{path}: neither file, directory nor link")));
            }
        }
        Ok(unpacked)
    }

    fn hard_link(&mut self, path: &str, to: &str) -> Result<(), BaseError> {
        let from = self.upper.join(self.resolve(to)?);
        let relative = self.with_parents(path)?;
        let target = self.cleared(&relative)?;
        fs::hard_link(&from, &target).map_err(BaseError::io(&from))
    }

    /// The path with all links in its parents followed, relative to the root.
    fn resolve(&self, path: &str) -> Result<PathBuf, BaseError> {
        let out_of_bounds =
            || BaseError::Malformed { file: path.to_owned(), cause: "too many links".to_owned() };
        let mut done = PathBuf::new();
        let mut rest: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut links = 0;
        while let Some(part) = rest.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    done.pop();
                    continue;
                }
                _ => done.push(&part),
            }
            if rest.iter().all(|part| part.is_empty() || part == ".") {
                break;
            }
            if let Some((real, metadata)) = self.find(&done)
                && metadata.is_symlink()
            {
                links += 1;
                if links > MAX_LINKS {
                    return Err(out_of_bounds());
                }
                let to = fs::read_link(&real).map_err(BaseError::io(&real))?;
                done.pop();
                let to = join_link(&done.join("x"), &to);
                done = PathBuf::new();
                rest.extend(to.split('/').rev().map(str::to_owned));
            }
        }
        Ok(done)
    }

    fn find(&self, relative: &Path) -> Option<(PathBuf, Metadata)> {
        std::iter::once(&self.upper).chain(&self.lowers).find_map(|root| {
            let path = root.join(relative);
            fs::symlink_metadata(&path).ok().map(|metadata| (path, metadata))
        })
    }

    /// Resolves a path and makes the directories above it in the upper directory.
    fn with_parents(&mut self, path: &str) -> Result<PathBuf, BaseError> {
        let relative = self.resolve(path)?;
        let mut parents: Vec<_> =
            relative.ancestors().skip(1).filter(|p| !p.as_os_str().is_empty()).collect();
        parents.reverse();
        for parent in parents {
            let target = self.upper.join(parent);
            match fs::symlink_metadata(&target) {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(_) => return Err(BaseError::io(&target)(io::Error::from(io::ErrorKind::NotADirectory))),
                Err(_) => {
                    let below = self.find(parent).map(|(_, metadata)| Attributes::of(&metadata));
                    fs::create_dir(&target).map_err(BaseError::io(&target))?;
                    let attributes = below.unwrap_or_else(|| {
                        self.implicit.insert(parent.to_path_buf());
                        Attributes::root(0o755, 0)
                    });
                    set_attributes(&target, attributes, false).map_err(BaseError::io(&target))?;
                }
            }
        }
        Ok(relative)
    }

    fn make_directory(
        &mut self,
        relative: &Path,
        attributes: Attributes,
        set: bool,
    ) -> Result<(), BaseError> {
        let target = self.upper.join(relative);
        if let Some((real, found)) = self.find(relative) {
            if found.is_symlink() && self.links_to_directory(relative, &real) {
                return Ok(());
            }
            if found.is_dir() {
                if real != target {
                    if !set {
                        return Ok(());
                    }
                    fs::create_dir(&target).map_err(BaseError::io(&target))?;
                }
                if !set && !self.implicit.remove(relative) {
                    return Ok(());
                }
                return set_attributes(&target, attributes, false).map_err(BaseError::io(&target));
            }
            if real == target {
                fs::remove_file(&target).map_err(BaseError::io(&target))?;
            }
        }
        fs::create_dir(&target).map_err(BaseError::io(&target))?;
        set_attributes(&target, attributes, false).map_err(BaseError::io(&target))
    }

    /// A link to a directory counts as that directory (dpkg does the same), judged inside the root.
    fn links_to_directory(&self, relative: &Path, real: &Path) -> bool {
        let Ok(to) = fs::read_link(real) else { return false };
        let path = join_link(relative, &to);
        self.resolve(&path)
            .ok()
            .and_then(|path| self.find(&path))
            .is_some_and(|(_, metadata)| metadata.is_dir())
    }

    /// The place for a new file, with a file or link that was there removed.
    fn cleared(&self, relative: &Path) -> Result<PathBuf, BaseError> {
        let target = self.upper.join(relative);
        match fs::symlink_metadata(&target) {
            Ok(metadata) if metadata.is_dir() => {
                Err(BaseError::io(&target)(io::Error::from(io::ErrorKind::IsADirectory)))
            }
            Ok(_) => {
                fs::remove_file(&target).map_err(BaseError::io(&target))?;
                Ok(target)
            }
            Err(_) => Ok(target),
        }
    }
}

/// A path of an archive relative to the root; `None` when it holds `..`. The root itself is the empty path.
fn clean(path: &str) -> Option<String> {
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    (!parts.contains(&"..") && path.len() <= 4096).then(|| parts.join("/"))
}

/// Where a link at `from` leads, as a path from the root; `..` above the root stays at the root when resolved.
fn join_link(from: &Path, to: &Path) -> String {
    let to = to.to_string_lossy();
    match (to.strip_prefix('/'), from.parent()) {
        (Some(absolute), _) => absolute.to_owned(),
        (None, Some(parent)) => format!("{}/{to}", parent.display()),
        (None, None) => to.into_owned(),
    }
}

/// Owner first: changing it clears set-uid bits.
fn set_attributes(path: &Path, attributes: Attributes, is_link: bool) -> io::Result<()> {
    std::os::unix::fs::lchown(path, Some(attributes.uid), Some(attributes.gid))?;
    if !is_link {
        fs::set_permissions(path, Permissions::from_mode(attributes.mode))?;
    }
    let time = Timespec { tv_sec: attributes.mtime, tv_nsec: 0 };
    utimensat(
        CWD,
        path,
        &Timestamps { last_access: time, last_modification: time },
        AtFlags::SYMLINK_NOFOLLOW,
    )?;
    Ok(())
}
