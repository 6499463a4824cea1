//! The cache index: which key gave which layer. One file, read once per builder, changed under a lock: what a step gave
//! is written behind the rest when the step ends, so that a build that is killed keeps it ([`Index::note`]); the end of a
//! build puts everything in order and renames the new file into place ([`Index::save`]).
//!
//! Nothing is synced. What a power failure took of a layer is the store's to notice ([`Store::usable_layer`]); a line
//! of the index that it damaged is left out.
//!
//! [`Store::usable_layer`]: plimsoll_image::Store::usable_layer

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use plimsoll_image::LayerId;

use crate::key::Key;

const HEADER: &str = "plimsoll build index 1";
/// The oldest entries beyond this are dropped.
const MAX_ENTRIES: usize = 50_000;

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
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// step -> the key it last had
    steps: HashMap<Key, Key>,
    /// (tree, selection) -> digest of the selection
    memos: HashMap<Key, Key>,
    /// Memos that others took the place of.
    gone: HashSet<Key>,
    /// Known keys, so that a save adds to what another builder saved meanwhile.
    dirty: HashSet<Key>,
    /// Those of them that are not in the file yet.
    unwritten: Vec<Key>,
    /// The file is of another version.
    foreign: bool,
}

impl State {
    fn changed(&mut self, key: Key) {
        self.dirty.insert(key);
        self.unwritten.push(key);
    }
}

