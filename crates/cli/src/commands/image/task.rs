//! Work of a build beside its steps, as `--progress=rawjson` tells it: vertexes of their own with BuildKit's statuses.

use std::{
    collections::HashMap,
    io::{self, Write},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use plimsoll_image::registry::Progress as Transferred;
use serde_json::{Value, json};

use super::rawjson::{digest, now, status, write};

/// Work beside the steps: an image that is pulled, a result that is written. A vertex of its own, with a status for each
/// thing that moves.
pub(crate) struct Task {
    vertex: Value,
    digest: String,
    /// id -> its size, and when it began to move
    moving: Mutex<HashMap<String, (Option<u64>, String)>>,
}

impl Task {
    /// Begins it.
    pub(crate) fn begin(name: &str) -> Self {
        let digest = digest(name);
        let vertex = json!({ "digest": digest, "name": name, "started": now() });
        write(&json!({ "vertexes": [vertex] }));
        Self { vertex, digest, moving: Mutex::default() }
    }

    /// Something begins to move; `total` is its size, if that is known.
    pub(crate) fn moves(&self, id: &str, total: Option<u64>) {
        let began = now();
        status(&self.digest, id, (0, total), &began, None);
        self.moving().insert(id.to_owned(), (total, began));
    }

    /// So much of it has moved.
    pub(crate) fn moved(&self, id: &str, current: u64) {
        if let Some((total, began)) = self.moving().get(id) {
            status(&self.digest, id, (current, *total), began, None);
        }
    }

    /// All of it has moved: `bytes` where they are known only now.
    pub(crate) fn arrived(&self, id: &str, bytes: Option<u64>) {
        if let Some((total, began)) = self.moving().remove(id) {
            let total = bytes.or(total);
            status(&self.digest, id, (total.unwrap_or(0), total), &began, Some(&now()));
        }
    }

    /// What a registry says of a transfer. What is on the other side already does not move.
    pub(crate) fn transfer(&self, progress: &Transferred) {
        match progress {
            Transferred::Known { .. } => {}
            Transferred::Started { digest, bytes } => self.moves(&digest.to_string(), Some(*bytes)),
            Transferred::Moved { digest, bytes } => self.moved(&digest.to_string(), *bytes),
            Transferred::Finished { digest } => self.arrived(&digest.to_string(), None),
        }
    }

    /// Ends it; `why` is the reason of a failure.
    pub(crate) fn end(self, why: Option<&str>) {
        let mut vertex = self.vertex;
        vertex["completed"] = now().into();
        if let Some(why) = why {
            vertex["error"] = why.into();
        }
        write(&json!({ "vertexes": [vertex] }));
    }

    fn moving(&self) -> MutexGuard<'_, HashMap<String, (Option<u64>, String)>> {
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What BuildKit calls an archive on its way out.
pub(super) const TARBALL: &str = "sending tarball";

/// Between two words about how much is written.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// Counts what is written.
pub(super) struct Counted<'t, W> {
    inner: W,
    bytes: u64,
    told: Instant,
    task: Option<&'t Task>,
}

impl<'t, W: Write> Counted<'t, W> {
    /// Begins to count.
    pub(super) fn new(inner: W, task: Option<&'t Task>) -> Self {
        if let Some(task) = task {
            task.moves(TARBALL, None);
        }
        Self { inner, bytes: 0, told: Instant::now(), task }
    }

    /// All is written.
    pub(super) fn end(&mut self) {
        if let Some(task) = self.task {
            task.arrived(TARBALL, Some(self.bytes));
        }
    }
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bytes += written as u64;
        if let Some(task) = self.task.filter(|_| self.told.elapsed() >= TELL_EVERY) {
            self.told = Instant::now();
            task.moved(TARBALL, self.bytes);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
