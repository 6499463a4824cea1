//! Owners that the system does not let us give.
//!
//! An ordinary user without a grant of further ids cannot own a file as somebody else. The owner that a file has in the
//! layer is then an attribute of it (`user.plimsoll.owner`), which symbolic links and special files cannot have: those
//! stay root's.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, lchown},
    path::Path,
    sync::OnceLock,
};

use rustix::fs::XattrFlags;

const OWNER: &str = "user.plimsoll.owner";

/// Whether owners may be out of reach: not for the machine's root.
fn may_be_noted() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        let all = map.split_whitespace().eq(["0", "0", "4294967295"]);
        !(all && rustix::process::geteuid().is_root())
    })
}

/// Gives `path` (not what a link leads to) an owner, in fact or as a note. Clears set-id bits, as `chown` does.
///
/// # Errors
/// When the file is not there or not ours.
pub fn set_owner(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    match lchown(path, Some(uid), Some(gid)) {
        Err(error) if may_be_noted() && is_refusal(&error) => note(path, uid, gid),
        done => done,
    }
}

/// EINVAL: the id does not exist in this user namespace.
pub(crate) fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::PermissionDenied)
}

fn note(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let kind = fs::symlink_metadata(path)?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        return Ok(());
    }
    let owner = format!("{uid}:{gid}");
    Ok(rustix::fs::lsetxattr(path, OWNER, owner.as_bytes(), XattrFlags::empty())?)
}

/// The owner that a file of a layer has: user and group.
pub fn owner_of(path: &Path, meta: &fs::Metadata) -> (u32, u32) {
    let own = (meta.uid(), meta.gid());
    if !may_be_noted() || !(meta.is_file() || meta.is_dir()) {
        return own;
    }
    let mut value = [0_u8; 32];
    let noted = match rustix::fs::lgetxattr(path, OWNER, &mut value) {
        Ok(length) => std::str::from_utf8(&value[..length]).ok(),
        Err(_) => None,
    };
    let parse = |text: &str| {
        let (uid, gid) = text.split_once(':')?;
        Some((uid.parse().ok()?, gid.parse().ok()?))
    };
    noted.and_then(parse).unwrap_or(own)
}