impl Index {
    /// Reads the index; a file that is missing or of another version is an empty index.
    pub(crate) fn open(file: PathBuf) -> Self {
        let state = fs::read_to_string(&file).map(|text| parse(&text)).unwrap_or_default();
        Self { file, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Entry> {
        self.lock().entries.get(key).copied()
    }

    /// The layers of all entries.
    pub(crate) fn layers(&self) -> HashSet<LayerId> {
        self.lock().entries.values().filter_map(|entry| entry.layer).collect()
    }

    pub(crate) fn put(&self, key: Key, entry: Entry) {
        let mut state = self.lock();
        state.entries.insert(key, entry);
        state.changed(key);
    }

    pub(crate) fn step(&self, step: &Key) -> Option<Key> {
        self.lock().steps.get(step).copied()
    }

    pub(crate) fn put_step(&self, step: Key, key: Key) {
        let mut state = self.lock();
        if state.steps.insert(step, key) != Some(key) {
            state.changed(step);
        }
    }

    pub(crate) fn memo(&self, question: &Key) -> Option<Key> {
        self.lock().memos.get(question).copied()
    }

    pub(crate) fn put_memo(&self, question: Key, answer: Key) {
        let mut state = self.lock();
        if state.memos.insert(question, answer) != Some(answer) {
            state.changed(question);
        }
    }

    /// As [`Index::put_memo`]; of each `owner` only the last one is kept.
    pub(crate) fn put_last_memo(&self, owner: Key, question: Key, answer: Key) {
        self.put_memo(question, answer);
        let mut state = self.lock();
        match state.steps.insert(owner, question) {
            Some(before) if before == question => return,
            Some(before) => {
                state.memos.remove(&before);
                state.gone.insert(before);
            }
            None => {}
        }
        state.gone.remove(&question);
        state.changed(owner);
    }

    /// Writes what is new behind what is in the file. From then on it outlives this process, however that ends.
    pub(crate) fn note(&self) -> io::Result<()> {
        let mut state = self.lock();
        if state.unwritten.is_empty() {
            return Ok(());
        }
        if state.foreign {
            drop(state);
            return self.save();
        }
        let mut lines = String::new();
        for key in &state.unwritten {
            print_key(&state, key, &mut lines);
        }
        let lock = File::create(self.file.with_extension("lock"))?;
        lock.lock()?;
        let mut file = File::options().read(true).append(true).create(true).open(&self.file)?;
        let length = file.metadata()?.len();
        let mut last = [b'\n'];
        if length > 0 {
            file.read_exact_at(&mut last, length - 1)?;
        }
        // a line that a killed process began ends here
        let before =
            if length == 0 { format!("{HEADER}\n") } else { "\n".repeat(usize::from(last != *b"\n")) };
        file.write_all(format!("{before}{lines}").as_bytes())?;
        state.unwritten.clear();
        Ok(())
    }

    /// Writes what is new, together with what other builders wrote meanwhile.
    pub(crate) fn save(&self) -> io::Result<()> {
        let mut state = self.lock();
        if state.dirty.is_empty() {
            return Ok(());
        }
        let lock = File::create(self.file.with_extension("lock"))?;
        lock.lock()?;
        let mut merged = fs::read_to_string(&self.file).map(|text| parse(&text)).unwrap_or_default();
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
        for memo in &state.gone {
            merged.memos.remove(memo);
        }
        drop_oldest(&mut merged);
        plimsoll_disk::replace(&self.file, print(&merged).as_bytes(), plimsoll_disk::USUAL)?;
        merged.dirty.clear();
        merged.foreign = false;
        *state = merged;
        Ok(())
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn drop_oldest(state: &mut State) {
    if state.entries.len() > MAX_ENTRIES {
        let mut times: Vec<i64> = state.entries.values().map(|entry| entry.created).collect();
        times.sort_unstable();
        let oldest = times[times.len() - MAX_ENTRIES];
        state.entries.retain(|_, entry| entry.created >= oldest);
    }
    for map in [&mut state.steps, &mut state.memos] {
        if map.len() > MAX_ENTRIES {
            map.clear();
        }
    }
}

fn print(state: &State) -> String {
    let mut text = format!("{HEADER}\n");
    for (key, entry) in &state.entries {
        print_layer(key, entry, &mut text);
    }
    for (step, key) in &state.steps {
        // Writing to a String does not fail.
        let _ = writeln!(text, "step {step} {key}");
    }
    for (question, answer) in &state.memos {
        let _ = writeln!(text, "memo {question} {answer}");
    }
    text
}

fn print_layer(key: &Key, entry: &Entry, text: &mut String) {
    let layer = entry.layer.map_or_else(|| "-".to_owned(), |layer| layer.to_string());
    let _ = writeln!(text, "layer {key} {layer} {} -", entry.created);
}

/// The lines about one key.
fn print_key(state: &State, key: &Key, text: &mut String) {
    if let Some(entry) = state.entries.get(key) {
        print_layer(key, entry, text);
    }
    if let Some(value) = state.steps.get(key) {
        let _ = writeln!(text, "step {key} {value}");
    }
    if let Some(value) = state.memos.get(key) {
        let _ = writeln!(text, "memo {key} {value}");
    }
}

/// Lines that are not understood are left out: what they said is only built again.
fn parse(text: &str) -> State {
    let mut state = State::default();
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        state.foreign = !text.is_empty();
        return state;
    }
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            // the last word ends the number before it: a torn line has another length
            ["layer", key, layer, created, _] => {
                let layer = match *layer {
                    "-" => None,
                    id => match LayerId::parse(id) {
                        Ok(id) => Some(id),
                        Err(_) => continue,
                    },
                };
                let (Some(key), Ok(created)) = (Key::parse(key), created.parse()) else { continue };
                state.entries.insert(key, Entry { layer, created });
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

/// For the fuzz targets.
#[cfg(fuzzing)]
pub(crate) fn fuzz(text: &str) {
    let state = parse(text);
    let again = parse(&print(&state));
    assert!(again.entries == state.entries && again.steps == state.steps && again.memos == state.memos);
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
    fn what_was_noted_is_there_without_a_save() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("index");
        let entry = Entry { layer: None, created: 1234 };
        let index = Index::open(file.clone());
        for text in [b"1", b"2"] {
            index.put(Key::of(text), entry);
            index.put_step(Key::of(b"s"), Key::of(text));
            index.note().unwrap();
            index.note().unwrap();
        }
        let whole = fs::read(&file).unwrap();
        assert_eq!(whole.split(|byte| *byte == b'\n').count() - 1, 5);
        // a kill between any two writes, and another process that goes on behind what is torn
        for end in 0..whole.len() {
            fs::write(&file, &whole[..end]).unwrap();
            let next = Index::open(file.clone());
            next.put(Key::of(b"next"), entry);
            next.note().unwrap();
            let read = Index::open(file.clone());
            assert_eq!(read.get(&Key::of(b"next")), Some(entry), "{end}");
            let first = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).unwrap().0;
            // whole, it is there; torn, it is right or it is not there
            let found = read.get(&Key::of(b"1"));
            assert!(found == Some(entry) || (found.is_none() && end < first), "{end}: {found:?}");
        }
        fs::write(&file, &whole).unwrap();
        let index = Index::open(file.clone());
        assert_eq!(index.step(&Key::of(b"s")), Some(Key::of(b"2")));
        index.put(Key::of(b"3"), entry);
        index.save().unwrap();
        assert_eq!(parse(&fs::read_to_string(&file).unwrap()).entries.len(), 3);
        fs::write(&file, "another version\n").unwrap();
        let index = Index::open(file.clone());
        index.put(Key::of(b"4"), entry);
        index.note().unwrap();
        assert_eq!(Index::open(file).get(&Key::of(b"4")), Some(entry));
    }

    #[test]
    fn of_some_memos_only_the_last_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("index");
        let owner = Key::of(b"owner");
        for text in [b"1", b"2", b"2", b"1"] {
            let index = Index::open(file.clone());
            index.put_last_memo(owner, Key::of(text), Key::of(b"answer"));
            index.save().unwrap();
        }
        let index = Index::open(file);
        assert_eq!(index.memo(&Key::of(b"1")), Some(Key::of(b"answer")));
        assert_eq!(index.memo(&Key::of(b"2")), None);
    }

    #[test]
    fn torn_lines_are_left_out() {
        let mut state = State::default();
        let entry = Entry { layer: None, created: 1234 };
        state.entries.insert(Key::of(b"a"), entry);
        let text = print(&state);
        assert_eq!(parse(&text).entries.get(&Key::of(b"a")), Some(&entry));
        for end in 0..text.len() - 2 {
            assert!(parse(&text[..end]).entries.is_empty(), "{end}");
        }
        assert_eq!(parse(&format!("{text}layer \0\0\0\n")).entries.len(), 1);
        assert!(parse("another version\n").entries.is_empty());
    }
}
