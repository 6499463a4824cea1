//! File digests that need no reading: (device, inode, size, mtime, ctime) -> digest, in one file on disk.
//!
//! `ctime` makes this safe where size and mtime of a path are not: every write and every rename into place sets it,
//! and no program can set it back. What remains is a write within the clock's granularity of the reading; such a
//! file is not remembered (the racy-clean rule of git's index).

use std::{
    collections::HashMap,
    fs, io,
    path::PathBuf,
    sync::{Mutex, OnceLock},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use plimsoll_disk::{USUAL, replace};

use crate::key::Key;

const MAGIC: &[u8; 16] = b"plimsoll-stat-1\n";
const RECORD: usize = 8 * 7 + 32;
/// How much work with files a killed build may lose.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// Beyond this, records that the last build did not use are dropped.
const MAX_RECORDS: usize = 500_000;

/// What identifies the bytes of a file without reading them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) size: u64,
    /// Seconds and nanoseconds.
    pub(crate) mtime: (i64, u32),
    /// Seconds and nanoseconds.
    pub(crate) ctime: (i64, u32),
}

#[derive(Clone, Copy)]
struct Record {
    stamp: Stamp,
    digest: Key,
    used: bool,
}

/// The cache of one builder; shared by its threads.
pub(crate) struct StatCache {
    file: PathBuf,
    /// Read when the first file is asked for.
    state: OnceLock<Mutex<State>>,
}

#[derive(Default)]
struct State {
    records: HashMap<(u64, u64), Record>,
    dirty: bool,
    /// When the file was last read or written.
    saved: Option<Instant>,
}

impl StatCache {
    /// The cache in `file`; one that is missing, torn or of another version is an empty cache.
    pub(crate) fn open(file: PathBuf) -> Self {
        Self { file, state: OnceLock::new() }
    }

    pub(crate) fn get(&self, stamp: &Stamp) -> Option<Key> {
        let mut state = self.lock();
        let record = state.records.get_mut(&(stamp.device, stamp.inode))?;
        record.used = true;
        (record.stamp == *stamp).then_some(record.digest)
    }

    /// Remembers `digest` for a file that had `stamp` before and after it was read, starting at `read_at`.
    pub(crate) fn put(&self, stamp: Stamp, digest: Key, read_at: SystemTime) {
        if !settled(&stamp, read_at) {
            return;
        }
        let mut state = self.lock();
        state.records.insert((stamp.device, stamp.inode), Record { stamp, digest, used: true });
        state.dirty = true;
    }

    /// Writes the cache by rename, if it changed. Two builders may do so at once: the last one wins, and what the
    /// other knew is only read again.
    pub(crate) fn save(&self) -> io::Result<()> {
        if self.state.get().is_none() {
            return Ok(());
        }
        let mut state = self.lock();
        if !state.dirty {
            return Ok(());
        }
        if state.records.len() > MAX_RECORDS {
            state.records.retain(|_, record| record.used);
        }
        let mut bytes = Vec::with_capacity(MAGIC.len() + state.records.len() * RECORD);
        bytes.extend(MAGIC);
        for record in state.records.values() {
            encode(record, &mut bytes);
        }
        replace(&self.file, &bytes, USUAL)?;
        state.dirty = false;
        state.saved = Some(Instant::now());
        Ok(())
    }

