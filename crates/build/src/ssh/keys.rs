//! Where the keys for `RUN --mount=type=ssh` are.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Keys for `RUN --mount=type=ssh`.
#[derive(Clone, Debug)]
pub struct SshAgent {
    /// Its name; `default` for mounts that name none.
    pub id: String,
    /// The agent or the files that hold the keys.
    pub keys: SshKeys,
}

/// Where keys for ssh are. No step sees a private key.
#[derive(Clone, Debug)]
pub enum SshKeys {
    /// In the agent with this socket.
    Agent(PathBuf),
    /// In the agent of `SSH_AUTH_SOCK`, which is not set: only a step that wants them fails.
    NoAgent,
    /// In these files, without passphrase.
    Files(Vec<PathBuf>),
}

/// The content of files with keys, each read once, when a step first wants it: a pipe gives its bytes once, and all
/// steps of a build see the same keys. Copies share it. It is kept in memory alone, until the build ends.
#[derive(Clone, Default)]
pub struct KeyFiles(Arc<Mutex<BTreeMap<PathBuf, Arc<[u8]>>>>);

/// No private key is longer, in bytes.
const MAX_KEY: u64 = 64 << 10;

impl KeyFiles {
    /// What a file holds.
    ///
    /// # Errors
    /// With the reason, which does not hold the key.
    pub(crate) fn read(&self, file: &Path) -> io::Result<Arc<[u8]>> {
        // held while it reads: two steps must not share the bytes of one pipe
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = known.get(file) {
            return Ok(key.clone());
        }
        let mut key = Vec::new();
        std::fs::File::open(file)?.take(MAX_KEY + 1).read_to_end(&mut key)?;
        if key.len() as u64 > MAX_KEY {
            return Err(io::Error::other("it is larger than 64 KiB"));
        }
        let key: Arc<[u8]> = key.into();
        known.insert(file.to_owned(), key.clone());
        Ok(key)
    }
}

impl fmt::Debug for KeyFiles {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // never the keys
        out.debug_struct("KeyFiles").finish_non_exhaustive()
    }
}
