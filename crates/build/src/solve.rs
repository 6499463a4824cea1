//! Does what the graph says: independent steps at once, each key once, nothing that the cache knows.

mod failure;
mod line_ends;
mod lookup;
mod record;
mod threads;
mod work;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use plimsoll_image::{SealOptions, Store};
use plimsoll_sandbox::{Cancel, CgroupLimits, SandboxError};

use self::{
    lookup::Probe,
    threads::{Message, PanicNotice},
    work::Work,
};
use crate::{
    caches::Caches,
    copying::{CopyError, Fetched, Sources},
    error::BuildError,
    explain::Reason,
    failed_step::FailedStep,
    flight::Flights,
    graph::{Graph, TreeRef},
    key::Key,
    progress::{Event, Outcome, Progress},
    remote::Transfer,
    request::{BuildRequest, StepReport},
    run::{Surroundings, TreeSource},
    schedule::Schedule,
    snapshot::Snapshot,
    tree::Tree,
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
    pub(crate) limits: CgroupLimits,
    pub(crate) done: Mutex<Vec<Option<Arc<Snapshot>>>>,
    /// What this build did itself, which counts as cached also under `--no-cache`.
    pub(crate) fresh: Mutex<HashSet<Key>>,
    /// What steps download, once it is here.
    pub(crate) arrived: Mutex<HashMap<usize, Result<Vec<Fetched>, CopyError>>>,
    /// The keys that were needed, by step.
    pub(crate) used: Mutex<BTreeMap<usize, Key>>,
    /// Steps that failed, by number, for as long as somebody may want to enter them.
    pub(crate) failed_steps: Mutex<BTreeMap<usize, Box<FailedStep>>>,
}

/// What all steps gave.
pub(crate) struct Solved {
    pub(crate) snapshots: Vec<Arc<Snapshot>>,
    pub(crate) reports: Vec<StepReport>,
}

/// What the thread that schedules knows of a build.
struct State {
    schedule: Schedule,
    /// What is to be done, in the order in which it was found.
    queue: VecDeque<(usize, Work)>,
    /// For each key that is queued or being worked on, the other steps that have the same key.
    same_key: HashMap<Key, Vec<usize>>,
    /// How many steps are being done.
    running: usize,
    /// How many steps wait for their downloads.
    fetching: usize,
    reports: Vec<Option<StepReport>>,
    /// The first failure, with its step; `usize::MAX` where no step is to blame.
    failure: Option<(usize, BuildError)>,
}

impl State {
    fn new(graph: &Graph) -> Self {
        Self {
            schedule: Schedule::new(graph),
            queue: VecDeque::new(),
            same_key: HashMap::new(),
            running: 0,
            fetching: 0,
            reports: vec![None; graph.nodes.len()],
            failure: None,
        }
    }
}

