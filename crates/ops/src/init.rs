//! The files of a repository, read and written without ever leaving it.

use std::{
    fs::{self, DirBuilder},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Component, Path, PathBuf},
};

use plimsoll_disk::{Links, read_text};
use plimsoll_source::{FREE_SPACE, is_disk_full};

use crate::Failure;

/// No generated file and no edit of one is larger.
const MAX_BYTES: u64 = 4 << 20;

/// A repository on disk.
pub struct Disk {
    root: PathBuf,
}

impl Disk {
    /// The repository in this folder.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let root = path.canonicalize().map_err(|error| failed(path, "cannot be opened", &error))?;
        Ok(Self { root })
    }

    /// The text of a file; `None` when there is none.
    pub fn read(&self, path: &str) -> Result<Option<String>, Failure> {
        let Some(full) = self.existing(path)? else { return Ok(None) };
        read_text(&full, MAX_BYTES, Links::Refuse)
            .map(Some)
            .map_err(|error| failed(&full, "cannot be read", &error))
    }

    /// Whether there is such a file.
    pub fn exists(&self, path: &str) -> Result<bool, Failure> {
        Ok(self.existing(path)?.is_some())
    }

    /// Replaces or makes a file in one step; an existing file keeps its mode.
    pub fn write(&self, path: &str, text: &str) -> Result<(), Failure> {
        let full = self.prepare(path, 0o777)?;
        let mode = fs::metadata(&full).map_or(0o644, |metadata| metadata.permissions().mode() & 0o777);
        replace(&full, text, mode).map_err(|error| failed(&full, "cannot be written", &error))
    }

    /// Makes a file that only its owner can read, in a folder that only its owner can enter.
    pub fn write_secret(&self, path: &str, text: &str) -> Result<(), Failure> {
        let full = self.prepare(path, 0o700)?;
        replace(&full, text, 0o600).map_err(|error| failed(&full, "cannot be written", &error))
    }

    /// The full path of a regular file, or `None` when nothing is there.
    fn existing(&self, path: &str) -> Result<Option<PathBuf>, Failure> {
        let full = self.full(path)?;
        let metadata = match fs::symlink_metadata(&full) {
            Ok(metadata) => metadata,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(failed(&full, "cannot be read", &error)),
        };
        if !metadata.is_file() {
            let title = format!("{}: not a regular file", full.display());
            return Err(Failure::new(title, "init writes regular files only: move it away"));
        }
        self.inside(&full)?;
        Ok(Some(full))
    }

    /// Makes the folders above a file.
    fn prepare(&self, path: &str, mode: u32) -> Result<PathBuf, Failure> {
        let full = self.full(path)?;
        if let Some(folder) = full.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(mode)
                .create(folder)
                .map_err(|error| failed(folder, "cannot be made", &error))?;
        }
        self.inside(&full)?;
        Ok(full)
    }

    fn full(&self, path: &str) -> Result<PathBuf, Failure> {
        let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if plain && !path.is_empty() {
            return Ok(self.root.join(path));
        }
        Err(Failure::new(
            format!("{path:?}: not a path inside the repository"),
            "restore .plimsoll/lock.json",
        ))
    }

    /// A folder on the way may be a link that leads elsewhere.
    fn inside(&self, full: &Path) -> Result<(), Failure> {
        let folder = full.parent().unwrap_or(full);
        let real = folder.canonicalize().map_err(|error| failed(folder, "cannot be opened", &error))?;
        if real.starts_with(&self.root) {
            return Ok(());
        }
        let title = format!("{}: leads out of the repository, to {}", folder.display(), real.display());
        Err(Failure::new(title, "replace the link by a folder"))
    }
}

/// Whoever reads meanwhile sees the old text or the new one.
fn replace(full: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut draft = plimsoll_disk::Draft::of(full, mode)?;
    // Not the process's umask, but exactly this.
    draft.set_mode(mode)?;
    draft.write_all(text.as_bytes())?;
    draft.commit_to_disk()
}

fn failed(path: &Path, what: &str, error: &io::Error) -> Failure {
    let hint = if is_disk_full(error) { FREE_SPACE } else { "check the path and its permissions" };
    Failure::new(format!("{}: {what}: {error}", path.display()), hint)
}
