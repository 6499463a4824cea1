//! Cache mounts: plain directories that outlive the build, one for each id, owner and mode.
//!
//! ```text
//! mounts/<name of the id>/mount.json   id, owner and mode
//! mounts/<name of the id>/0/           the files; 1, 2, … are the copies of steps that share a private mount
//! mounts/<name of the id>/0.lock
//! ```

mod exchange;

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use plimsoll_disk::{TELL_AFTER, lock_holder};
use plimsoll_dockerfile::Sharing;
use plimsoll_sandbox::Cancel;
use serde::{Deserialize, Serialize};

pub use exchange::{CacheMountError, CacheMounts, Taken};

/// A cache mount in use; it is free again when this is dropped.
pub(crate) struct CacheMount {
    /// The directory to mount.
    pub(crate) path: PathBuf,
    /// It was made just now, and is empty.
    pub(crate) fresh: bool,
    _lock: Option<File>,
}

/// The file that says whose directory this is.
const NOTE: &str = "mount.json";

/// What identifies a cache mount, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    id: String,
    mode: u32,
    uid: u32,
    gid: u32,
}

impl Note {
    fn of(id: &CacheId<'_>) -> Self {
        Self { id: id.id.to_owned(), mode: id.mode, uid: id.uid, gid: id.gid }
    }

    fn folder(&self) -> String {
        folder_name(&CacheId { id: &self.id, mode: self.mode, uid: self.uid, gid: self.gid })
    }
}

/// What identifies a cache mount.
pub(crate) struct CacheId<'a> {
    pub(crate) id: &'a str,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl CacheMount {
    /// Takes the cache mount under `root`: at once when it is shared, a free copy when it is private, waiting for
    /// its turn when it is locked. `waiting` hears once for whom, if that takes longer than a moment.
    pub(crate) fn take(
        root: &Path,
        id: &CacheId<'_>,
        sharing: Sharing,
        cancel: &Cancel,
        waiting: &dyn Fn(&str),
    ) -> io::Result<Self> {
        let folder = root.join(folder_name(id));
        fs::create_dir_all(&folder)?;
        let note = folder.join(NOTE);
        if !note.exists() {
            let text = serde_json::to_vec(&Note::of(id))?;
            plimsoll_disk::replace(&note, &text, plimsoll_disk::USUAL)?;
        } else if let Ok(file) = File::options().write(true).open(&note) {
            // its time says when the mount was used last
            let _ = file.set_modified(std::time::SystemTime::now());
        }
        match sharing {
            Sharing::Shared => Self::open(&folder, 0, id, None),
            Sharing::Locked => {
                let lock = in_turn(&folder, id.id, cancel, TELL_AFTER, waiting)?;
                Self::open(&folder, 0, id, Some(lock))
            }
            Sharing::Private => {
                for copy in 0.. {
                    if let Some(lock) = lock(&folder, copy)? {
                        return Self::open(&folder, copy, id, Some(lock));
                    }
                }
                Err(io::Error::other("no free copy"))
            }
        }
    }

    fn open(folder: &Path, copy: u32, id: &CacheId<'_>, lock: Option<File>) -> io::Result<Self> {
        let path = folder.join(copy.to_string());
        let fresh = match fs::create_dir(&path) {
            Ok(()) => {
                plimsoll_image::set_owner(&path, id.uid, id.gid)?;
                fs::set_permissions(&path, fs::Permissions::from_mode(id.mode))?;
                true
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(error),
        };
        Ok(Self { path, fresh, _lock: lock })
    }
}

/// Waits for the one copy of a locked mount.
fn in_turn(
    folder: &Path,
    id: &str,
    cancel: &Cancel,
    tell_after: Duration,
    waiting: &dyn Fn(&str),
) -> io::Result<File> {
    let began = Instant::now();
    let mut told = false;
    loop {
        match lock(folder, 0)? {
            Some(lock) => return Ok(lock),
            None if cancel.is_cancelled() => return Err(io::ErrorKind::Interrupted.into()),
            None if !told && began.elapsed() >= tell_after => {
                told = true;
                let holder = lock_holder(&File::open(lock_path(folder, 0))?);
                waiting(&format!("waiting: the cache mount {id} is in the hands of {holder}"));
            }
            None => thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn lock_path(folder: &Path, copy: u32) -> PathBuf {
    folder.join(format!("{copy}.lock"))
}

fn lock(folder: &Path, copy: u32) -> io::Result<Option<File>> {
    let file = File::create(lock_path(folder, copy))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Readable at its start, unique by its end.
fn folder_name(id: &CacheId<'_>) -> String {
    let identity = format!("{}\0{:o}\0{}\0{}", id.id, id.mode, id.uid, id.gid);
    let hash = blake3::hash(identity.as_bytes()).to_hex();
    let readable: String = id
        .id
        .trim_matches('/')
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' })
        .take(40)
        .collect();
    format!("{readable}-{}", &hash[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(root: &Path, sharing: Sharing) -> CacheMount {
        let id = CacheId {
            id: "/root/.npm",
            mode: 0o755,
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
        };
        CacheMount::take(root, &id, sharing, &Cancel::new().unwrap(), &|what| panic!("{what}")).unwrap()
    }

    #[test]
    fn sharing_decides_who_waits() {
        let root = tempfile::tempdir().unwrap();
        let one = take(root.path(), Sharing::Shared);
        assert!(one.fresh);
        let two = take(root.path(), Sharing::Shared);
        assert_eq!((one.path.as_path(), two.fresh), (two.path.as_path(), false));
        let first = take(root.path(), Sharing::Private);
        let second = take(root.path(), Sharing::Private);
        assert_ne!(first.path, second.path);
        drop(first);
        assert_ne!(take(root.path(), Sharing::Private).path, second.path, "a free copy is used again");

        let held = take(root.path(), Sharing::Locked);
        let path = root.path().to_owned();
        let waiting = thread::spawn(move || take(&path, Sharing::Locked).path);
        thread::sleep(Duration::from_millis(60));
        assert!(!waiting.is_finished());
        let path = held.path.clone();
        drop(held);
        assert_eq!(waiting.join().unwrap(), path);
    }

    #[test]
    fn a_long_wait_for_a_locked_mount_is_told_once() {
        let root = tempfile::tempdir().unwrap();
        let held = lock(root.path(), 0).unwrap().unwrap();
        let (told, heard) = std::sync::mpsc::channel();
        let folder = root.path().to_owned();
        let waiting = thread::spawn(move || {
            let tell = |what: &str| told.send(what.to_owned()).unwrap();
            in_turn(&folder, "npm", &Cancel::new().unwrap(), Duration::from_millis(30), &tell).map(drop)
        });
        let what = heard.recv().unwrap();
        assert!(what.starts_with("waiting: the cache mount npm is in the hands of "), "{what}");
        thread::sleep(Duration::from_millis(60));
        assert!(!waiting.is_finished());
        drop(held);
        waiting.join().unwrap().unwrap();
        assert!(heard.try_recv().is_err());
    }

    #[test]
    fn owner_and_mode_are_part_of_the_identity() {
        let id = |mode, uid| folder_name(&CacheId { id: "a b/c", mode, uid, gid: 0 });
        assert_ne!(id(0o755, 0), id(0o700, 0));
        assert_ne!(id(0o755, 0), id(0o755, 1));
        assert!(id(0o755, 0).starts_with("a-b-c-"));
    }
}
