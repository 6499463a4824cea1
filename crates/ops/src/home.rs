//! Where Plimsoll keeps its state.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use plimsoll_image::{Store, StoreError};

use crate::{Event, Failure, report};

/// The image store below the home. Who waits for another process that has it is told so.
pub fn open_store(home: &Path) -> Result<Store, StoreError> {
    let tell = |line: &str| report::reporter().report(Event::Waiting(line));
    Ok(Store::open(home.join("store"))?.telling(tell))
}

/// `$PLIMSOLL_HOME`, or `/var/lib/plimsoll` for root, or the XDG data directory; made when it is missing, and closed to
/// everybody else.
///
/// Below it are the files of all images: set-user-id programs and device nodes of strangers among them, which no other
/// user of the machine may reach, and the logs, caches and checkouts of builds. Every verb that uses it asks here first.
pub fn home() -> Result<PathBuf, Failure> {
    let home = place()?;
    close(&home).map_err(|error| {
        Failure::new(
            format!("cannot close {} to other users: {error}", home.display()),
            format!("run `chmod 700 {}`, or set PLIMSOLL_HOME to another place", home.display()),
        )
    })?;
    Ok(home)
}

fn place() -> Result<PathBuf, Failure> {
    if let Some(home) = std::env::var_os("PLIMSOLL_HOME").filter(|home| !home.is_empty()) {
        return std::path::absolute(&home).map_err(Failure::from);
    }
    if is_root() {
        return Ok(PathBuf::from("/var/lib/plimsoll"));
    }
    let data = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share")))
        .ok_or_else(|| Failure::new("no place for Plimsoll's state", "set PLIMSOLL_HOME or HOME"))?;
    Ok(data.join("plimsoll"))
}

/// Makes the directory with mode 0700, or gives one that is there and ours this mode, whatever the umask is.
fn close(home: &Path) -> io::Result<()> {
    match fs::metadata(home) {
        Ok(meta) if !meta.is_dir() => return Err(io::ErrorKind::NotADirectory.into()),
        Ok(meta) => return close_existing(home, &meta),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if let Some(parent) = home.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(home) {
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        done => done?,
    }
    close_existing(home, &fs::metadata(home)?)
}

fn close_existing(home: &Path, meta: &fs::Metadata) -> io::Result<()> {
    if meta.mode() & 0o7777 == 0o700 {
        return Ok(());
    }
    // Who has lent us a place of theirs decides about it.
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    match fs::set_permissions(home, fs::Permissions::from_mode(0o700)) {
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => Ok(()),
        done => done,
    }
}

fn is_root() -> bool {
    // The root of an own user namespace is an ordinary user with an ordinary user's places.
    rustix::process::geteuid().is_root() && !plimsoll_sandbox::is_rootless()
}
