//! One run at a time for a project: the second waits and says for whom.

use std::{
    fs,
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use crate::{StackError, error::io_error, files::private_directory};

/// The lock of a project. Released when dropped, and by the kernel when the process dies.
#[derive(Debug)]
pub struct Lock {
    file: fs::File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock of `project` under `states`. If another process has it, `waiting` is told who, once, and the
    /// call blocks until it is free. `purpose` is what the other will be told about us.
    pub fn take(
        states: &Path,
        project: &str,
        purpose: &str,
        waiting: impl FnOnce(&str),
    ) -> Result<Self, StackError> {
        private_directory(states)?;
        let path = states.join(format!("{project}.lock"));
        let mut waiting = Some(waiting);
        loop {
            let mut file = fs::OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(io_error("open", &path))?;
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                if let Some(waiting) = waiting.take() {
                    let mut holder = String::new();
                    let _ = file.read_to_string(&mut holder);
                    waiting(holder.trim());
                }
                flock(&file, FlockOperation::LockExclusive)
                    .map_err(|error| io_error("lock", &path)(error.into()))?;
            }
            // the former holder may have removed the file: then this is the lock of nobody
            let same = fs::metadata(&path).is_ok_and(|found| {
                file.metadata().is_ok_and(|ours| (found.dev(), found.ino()) == (ours.dev(), ours.ino()))
            });
            if !same {
                continue;
            }
            let written = file
                .set_len(0)
                .and_then(|()| file.rewind())
                .and_then(|()| writeln!(file, "{purpose} (pid {})", std::process::id()));
            written.map_err(io_error("write", &path))?;
            return Ok(Self { file, path });
        }
    }

    /// Releases the lock and removes its file: nothing of the project is left.
    pub fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_waits_and_is_told_for_whom() {
        let states = std::env::temp_dir().join(format!("plimsoll-test-lock-{}", std::process::id()));
        let first = Lock::take(&states, "shop", "plimsoll up", |_| panic!("nobody has it")).unwrap();
        let (told, heard) = std::sync::mpsc::channel();
        let second = std::thread::spawn({
            let states = states.clone();
            move || {
                Lock::take(&states, "shop", "second", |holder| told.send(holder.to_owned()).unwrap())
                    .map(drop)
            }
        });
        assert_eq!(heard.recv().unwrap(), format!("plimsoll up (pid {})", std::process::id()));
        assert!(!second.is_finished());
        first.remove();
        second.join().unwrap().unwrap();
        fs::remove_dir_all(&states).unwrap();
    }
}
