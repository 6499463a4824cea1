//! Locks of `flock` that another process has: waited for with a word about who has them, as the kernel tells it.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{FlockOperation, flock};

/// A wait that takes longer is told.
pub const TELL_AFTER: Duration = Duration::from_secs(3);
/// Longest pause between two looks before that.
const MAX_PAUSE: Duration = Duration::from_millis(20);
/// The kernel's list of locks is read so far.
const MAX_LOCKS: u64 = 4 << 20;

/// Takes the lock of an open file, shared or for itself alone. If that takes longer than `after`, `tell` hears once who
/// has it; then the call blocks until the lock is free.
///
/// # Errors
/// What the kernel says but "another one has it".
pub fn lock_telling(
    file: &File,
    exclusive: bool,
    after: Duration,
    tell: impl FnOnce(&str),
) -> io::Result<()> {
    let (now, blocking) = if exclusive {
        (FlockOperation::NonBlockingLockExclusive, FlockOperation::LockExclusive)
    } else {
        (FlockOperation::NonBlockingLockShared, FlockOperation::LockShared)
    };
    let began = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        match uninterrupted(file, now) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
        if began.elapsed() >= after {
            tell(&lock_holder(file));
            return uninterrupted(file, blocking);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

fn uninterrupted(file: &File, operation: FlockOperation) -> io::Result<()> {
    loop {
        match flock(file, operation) {
            Err(rustix::io::Errno::INTR) => {}
            done => return Ok(done?),
        }
    }
}

/// Who has a lock on this file, in words, and whether it can go on at all: one that was suspended keeps its locks.
pub fn lock_holder(file: &File) -> String {
    let mut text = String::new();
    // one of another machine's file system, or of another container, has no line here
    let list = File::open("/proc/locks").and_then(|list| list.take(MAX_LOCKS).read_to_string(&mut text));
    let (Ok(_), Ok(meta)) = (list, file.metadata()) else { return "another process".to_owned() };
    let (major, minor) = (rustix::fs::major(meta.dev()), rustix::fs::minor(meta.dev()));
    let place = format!("{major:02x}:{minor:02x}:{}", meta.ino());
    let pids: Vec<String> = text.lines().filter_map(|line| pid_of(line, &place)).map(words).collect();
    match pids.len() {
        0 => "another process".to_owned(),
        1..=3 => pids.join(" and "),
        more => format!("{more} processes, one of them {}", pids[0]),
    }
}

/// The process of a line of /proc/locks that has a lock of `flock` on this file; a line with an arrow only waits.
fn pid_of(line: &str, place: &str) -> Option<u32> {
    let mut fields = line.split_whitespace().skip(1);
    let (kind, _, _, pid, file) =
        (fields.next()?, fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    (kind == "FLOCK" && file == place).then(|| pid.parse().ok()).flatten().filter(|pid| *pid > 0)
}

/// A process as people know it.
fn words(pid: u32) -> String {
    if pid == std::process::id() {
        return format!("another part of this run (pid {pid})");
    }
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let suspended = if is_suspended(pid) {
        format!(", which is suspended: `kill -CONT {pid}` lets it go on")
    } else {
        String::new()
    };
    match name.trim() {
        "" => format!("process {pid}{suspended}"),
        name => format!("{name} (pid {pid}){suspended}"),
    }
}

/// Stopped by a signal or by a debugger (`SIGSTOP`, Ctrl-Z).
pub fn is_suspended(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // the name before it may have any characters
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['T', 't']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_line_that_has_the_lock_names_its_process() {
        let place = "08:01:1049093";
        assert_eq!(pid_of("1: FLOCK  ADVISORY  WRITE 3548 08:01:1049093 0 EOF", place), Some(3548));
        for other in [
            "1: -> FLOCK  ADVISORY  WRITE 3549 08:01:1049093 0 EOF",
            "2: POSIX  ADVISORY  WRITE 3548 08:01:1049093 0 EOF",
            "3: FLOCK  ADVISORY  WRITE 3548 08:01:1049094 0 EOF",
            "4: FLOCK  ADVISORY  WRITE -1 08:01:1049093 0 EOF",
            "",
        ] {
            assert_eq!(pid_of(other, place), None, "{other}");
        }
    }

    #[test]
    fn a_long_wait_is_told_once_and_a_short_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let open = || File::options().create(true).truncate(false).write(true).open(&path).unwrap();
        let held = open();
        lock_telling(&held, true, Duration::ZERO, |who| panic!("{who} has it")).unwrap();
        let (told, heard) = std::sync::mpsc::channel();
        let second = open();
        let waiting = thread::spawn(move || {
            lock_telling(&second, false, Duration::from_millis(50), |who| told.send(who.to_owned()).unwrap())
        });
        let who = heard.recv().unwrap();
        // a file system whose numbers differ in the kernel's list leaves the holder unknown
        let own = format!("another part of this run (pid {})", std::process::id());
        assert!(who == own || who == "another process", "{who}");
        assert!(!waiting.is_finished());
        drop(held);
        waiting.join().unwrap().unwrap();
        assert!(heard.try_recv().is_err());

        let held = open();
        lock_telling(&held, true, Duration::ZERO, |who| panic!("{who} has it")).unwrap();
        let third = open();
        let waiting =
            thread::spawn(move || lock_telling(&third, true, Duration::from_hours(1), |_| panic!("told")));
        thread::sleep(Duration::from_millis(30));
        drop(held);
        waiting.join().unwrap().unwrap();
    }
}
