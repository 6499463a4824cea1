//! The logs of all containers of a project as one, in the order of time.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

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

/// What has been shown of a container: the newest time, and the lines of that time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Shown {
    time: String,
    lines: Vec<LogLine>,
}

impl Shown {
    fn add(&mut self, line: &LogLine) {
        if line.time > self.time {
            self.time.clone_from(&line.time);
            self.lines.clear();
        }
        if line.time == self.time {
            self.lines.push(line.clone());
        }
    }

    /// The engine answers whole seconds: whoever connects anew gets the last ones again.
    fn has(&self, line: &LogLine) -> bool {
        line.time < self.time || (line.time == self.time && self.lines.contains(line))
    }

    /// The second from which on lines may be missing.
    fn second(&self) -> Option<i64> {
        self.time.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
    }
}

/// The containers that are followed, each by one task at a time.
struct Followers<'a> {
    engine: &'a Engine,
    query: &'a LogQuery,
    sender: mpsc::Sender<(String, StackLine)>,
    tasks: JoinSet<String>,
    running: BTreeSet<String>,
    shown: BTreeMap<String, Shown>,
    /// Started again while the task of the run before had not ended yet.
    again: BTreeMap<String, Source>,
}

impl Followers<'_> {
    fn begin(&mut self, source: Source, query: LogQuery) {
        let shown = self.shown.get(&source.id).cloned().unwrap_or_default();
        let since = shown.second().map_or(query.since, |second| second.max(query.since));
        self.running.insert(source.id.clone());
        let query = LogQuery { since, ..query };
        self.tasks.spawn(pump(self.engine.clone(), source, query, shown, self.sender.clone()));
    }

    /// A container was started at this second.
    fn started(&mut self, source: Source, second: i64) {
        if self.running.contains(&source.id) {
            self.again.insert(source.id.clone(), source);
            return;
        }
        let since = if self.shown.contains_key(&source.id) { self.query.since } else { second };
        self.begin(source, LogQuery { since, tail: None, ..self.query.clone() });
    }

    /// The task of a container has ended.
    fn ended(&mut self, id: &str) {
        self.running.remove(id);
        if let Some(source) = self.again.remove(id) {
            self.begin(source, LogQuery { tail: None, ..self.query.clone() });
        }
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
    let (sender, mut lines) = mpsc::channel::<(String, StackLine)>(1024);
    let mut followers = Followers {
        engine,
        query,
        sender,
        tasks: JoinSet::new(),
        running: BTreeSet::new(),
        shown: BTreeMap::new(),
        again: BTreeMap::new(),
    };
    for source in sources {
        followers.begin(source, query.clone());
    }
    let mut held: Vec<(Instant, StackLine)> = Vec::new();
    loop {
        let due =
            held.first().map_or_else(|| Instant::now() + Duration::from_hours(1), |(at, _)| *at + REORDER);
        tokio::select! {
            // lines before ends: what has been shown is known when a container is followed anew
            biased;
            Some((id, line)) = lines.recv() => {
                followers.shown.entry(id).or_default().add(&line.line);
                held.push((Instant::now(), line));
            }
            Some(id) = ended(&mut followers.tasks) => followers.ended(&id),
            event = events.next() => {
                let Some(event) = event else {
                    let message = "the engine has ended the event stream".to_owned();
                    return Err(EngineError::Connection { message }.into());
                };
                let event = event?;
                let service = event.attributes.get(labels::SERVICE).cloned().unwrap_or_default();
                let numbered = query.index.is_none_or(|index| {
                    event.attributes.get(labels::NUMBER) == Some(&index.to_string())
                });
                let wanted = query.services.is_empty() || query.services.contains(&service);
                if event.action == "start" && wanted && numbered {
                    let source = Source { id: event.id.clone(), container: event.name().to_owned(), service };
                    followers.started(source, event.time / 1_000_000_000);
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

/// Follows one container until it ends; leaves out what has been shown.
async fn pump(
    engine: Engine,
    source: Source,
    query: LogQuery,
    shown: Shown,
    lines: mpsc::Sender<(String, StackLine)>,
) -> String {
    let options = LogOptions { follow: true, since: query.since, until: query.until, tail: query.tail };
    let mut stream = engine.logs(&source.id, &options);
    while let Some(Ok(line)) = stream.next().await {
        if !shown.has(&line) && lines.send((source.id.clone(), source.line(line))).await.is_err() {
            break;
        }
    }
    source.id
}

#[cfg(test)]
mod tests {
    use plimsoll_engine::Stream;

    use super::*;

    fn line(time: &str, text: &str) -> LogLine {
        LogLine { time: time.into(), stream: Stream::Stdout, text: text.into() }
    }

    #[test]
    fn what_was_shown_is_known_by_time_stream_and_text() {
        let mut shown = Shown::default();
        assert!(!shown.has(&line("2026-01-01T00:00:00.000000001Z", "a")));
        shown.add(&line("2026-01-01T00:00:05.500000000Z", "a"));
        shown.add(&line("2026-01-01T00:00:05.500000000Z", "b"));
        // of another stream, a little late
        shown.add(&line("2026-01-01T00:00:05.400000000Z", "c"));
        assert!(shown.has(&line("2026-01-01T00:00:05.500000000Z", "b")));
        assert!(shown.has(&line("2026-01-01T00:00:05.400000000Z", "c")));
        assert!(!shown.has(&line("2026-01-01T00:00:05.500000000Z", "d")));
        assert!(!shown.has(&line("2026-01-01T00:00:05.500000001Z", "a")));
        assert_eq!(shown.second(), Some(1_767_225_605));
    }
}
