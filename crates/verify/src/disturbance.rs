//! Pauses and stops that are always taken back: after the claim, after an error, after every signal, and after the death
//! of this process.
//!
//! Each of them is written down before it is done ([`Guard::note`]). A child process waits for the end of a pipe that
//! dies with us, and takes back what the note still says, also after SIGKILL. Where the child was killed as well, the
//! note stays, and the next verb that works on the project takes it back ([`take_back`]).

use std::{
    ffi::OsString,
    fs, io,
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use plimsoll_disk::{Draft, Links, PRIVATE, read_regular};
use plimsoll_engine::{Engine, EngineError};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::{claims::MeasureError, procfs::ProcFs};

/// A note may not be larger: it names a few containers.
const NOTE_LIMIT: u64 = 1 << 20;
/// So often processes are looked for that were started while the others were stopped.
const ROUNDS: usize = 5;

/// What has to be done so that the stack is as before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Undo {
    /// The container is frozen.
    Unpause(String),
    /// The container is stopped.
    Start(String),
    /// The container's processes are stopped by a signal.
    Continue(String),
}

/// What outlives this process.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Where it is written down what has to be taken back.
    pub note: PathBuf,
    /// A program that reads its standard input to the end and calls [`take_back`] then.
    pub watcher: Vec<OsString>,
}

/// Everything that is disturbed at the moment.
#[derive(Debug)]
pub(crate) struct Disturbances {
    engine: Engine,
    procfs: ProcFs,
    guard: Option<Guard>,
    open: Mutex<Vec<Undo>>,
    watcher: Mutex<Option<Child>>,
}

impl Disturbances {
    pub(crate) fn new(engine: Engine, procfs: ProcFs, guard: Option<Guard>) -> Self {
        Self { engine, procfs, guard, open: Mutex::default(), watcher: Mutex::default() }
    }

    /// Freezes a container.
    pub(crate) async fn pause(&self, container: &str) -> Result<(), MeasureError> {
        // Noted first: a pause whose answer was lost has to be taken back as well.
        self.note(Undo::Unpause(container.to_owned()))?;
        Ok(self.engine.pause_container(container).await?)
    }

    /// Lets it go on.
    pub(crate) async fn unpause(&self, container: &str) -> Result<(), MeasureError> {
        let done = self.engine.unpause_container(container).await;
        self.forget(&Undo::Unpause(container.to_owned()), done)
    }

    /// Stops a container with its own grace period.
    pub(crate) async fn stop(&self, container: &str) -> Result<(), MeasureError> {
        self.note(Undo::Start(container.to_owned()))?;
        Ok(self.engine.stop_container(container, None).await?)
    }

    /// Kills a container: no process of it can do anything about it.
    pub(crate) async fn kill(&self, container: &str) -> Result<(), MeasureError> {
        self.note(Undo::Start(container.to_owned()))?;
        self.engine.kill_container(container, "SIGKILL").await?;
        self.engine.wait_container(container).await?;
        Ok(())
    }

    /// Starts it again.
    pub(crate) async fn start(&self, container: &str) -> Result<(), MeasureError> {
        let done = self.engine.start_container(container).await;
        self.forget(&Undo::Start(container.to_owned()), done)
    }

    /// Stops every process of a container by a signal: it is dead to everybody, but commands can still be run in it.
    /// Gives the number of processes.
    pub(crate) fn halt(&self, container: &str) -> Result<usize, MeasureError> {
        self.note(Undo::Continue(container.to_owned()))?;
        let mut stopped = Vec::new();
        for _ in 0..ROUNDS {
            let new: Vec<u32> =
                pids(&self.procfs, container)?.into_iter().filter(|pid| !stopped.contains(pid)).collect();
            if new.is_empty() {
                break;
            }
            for pid in new {
                signal(pid, Signal::STOP)
                    .map_err(|error| MeasureError::io(format!("SIGSTOP to {pid}"), error))?;
                stopped.push(pid);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(stopped.len())
    }

    /// Lets them go on.
    pub(crate) fn resume(&self, container: &str) -> Result<(), MeasureError> {
        go_on(&self.procfs, container)
            .map_err(|error| MeasureError::io(format!("the processes of {container}"), error))?;
        self.forget(&Undo::Continue(container.to_owned()), Ok(()))
    }

    /// Takes back all that is open; says what could not be.
    pub(crate) async fn undo_all(&self) -> Vec<String> {
        let open = std::mem::take(&mut *self.open.lock().unwrap_or_else(PoisonError::into_inner));
        let problems = undo(&self.engine, &self.procfs, &open).await;
        if problems.is_empty() {
            let _ = self.write(&[]);
        }
        if let Some(mut watcher) = self.watcher.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // The end of its input: it finds nothing to do and ends.
            drop(watcher.stdin.take());
            let _ = watcher.wait();
        }
        problems
    }

    fn note(&self, undo: Undo) -> Result<(), MeasureError> {
        self.watch()?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.push(undo);
        self.write(&open)
    }

    fn forget(&self, undo: &Undo, done: Result<(), EngineError>) -> Result<(), MeasureError> {
        done?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|open| open != undo);
        self.write(&open)
    }

