//! The cache index: which key gave which layer. One file, read once per builder, written by rename under a lock.
//!
//! Layers are written without fsync, so after a power failure a layer could be damaged. An entry is trusted in the
//! boot in which it was made, and later only when a build saw it again a minute after it was made: by then the
//! kernel has written it out.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    fs::{self, File},
    io,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use plimsoll_image::LayerId;

use crate::{key::Key, statcache::write_by_rename};

const HEADER: &str = "plimsoll build index 1";
/// The oldest entries beyond this are dropped.
const MAX_ENTRIES: usize = 50_000;
/// The kernel writes dirty pages out after half of this.
const WRITTEN_OUT_AFTER: i64 = 60;

/// What a step gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its layer; `None` when it changed nothing.
    pub(crate) layer: Option<LayerId>,
    /// When, in seconds since 1970.
    pub(crate) created: i64,
}

pub(crate) struct Index {
    file: PathBuf,
    boot: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<Key, (Entry, bool)>,
    /// step -> the key it last had
    steps: HashMap<Key, Key>,
    /// (tree, selection) -> digest of the selection
    memos: HashMap<Key, Key>,
    /// Known keys, so that a save adds to what another builder saved meanwhile.
    dirty: HashSet<Key>,
}

impl Index {
    /// Reads the index; a file that is missing or of another version is an empty index.
    pub(crate) fn open(file: PathBuf) -> Self {
        let boot =
            fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned();
        let state = fs::read_to_string(&file).map(|text| parse(&text, &boot)).unwrap_or_default();
        Self { file, boot, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Entry> {
        self.lock().entries.get(key).map(|(entry, _)| *entry)
    }

    /// The layers of all entries.
    pub(crate) fn layers(&self) -> HashSet<LayerId> {
        self.lock().entries.values().filter_map(|(entry, _)| entry.layer).collect()
    }

    pub(crate) fn put(&self, key: Key, entry: Entry) {
        let mut state = self.lock();
        state.entries.insert(key, (entry, false));
        state.dirty.insert(key);
    }

    pub(crate) fn step(&self, step: &Key) -> Option<Key> {
        self.lock().steps.get(step).copied()
    }

    pub(crate) fn put_step(&self, step: Key, key: Key) {
        let mut state = self.lock();
        if state.steps.insert(step, key) != Some(key) {
            state.dirty.insert(step);
        }
    }

    pub(crate) fn memo(&self, question: &Key) -> Option<Key> {
        self.lock().memos.get(question).copied()
    }

    pub(crate) fn put_memo(&self, question: Key, answer: Key) {
        let mut state = self.lock();
        if state.memos.insert(question, answer) != Some(answer) {
            state.dirty.insert(question);
        }
    }

    /// Writes what is new, together with what other builders wrote meanwhile.
    pub(crate) fn save(&self) -> io::Result<()> {
        let mut state = self.lock();
        let now = now();
        // Also a build in which nothing changed confirms what an earlier one made.
        let confirms =
            state.entries.values().any(|(entry, written_out)| !written_out && is_written_out(entry, now));
        if state.dirty.is_empty() && !confirms {
            return Ok(());
        }
        let lock = File::create(self.file.with_extension("lock"))?;
        lock.lock()?;
        let mut merged =
            fs::read_to_string(&self.file).map(|text| parse(&text, &self.boot)).unwrap_or_default();
        for key in &state.dirty {
            if let Some(entry) = state.entries.get(key) {
                merged.entries.insert(*key, *entry);
            }
            if let Some(value) = state.steps.get(key) {
                merged.steps.insert(*key, *value);
            }
            if let Some(value) = state.memos.get(key) {
                merged.memos.insert(*key, *value);
            }
        }
        for (entry, written_out) in merged.entries.values_mut() {
            *written_out |= is_written_out(entry, now);
        }
        drop_oldest(&mut merged);
        write_by_rename(&self.file, print(&merged, &self.boot).as_bytes())?;
        merged.dirty.clear();
        *state = merged;
        Ok(())
    }
}

fn is_written_out(entry: &Entry, now: i64) -> bool {
    entry.created + WRITTEN_OUT_AFTER < now
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn drop_oldest(state: &mut State) {
    if state.entries.len() > MAX_ENTRIES {
        let mut times: Vec<i64> = state.entries.values().map(|(entry, _)| entry.created).collect();
        times.sort_unstable();
        let oldest = times[times.len() - MAX_ENTRIES];
        state.entries.retain(|_, (entry, _)| entry.created >= oldest);
    }
    for map in [&mut state.steps, &mut state.memos] {
        if map.len() > MAX_ENTRIES {
            map.clear();
        }
    }
}

fn print(state: &State, boot: &str) -> String {
    let mut text = format!("{HEADER}\n");
    // Writing to a String does not fail.
    let _ = writeln!(text, "boot {boot}");
    for (key, (entry, written_out)) in &state.entries {
        let layer = entry.layer.map_or_else(|| "-".to_owned(), |layer| layer.to_string());
        let safe = if *written_out { "disk" } else { "memory" };
        let _ = writeln!(text, "layer {key} {layer} {} {safe}", entry.created);
    }
    for (step, key) in &state.steps {
        let _ = writeln!(text, "step {step} {key}");
    }
    for (question, answer) in &state.memos {
        let _ = writeln!(text, "memo {question} {answer}");
    }
    text
}

/// Lines that are not understood are left out: what they said is only built again.
fn parse(text: &str, boot: &str) -> State {
    let mut state = State::default();
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return state;
    }
    let same_boot = lines.next() == Some(&format!("boot {boot}"));
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["layer", key, layer, created, safe] => {
                let layer = match *layer {
                    "-" => None,
                    id => match LayerId::parse(id) {
                        Ok(id) => Some(id),
                        Err(_) => continue,
                    },
                };
                let (Some(key), Ok(created)) = (Key::parse(key), created.parse()) else { continue };
                if same_boot || *safe == "disk" {
                    state.entries.insert(key, (Entry { layer, created }, *safe == "disk"));
                }
            }
            [kind @ ("step" | "memo"), from, to] => {
                if let (Some(from), Some(to)) = (Key::parse(from), Key::parse(to)) {
                    let map = if *kind == "step" { &mut state.steps } else { &mut state.memos };
                    map.insert(from, to);
                }
            }
            _ => {}
        }
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_builders_do_not_lose_each_others_entries() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("index");
        let (one, two) = (Index::open(file.clone()), Index::open(file.clone()));
        let entry = Entry { layer: None, created: now() };
        one.put(Key::of(b"1"), entry);
        two.put(Key::of(b"2"), entry);
        two.put_memo(Key::of(b"q"), Key::of(b"a"));
        two.put_step(Key::of(b"s"), Key::of(b"k"));
        one.save().unwrap();
        two.save().unwrap();
        let all = Index::open(file);
        assert_eq!(all.get(&Key::of(b"1")), Some(entry));
        assert_eq!(all.get(&Key::of(b"2")), Some(entry));
        assert_eq!(all.memo(&Key::of(b"q")), Some(Key::of(b"a")));
        assert_eq!(all.step(&Key::of(b"s")), Some(Key::of(b"k")));
    }

    #[test]
    fn a_build_that_changes_nothing_confirms_older_entries() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("index");
        let index = Index::open(file.clone());
        index.put(Key::of(b"new"), Entry { layer: None, created: now() });
        index.save().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(" memory"), "{text}");
        let old =
            text.replace(&format!(" {} memory", index.get(&Key::of(b"new")).unwrap().created), " 5 memory");
        fs::write(&file, old).unwrap();
        Index::open(file.clone()).save().unwrap();
        assert!(fs::read_to_string(&file).unwrap().contains(" 5 disk"));
    }

    #[test]
    fn after_another_boot_only_what_was_written_out_counts() {
        let mut state = State::default();
        let young = Entry { layer: None, created: 5 };
        state.entries.insert(Key::of(b"young"), (young, false));
        state.entries.insert(Key::of(b"old"), (Entry { created: 1, ..young }, true));
        let text = print(&state, "this");
        assert_eq!(parse(&text, "this").entries.len(), 2);
        let later = parse(&text, "next");
        assert_eq!(later.entries.keys().collect::<Vec<_>>(), [&Key::of(b"old")]);
        assert!(parse("another version\n", "this").entries.is_empty());
    }
}
