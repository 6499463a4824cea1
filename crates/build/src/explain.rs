//! Why a step ran: the part of its key that differs from the last time.

use std::{collections::HashMap, fmt};

use serde::{Deserialize, Serialize};

use crate::key::{Key, Part};

/// Why a step was not taken from the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// `--no-cache` or `--no-cache-filter` asks for it.
    NoCache,
    /// It was never built here before.
    New,
    /// It was built here before, but its result is no longer in the cache.
    Pruned,
    /// These parts of its key differ, by name.
    Changed(Vec<Change>),
}

/// One difference between two keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The part: `file apps/backend/src/app.ts`, `argument VERSION`, `the files of the step before`.
    pub part: String,
    /// Whether it is new, gone or has another value.
    pub how: How,
}

/// How a part of a key differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It was there before, with another value.
    Changed,
    /// It was not there before.
    Added,
    /// It is not there any more.
    Removed,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        match self {
            Self::NoCache => f.write_str("--no-cache was given"),
            Self::New => f.write_str("it was not built here before"),
            Self::Pruned => f.write_str("its result is no longer in the cache"),
            Self::Changed(changes) => {
                for (at, change) in changes.iter().take(SHOWN).enumerate() {
                    let how = match change.how {
                        How::Changed => "changed",
                        How::Added => "is new",
                        How::Removed => "is gone",
                    };
                    let comma = if at > 0 { ", " } else { "" };
                    write!(f, "{comma}{} {how}", change.part)?;
                }
                if changes.len() > SHOWN {
                    write!(f, ", and {} more", changes.len() - SHOWN)?;
                }
                Ok(())
            }
        }
    }
}

/// The parts of the key that a step had when it last ran or hit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) key: Key,
    pub(crate) parts: Vec<Part>,
}

/// The differences between two keys of the same step.
pub(crate) fn compare(before: &[Part], now: &[Part]) -> Vec<Change> {
    let old: HashMap<&str, Key> = before.iter().map(|part| (part.name.as_str(), part.value)).collect();
    let new: HashMap<&str, Key> = now.iter().map(|part| (part.name.as_str(), part.value)).collect();
    let mut changes = Vec::new();
    for part in now {
        let how = match old.get(part.name.as_str()) {
            None => How::Added,
            Some(value) if *value != part.value => How::Changed,
            Some(_) => continue,
        };
        changes.push(Change { part: part.name.clone(), how });
    }
    for part in before {
        if !new.contains_key(part.name.as_str()) {
            changes.push(Change { part: part.name.clone(), how: How::Removed });
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_that_differ_are_named() {
        let part = |name: &str, value: &str| Part { name: name.to_owned(), value: Key::of(value.as_bytes()) };
        let before = [part("instruction", "a"), part("file x", "1"), part("file y", "1")];
        let now = [part("instruction", "a"), part("file x", "2"), part("file z", "1")];
        let reason = Reason::Changed(compare(&before, &now));
        assert_eq!(reason.to_string(), "file x changed, file z is new, file y is gone");
    }
}
