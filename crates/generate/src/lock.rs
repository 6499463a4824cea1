//! `.plimsoll/lock.json`: the texts that were generated last, the base of the next merge. It is committed with the
//! files, so that a merge works on every machine. Secrets are not in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Path of the lock in the repository.
pub const LOCK_FILE: &str = ".plimsoll/lock.json";

const VERSION: u32 = 1;

/// The texts that were generated last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: u32,
    /// Text by path.
    pub(crate) files: BTreeMap<String, String>,
}

/// Why a lock cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It is no lock.
    #[error("{LOCK_FILE}: not a lock file of Plimsoll")]
    Syntax(#[source] serde_json::Error),
    /// It is from a newer Plimsoll.
    #[error("{LOCK_FILE}: has version {0}, and this Plimsoll knows {VERSION}")]
    Version(u32),
}

impl plimsoll_source::Explain for LockError {}

impl Default for Lock {
    fn default() -> Self {
        Self { version: VERSION, files: BTreeMap::new() }
    }
}

impl Lock {
    /// Reads a lock.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let lock: Self = serde_json::from_str(text).map_err(LockError::Syntax)?;
        if lock.version != VERSION {
            return Err(LockError::Version(lock.version));
        }
        Ok(lock)
    }

    /// Every path in it.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The lock as a file.
    pub fn to_text(&self) -> String {
        // A map of strings to strings always has a JSON form.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}
