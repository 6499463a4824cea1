//! Locks between processes: `flock` on files of the store, released by the kernel when a process dies.

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use plimsoll_disk::{TELL_AFTER, lock_telling};
use rustix::fs::{FlockOperation, flock};

use super::Store;
use crate::{StoreError, error::At as _};

/// How long a prune waits for others to end.
const PATIENCE: Duration = Duration::from_millis(500);

/// Keeps layers and blobs from being removed while it lives.
#[derive(Debug)]
pub struct Pin {
    _file: File,
}

/// The right to change names and records.
#[derive(Debug)]
pub(super) struct WriteLock {
    _file: File,
}

/// The right to remove: nobody holds a [`Pin`].
#[derive(Debug)]
pub struct Alone {
    _file: File,
}

impl Store {
    /// Keeps every layer and blob in place until the value is dropped. Waits while another process prunes.
    pub fn pin(&self) -> Result<Pin, StoreError> {
        let path = self.root().join("use.lock");
        let file = lock_file(&path)?;
        self.wait_for(&file, false).at("lock", &path)?;
        Ok(Pin { _file: file })
    }

    pub(super) fn write_lock(&self) -> Result<WriteLock, StoreError> {
        let path = self.root().join("write.lock");
        let file = lock_file(&path)?;
        self.wait_for(&file, true).at("lock", &path)?;
        Ok(WriteLock { _file: file })
    }

    /// Takes a lock of the store; a long wait is told.
    fn wait_for(&self, file: &File, exclusive: bool) -> io::Result<()> {
        lock_telling(file, exclusive, TELL_AFTER, |holder| {
            if let Some(tell) = self.waiting {
                tell(&format!("waiting: the image store is in the hands of {holder}"));
            }
        })
    }

    /// Has the store to itself until the value is dropped; fails with [`StoreError::InUse`] while anybody holds a
    /// [`Pin`], as every build does.
    pub fn alone(&self) -> Result<Alone, StoreError> {
        let path = self.root().join("use.lock");
        let file = lock_file(&path)?;
        let start = Instant::now();
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(io::Error::from) {
                Ok(()) => return Ok(Alone { _file: file }),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // a program that is just being started holds our ended locks until it has replaced itself
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && start.elapsed() < PATIENCE => {
                    thread::sleep(Duration::from_millis(10));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(StoreError::InUse { root: self.root().to_path_buf() });
                }
                Err(error) => return Err(StoreError::io("lock", path, error)),
            }
        }
    }
}

fn lock_file(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path).at("open", path)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());

    #[test]
    fn a_long_wait_for_the_store_names_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let tell = |line: &str| TOLD.lock().unwrap().push(line.to_owned());
        let store = Store::open(dir.path().join("store")).unwrap().telling(tell);
        // what was opened twice counts as two, also in one process
        let other = Store::open(dir.path().join("store")).unwrap();
        drop(store.write_lock().unwrap());
        let held = other.write_lock().unwrap();
        let waiting = thread::spawn({
            let store = store.clone();
            move || store.write_lock().map(drop)
        });
        let begin = Instant::now();
        while TOLD.lock().unwrap().is_empty() {
            assert!(begin.elapsed() < Duration::from_mins(1), "nothing is told");
            thread::sleep(Duration::from_millis(20));
        }
        assert!(!waiting.is_finished() && begin.elapsed() >= TELL_AFTER / 2);
        drop(held);
        waiting.join().unwrap().unwrap();
        let told = TOLD.lock().unwrap().clone();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("waiting: the image store is in the hands of "), "{told:?}");
    }
}
