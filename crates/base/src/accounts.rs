//! `/etc/passwd` and its kin.

use crate::error::BaseError;
use crate::recipes::User;
use crate::tree::{Attributes, Tree};

const PASSWD: &str =
    "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\ntty:x:5:\nstaff:x:50:\nnobody:x:65534:\n";
const NAME_SERVICES: &str = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n\
    protocols: files\nservices: files\nethers: files\nrpc: files\n";

/// The files of a base whose packages make no accounts.
pub(crate) fn write_minimal(tree: &mut Tree, mtime: i64) -> Result<(), BaseError> {
    for (path, text) in [("etc/passwd", PASSWD), ("etc/group", GROUP), ("etc/nsswitch.conf", NAME_SERVICES)] {
        tree.file(path, Attributes::root(0o644, mtime), &mut text.as_bytes())?;
    }
    Ok(())
}

/// Adds users, each with its group. Their passwords are locked; `shadow` files are kept in step where they exist.
pub(crate) fn add(tree: &mut Tree, users: &[User], mtime: i64) -> Result<(), BaseError> {
    for user in users {
        let User { name, id, home, shell } = user;
        append(tree, "etc/passwd", 0o644, &format!("{name}:x:{id}:{id}::{home}:{shell}\n"), mtime)?;
        append(tree, "etc/group", 0o644, &format!("{name}:x:{id}:\n"), mtime)?;
        let day = mtime / 86_400;
        append(tree, "etc/shadow", 0o640, &format!("{name}:!:{day}:0:99999:7:::\n"), mtime)?;
        append(tree, "etc/gshadow", 0o640, &format!("{name}:!::\n"), mtime)?;
    }
    Ok(())
}

fn append(tree: &mut Tree, path: &str, mode: u32, line: &str, mtime: i64) -> Result<(), BaseError> {
    let Some(mut bytes) = tree.read(path) else { return Ok(()) };
    let name = line.split(':').next().unwrap_or_default();
    let there = |old: &[u8]| old.split(|byte| *byte == b':').next() == Some(name.as_bytes());
    if bytes.split(|byte| *byte == b'\n').any(there) {
        return Ok(());
    }
    bytes.extend_from_slice(line.as_bytes());
    let gid = tree.metadata(path).map_or(0, |metadata| std::os::unix::fs::MetadataExt::gid(&metadata));
    tree.file(path, Attributes { mode, uid: 0, gid, mtime }, &mut bytes.as_slice())
}
