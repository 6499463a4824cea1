//! What a person has been told of a project already: a note that is always there trains its reader to skip notes.

use std::{collections::BTreeSet, path::Path};

use plimsoll_disk::{Links, read_text};

use crate::files::{private_directory, write_whole};

/// The file in a project's state directory: digests of the notes of the last run.
const FILE: &str = "told.json";

/// No list of notes is longer, in bytes.
const MAX: u64 = 1 << 20;

/// Which of these notes the last run of the project did not have, and how many it had. They are remembered as the last
/// ones in `state`; a run of some services (not `whole`) forgets none. What cannot be read or written costs the reader a
/// repetition and nothing else.
pub fn news<'n>(state: &Path, notes: &'n [String], whole: bool) -> (Vec<&'n str>, usize) {
    let path = state.join(FILE);
    let before: BTreeSet<String> = read_text(&path, MAX, Links::Refuse)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let mut now: BTreeSet<String> = notes.iter().map(|note| digest(note)).collect();
    let new: Vec<&str> =
        notes.iter().filter(|note| !before.contains(&digest(note))).map(String::as_str).collect();
    if !whole {
        now.extend(before.iter().cloned());
    }
    if now != before
        && let Ok(text) = serde_json::to_vec(&now)
        && private_directory(state).is_ok()
    {
        let _ = write_whole(&path, &text, 0o600, None);
    }
    let old = notes.len() - new.len();
    (new, old)
}

fn digest(note: &str) -> String {
    blake3::hash(note.as_bytes()).to_hex()[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn notes(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_note_is_news_until_it_was_told_and_again_when_it_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("shop");
        let both = notes(&["a", "b"]);
        assert_eq!(news(&state, &[], true), (vec![], 0));
        assert!(!state.exists(), "nothing to remember leaves nothing behind");
        assert_eq!(news(&state, &both, true), (vec!["a", "b"], 0));
        assert_eq!(news(&state, &both, true), (vec![], 2));
        assert_eq!(news(&state, &notes(&["a", "c"]), true), (vec!["c"], 1));
        assert_eq!(news(&state, &both, true), (vec!["b"], 1));
        // one service's run knows nothing of the others' notes
        assert_eq!(news(&state, &notes(&["a"]), false), (vec![], 1));
        assert_eq!(news(&state, &both, true), (vec![], 2));
        fs::write(state.join(FILE), "nonsense").unwrap();
        assert_eq!(news(&state, &both, true), (vec!["a", "b"], 0));
        assert_eq!(news(&state, &both, true), (vec![], 2));
    }
}
