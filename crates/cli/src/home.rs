//! Where Plimsoll keeps its state.

use std::path::PathBuf;

use crate::error::CommandError;

/// `$PLIMSOLL_HOME`, or `/var/lib/plimsoll` for root, or the XDG data directory.
pub(crate) fn home() -> Result<PathBuf, CommandError> {
    if let Some(home) = std::env::var_os("PLIMSOLL_HOME").filter(|home| !home.is_empty()) {
        return std::path::absolute(&home).map_err(|error| CommandError::from_error(&error));
    }
    if is_root() {
        return Ok(PathBuf::from("/var/lib/plimsoll"));
    }
    let data = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share")))
        .ok_or_else(|| CommandError::new("no place for Plimsoll's state", "set PLIMSOLL_HOME or HOME"))?;
    Ok(data.join("plimsoll"))
}

fn is_root() -> bool {
    // The root of an own user namespace is an ordinary user with an ordinary user's places.
    rustix::process::geteuid().is_root() && !plimsoll_sandbox::is_rootless()
}
