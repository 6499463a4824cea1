//! What has happened to the project's containers since the run began, from one event stream for all waits.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::StreamExt as _;
use plimsoll_engine::{Engine, Event, EventFilter, Health};
use tokio::{sync::watch, task::JoinHandle};

use crate::labels;

/// Between two attempts to hear events again after the connection broke.
const RECONNECT: Duration = Duration::from_millis(500);

/// What has happened to one container.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    /// One for each end that nobody asked for, as far as known: the engine may tell of a stop before it tells of the end.
    pub(crate) deaths: Vec<Death>,
    /// Something in it was killed for lack of memory.
    pub(crate) out_of_memory: bool,
    /// The last verdict of the engine's health check.
    pub(crate) health: Option<Health>,
    /// How often it had ended when its health check passed.
    ready: Option<usize>,
}

impl History {
    /// An end that came after its health check had passed; one without an error is the program's own wish.
    fn fell(&self) -> Option<Death> {
        self.deaths.get(self.ready?..)?.iter().copied().find(|death| death.code != 0)
    }
}

/// One end of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Death {
    /// When, in the engine's nanoseconds since the epoch.
    pub(crate) at: i64,
    pub(crate) code: i64,
}

#[derive(Default)]
struct State {
    containers: Mutex<BTreeMap<String, History>>,
}

/// Listens until it is dropped.
pub(crate) struct Hub {
    state: Arc<State>,
    changed: watch::Receiver<u64>,
    listener: JoinHandle<()>,
}

impl Hub {
    /// Starts to listen to the containers of `project`.
    pub(crate) fn listen(engine: &Engine, project: &str) -> Self {
        let state = Arc::new(State::default());
        let (tell, changed) = watch::channel(0_u64);
        let filter =
            EventFilter { labels: vec![format!("{}={project}", labels::PROJECT)], since: None, until: None };
        let listener = tokio::spawn(listen(engine.clone(), filter, Arc::clone(&state), tell));
        Self { state, changed, listener }
    }

    /// What has happened to a container, by id.
    pub(crate) fn history(&self, id: &str) -> History {
        let containers = self.state.containers.lock().unwrap_or_else(PoisonError::into_inner);
        containers.get(id).cloned().unwrap_or_default()
    }

    /// Whether something in a container was killed for lack of memory; waits a while for the news.
    pub(crate) async fn out_of_memory_within(&self, id: &str, limit: Duration) -> bool {
        let mut changes = self.changes();
        let told = async {
            while !self.history(id).out_of_memory {
                if changes.changed().await.is_err() {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(limit, told).await;
        self.history(id).out_of_memory
    }

    /// Its health check has passed.
    pub(crate) fn is_ready(&self, id: &str) {
        let mut containers = self.state.containers.lock().unwrap_or_else(PoisonError::into_inner);
        let history = containers.entry(id.to_owned()).or_default();
        history.ready = Some(history.deaths.len());
    }

    /// The containers that ended with an error after their health check had passed, and that end.
    pub(crate) fn fallen(&self) -> BTreeMap<String, Death> {
        let containers = self.state.containers.lock().unwrap_or_else(PoisonError::into_inner);
        containers.iter().filter_map(|(id, history)| Some((id.clone(), history.fell()?))).collect()
    }

    /// Tells of changes from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.clone()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn listen(engine: Engine, mut filter: EventFilter, state: Arc<State>, tell: watch::Sender<u64>) {
    let mut last = 0;
    loop {
        let mut events = engine.events(&filter);
        while let Some(Ok(event)) = events.next().await {
            // after a reconnection the engine repeats the whole second
            if event.time <= last {
                continue;
            }
            last = event.time;
            filter.since = Some(event.time / 1_000_000_000);
            note(&state, &event);
            tell.send_modify(|count| *count += 1);
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

fn note(state: &State, event: &Event) {
    let mut containers = state.containers.lock().unwrap_or_else(PoisonError::into_inner);
    let history = containers.entry(event.id.clone()).or_default();
    match event.action.as_str() {
        "die" => {
            history.deaths.push(Death { at: event.time, code: event.exit_code().unwrap_or(-1) });
        }
        "oom" => history.out_of_memory = true,
        "health_status: healthy" => history.health = Some(Health::Healthy),
        "health_status: unhealthy" => history.health = Some(Health::Unhealthy),
        "start" => history.health = None,
        // it comes after the end that was asked for: such an end is no crash
        "stop" => {
            history.deaths.clear();
            history.ready = history.ready.map(|_| 0);
        }
        _ => {}
    }
}
