//! Owners, permission bits and times of what is written.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

use crate::tree::Node;

pub(super) fn times(node: &Node) -> Timestamps {
    let at = Timespec { tv_sec: node.stamp.mtime.0, tv_nsec: node.stamp.mtime.1.into() };
    Timestamps { last_access: at, last_modification: at }
}

pub(super) fn own(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    if (uid, gid) == (0, 0) {
        return Ok(());
    }
    plimsoll_image::set_owner(path, uid, gid)
}

/// Owner, then mode (chown clears set-user-id), then time.
pub(super) fn attributes(path: &Path, uid: u32, gid: u32, mode: Option<u32>, node: &Node) -> io::Result<()> {
    own(path, uid, gid)?;
    if let Some(mode) = mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    utimensat(CWD, path, &times(node), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}

/// Gives the root directory of a layer the owner and the permission bits of `from`, another one's.
pub(crate) fn copy_root_attributes(upper: &Path, from: &Path) -> io::Result<()> {
    let meta = fs::symlink_metadata(from)?;
    plimsoll_image::set_owner(upper, meta.uid(), meta.gid())?;
    fs::set_permissions(upper, fs::Permissions::from_mode(meta.mode() & 0o7777))
}
