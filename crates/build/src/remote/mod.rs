//! Sources that are not on this machine: git repositories and files behind http(s), for ADD and for contexts.
//!
//! Both are fetched with the programs of the machine (`git`, `curl`), so its proxies, certificates and credential
//! helpers count. What was fetched stays in a folder and is used again only when the other side says that it is the
//! same: the commit of a git reference is asked for, a file behind http is asked for with its ETag.

mod git;
mod http;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    process::Command,
};

pub use git::Checkout;
pub use http::{HttpFile, Transfer};

#[cfg(fuzzing)]
pub(crate) use http::fuzz;

use plimsoll_disk::{TELL_AFTER, lock_telling};
use plimsoll_sandbox::Cancel;

pub use crate::git_url::{GitUrl, GitUrlError, without_password};
use crate::{layer_writer::LayerWriter, secret::Secret, unpack};

/// Why something could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The other side, or the program that talks to it, says no.
    #[error("cannot fetch {url}: {reason}")]
    Fetch {
        /// What was to be fetched, without passwords.
        url: String,
        /// What the program that talks to it says about it.
        reason: String,
    },
    /// It is something else than the checksum says.
    #[error("digest mismatch {found}: {expected}")]
    Checksum {
        /// The digest that the content has.
        found: String,
        /// The digest that it should have.
        expected: String,
    },
    /// A secret that it needs cannot be read.
    #[error("cannot read the secret {id}: {reason}")]
    Secret {
        /// The `id=` of the secret.
        id: String,
        /// Why its value cannot be used.
        reason: String,
    },
    /// The machine's file system failed.
    #[error("cannot {what} {path}: {source}", path = .path.display())]
    Io {
        /// What was to be done, as a verb.
        what: &'static str,
        /// The file or directory that it was to be done to.
        path: PathBuf,
        /// What the operating system answered to the call.
        source: io::Error,
    },
    /// An archive that cannot be unpacked.
    #[error("{0}")]
    Archive(String),
}

impl plimsoll_source::Explain for RemoteError {}

impl RemoteError {
    fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }
}

/// Fetches sources and keeps them.
#[derive(Debug)]
pub struct Remotes {
    dir: PathBuf,
    secrets: Vec<Secret>,
    /// Ends downloads that are under way.
    cancel: Option<Cancel>,
    /// Hears for whom a lock is waited, if that takes long.
    waiting: Option<fn(&str)>,
}

impl Remotes {
    /// Keeps what it fetches in `dir`. Of the secrets those with these names are used:
    /// `HTTP_AUTH_TOKEN_<host>` and `HTTP_AUTH_HEADER_<host>` for http, `GIT_AUTH_TOKEN[.<host>]` and
    /// `GIT_AUTH_HEADER[.<host>]` for git behind http.
    pub fn new(dir: impl Into<PathBuf>, secrets: &[Secret]) -> Self {
        Self { dir: dir.into(), secrets: secrets.to_vec(), cancel: None, waiting: None }
    }

    /// Downloads end when this is cancelled.
    #[must_use]
    pub(crate) fn until(mut self, cancel: &Cancel) -> Self {
        self.cancel = Some(cancel.clone());
        self
    }

    /// Tells `tell`, in one sentence, when another build fetches the same for longer than a moment.
    #[must_use]
    pub fn telling(mut self, tell: Option<fn(&str)>) -> Self {
        self.waiting = tell;
        self
    }

    /// Two builds that fetch the same wait for each other.
    fn lock(&self, path: &Path, url: &str) -> io::Result<File> {
        let file = File::create(path)?;
        lock_telling(&file, true, TELL_AFTER, |holder| {
            if let Some(tell) = self.waiting {
                tell(&format!("waiting: {} is being fetched by {holder}", without_password(url)));
            }
        })?;
        Ok(file)
    }

    /// The value of the first of these secrets that was given.
    fn secret(&self, names: &[String]) -> Result<Option<(usize, String)>, RemoteError> {
        for (at, name) in names.iter().enumerate() {
            let Some(secret) = self.secrets.iter().find(|secret| secret.id == *name) else { continue };
            let failed = |reason: String| RemoteError::Secret { id: name.clone(), reason };
            let value = secret.value().map_err(&failed)?;
            let value = std::str::from_utf8(&value).map_err(|_| failed("it is not UTF-8".to_owned()))?;
            let value = value.trim().to_owned();
            if value.chars().any(char::is_control) {
                return Err(failed("it holds a line break or another control character".to_owned()));
            }
            return Ok(Some((at, value)));
        }
        Ok(None)
    }
}

/// Unpacks the archive `file` into the empty directory `into`: a context that came as a tar. `false` when it is no
/// archive.
///
/// # Errors
/// When the archive is damaged or too large, or leads out of the directory.
pub fn unpack_context(file: &Path, into: &Path) -> Result<bool, RemoteError> {
    let opened = unpack::open(file).map_err(|error| RemoteError::io("read", file, error))?;
    let Some(archive) = opened else { return Ok(false) };
    let mut layer = LayerWriter::new(into, &[]);
    unpack::unpack(&mut layer, archive, "/").map_err(|error| RemoteError::Archive(error.to_string()))?;
    Ok(true)
}

/// Names in the cache folder: nothing of an address is a path.
fn file_name(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..32].to_owned()
}

/// Runs a program; gives its standard output, or what it said on standard error.
fn output_of(command: &mut Command) -> Result<Vec<u8>, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        Ok(output) if output.status.success() => Ok(output.stdout),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(if text.is_empty() { format!("{name}: {}", output.status) } else { text })
        }
        Err(error) => Err(format!("cannot run {name}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn messages_tell_no_passwords() {
        assert_eq!(without_password("https://me:pw@host.test/a@b"), "https://xxxxx@host.test/a@b");
        assert_eq!(without_password("https://host.test/a@b"), "https://host.test/a@b");
        assert_eq!(without_password("git@host.test:a"), "git@host.test:a");
    }
}
