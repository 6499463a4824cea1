//! What happens in the engine, as it happens.

use std::collections::{BTreeMap, HashMap};

use bollard::query_parameters::EventsOptions;
use futures_util::{Stream, StreamExt as _};
use serde::{Deserialize, Serialize};

use crate::{Engine, EngineError, connect::CALL_SECONDS};

/// The container events that matter. Every probe of a health check makes three `exec_*` events: the engine is asked
/// not to send those.
const CONTAINER_EVENTS: [&str; 10] =
    ["create", "start", "die", "oom", "kill", "stop", "pause", "unpause", "destroy", "health_status"];

/// Which events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only of containers with all of these labels (`key` or `key=value`).
    pub labels: Vec<String>,
    /// From this second since the epoch on, also past ones.
    pub since: Option<i64>,
    /// Up to this second; then the stream ends.
    pub until: Option<i64>,
}

/// A container event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// `start`, `die`, `oom`, `health_status: healthy`, ...
    pub action: String,
    /// The container's id.
    pub id: String,
    /// Name, image, labels, `exitCode`, ...
    pub attributes: BTreeMap<String, String>,
    /// Nanoseconds since the epoch.
    pub time: i64,
}

impl Event {
    /// The exit code of a `die` event.
    pub fn exit_code(&self) -> Option<i64> {
        self.attributes.get("exitCode")?.parse().ok()
    }

    /// The container's name.
    pub fn name(&self) -> &str {
        self.attributes.get("name").map_or("", String::as_str)
    }
}

impl Engine {
    /// Container events from now on (or from `since`), filtered by the engine. Ends when the connection ends.
    pub fn events(
        &self,
        filter: &EventFilter,
    ) -> impl Stream<Item = Result<Event, EngineError>> + Send + Unpin + use<> {
        let mut filters = HashMap::from([
            ("type".to_owned(), vec!["container".to_owned()]),
            ("event".to_owned(), CONTAINER_EVENTS.iter().map(ToString::to_string).collect()),
        ]);
        if !filter.labels.is_empty() {
            filters.insert("label".to_owned(), filter.labels.clone());
        }
        let options = EventsOptions {
            since: filter.since.map(|second| second.to_string()),
            until: filter.until.map(|second| second.to_string()),
            filters: Some(filters),
        };
        let events = self.docker.events(Some(options)).map(|event| {
            let event = event.map_err(|error| EngineError::from_wire(error, CALL_SECONDS))?;
            let actor = event.actor.unwrap_or_default();
            Ok(Event {
                action: event.action.unwrap_or_default(),
                id: actor.id.unwrap_or_default(),
                attributes: actor.attributes.unwrap_or_default().into_iter().collect(),
                time: event.time_nano.unwrap_or(0),
            })
        });
        Box::pin(events)
    }
}
