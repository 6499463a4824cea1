//! Locks between processes: `flock` on files of the store, released by the kernel when a process dies.

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

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
        lock(&file, FlockOperation::LockShared).at("lock", &path)?;
        Ok(Pin { _file: file })
    }

    pub(super) fn write_lock(&self) -> Result<WriteLock, StoreError> {
        let path = self.root().join("write.lock");
        let file = lock_file(&path)?;
        lock(&file, FlockOperation::LockExclusive).at("lock", &path)?;
        Ok(WriteLock { _file: file })
    }

    /// Has the store to itself until the value is dropped; fails with [`StoreError::InUse`] while anybody holds a
    /// [`Pin`], as every build does.
    pub fn alone(&self) -> Result<Alone, StoreError> {
        let path = self.root().join("use.lock");
        let file = lock_file(&path)?;
        let start = Instant::now();
        loop {
            match lock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Alone { _file: file }),
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

fn lock(file: &File, operation: FlockOperation) -> io::Result<()> {
    loop {
        match flock(file, operation) {
            Err(rustix::io::Errno::INTR) => {}
            done => return Ok(done?),
        }
    }
}