    /// Starts the process that outlives us, once.
    fn watch(&self) -> Result<(), MeasureError> {
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((program, arguments)) = self.guard.as_ref().and_then(|guard| guard.watcher.split_first())
        else {
            return Ok(());
        };
        if watcher.is_none() {
            let child = Command::new(program)
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                // The signals of a terminal go to a process group.
                .process_group(0)
                .spawn();
            *watcher =
                Some(child.map_err(|error| MeasureError::io("the process that takes back pauses", error))?);
        }
        Ok(())
    }

    fn write(&self, open: &[Undo]) -> Result<(), MeasureError> {
        let Some(guard) = &self.guard else { return Ok(()) };
        write_note(&guard.note, open)
            .map_err(|error| MeasureError::io(guard.note.display().to_string(), error))
    }
}

/// Written beside and renamed: nobody ever reads half of it. No note is nothing to do.
fn write_note(note: &Path, open: &[Undo]) -> io::Result<()> {
    if open.is_empty() {
        return match fs::remove_file(note) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    if let Some(folder) = note.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut draft = Draft::of(note, PRIVATE)?;
    draft.write_all(&serde_json::to_vec(open)?)?;
    draft.commit_to_disk()
}

fn read_note(note: &Path) -> io::Result<Vec<Undo>> {
    let text = match read_regular(note, NOTE_LIMIT, Links::Refuse) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let open: Vec<Undo> = serde_json::from_slice(&text)?;
    let named = |undo: &Undo| {
        let (Undo::Unpause(id) | Undo::Start(id) | Undo::Continue(id)) = undo;
        id.len() >= 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    // Processes are found by the id: what is none would be found in every one of them.
    if open.iter().all(named) {
        Ok(open)
    } else {
        Err(io::Error::other("it names something that is no container"))
    }
}

/// Takes back what a measurement that was killed has left paused or stopped; says what was done. Without a note there is
/// nothing to do.
pub async fn take_back(engine: &Engine, note: &Path) -> Result<Vec<String>, String> {
    let open = read_note(note).map_err(|error| format!("{}: {error}", note.display()))?;
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let problems = undo(engine, &ProcFs::new("/proc"), &open).await;
    if !problems.is_empty() {
        return Err(problems.join("; "));
    }
    write_note(note, &[]).map_err(|error| format!("{}: {error}", note.display()))?;
    let done = |undo: &Undo| match undo {
        Undo::Unpause(id) => format!("unpaused {}", short(id)),
        Undo::Start(id) => format!("started {}", short(id)),
        Undo::Continue(id) => format!("continued the processes of {}", short(id)),
    };
    Ok(open.iter().map(done).collect())
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

async fn undo(engine: &Engine, procfs: &ProcFs, open: &[Undo]) -> Vec<String> {
    let mut problems = Vec::new();
    for undo in open.iter().rev() {
        let done = match undo {
            Undo::Unpause(container) => engine.unpause_container(container).await,
            Undo::Start(container) => engine.start_container(container).await,
            Undo::Continue(container) => {
                if let Err(error) = go_on(procfs, container) {
                    problems.push(format!("the processes of {}: {error}", short(container)));
                }
                continue;
            }
        };
        // A container that was not paused after all, or is gone, is in the wanted state.
        if let Err(error) = done
            && !matches!(error, EngineError::Conflict { .. } | EngineError::NotFound { .. })
            && !error.to_string().contains("is not paused")
        {
            problems.push(error.to_string());
        }
    }
    problems
}

fn pids(procfs: &ProcFs, container: &str) -> Result<Vec<u32>, MeasureError> {
    procfs.in_cgroup(container).map_err(|error| MeasureError::io("the list of processes", error))
}

fn go_on(procfs: &ProcFs, container: &str) -> io::Result<()> {
    for pid in procfs.in_cgroup(container)? {
        signal(pid, Signal::CONT)?;
    }
    Ok(())
}

fn signal(pid: u32, signal: Signal) -> io::Result<()> {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(()) };
    match kill_process(pid, signal) {
        // It has ended in the meantime.
        Err(rustix::io::Errno::SRCH) | Ok(()) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written_and_goes_when_all_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let note = dir.path().join("state/disturbed.json");
        assert_eq!(read_note(&note).unwrap(), []);
        let open = [Undo::Unpause("f00d".repeat(16)), Undo::Continue("beef".repeat(16))];
        write_note(&note, &open).unwrap();
        assert_eq!(read_note(&note).unwrap(), open);
        write_note(&note, &[]).unwrap();
        write_note(&note, &[]).unwrap();
        assert!(!note.exists());
    }

    #[test]
    fn a_link_that_lies_where_a_draft_once_was_is_not_followed_and_a_failure_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (note, other) = (dir.path().join("disturbed.json"), dir.path().join("other"));
        fs::write(&other, "mine").unwrap();
        std::os::unix::fs::symlink(&other, note.with_extension("draft")).unwrap();
        let open = [Undo::Start("f00d".repeat(16))];
        write_note(&note, &open).unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
        assert_eq!(read_note(&note).unwrap(), open);

        let folder = dir.path().join("state");
        fs::create_dir_all(folder.join("disturbed.json/full")).unwrap();
        write_note(&folder.join("disturbed.json"), &open).unwrap_err();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn a_note_that_names_no_container_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let note = dir.path().join("disturbed.json");
        for text in ["", "{", "[{\"continue\":\"\"}]", "[{\"continue\":\"docker/docker/docker\"}]", "[1]"] {
            fs::write(&note, text).unwrap();
            assert!(read_note(&note).is_err(), "{text}");
        }
    }
}
