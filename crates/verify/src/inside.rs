//! Files as a container sees them.
//!
//! Links are in the hand of the image's author: below `/proc/<pid>/root` an absolute one would lead to the host. Every
//! name is therefore resolved with `openat2(RESOLVE_IN_ROOT)` (Linux 5.6), where `/` is the container's.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, Stat, fstat, open, openat, openat2, unlinkat},
    io::Errno,
};

use crate::procfs::ProcFs;

/// A name that is renamed meanwhile is looked up again, so often.
const RETRIES: usize = 16;

/// The root directory of a container.
#[derive(Debug)]
pub(crate) struct Inside {
    root: OwnedFd,
}

impl Inside {
    /// Of the process `pid`.
    pub(crate) fn of(procfs: &ProcFs, pid: u32) -> io::Result<Self> {
        Self::at(&procfs.path(pid, "root"))
    }

    pub(crate) fn at(root: &std::path::Path) -> io::Result<Self> {
        // The last component is a link that leads to the root: it is followed.
        Ok(Self { root: open(root, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())? })
    }

    /// Opens what `path` is in the container.
    pub(crate) fn open(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        for _ in 0..RETRIES {
            match openat2(&self.root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT) {
                Err(Errno::AGAIN) => {}
                Err(Errno::NOSYS) => {
                    return Err(io::Error::other("this kernel cannot resolve a container's names (openat2)"));
                }
                opened => return opened.map_err(io::Error::from),
            }
        }
        Err(Errno::AGAIN.into())
    }

    /// Owner, mode, device and inode, at the end of all links.
    pub(crate) fn stat(&self, path: &str) -> io::Result<Stat> {
        // PATH and NONBLOCK do not go together.
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let opened = openat2(&self.root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT)?;
        Ok(fstat(opened)?)
    }

    /// The content of a regular file of at most `limit` bytes.
    pub(crate) fn read(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        let file = File::from(self.open(path, OFlags::RDONLY)?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::other(format!("{path} is no file")));
        }
        let mut content = Vec::new();
        file.take(limit + 1).read_to_end(&mut content)?;
        if content.len() as u64 > limit {
            return Err(io::Error::other(format!("{path} has more than {limit} bytes")));
        }
        Ok(content)
    }

    /// Makes an empty file in the root directory itself.
    pub(crate) fn make(&self, name: &str) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&self.root, name, flags, Mode::RUSR)?;
        Ok(())
    }

    /// Removes what [`Self::make`] made.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.root, name, rustix::fs::AtFlags::empty())?)
    }
}

/// What is in a directory: names with what they are, links not followed. At most `limit` entries below `directory`, and
/// so many levels; true if there were more.
pub(crate) fn walk(
    directory: BorrowedFd<'_>,
    levels: usize,
    limit: usize,
    mut seen: impl FnMut(&str, &fs::DirEntry, fs::FileType),
) -> bool {
    let mut left = limit;
    let Ok(top) = directory.try_clone_to_owned() else { return false };
    let mut open_directories = vec![(String::new(), top, levels)];
    while let Some((above, directory, levels)) = open_directories.pop() {
        // By descriptor: the names on the way may be exchanged meanwhile.
        let Ok(entries) = fs::read_dir(format!("/proc/self/fd/{}", directory.as_raw_fd())) else { continue };
        for entry in entries.flatten() {
            if left == 0 {
                return true;
            }
            left -= 1;
            let Ok(kind) = entry.file_type() else { continue };
            let name = format!("{above}/{}", entry.file_name().to_string_lossy());
            seen(&name, &entry, kind);
            if kind.is_dir() && levels > 1 {
                let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
                if let Ok(below) = openat(directory.as_fd(), entry.file_name(), flags, Mode::empty()) {
                    open_directories.push((name, below, levels - 1));
                }
            }
        }
    }
    false
}

/// Owner, mode, device and inode of a file of the host, at the end of all links.
pub(crate) fn stat_host(path: &std::path::Path) -> io::Result<Stat> {
    Ok(rustix::fs::statat(CWD, path, rustix::fs::AtFlags::empty())?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn root() -> (tempfile::TempDir, Inside) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("run/secrets")).unwrap();
        fs::create_dir(dir.path().join("var")).unwrap();
        fs::write(dir.path().join("run/secrets/key"), "inside").unwrap();
        symlink("/run", dir.path().join("var/run")).unwrap();
        symlink("../../../../../../etc", dir.path().join("up")).unwrap();
        let inside = Inside::at(dir.path()).unwrap();
        (dir, inside)
    }

    #[test]
    fn a_link_on_the_way() {
        let (_dir, inside) = root();
        assert_eq!(inside.read("/var/run/secrets/key", 100).unwrap(), b"inside");
        assert_eq!(inside.stat("/var/run/secrets/key").unwrap().st_size, 6);
        assert!(inside.read("/up/hostname", 100).is_err(), "the host's /etc was read");
    }

    #[test]
    fn what_is_no_file_or_too_large_is_not_read() {
        let (_dir, inside) = root();
        assert!(inside.read("/run", 100).is_err());
        assert!(inside.read("/run/secrets/key", 5).is_err());
    }

    #[test]
    fn a_walk_is_bounded_and_follows_no_link() {
        let (dir, inside) = root();
        let mut names = Vec::new();
        let top = inside.open("/", OFlags::DIRECTORY).unwrap();
        assert!(!walk(top.as_fd(), 9, 100, |name, _, _| names.push(name.to_owned())));
        names.sort();
        assert_eq!(names, ["/run", "/run/secrets", "/run/secrets/key", "/up", "/var", "/var/run"]);
        assert!(walk(top.as_fd(), 9, 3, |_, _, _| {}));
        drop(dir);
    }
}
