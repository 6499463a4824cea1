//! Mount points that a root file system lacks: made before the step, removed without a trace after it.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT, utimensat};

use crate::{process::Root, wire::Stub};

/// Makes `target` a mount point, a directory or an empty file, and notes what it had to make.
///
/// Runs inside the root (after `pivot_root`), so that links cannot lead out of it.
pub(crate) fn make(target: &Path, directory: bool, made: &mut Vec<Stub>) -> io::Result<()> {
    let mut at = PathBuf::from("/");
    let mut names = target
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(Ok(name)),
            Component::RootDir | Component::CurDir => None,
            Component::ParentDir | Component::Prefix(_) => Some(Err(io::ErrorKind::InvalidInput)),
        })
        .peekable();
    while let Some(name) = names.next() {
        let name = name.map_err(|kind| io::Error::new(kind, "a mount target must not hold `..`"))?;
        let last = names.peek().is_none();
        let path = at.join(name);
        if fs::metadata(&path).is_err() {
            let parent = fs::metadata(&at)?;
            if last && !directory {
                fs::File::create_new(&path)?;
            } else {
                fs::create_dir(&path)?;
            }
            let canonical = at.canonicalize()?.join(name);
            made.push(Stub {
                path: canonical.strip_prefix("/").unwrap_or(&canonical).to_owned(),
                directory: !last || directory,
                parent_mtime: (parent.mtime(), u32::try_from(parent.mtime_nsec()).unwrap_or(0)),
            });
        }
        at = path;
    }
    Ok(())
}

/// Removes from the upper directory what [`make`] made, unless the step put something into it, gives the
/// directories around their time back, and drops those that are there only because of the stub.
pub(crate) fn remove(root: &Root, made: &[Stub]) {
    for stub in made.iter().rev() {
        let path = root.upper.join(&stub.path);
        let gone = if stub.directory {
            fs::remove_dir(&path).is_ok()
        } else {
            fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file() && meta.len() == 0)
                && fs::remove_file(&path).is_ok()
        };
        // A directory with content was used by the step; it stays, as it does in BuildKit.
        if !gone {
            continue;
        }
        let Some(parent) = stub.path.parent() else { continue };
        let in_upper = root.upper.join(parent);
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec: stub.parent_mtime.0, tv_nsec: stub.parent_mtime.1.into() },
        };
        let _ = utimensat(CWD, &in_upper, &times, AtFlags::SYMLINK_NOFOLLOW);
        drop_copied_up(root, parent);
    }
}

/// Removes `directory` and its parents from the upper directory while they are empty copies of the same
/// directories below.
fn drop_copied_up(root: &Root, directory: &Path) {
    let mut at = directory;
    while !at.as_os_str().is_empty() {
        let (upper, mut below) = (root.upper.join(at), root.lowers.iter().map(|lower| lower.join(at)));
        let Some(lower) = below.find_map(|path| fs::symlink_metadata(path).ok()) else { return };
        let Ok(copy) = fs::symlink_metadata(&upper) else { return };
        let same = lower.is_dir()
            && (copy.mode(), copy.uid(), copy.gid(), copy.mtime(), copy.mtime_nsec())
                == (lower.mode(), lower.uid(), lower.gid(), lower.mtime(), lower.mtime_nsec());
        if !same || is_opaque(&upper) || fs::remove_dir(&upper).is_err() {
            return;
        }
        at = at.parent().unwrap_or(Path::new(""));
    }
}

pub(crate) fn is_opaque(directory: &Path) -> bool {
    let mut value = [0; 4];
    ["trusted.overlay.opaque", "user.overlay.opaque"]
        .iter()
        .any(|name| rustix::fs::lgetxattr(directory, *name, &mut value).is_ok())
}
