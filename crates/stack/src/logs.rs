//! The logs of all containers of a project as one, in the order of time.

use std::{collections::BTreeSet, time::Duration};

use futures_util::{StreamExt as _, future::join_all};
use plimsoll_engine::{Engine, EngineError, EventFilter, LogLine, LogOptions};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{StackError, labels};

/// While following, a line is held back this long in case an earlier one of another container is still on its way.
const REORDER: Duration = Duration::from_millis(100);
/// Lines that are held back at most.
const HELD: usize = 65_536;

/// Which lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Only of these services; empty is all.
    pub services: Vec<String>,
    /// Wait for more, also of containers that are started later.
    pub follow: bool,
    /// Not before this second since the epoch; 0 is the beginning.
    pub since: i64,
    /// Not after this second since the epoch; 0 is no end.
    pub until: i64,
    /// Only of the container with this number.
    pub index: Option<u32>,
    /// Only so many lines of each container from the end.
    pub tail: Option<u64>,
}

/// A line with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackLine {
    /// The service.
    pub service: String,
    /// The container.
    pub container: String,
    /// Time, stream and text.
    pub line: LogLine,
}

/// Gives every line to `sink`, oldest first, until it returns false. Without `follow` ends with the last line.
pub async fn logs(
    engine: &Engine,
    project: &str,
    query: &LogQuery,
    sink: &mut (dyn FnMut(StackLine) -> bool + Send),
) -> Result<(), StackError> {
    let label = format!("{}={project}", labels::PROJECT);
    let containers = engine.containers_labelled(std::slice::from_ref(&label)).await?;
    let numbered = |container: &&plimsoll_engine::ContainerSummary| {
        query.index.is_none_or(|index| container.label(labels::NUMBER) == Some(&index.to_string()))
    };
    let sources: Vec<Source> = containers
        .iter()
        .filter(numbered)
        .map(|container| Source {
            id: container.id.clone(),
            container: container.name.clone(),
            service: container.label(labels::SERVICE).unwrap_or_default().to_owned(),
        })
        .filter(|source| query.services.is_empty() || query.services.contains(&source.service))
        .collect();
    if query.follow {
        follow(engine, label, query, sources, sink).await
    } else {
        merge(engine, query, sources, sink).await
    }
}

#[derive(Clone)]
struct Source {
    id: String,
    container: String,
    service: String,
}

impl Source {
    fn line(&self, line: LogLine) -> StackLine {
        StackLine { service: self.service.clone(), container: self.container.clone(), line }
    }
}

/// A merge of streams that are each in order: only one line of each is held.
async fn merge(
    engine: &Engine,
    query: &LogQuery,
    sources: Vec<Source>,
    sink: &mut (dyn FnMut(StackLine) -> bool + Send),
) -> Result<(), StackError> {
    let options = LogOptions { follow: false, since: query.since, until: query.until, tail: query.tail };
    let mut streams: Vec<_> = sources.iter().map(|source| engine.logs(&source.id, &options)).collect();
    let mut heads: Vec<Option<LogLine>> = Vec::new();
    for head in join_all(streams.iter_mut().map(|stream| stream.next())).await {
        heads.push(readable(head)?);
    }
    while let Some(at) = (0..heads.len()).filter(|at| heads[*at].is_some()).min_by(|a, b| {
        heads[*a].as_ref().map(|line| &line.time).cmp(&heads[*b].as_ref().map(|line| &line.time))
    }) {
        let next = readable(streams[at].next().await)?;
        if let Some(line) = std::mem::replace(&mut heads[at], next)
            && !sink(sources[at].line(line))
        {
            break;
        }
    }
    Ok(())
}

/// Log drivers that cannot be read, and containers that have just been removed, have no lines.
fn readable(line: Option<Result<LogLine, EngineError>>) -> Result<Option<LogLine>, StackError> {
    match line {
        Some(Ok(line)) => Ok(Some(line)),
        None | Some(Err(EngineError::NotFound { .. } | EngineError::Api { status: 501, .. })) => Ok(None),
        Some(Err(EngineError::Api { message, .. })) if message.contains("does not support reading") => {
            Ok(None)
        }
        Some(Err(error)) => Err(error.into()),
    }
}

async fn follow(
    engine: &Engine,
    label: String,
    query: &LogQuery,
    sources: Vec<Source>,
    sink: &mut (dyn FnMut(StackLine) -> bool + Send),
) -> Result<(), StackError> {
    let mut events = engine.events(&EventFilter { labels: vec![label], since: None, until: None });
    let (sender, mut lines) = mpsc::channel::<StackLine>(1024);
    let mut tasks = JoinSet::new();
    let mut followed: BTreeSet<String> = BTreeSet::new();
    for source in sources {
        followed.insert(source.id.clone());
        tasks.spawn(pump(engine.clone(), source, query.clone(), sender.clone()));
    }
    let mut held: Vec<(Instant, StackLine)> = Vec::new();
    loop {
        let due =
            held.first().map_or_else(|| Instant::now() + Duration::from_hours(1), |(at, _)| *at + REORDER);
        tokio::select! {
            Some(line) = lines.recv() => held.push((Instant::now(), line)),
            Some(id) = ended(&mut tasks) => { followed.remove(&id); }
            event = events.next() => {
                let Some(event) = event else {
                    let message = "the engine has ended the event stream".to_owned();
                    return Err(EngineError::Connection { message }.into());
                };
                let event = event?;
                let service = event.attributes.get(labels::SERVICE).cloned().unwrap_or_default();
                let wanted = query.services.is_empty() || query.services.contains(&service);
                if event.action == "start" && wanted && followed.insert(event.id.clone()) {
                    let source = Source { id: event.id.clone(), container: event.name().to_owned(), service };
                    let later = LogQuery { since: event.time / 1_000_000_000, tail: None, ..query.clone() };
                    tasks.spawn(pump(engine.clone(), source, later, sender.clone()));
                }
            }
            () = sleep_until(due) => {}
        }
        let now = Instant::now();
        if held.len() >= HELD || held.first().is_some_and(|(at, _)| *at + REORDER <= now) {
            held.sort_by(|(_, a), (_, b)| a.line.time.cmp(&b.line.time));
            for (_, line) in held.drain(..) {
                if !sink(line) {
                    return Ok(());
                }
            }
        }
    }
}

/// A follower that has ended, with the id of its container.
async fn ended(tasks: &mut JoinSet<String>) -> Option<String> {
    match tasks.join_next().await {
        Some(Ok(id)) => Some(id),
        Some(Err(_)) => None,
        None => std::future::pending().await,
    }
}

/// Follows one container until it ends.
async fn pump(engine: Engine, source: Source, query: LogQuery, lines: mpsc::Sender<StackLine>) -> String {
    let options = LogOptions { follow: true, since: query.since, until: query.until, tail: query.tail };
    let mut stream = engine.logs(&source.id, &options);
    while let Some(Ok(line)) = stream.next().await {
        if lines.send(source.line(line)).await.is_err() {
            break;
        }
    }
    source.id
}
