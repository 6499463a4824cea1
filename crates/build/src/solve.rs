//! Does what the graph says: independent steps at once, each key once, nothing that the cache knows.

mod failure;
mod line_ends;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use plimsoll_image::{Layer, SealOptions, Store};
use plimsoll_sandbox::{Cancel, Limits, SandboxError};

use crate::{
    copying::{self, Caches, CopyError, Fetched, Prepared, Previous, Recall, Sources, Workdir},
    error::BuildError,
    explain::{Reason, Record, compare},
    flight::Flights,
    graph::{CopyOp, Graph, Node, Op, RunMount, TreeRef},
    index::{Entry, now},
    key::{Key, KeyBuilder, Part},
    progress::{Event, Outcome, Progress},
    remote::Transfer,
    request::{BuildRequest, StepReport},
    run::{self, Surroundings, TreeSource},
    schedule::Schedule,
    snapshot::Snapshot,
    tree::Tree,
    wreck::Wreck,
};

/// Many steps wait for the network, so that even on few processors some may run at once.
const MIN_PARALLEL: usize = 4;

/// Downloads at the same time.
const MAX_DOWNLOADS: usize = 6;

/// How long a cancelled build goes on at most.
const PATIENCE: Duration = Duration::from_millis(100);

/// What a solver works with.
pub(crate) struct Solver<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) request: &'a BuildRequest,
    pub(crate) store: &'a Store,
    pub(crate) caches: Caches<'a>,
    pub(crate) flights: &'a Flights,
    /// The builder's directory.
    pub(crate) dir: &'a Path,
    /// Where this build's logs go; made when the first step runs.
    pub(crate) logs: PathBuf,
    /// Trees of the host's directories by name.
    pub(crate) contexts: &'a HashMap<String, Tree>,
    pub(crate) seal: SealOptions,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) cancel: Cancel,
    pub(crate) limits: Limits,
    pub(crate) done: Mutex<Vec<Option<Arc<Snapshot>>>>,
    /// What this build did itself, which counts as cached also under `--no-cache`.
    pub(crate) fresh: Mutex<HashSet<Key>>,
    /// What steps download, once it is here.
    pub(crate) arrived: Mutex<HashMap<usize, Result<Vec<Fetched>, CopyError>>>,
    /// The keys that were needed, by step.
    pub(crate) used: Mutex<BTreeMap<usize, Key>>,
    /// Steps that failed, by number, for as long as somebody may want to enter them.
    pub(crate) wrecks: Mutex<BTreeMap<usize, Box<Wreck>>>,
}

/// What is left to do for a step whose key is not in the cache.
struct Work {
    key: Key,
    parts: Vec<Part>,
    reason: Reason,
    what: What,
    /// What the step was the last time.
    before: Option<Record>,
}

enum What {
    Run,
    Copy(Prepared),
    Workdir((u32, u32)),
}

enum Probe {
    Done(Snapshot),
    Work(Work),
}

/// What threads tell.
enum Message {
    Finished(Box<Finished>),
    /// The downloads of this step are here, or cannot be had.
    Arrived(usize),
    /// The thread that did this step, or fetched for it, panicked.
    Died {
        node: usize,
        did: bool,
    },
}

/// Tells of a thread that ends before it could say anything, so that nobody waits for it.
struct Obituary {
    node: usize,
    /// The thread did the step.
    did: bool,
    sender: mpsc::Sender<Message>,
}

impl Drop for Obituary {
    fn drop(&mut self) {
        if thread::panicking() {
            // The receiver lives as long as the scope of the threads.
            let _ = self.sender.send(Message::Died { node: self.node, did: self.did });
        }
    }
}

struct Finished {
    node: usize,
    key: Key,
    reason: Reason,
    elapsed: Duration,
    result: Result<Snapshot, BuildError>,
}

/// What all steps gave.
pub(crate) struct Solved {
    pub(crate) snapshots: Vec<Arc<Snapshot>>,
    pub(crate) reports: Vec<StepReport>,
}

