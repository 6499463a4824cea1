//! Whether a step is in the cache, and if not, what is left to do for it and why.

use std::sync::PoisonError;

use super::{
    Solver,
    work::{Action, Work},
};
use crate::{
    copying::{self, Prepared, Recall, Workdir},
    error::BuildError,
    explain::Reason,
    graph::{CopyOp, Op, TreeRef},
    index::Entry,
    key::Key,
    run,
    snapshot::Snapshot,
};

/// What is known of a step before anything is done for it.
pub(super) enum Probe {
    /// Its files are there already.
    Done(Snapshot),
    Work(Work),
}

/// What the cache answers to a key.
pub(super) enum Lookup {
    Hit(Snapshot),
    /// The key is not known.
    Miss,
    /// The key is known, but its layer is gone.
    Pruned,
}

/// A COPY whose files may all be as the last time.
enum Copied {
    Hit(Snapshot),
    Prepared(Box<Prepared>),
}

impl Solver<'_> {
    /// Finds out whether a step is in the cache, and if not, why.
    pub(super) fn probe(&self, node: usize) -> Result<Probe, BuildError> {
        let step = &self.graph.nodes[node];
        let parent = self.snapshot(step.parent);
        let (key, parts, action) = match &step.op {
            Op::Image { layers, .. } => {
                let mut snapshot = Snapshot::empty();
                for id in layers {
                    snapshot = snapshot.with(Some(&self.store.require_layer(id)?), 0);
                }
                return Ok(Probe::Done(snapshot));
            }
            Op::Workdir(op) => {
                match copying::prepare_workdir(op, &parent).map_err(|error| self.copy_failed(node, &error))? {
                    Workdir::Exists => return Ok(Probe::Done(parent.with(None, parent.created))),
                    Workdir::Make { key, parts, owner } => (key, parts, Action::Workdir(owner)),
                }
            }
            Op::Copy(op) => match self.probe_copy(node, op, &parent)? {
                Copied::Hit(snapshot) => return Ok(Probe::Done(snapshot)),
                Copied::Prepared(prepared) => (prepared.key, prepared.parts.clone(), Action::Copy(*prepared)),
            },
            Op::Run(op) => {
                let (key, parts) = self
                    .with_surroundings(node, |surroundings| run::key(op, &parent, surroundings))
                    .map_err(|error| self.run_failed(node, error))?;
                (key, parts, Action::Run)
            }
        };
        let (reason, before) = if self.must_run(node, &key) {
            (Reason::NoCache, None)
        } else {
            match self.lookup(&key, &parent)? {
                Lookup::Hit(snapshot) => {
                    self.remember(node, key, &parts);
                    return Ok(Probe::Done(snapshot));
                }
                Lookup::Pruned => (Reason::Pruned, None),
                Lookup::Miss => self.explain(node, &parts),
            }
        };
        Ok(Probe::Work(Work { key, parts, reason, action, before }))
    }

    /// Prepares a COPY or ADD. Where no time stamp differs from the last time, the key is the one of then, and what the
    /// cache has for it is the answer.
    fn probe_copy(&self, node: usize, op: &CopyOp, parent: &Snapshot) -> Result<Copied, BuildError> {
        if op.from == TreeRef::Empty && !op.paths.is_empty() {
            let path = op.paths.first().map_or("", String::as_str);
            return Err(self.problem(node, format!("\"{path}\": not found"), None).into());
        }
        let step = self.identity(node);
        let fetched = self.fetched(node, op).map_err(|error| self.copy_failed(node, &error))?;
        let prepare = |trust: bool| {
            let fetched = fetched.clone();
            let recall = Recall { step, trust };
            self.with_sources(&op.from, |sources| {
                copying::prepare_copy(op, fetched, sources, parent, &self.caches, &recall)
            })
            .map_err(|error| self.copy_failed(node, &error))
        };
        let prepared = prepare(true)?;
        if !prepared.unchanged {
            return Ok(Copied::Prepared(Box::new(prepared)));
        }
        let key = prepared.key;
        if !self.must_run(node, &key)
            && self.caches.index.step(&step) == Some(key)
            && let Lookup::Hit(snapshot) = self.lookup(&key, parent)?
        {
            self.remember(node, key, &[]);
            return Ok(Copied::Hit(snapshot));
        }
        Ok(Copied::Prepared(Box::new(prepare(false)?)))
    }

    /// Whether a step has to run though the cache may know its key: `--no-cache`, of all stages or of its own.
    pub(super) fn must_run(&self, node: usize, key: &Key) -> bool {
        let step = self.graph.nodes[node].title.step.as_ref();
        let stage = step.and_then(|step| step.stage.as_deref());
        let named = |name: &String| stage.is_some_and(|stage| stage.eq_ignore_ascii_case(name));
        (self.request.no_cache || self.request.no_cache_stages.iter().any(named))
            && !self.fresh.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }

    pub(super) fn lookup(&self, key: &Key, parent: &Snapshot) -> Result<Lookup, BuildError> {
        let Some(entry) = self.caches.index.get(key).or_else(|| self.restored(key)) else {
            return Ok(Lookup::Miss);
        };
        let layer = match &entry.layer {
            None => None,
            Some(id) => match self.store.usable_layer(id)? {
                Some(layer) => Some(layer),
                None => match self.restored(key).and_then(|entry| entry.layer) {
                    Some(id) => self.store.layer(&id)?,
                    None => return Ok(Lookup::Pruned),
                },
            },
        };
        Ok(Lookup::Hit(parent.with(layer.as_ref(), entry.created)))
    }

    /// The result of a key that a cache from elsewhere knows; it is in the index from then on.
    fn restored(&self, key: &Key) -> Option<Entry> {
        let found = self.request.imports.iter().find_map(|source| source.find(key, self.store))?;
        let entry = Entry { layer: found.layer, created: found.created };
        self.caches.index.put(*key, entry);
        Some(entry)
    }
}
