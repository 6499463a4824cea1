//! What a run has done, for whoever finds it cut off: each step is written down before it begins.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use plimsoll_disk::{Links, read_regular};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Step;

/// The form of the lines. A reader refuses what is newer.
const VERSION: u32 = 1;
/// Largest journal: some 50,000 steps.
const MAX_BYTES: u64 = 16 << 20;
/// Longest text of a line: a hook's command can be long.
const MAX_TEXT: usize = 2000;

/// Is told of every step of a run, before it begins and when it has ended.
pub trait Journal: fmt::Debug + Send + Sync {
    /// A step is about to begin. It begins only if this returns `Ok`, and then after it: an error ends the run. Steps
    /// are independent, so that several may be about to begin at once.
    fn before(&self, step: &Step) -> io::Result<()>;

    /// A step that began has ended. What cannot be written here is known from the engine too, so nothing depends on it.
    fn after(&self, step: &Step, end: &End);
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It was done.
    Done,
    /// It failed, for this reason.
    Failed(String),
    /// Nobody waited for its end: another step had failed, or a person interrupted.
    Abandoned,
}

/// A line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The form of the line.
    pub version: u32,
    /// When, by this machine's clock.
    pub time: jiff::Timestamp,
    /// The step's number in its plan.
    pub step: usize,
    /// The service that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// What is done, in words. No value of a variable or secret is among them.
    pub what: String,
    /// How it ended; nothing before it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
}

impl Entry {
    fn of(step: &Step, end: Option<&End>) -> Self {
        let end = end.map(|end| match end {
            End::Failed(why) => End::Failed(cut(why)),
            other => other.clone(),
        });
        Self {
            version: VERSION,
            time: jiff::Timestamp::now(),
            step: step.id,
            service: step.service.clone(),
            what: cut(&step.op.describe()),
            end,
        }
    }
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// A journal in a file, a line of JSON for each entry. Entries of before are on the disk when the step begins.
#[derive(Debug)]
pub struct FileJournal {
    path: PathBuf,
    file: Mutex<File>,
}

impl FileJournal {
    /// Opens a journal, or makes one that only its owner can read. A symbolic link is refused.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let options = &mut OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600).custom_flags(flags);
        let file = options.open(path)?;
        drop_torn_line(&file)?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(file) })
    }

    fn write(&self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry).map_err(io::Error::other)?;
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let size = file.metadata()?.size();
        if size + line.len() as u64 > MAX_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("{} has {} MiB; begin another", self.path.display(), MAX_BYTES >> 20),
            ));
        }
        let written = file.write_all(&line).and_then(|()| file.sync_data());
        if written.is_err() {
            // the step will not begin: half a line would spoil the next one
            let _ = file.set_len(size);
        }
        written
    }
}

/// Takes away a last line that was cut off: a line that follows would continue it.
fn drop_torn_line(file: &File) -> io::Result<()> {
    let mut at = file.metadata()?.size();
    let mut byte = [0];
    while at > 0 {
        file.read_exact_at(&mut byte, at - 1)?;
        if byte == *b"\n" {
            break;
        }
        at -= 1;
    }
    if at < file.metadata()?.size() { file.set_len(at) } else { Ok(()) }
}

impl Journal for FileJournal {
    fn before(&self, step: &Step) -> io::Result<()> {
        self.write(&Entry::of(step, None))
    }

    fn after(&self, step: &Step, end: &End) {
        // the engine has what was done; a reader takes a step without an end for one to look at
        let _ = self.write(&Entry::of(step, Some(end)));
    }
}

/// A journal that cannot be read.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A line other than the last is none of ours, or of a newer form.
    #[error("{path}:{line}: {why}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
}

/// Reads a journal. A last line that was cut off by a kill or a full disk is left out: its step had not begun, or its
/// end is unknown.
///
/// # Errors
///
/// [`JournalError`]: the file cannot be read, is larger than a journal can be, or holds what no journal holds.
pub fn read_journal(path: &Path) -> Result<Vec<Entry>, JournalError> {
    let io = |source| JournalError::Io { path: path.to_owned(), source };
    let bytes = read_regular(path, MAX_BYTES, Links::Refuse).map_err(io)?;
    let mut entries = Vec::new();
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        let wrong = |why: String| JournalError::Line { path: path.to_owned(), line: at + 1, why };
        match serde_json::from_slice::<Entry>(line) {
            Ok(entry) if entry.version > VERSION => {
                return Err(wrong(format!("a newer Plimsoll wrote it (form {})", entry.version)));
            }
            Ok(entry) => entries.push(entry),
            Err(_) if lines.peek().is_none() && !line.ends_with(b"\n") => break,
            Err(error) => return Err(wrong(format!("no entry of a journal: {error}"))),
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::Op;

    fn step(id: usize) -> Step {
        Step {
            id,
            op: Op::StartContainer { container: format!("shop-api-{id}") },
            cause: "it does not run".to_owned(),
            service: Some("api".to_owned()),
            after: Vec::new(),
            finish: false,
        }
    }

    #[test]
    fn what_was_written_is_read_and_a_torn_end_is_left_out() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("journal");
        let journal = FileJournal::open(&path)?;
        journal.before(&step(0))?;
        journal.after(&step(0), &End::Failed("é".repeat(MAX_TEXT)));
        journal.before(&step(1))?;
        drop(journal);
        assert_eq!(fs::metadata(&path)?.mode() & 0o777, 0o600);
        let read = read_journal(&path)?;
        let ends: Vec<Option<End>> = read.iter().map(|entry| entry.end.clone()).collect();
        assert_eq!(ends, [None, Some(End::Failed("é".repeat(MAX_TEXT / 2))), None]);
        assert_eq!((read[2].step, read[2].what.as_str()), (1, "start shop-api-1"));

        let whole = fs::read(&path)?;
        for cut in (1..whole.len()).step_by(61).chain(whole.len() - 3..whole.len()) {
            fs::write(&path, &whole[..cut])?;
            let lines = whole[..cut].split(|byte| *byte == b'\n').count() - 1;
            // the last bracket may be there and the line's end not
            let read = read_journal(&path)?.len();
            assert!(read == lines || read == lines + 1, "{cut}");
            FileJournal::open(&path)?.before(&step(7))?;
            let entries = read_journal(&path)?;
            assert_eq!((entries.len(), entries.last().map(|entry| entry.step)), (lines + 1, Some(7)));
        }
        Ok(())
    }

    #[test]
    fn what_no_journal_holds_is_an_error_with_its_line() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("journal");
        FileJournal::open(&path)?.before(&step(0))?;
        let good = fs::read_to_string(&path)?;
        for (bad, said) in [
            ("{}\n", "no entry of a journal"),
            (good.replace("\"version\":1", "\"version\":2").as_str(), "a newer Plimsoll wrote it (form 2)"),
        ] {
            fs::write(&path, format!("{good}{bad}{good}"))?;
            let error = read_journal(&path).map_err(|error| error.to_string());
            assert!(
                error.as_ref().is_err_and(|text| text.contains(":2: ") && text.contains(said)),
                "{error:?}"
            );
        }
        assert!(matches!(read_journal(&folder.path().join("none")), Err(JournalError::Io { .. })));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link)?;
        assert!(FileJournal::open(&link).is_err() && read_journal(&link).is_err());
        Ok(())
    }
}
