//! What would change on disk. A person's edit is never overwritten: it is merged, or the file stays as it is.

use serde::Serialize;
use similar::TextDiff;

use crate::{
    files::{GeneratedFile, Ownership},
    lock::Lock,
    merge::{Hunk, Merged, Side, three_way_deciding},
};

/// What becomes of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// It is new.
    Created,
    /// Nobody edited it, and the new text differs.
    Updated,
    /// A person edited it; their edits and the new text are both kept.
    Merged,
    /// Lines are added to a file that belongs to people.
    Extended,
    /// It is as it should be.
    Unchanged,
    /// A person edited it, and there is nothing new.
    Edited,
    /// A person deleted it; it stays deleted.
    Deleted,
    /// It was generated once and is not needed any more; it stays.
    Obsolete,
    /// A person must decide; the file stays as it is.
    Conflict(Conflict),
}

/// Why a person must decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "conflict")]
pub enum Conflict {
    /// The file was there before and is not of Plimsoll.
    Foreign,
    /// The person and the new text changed the same places.
    Overlap {
        /// The places.
        hunks: Vec<Hunk>,
    },
}

/// One file with what would become of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Path in the repository.
    pub path: String,
    /// What becomes of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Unified diff from the file to what would be written; of a conflict, to the new text.
    pub diff: String,
    /// The text to write; `None` when the file stays.
    #[serde(skip)]
    pub write: Option<String>,
}

/// All files, and the lock as it is after the writing.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Every generated file, in the order of the registry, then obsolete ones.
    pub changes: Vec<Change>,
    /// The lock to write.
    pub lock: Lock,
}

impl Comparison {
    /// Whether something is to be written.
    pub fn pending(&self) -> bool {
        self.changes.iter().any(|change| change.write.is_some())
    }

    /// Whether a person and the new texts changed the same places. One change of the source is one change of several
    /// files: while a part of it waits, the others would not fit.
    pub fn overlaps(&self) -> bool {
        let overlaps =
            |change: &Change| matches!(change.outcome, Outcome::Conflict(Conflict::Overlap { .. }));
        self.changes.iter().any(overlaps)
    }

    /// Whether a person must decide something.
    pub fn conflicts(&self) -> bool {
        self.changes.iter().any(|change| matches!(change.outcome, Outcome::Conflict(_)))
    }
}

/// How a person decided about files, or about single places in them (`FILE:LINE`, the line of a [`Hunk`]).
#[derive(Clone, Debug, Default)]
pub struct Resolution {
    /// Where both changed the person's text stays; what is new elsewhere in the file comes.
    pub keep: Vec<String>,
    /// These files become the new text; of single places the new text counts.
    pub take: Vec<String>,
}

impl Resolution {
    fn side(&self, path: &str, hunk: &Hunk) -> Option<Side> {
        let place = format!("{path}:{}", hunk.line);
        if self.take.contains(&place) {
            return Some(Side::Theirs);
        }
        let kept = self.keep.iter().any(|one| *one == place || one == path);
        kept.then_some(Side::Ours)
    }
}

/// Sets generated texts against the disk (`read` gives a file's text) and the last generated texts.
pub fn compare(
    generated: &[GeneratedFile],
    read: &dyn Fn(&str) -> Option<String>,
    lock: &Lock,
    resolution: &Resolution,
) -> Comparison {
    let mut changes = Vec::new();
    let mut next = Lock::default();
    for file in generated {
        let ours = read(&file.path);
        let base = lock.files.get(&file.path);
        let (outcome, write) = decide(file, ours.as_deref(), base.map(String::as_str), resolution);
        // A conflict keeps its base: it is there again until somebody decides.
        let based = if matches!(outcome, Outcome::Conflict(_)) { base } else { Some(&file.text) };
        if let Some(based) = based {
            next.files.insert(file.path.clone(), based.clone());
        }
        let shown = match outcome {
            Outcome::Conflict(_) => Some(&file.text),
            _ => write.as_ref(),
        };
        let diff = shown.map_or_else(String::new, |new| diff(&file.path, ours.as_deref(), new));
        changes.push(Change { path: file.path.clone(), outcome, diff, write });
    }
    for (path, base) in &lock.files {
        if generated.iter().all(|file| file.path != *path) && read(path).is_some() {
            next.files.insert(path.clone(), base.clone());
            changes.push(Change {
                path: path.clone(),
                outcome: Outcome::Obsolete,
                diff: String::new(),
                write: None,
            });
        }
    }
    Comparison { changes, lock: next }
}

fn decide(
    file: &GeneratedFile,
    ours: Option<&str>,
    base: Option<&str>,
    resolution: &Resolution,
) -> (Outcome, Option<String>) {
    let theirs = file.text.as_str();
    let new = || Some(theirs.to_owned());
    if file.ownership == Ownership::Lines {
        return extend(theirs, ours);
    }
    if resolution.take.contains(&file.path) && ours != Some(theirs) {
        return (if ours.is_none() { Outcome::Created } else { Outcome::Updated }, new());
    }
    match (ours, base) {
        (None, None) => (Outcome::Created, new()),
        (None, Some(_)) => (Outcome::Deleted, None),
        (Some(ours), _) if ours == theirs => (Outcome::Unchanged, None),
        (Some(_), None) if resolution.keep.contains(&file.path) => (Outcome::Edited, None),
        (Some(_), None) => (Outcome::Conflict(Conflict::Foreign), None),
        (Some(ours), Some(base)) if ours == base => (Outcome::Updated, new()),
        (Some(_), Some(base)) if base == theirs => (Outcome::Edited, None),
        (Some(ours), Some(base)) => {
            match three_way_deciding(base, ours, theirs, &|hunk| resolution.side(&file.path, hunk)) {
                Merged::Clean(text) if text == ours => (Outcome::Edited, None),
                Merged::Clean(text) => (Outcome::Merged, Some(text)),
                Merged::Conflicts(hunks) => (Outcome::Conflict(Conflict::Overlap { hunks }), None),
            }
        }
    }
}

/// Adds the lines that are missing; comments come with them.
fn extend(lines: &str, ours: Option<&str>) -> (Outcome, Option<String>) {
    let Some(ours) = ours else { return (Outcome::Created, Some(lines.to_owned())) };
    // To Git these are four ways of saying nearly the same; whoever wrote one of them has what is needed.
    let bare = |line: &str| line.trim().trim_matches('/').to_owned();
    let has = |line: &str| ours.lines().any(|own| bare(own) == bare(line));
    if lines.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).all(has) {
        return (Outcome::Unchanged, None);
    }
    let mut text = ours.to_owned();
    if !text.is_empty() {
        text.push_str(if text.ends_with('\n') { "\n" } else { "\n\n" });
    }
    text.push_str(lines);
    (Outcome::Extended, Some(text))
}

fn diff(path: &str, old: Option<&str>, new: &str) -> String {
    let from = if old.is_some() { format!("a/{path}") } else { "/dev/null".to_owned() };
    TextDiff::from_lines(old.unwrap_or_default(), new)
        .unified_diff()
        .context_radius(3)
        .header(&from, &format!("b/{path}"))
        .to_string()
}
