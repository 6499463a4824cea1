//! One run at a time for a project: the second waits and says for whom.

use std::{
    fs,
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use plimsoll_disk::is_suspended;
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use crate::{StackError, error::io_error, files::private_directory};

/// Between two looks whether it is free, where there is a limit.
const AGAIN: Duration = Duration::from_millis(100);

/// The lock of a project. Released when dropped, and by the kernel when the process dies.
#[derive(Debug)]
pub struct Lock {
    file: fs::File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock of `project` under `states`. If another process has it, `waiting` is told who, once, and the
    /// call blocks until it is free, at most for `limit`. `purpose` is what the other will be told about us.
    pub fn take(
        states: &Path,
        project: &str,
        purpose: &str,
        limit: Option<Duration>,
        waiting: impl FnOnce(&str),
    ) -> Result<Self, StackError> {
        private_directory(states)?;
        let path = states.join(format!("{project}.lock"));
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
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
                    waiting(&holder(&mut file));
                }
                if !until_free(&file, until).map_err(|error| io_error("lock", &path)(error.into()))? {
                    return Err(StackError::Busy { project: project.to_owned(), holder: holder(&mut file) });
                }
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

/// Waits until the lock is ours; false when it was not until then.
fn until_free(file: &fs::File, until: Option<Instant>) -> Result<bool, Errno> {
    let Some(until) = until else {
        return flock(file, FlockOperation::LockExclusive).map(|()| true);
    };
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) if Instant::now() < until => thread::sleep(AGAIN),
            Err(Errno::WOULDBLOCK) => return Ok(false),
            done => return done.map(|()| true),
        }
    }
}

/// Who has the lock, by its own words, and whether it can go on at all: one that was suspended keeps the lock.
fn holder(file: &mut fs::File) -> String {
    let mut text = String::new();
    let _ = file.rewind().and_then(|()| file.read_to_string(&mut text));
    let text = text.trim();
    if text.is_empty() {
        return "another process".to_owned();
    }
    let pid = text.rsplit_once("(pid ").and_then(|(_, pid)| pid.strip_suffix(')')?.parse::<u32>().ok());
    match pid.filter(|pid| is_suspended(*pid)) {
        Some(pid) => format!("{text}, which is suspended: `kill -CONT {pid}` lets it go on"),
        None => text.to_owned(),
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
        let first = Lock::take(&states, "shop", "plimsoll up", None, |_| panic!("nobody has it")).unwrap();
        let (told, heard) = std::sync::mpsc::channel();
        let second = std::thread::spawn({
            let states = states.clone();
            move || {
                let tell = |holder: &str| told.send(holder.to_owned()).unwrap();
                Lock::take(&states, "shop", "second", None, tell).map(drop)
            }
        });
        assert_eq!(heard.recv().unwrap(), format!("plimsoll up (pid {})", std::process::id()));
        assert!(!second.is_finished());
        let impatient = Lock::take(&states, "shop", "third", Some(Duration::from_millis(150)), |_| ());
        let error = impatient.unwrap_err().to_string();
        let wanted = format!("project shop is in the hands of plimsoll up (pid {})", std::process::id());
        assert_eq!(error, wanted);
        first.remove();
        second.join().unwrap().unwrap();
        fs::remove_dir_all(&states).unwrap();
    }

    #[test]
    fn one_that_is_suspended_is_told_of() {
        let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        let pid = child.id();
        let signal = |name: &str| {
            let done = std::process::Command::new("kill").args([name, &pid.to_string()]).status();
            assert!(done.unwrap().success());
        };
        let mut file = tempfile::tempfile().unwrap();
        writeln!(file, "plimsoll up (pid {pid})").unwrap();
        assert_eq!(holder(&mut file), format!("plimsoll up (pid {pid})"));
        signal("-STOP");
        while !is_suspended(pid) {
            thread::sleep(Duration::from_millis(10));
        }
        assert!(holder(&mut file).ends_with(&format!("`kill -CONT {pid}` lets it go on")));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(holder(&mut tempfile::tempfile().unwrap()), "another process");
    }
}