impl Solver<'_> {
    /// Does everything. On the first failure the other steps are stopped.
    pub(crate) fn solve(&self) -> Result<Solved, BuildError> {
        let count = self.graph.nodes.len();
        let mut schedule = Schedule::new(self.graph);
        let limit = self
            .request
            .parallelism
            .unwrap_or_else(|| {
                thread::available_parallelism().map_or(MIN_PARALLEL, usize::from).max(MIN_PARALLEL)
            })
            .max(1);
        let chain = self.graph.chain();
        let mut reports: Vec<Option<StepReport>> = vec![None; count];
        let mut failure = None;
        thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel::<Message>();
            // A download holds up nobody but the step that needs it.
            let downloads = self.downloads();
            let mut fetching = downloads.len();
            for node in &downloads {
                schedule.hold(*node);
            }
            let waiting = Arc::new(Mutex::new(VecDeque::from(downloads)));
            for _ in 0..fetching.min(MAX_DOWNLOADS) {
                let (waiting, sender) = (waiting.clone(), sender.clone());
                scope.spawn(move || self.download(&waiting, &sender));
            }
            let mut queue: VecDeque<(usize, Work)> = VecDeque::new();
            // key being worked on -> other steps with the same key
            let mut flights: HashMap<Key, Vec<usize>> = HashMap::new();
            let mut running = 0;
            loop {
                while failure.is_none()
                    && let Some(node) = schedule.next()
                {
                    let start = Instant::now();
                    match self.probe(node) {
                        Ok(Probe::Done(snapshot)) => {
                            self.cached(node, start.elapsed(), &mut reports);
                            self.complete(node, snapshot, &mut schedule);
                        }
                        Ok(Probe::Work(work)) => match flights.get_mut(&work.key) {
                            Some(waiting) => waiting.push(node),
                            None => {
                                flights.insert(work.key, Vec::new());
                                queue.push_back((node, work));
                            }
                        },
                        Err(error) => {
                            self.cancel.cancel();
                            failure = Some((node, error));
                        }
                    }
                }
                if failure.is_none() && self.is_cancelled_from_outside() {
                    self.cancel.cancel();
                    failure = Some((usize::MAX, BuildError::Sandbox(SandboxError::Cancelled)));
                }
                while failure.is_none() && running < limit {
                    let Some((node, work)) = queue.pop_front() else { break };
                    running += 1;
                    let sender = sender.clone();
                    let in_image = chain.contains(&node);
                    scope.spawn(move || {
                        let obituary = Obituary { node, did: true, sender: sender.clone() };
                        let finished = self.work(node, work);
                        drop(obituary);
                        let layer = finished.result.as_ref().ok().and_then(|it| it.layers.last().copied());
                        // The receiver lives as long as this scope.
                        let _ = sender.send(Message::Finished(Box::new(finished)));
                        // The image needs the digest of the layer's tar, and other steps run meanwhile. What fails
                        // here fails again where the image is made.
                        if let Some(layer) = layer.filter(|_| in_image) {
                            let stop = || self.cancel.is_cancelled() || self.is_cancelled_from_outside();
                            let _ = self.store.prepare_diff_id(&layer, &stop);
                        }
                    });
                }
                if running == 0 && (fetching == 0 || failure.is_some()) {
                    break;
                }
                let finished = match receiver.recv_timeout(PATIENCE) {
                    Ok(Message::Finished(finished)) => finished,
                    Ok(Message::Arrived(node)) => {
                        fetching -= 1;
                        schedule.release(node);
                        continue;
                    }
                    // leaving the scope passes the panic on
                    Ok(Message::Died { node, did }) => {
                        running -= usize::from(did);
                        self.cancel.cancel();
                        failure.get_or_insert((node, BuildError::Sandbox(SandboxError::Cancelled)));
                        continue;
                    }
                    Err(mpsc::RecvTimeoutError::Timeout) => continue,
                    Err(mpsc::RecvTimeoutError::Disconnected) => break,
                };
                running -= 1;
                let node = finished.node;
                match finished.result {
                    Ok(snapshot) => {
                        reports[node] = Some(self.report(node, Some(finished.reason), finished.elapsed));
                        self.complete(node, snapshot, &mut schedule);
                        // The others find the key in the index now.
                        for waiting in flights.remove(&finished.key).unwrap_or_default() {
                            schedule.again(waiting);
                        }
                    }
                    // The steps that were stopped because of the first failure say nothing new.
                    Err(error) => {
                        if failure.is_none() {
                            self.cancel.cancel();
                            failure = Some((node, error));
                        }
                    }
                }
            }
        });
        if let Some((node, error)) = failure {
            self.offer_wreck(node, &error);
            return Err(error);
        }
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Solved {
            snapshots: done.iter().flatten().cloned().collect(),
            reports: reports.into_iter().flatten().collect(),
        })
    }

    /// Nothing runs any more: whoever wants to may enter the step that failed.
    fn offer_wreck(&self, node: usize, error: &BuildError) {
        let wreck = self.wrecks.lock().unwrap_or_else(PoisonError::into_inner).remove(&node);
        if let (Some(on_failure), Some(mut wreck)) = (&self.request.on_failure, wreck)
            && !self.is_cancelled_from_outside()
        {
            wreck.stop_with(self.request.cancel.clone());
            on_failure.failed(error, &mut wreck);
        }
    }

    /// The steps that download something.
    fn downloads(&self) -> Vec<usize> {
        let downloads = |node: &Node| matches!(&node.op, Op::Copy(op) if !op.downloads.is_empty());
        let nodes = self.graph.nodes.iter().enumerate();
        nodes.filter(|(_, node)| downloads(node)).map(|(number, _)| number).collect()
    }

    /// Fetches for one step after the other, in a thread of its own.
    fn download(&self, waiting: &Mutex<VecDeque<usize>>, sender: &mpsc::Sender<Message>) {
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(node) = next.filter(|_| !self.cancel.is_cancelled()) else { return };
            let obituary = Obituary { node, did: false, sender: sender.clone() };
            if let Op::Copy(op) = &self.graph.nodes[node].op {
                let fetched = copying::fetch(op, self.caches.remotes);
                self.arrived.lock().unwrap_or_else(PoisonError::into_inner).insert(node, fetched);
            }
            drop(obituary);
            // The receiver lives as long as this scope.
            let _ = sender.send(Message::Arrived(node));
        }
    }

    /// What a step downloads; an error is told once.
    fn fetched(&self, node: usize, op: &CopyOp) -> Result<Vec<Fetched>, CopyError> {
        let mut arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        match arrived.get(&node) {
            Some(Ok(fetched)) => Ok(fetched.clone()),
            Some(Err(_)) => arrived.remove(&node).unwrap_or_else(|| Ok(Vec::new())),
            None if op.downloads.is_empty() => Ok(Vec::new()),
            None => copying::fetch(op, self.caches.remotes),
        }
    }

    /// The caller's wish is not the same as our own `cancel`: several builds may share the former.
    fn is_cancelled_from_outside(&self) -> bool {
        self.request.cancel.as_ref().is_some_and(plimsoll_sandbox::Cancel::is_cancelled)
    }

    fn snapshot(&self, node: Option<usize>) -> Arc<Snapshot> {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        node.and_then(|node| done.get(node).cloned().flatten()).unwrap_or_else(|| Arc::new(Snapshot::empty()))
    }

    fn complete(&self, node: usize, snapshot: Snapshot, schedule: &mut Schedule) {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)[node] = Some(Arc::new(snapshot));
        // Whatever ends this process now, the step is not done again. What cannot be noted is told at the build's end.
        let _ = self.caches.index.note();
        let _ = self.caches.stat.save_sometimes();
        schedule.complete(node);
    }

    fn report(&self, node: usize, ran: Option<Reason>, elapsed: Duration) -> StepReport {
        let node = &self.graph.nodes[node];
        StepReport {
            title: node.title.clone(),
            line: node.place.as_ref().map(crate::graph::Place::line),
            ran,
            elapsed,
        }
    }

    fn started(&self, node: usize) {
        let step = &self.graph.nodes[node];
        let inputs = step.waits_for();
        self.progress.event(&Event::Started { step: node, title: &step.title, inputs: &inputs });
        let transfers: Vec<Transfer> = {
            let arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
            let fetched = arrived.get(&node).and_then(|fetched| fetched.as_ref().ok());
            fetched.into_iter().flatten().filter_map(Fetched::transfer).cloned().collect()
        };
        for transfer in &transfers {
            self.progress.event(&Event::Fetched { step: node, transfer });
        }
    }

    fn cached(&self, node: usize, elapsed: Duration, reports: &mut [Option<StepReport>]) {
        self.started(node);
        self.progress.event(&Event::Finished { step: node, outcome: Outcome::Cached, elapsed });
        reports[node] = Some(self.report(node, None, elapsed));
    }

    /// Finds out whether a step is in the cache, and if not, why.
    fn probe(&self, node: usize) -> Result<Probe, BuildError> {
        let step = &self.graph.nodes[node];
        let parent = self.snapshot(step.parent);
        let (key, parts, what) = match &step.op {
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
                    Workdir::Make { key, parts, owner } => (key, parts, What::Workdir(owner)),
                }
            }
            Op::Copy(op) => {
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
                        copying::prepare_copy(op, fetched, sources, &parent, &self.caches, &recall)
                    })
                    .map_err(|error| self.copy_failed(node, &error))
                };
                let mut prepared = prepare(true)?;
                if prepared.unchanged {
                    let key = prepared.key;
                    if !self.must_run(node, &key)
                        && self.caches.index.step(&step) == Some(key)
                        && let Ok(snapshot) = self.lookup(&key, &parent)?
                    {
                        self.remember(node, key, &[]);
                        return Ok(Probe::Done(snapshot));
                    }
                    prepared = prepare(false)?;
                }
                (prepared.key, prepared.parts.clone(), What::Copy(prepared))
            }
            Op::Run(op) => {
                let (key, parts) = self
                    .with_surroundings(node, |surroundings| run::key(op, &parent, surroundings))
                    .map_err(|error| self.run_failed(node, error))?;
                (key, parts, What::Run)
            }
        };
        let (reason, before) = if self.must_run(node, &key) {
            (Reason::NoCache, None)
        } else {
            match self.lookup(&key, &parent)? {
                Ok(snapshot) => {
                    self.remember(node, key, &parts);
                    return Ok(Probe::Done(snapshot));
                }
                Err(pruned) if pruned => (Reason::Pruned, None),
                Err(_) => self.explain(node, &parts),
            }
        };
        Ok(Probe::Work(Work { key, parts, reason, what, before }))
    }

    fn must_run(&self, node: usize, key: &Key) -> bool {
        let title = &self.graph.nodes[node].title;
        let stage = |name: &String| {
            let rest = title.strip_prefix('[').and_then(|rest| rest.get(name.len()..));
            rest.is_some_and(|rest| rest.starts_with(' ')) && title[1..=name.len()].eq_ignore_ascii_case(name)
        };
        (self.request.no_cache || self.request.no_cache_stages.iter().any(stage))
            && !self.fresh.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }

    /// The result of a known key; `Err(true)` when its layer is gone.
    fn lookup(&self, key: &Key, parent: &Snapshot) -> Result<Result<Snapshot, bool>, BuildError> {
        let Some(entry) = self.caches.index.get(key).or_else(|| self.restored(key)) else {
            return Ok(Err(false));
        };
        let layer = match &entry.layer {
            None => None,
            Some(id) => match self.store.usable_layer(id)? {
                Some(layer) => Some(layer),
                None => match self.restored(key).and_then(|entry| entry.layer) {
                    Some(id) => self.store.layer(&id)?,
                    None => return Ok(Err(true)),
                },
            },
        };
        Ok(Ok(parent.with(layer.as_ref(), entry.created)))
    }

    /// The result of a key that a cache from elsewhere knows; it is in the index from then on.
    fn restored(&self, key: &Key) -> Option<Entry> {
        let found = self.request.imports.iter().find_map(|source| source.find(key, self.store))?;
        let entry = Entry { layer: found.layer, created: found.created };
        self.caches.index.put(*key, entry);
        Some(entry)
    }

    fn with_sources<T>(&self, from: &TreeRef, then: impl FnOnce(&Sources<'_>) -> T) -> T {
        match from {
            TreeRef::Node(node) => {
                let snapshot = self.snapshot(Some(*node));
                then(&Sources::Snapshot(&snapshot, &self.graph.nodes[*node].title))
            }
            TreeRef::Context(name) => match self.contexts.get(name) {
                Some(tree) => then(&Sources::Context(tree, name)),
                None => then(&Sources::Snapshot(&Snapshot::empty(), name)),
            },
            TreeRef::Empty => then(&Sources::Snapshot(&Snapshot::empty(), "nothing")),
        }
    }

    fn with_surroundings<T>(&self, node: usize, then: impl FnOnce(&Surroundings<'_>) -> T) -> T {
        self.with_surroundings_in(node, self.contexts, then)
    }

    fn with_surroundings_in<T>(
        &self,
        node: usize,
        contexts: &HashMap<String, Tree>,
        then: impl FnOnce(&Surroundings<'_>) -> T,
    ) -> T {
        let trees = |from: &TreeRef| match from {
            TreeRef::Node(node) => TreeSource::Snapshot(self.snapshot(Some(*node))),
            TreeRef::Context(name) => match contexts.get(name) {
                Some(tree) => TreeSource::Context(tree),
                None => TreeSource::Empty,
            },
            TreeRef::Empty => TreeSource::Empty,
        };
        let cache_mounts = self.dir.join("mounts");
        let waiting = |what: &str| self.progress.event(&Event::Waiting { step: node, what });
        then(&Surroundings {
            store: self.store,
            caches: self.caches,
            cache_mounts: &cache_mounts,
            cache_owner: self.request.cache_owner,
            secrets: &self.request.secrets,
            ssh: &self.request.ssh,
            key_files: &self.request.key_files,
            ca: &self.request.ca,
            hosts: &self.request.hosts,
            limits: &self.limits,
            cancel: &self.cancel,
            waiting: &waiting,
            trees: &trees,
        })
    }

    /// Does a step, in a thread of its own.
    fn work(&self, node: usize, work: Work) -> Finished {
        let start = Instant::now();
        let Work { key, parts, reason, what, before } = work;
        self.started(node);
        let result = self.once(node, key, &parts, what, before);
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
        what: What,
        before: Option<Record>,
    ) -> Result<Snapshot, BuildError> {
        let Some(_flight) = self.flights.take(key, &self.cancel) else {
            return Err(BuildError::Sandbox(SandboxError::Cancelled));
        };
        let parent = self.snapshot(self.graph.nodes[node].parent);
        if !self.must_run(node, &key)
            && let Ok(snapshot) = self.lookup(&key, &parent)?
        {
            return Ok(snapshot);
        }
        let (layer, parent) = self.do_step(node, what, before)?;
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
        what: What,
        before: Option<Record>,
    ) -> Result<(Option<Layer>, Arc<Snapshot>), BuildError> {
        let step = &self.graph.nodes[node];
        let parent = self.snapshot(step.parent);
        let layer = match (&step.op, what) {
            (Op::Copy(op), What::Copy(prepared)) => {
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
            (Op::Workdir(op), What::Workdir(owner)) => Some(
                copying::workdir(op, owner, &parent, self.store, &self.seal)
                    .map_err(|error| self.copy_failed(node, &error))?,
            ),
            (Op::Run(op), What::Run) => {
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

    /// What a step is called across builds: its context, stage and number, whatever its text.
    fn identity(&self, node: usize) -> Key {
        let title = &self.graph.nodes[node].title;
        let mut key = KeyBuilder::new("step 1");
        key.part("context", self.request.context.as_os_str().as_encoded_bytes());
        key.part("dockerfile", self.request.dockerfile.name());
        key.part("step", title.split('/').next().unwrap_or_default());
        key.finish().0
    }

    fn record_file(&self, step: &Key) -> PathBuf {
        self.dir.join("explain").join(format!("{step}.json"))
    }

    /// Keeps the parts of a key, so that the next miss of this step can be explained.
    fn remember(&self, node: usize, key: Key, parts: &[Part]) {
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
            let _ = crate::statcache::write_by_rename(&file, &text);
        }
    }

    fn explain(&self, node: usize, parts: &[Part]) -> (Reason, Option<Record>) {
        let file = self.record_file(&self.identity(node));
        let before = fs::read(file).ok().and_then(|text| serde_json::from_slice::<Record>(&text).ok());
        let Some(before) = before else { return (Reason::New, None) };
        let changes = compare(&before.parts, parts);
        let reason = if changes.is_empty() { Reason::Pruned } else { Reason::Changed(changes) };
        (reason, Some(before))
    }
}