impl Solver<'_> {
    /// Does everything. On the first failure the other steps are stopped.
    pub(crate) fn solve(&self) -> Result<Solved, BuildError> {
        let mut state = State::new(self.graph);
        let limit = self
            .request
            .parallelism
            .unwrap_or_else(|| {
                thread::available_parallelism().map_or(MIN_PARALLEL, usize::from).max(MIN_PARALLEL)
            })
            .max(1);
        let chain = self.graph.chain();
        thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel::<Message>();
            self.start_downloads(scope, &sender, &mut state);
            loop {
                self.probe_ready(&mut state);
                if state.failure.is_none() && self.is_cancelled_from_outside() {
                    self.fail(&mut state, usize::MAX, BuildError::Sandbox(SandboxError::Cancelled));
                }
                while state.failure.is_none() && state.running < limit {
                    let Some((node, work)) = state.queue.pop_front() else { break };
                    state.running += 1;
                    self.start_work(scope, &sender, (node, work), chain.contains(&node));
                }
                if state.running == 0 && (state.fetching == 0 || state.failure.is_some()) {
                    break;
                }
                match receiver.recv_timeout(PATIENCE) {
                    Ok(message) => self.receive(message, &mut state),
                    Err(mpsc::RecvTimeoutError::Timeout) => {}
                    Err(mpsc::RecvTimeoutError::Disconnected) => break,
                }
            }
        });
        if let Some((node, error)) = state.failure {
            self.offer_failed_step(node, &error);
            return Err(error);
        }
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Solved {
            snapshots: done.iter().flatten().cloned().collect(),
            reports: state.reports.into_iter().flatten().collect(),
        })
    }

    /// Starts to fetch what steps download. A download holds up nobody but the step that needs it.
    fn start_downloads<'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, '_>,
        sender: &mpsc::Sender<Message>,
        state: &mut State,
    ) {
        let downloads = self.downloads();
        state.fetching = downloads.len();
        for node in &downloads {
            state.schedule.hold(*node);
        }
        let waiting = Arc::new(Mutex::new(VecDeque::from(downloads)));
        for _ in 0..state.fetching.min(MAX_DOWNLOADS) {
            let (waiting, sender) = (waiting.clone(), sender.clone());
            scope.spawn(move || self.download(&waiting, &sender));
        }
    }

    /// Asks the cache for every step that waits for nothing any more, and queues what is left to do.
    fn probe_ready(&self, state: &mut State) {
        while state.failure.is_none()
            && let Some(node) = state.schedule.next()
        {
            let start = Instant::now();
            match self.probe(node) {
                Ok(Probe::Done(snapshot)) => {
                    self.cached(node, start.elapsed(), &mut state.reports);
                    self.complete(node, snapshot, &mut state.schedule);
                }
                Ok(Probe::Work(work)) => match state.same_key.get_mut(&work.key) {
                    Some(waiting) => waiting.push(node),
                    None => {
                        state.same_key.insert(work.key, Vec::new());
                        state.queue.push_back((node, work));
                    }
                },
                Err(error) => self.fail(state, node, error),
            }
        }
    }

    /// Does a step in a thread of its own.
    fn start_work<'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, '_>,
        sender: &mpsc::Sender<Message>,
        (node, work): (usize, Work),
        in_image: bool,
    ) {
        let sender = sender.clone();
        scope.spawn(move || {
            let notice = PanicNotice { node, did: true, sender: sender.clone() };
            let finished = self.work(node, work);
            drop(notice);
            let layer = finished.result.as_ref().ok().and_then(|it| it.layers.last().copied());
            // The receiver lives as long as this scope.
            let _ = sender.send(Message::Finished(Box::new(finished)));
            // The image needs the digest of the layer's tar, and other steps run meanwhile. What fails here fails
            // again where the image is made.
            if let Some(layer) = layer.filter(|_| in_image) {
                let stop = || self.cancel.is_cancelled() || self.is_cancelled_from_outside();
                let _ = self.store.prepare_diff_id(&layer, &stop);
            }
        });
    }

    fn receive(&self, message: Message, state: &mut State) {
        match message {
            Message::Arrived(node) => {
                state.fetching -= 1;
                state.schedule.release(node);
            }
            // leaving the scope passes the panic on
            Message::Died { node, did } => {
                state.running -= usize::from(did);
                self.fail(state, node, BuildError::Sandbox(SandboxError::Cancelled));
            }
            Message::Finished(finished) => {
                state.running -= 1;
                let node = finished.node;
                match finished.result {
                    Ok(snapshot) => {
                        state.reports[node] =
                            Some(self.report(node, Some(finished.reason), finished.elapsed));
                        self.complete(node, snapshot, &mut state.schedule);
                        // The others find the key in the index now.
                        for waiting in state.same_key.remove(&finished.key).unwrap_or_default() {
                            state.schedule.again(waiting);
                        }
                    }
                    Err(error) => self.fail(state, node, error),
                }
            }
        }
    }

    /// Stops the other steps. Only the first failure counts: what is stopped because of it says nothing new.
    fn fail(&self, state: &mut State, node: usize, error: BuildError) {
        self.cancel.cancel();
        state.failure.get_or_insert((node, error));
    }

    /// Nothing runs any more: whoever wants to may enter the step that failed.
    fn offer_failed_step(&self, node: usize, error: &BuildError) {
        let step = self.failed_steps.lock().unwrap_or_else(PoisonError::into_inner).remove(&node);
        if let (Some(on_failure), Some(mut step)) = (&self.request.on_failure, step)
            && !self.is_cancelled_from_outside()
        {
            step.stop_with(self.request.cancel.clone());
            on_failure.failed(error, &mut step);
        }
    }

    /// The caller's request is not the same as our own `cancel`: several builds may share the former.
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
            title: node.title.to_string(),
            line: node.location.as_ref().map(crate::graph::Location::line),
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

    fn with_sources<T>(&self, from: &TreeRef, then: impl FnOnce(&Sources<'_>) -> T) -> T {
        match from {
            TreeRef::Node(node) => {
                let snapshot = self.snapshot(Some(*node));
                then(&Sources::Snapshot(&snapshot, &self.graph.nodes[*node].title.to_string()))
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
}
