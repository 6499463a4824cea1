//! Doing a step: running, copying or making a directory, and noting what it gave.

use std::{
    collections::HashMap,
    fs,
    sync::{Arc, PoisonError},
    time::Instant,
};

use plimsoll_image::Layer;
use plimsoll_sandbox::SandboxError;

use super::{Solver, lookup::Lookup, threads::Finished};
use crate::{
    copying::{self, Prepared, Previous},
    error::BuildError,
    explain::{Reason, Record},
    graph::{Op, RunMount, TreeRef},
    index::{Entry, now},
    key::{Key, Part},
    progress::{Event, Outcome},
    run::{self, Surroundings},
    snapshot::Snapshot,
    tree::Tree,
};

/// What is left to do for a step whose key is not in the cache.
pub(super) struct Work {
    pub(super) key: Key,
    pub(super) parts: Vec<Part>,
    pub(super) reason: Reason,
    pub(super) action: Action,
    /// What the step was the last time.
    pub(super) before: Option<Record>,
}

/// What a step does once its key is known, with what finding the key told.
pub(super) enum Action {
    Run,
    Copy(Prepared),
    Workdir((u32, u32)),
}

impl Solver<'_> {
    /// Does a step, in a thread of its own.
    pub(super) fn work(&self, node: usize, work: Work) -> Finished {
        let start = Instant::now();
        let Work { key, parts, reason, action, before } = work;
        self.started(node);
        let result = self.once(node, key, &parts, action, before);
        let outcome = match &result {
            Ok(_) => Outcome::Done(&reason),
            Err(_) if self.cancel.is_cancelled() => Outcome::Stopped,
            Err(_) => Outcome::Failed,
        };
        let elapsed = start.elapsed();
        self.progress.event(&Event::Finished { step: node, outcome, elapsed });
        Finished { node, key, reason, elapsed, result }
    }

    /// Does a step, unless another build that shares the builder just did it.
    fn once(
        &self,
        node: usize,
        key: Key,
        parts: &[Part],
        action: Action,
        before: Option<Record>,
    ) -> Result<Snapshot, BuildError> {
        let Some(_flight) = self.flights.take(key, &self.cancel) else {
            return Err(BuildError::Sandbox(SandboxError::Cancelled));
        };
        let parent = self.snapshot(self.graph.nodes[node].parent);
        if !self.must_run(node, &key)
            && let Lookup::Hit(snapshot) = self.lookup(&key, &parent)?
        {
            return Ok(snapshot);
        }
        let (layer, parent) = self.do_step(node, action, before)?;
        self.still_as_read(node, &key, &parent)?;
        let created = now();
        let entry = Entry { layer: layer.as_ref().map(|layer| layer.id), created };
        self.caches.index.put(key, entry);
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        self.remember(node, key, parts);
        Ok(parent.with(layer.as_ref(), created))
    }

    /// A RUN reads mounted files of a context in place, long after its key was made of them: what it gave counts for the
    /// key only if they did not change meanwhile.
    fn still_as_read(&self, node: usize, key: &Key, parent: &Snapshot) -> Result<(), BuildError> {
        let Op::Run(op) = &self.graph.nodes[node].op else { return Ok(()) };
        let targets: Vec<&str> = op
            .mounts
            .iter()
            .filter_map(|mount| match mount {
                RunMount::Bind { from: TreeRef::Context(_), target, .. } => Some(target.as_str()),
                _ => None,
            })
            .collect();
        if targets.is_empty() {
            return Ok(());
        }
        let now: HashMap<String, Tree> =
            self.contexts.iter().map(|(name, tree)| (name.clone(), tree.again())).collect();
        let key_again = |surroundings: &Surroundings<'_>| run::key(op, parent, surroundings);
        match self.with_surroundings_in(node, &now, key_again) {
            Ok((again, _)) if again == *key => Ok(()),
            _ => {
                let title = format!("files mounted on {} changed while the step ran", targets.join(", "));
                Err(self.problem(node, title, Some("build again when nothing writes to the context")).into())
            }
        }
    }

    fn do_step(
        &self,
        node: usize,
        action: Action,
        before: Option<Record>,
    ) -> Result<(Option<Layer>, Arc<Snapshot>), BuildError> {
        let step = &self.graph.nodes[node];
        let parent = self.snapshot(step.parent);
        let layer = match (&step.op, action) {
            (Op::Copy(op), Action::Copy(prepared)) => {
                let before = before.and_then(|record| self.previous(record));
                let before = before.as_ref();
                self.with_sources(&op.from, |sources| {
                    copying::copy(
                        op,
                        prepared,
                        sources,
                        &parent,
                        before,
                        &self.caches,
                        self.store,
                        &self.seal,
                    )
                })
                .map_err(|error| self.copy_failed(node, &error))?
            }
            (Op::Workdir(op), Action::Workdir(owner)) => Some(
                copying::workdir(op, owner, &parent, self.store, &self.seal)
                    .map_err(|error| self.copy_failed(node, &error))?,
            ),
            (Op::Run(op), Action::Run) => {
                fs::create_dir_all(&self.logs)
                    .map_err(|error| BuildError::io("make the log directory", &self.logs, error))?;
                let log = self.logs.join(format!("{node:03}.log"));
                let mut output = |stream, bytes: &[u8]| {
                    self.progress.event(&Event::Output { step: node, stream, bytes });
                };
                self.with_surroundings(node, |surroundings| {
                    run::run(op, &parent, surroundings, &self.seal, &log, &mut output)
                })
                .map_err(|error| self.run_failed(node, error))?
            }
            // `probe` made both from the same step
            _ => None,
        };
        Ok((layer, parent))
    }

    /// The layer that a step made the last time, if it is still there.
    fn previous(&self, record: Record) -> Option<Previous> {
        let layer = self.caches.index.get(&record.key)?.layer?;
        let layer = self.store.usable_layer(&layer).ok()??;
        Some(Previous { layer, parts: record.parts })
    }
}