    /// As [`StatCache::save`], but not more often than every [`SAVE_EVERY`]: a build that is killed loses no more.
    pub(crate) fn save_sometimes(&self) -> io::Result<()> {
        let due = |state: &State| state.saved.is_none_or(|saved| saved.elapsed() >= SAVE_EVERY);
        if self.state.get().is_some() && due(&self.lock()) { self.save() } else { Ok(()) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        let state = self.state.get_or_init(|| {
            let records = fs::read(&self.file).ok().and_then(|bytes| decode(&bytes)).unwrap_or_default();
            Mutex::new(State { records, dirty: false, saved: Some(Instant::now()) })
        });
        state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Whether a later write would be seen in the time stamps. The kernel's clock for them ticks at up to 10 ms; a file
/// system that keeps whole seconds shows no nanoseconds at all.
pub(crate) fn settled(stamp: &Stamp, read_at: SystemTime) -> bool {
    let whole_seconds = stamp.ctime.1 == 0 && stamp.mtime.1 == 0;
    let granularity = if whole_seconds { Duration::from_secs(2) } else { Duration::from_millis(20) };
    let newest = stamp.ctime.max(stamp.mtime);
    let Ok(seconds) = u64::try_from(newest.0) else { return false };
    UNIX_EPOCH
        .checked_add(Duration::new(seconds, newest.1) + granularity)
        .is_some_and(|settled_at| settled_at < read_at)
}

fn encode(record: &Record, bytes: &mut Vec<u8>) {
    let Stamp { device, inode, size, mtime, ctime } = record.stamp;
    for number in [device, inode, size] {
        bytes.extend(number.to_le_bytes());
    }
    for (seconds, nanos) in [mtime, ctime] {
        bytes.extend(seconds.to_le_bytes());
        bytes.extend(u64::from(nanos).to_le_bytes());
    }
    bytes.extend(record.digest.as_bytes());
}

fn decode(bytes: &[u8]) -> Option<HashMap<(u64, u64), Record>> {
    let body = bytes.strip_prefix(MAGIC)?;
    if body.len() % RECORD != 0 {
        return None;
    }
    let mut records = HashMap::with_capacity(body.len() / RECORD);
    for record in body.chunks_exact(RECORD) {
        let number = |at: usize| record.get(at * 8..at * 8 + 8)?.try_into().ok().map(u64::from_le_bytes);
        let time = |at: usize| Some((number(at)?.cast_signed(), u32::try_from(number(at + 1)?).ok()?));
        let stamp = Stamp {
            device: number(0)?,
            inode: number(1)?,
            size: number(2)?,
            mtime: time(3)?,
            ctime: time(5)?,
        };
        let digest = Key::from_bytes(record.get(56..)?.try_into().ok()?);
        records.insert((stamp.device, stamp.inode), Record { stamp, digest, used: false });
    }
    Some(records)
}

/// For the fuzz targets.
#[cfg(fuzzing)]
pub(crate) fn fuzz(bytes: &[u8]) {
    if let Some(records) = decode(bytes) {
        let mut again = MAGIC.to_vec();
        for record in records.values() {
            encode(record, &mut again);
            let _ = settled(&record.stamp, SystemTime::now());
        }
        assert_eq!(decode(&again).map(|records| records.len()), Some(records.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(inode: u64, ctime: (i64, u32)) -> Stamp {
        Stamp { device: 1, inode, size: 3, mtime: (5, 1), ctime }
    }

    #[test]
    fn only_an_equal_stamp_hits_and_the_file_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("stat");
        let cache = StatCache::open(file.clone());
        cache.put(stamp(7, (6, 2)), Key::of(b"abc"), SystemTime::now());
        cache.save().unwrap();
        let cache = StatCache::open(file.clone());
        assert_eq!(cache.get(&stamp(7, (6, 2))), Some(Key::of(b"abc")));
        assert_eq!(cache.get(&stamp(7, (6, 3))), None, "another ctime");
        assert_eq!(cache.get(&stamp(8, (6, 2))), None, "another inode");
        fs::write(&file, b"torn").unwrap();
        assert_eq!(StatCache::open(file).get(&stamp(7, (6, 2))), None);
    }

    #[test]
    fn a_file_changed_just_before_it_was_read_is_not_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let cache = StatCache::open(dir.path().join("stat"));
        let ctime = (1_000, 500_000_000);
        let at = |millis: u64| UNIX_EPOCH + Duration::from_millis(1_000_500 + millis);
        cache.put(stamp(1, ctime), Key::of(b"a"), at(19));
        assert_eq!(cache.get(&stamp(1, ctime)), None);
        cache.put(stamp(1, ctime), Key::of(b"a"), at(21));
        assert!(cache.get(&stamp(1, ctime)).is_some());
        let coarse = Stamp { mtime: (1_000, 0), ctime: (1_000, 0), ..stamp(2, (0, 0)) };
        cache.put(coarse, Key::of(b"a"), at(500));
        assert_eq!(cache.get(&coarse), None, "whole seconds need two of them");
    }
}
