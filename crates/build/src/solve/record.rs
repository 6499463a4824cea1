//! What a step was the last time: its key's parts, kept so that the next miss can be explained.

use std::{fs, path::PathBuf, sync::PoisonError};

use super::Solver;
use crate::{
    explain::{Reason, Record, compare},
    key::{Key, KeyBuilder, Part},
};

impl Solver<'_> {
    /// What a step is called across builds: its context, Dockerfile, stage and number, whatever its text.
    pub(super) fn identity(&self, node: usize) -> Key {
        let mut key = KeyBuilder::new("step 2");
        key.part("context", self.request.context.as_os_str().as_encoded_bytes());
        key.part("dockerfile", self.request.dockerfile.name());
        if let Some(step) = &self.graph.nodes[node].title.step {
            key.part("stage", step.stage.as_deref().unwrap_or_default());
            key.part("index", step.index.to_string());
        }
        key.finish().0
    }

    fn record_file(&self, step: &Key) -> PathBuf {
        self.dir.join("explain").join(format!("{step}.json"))
    }

    /// Keeps the parts of a key, so that the next miss of this step can be explained.
    pub(super) fn remember(&self, node: usize, key: Key, parts: &[Part]) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(node, key);
        let step = self.identity(node);
        if self.caches.index.step(&step) == Some(key) {
            return;
        }
        self.caches.index.put_step(step, key);
        let file = self.record_file(&step);
        // What cannot be kept is only not explained.
        let record = Record { key, parts: parts.to_vec() };
        if let (Some(folder), Ok(text)) = (file.parent(), serde_json::to_vec(&record)) {
            let _ = fs::create_dir_all(folder);
            let _ = plimsoll_disk::replace(&file, &text, plimsoll_disk::USUAL);
        }
    }

    pub(super) fn explain(&self, node: usize, parts: &[Part]) -> (Reason, Option<Record>) {
        let file = self.record_file(&self.identity(node));
        let before = fs::read(file).ok().and_then(|text| serde_json::from_slice::<Record>(&text).ok());
        let Some(before) = before else { return (Reason::New, None) };
        let changes = compare(&before.parts, parts);
        let reason = if changes.is_empty() { Reason::Pruned } else { Reason::Changed(changes) };
        (reason, Some(before))
    }
}
