//! What `up` remembers of its runs for who measures later: when a container was started and ready, and when jobs have
//! succeeded. Engines forget both: they keep five probes of a container and a few hundred events.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::Duration,
};

use jiff::Timestamp;
use plimsoll_engine::Engine;
use serde::{Deserialize, Serialize};

use crate::{
    Op, Outcome, Plan,
    files::{private_directory, write_whole},
    labels,
    observed::final_name,
};

/// So many successes of a job are kept.
const KEPT: usize = 16;

/// The times of one project.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Times {
    /// Container id to its start.
    pub starts: BTreeMap<String, Start>,
    /// Service to the times at which it had ended with exit code 0, RFC 3339, the oldest first.
    pub completed: BTreeMap<String, Vec<String>>,
}

/// How a container came up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// When the run of `up` began that started it, RFC 3339.
    pub began: String,
    /// When it was ready, RFC 3339.
    pub ready: String,
}

impl Times {
    /// Reads what earlier runs have written; what cannot be read is not known.
    pub fn load(state: &Path) -> Self {
        fs::read(state.join("times.json"))
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default()
    }
}

/// Adds what a run has found. A failure costs later measurements some knowledge and nothing else.
pub(crate) async fn note(
    engine: &Engine,
    state: &Path,
    plan: &Plan,
    outcome: &Outcome,
    completed: Vec<(String, Timestamp)>,
) {
    let started: BTreeSet<&str> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.op {
            Op::StartContainer { container } => Some(final_name(container)),
            _ => None,
        })
        .collect();
    if started.is_empty() && completed.is_empty() {
        return;
    }
    let label = format!("{}={}", labels::PROJECT, plan.project);
    let Ok(containers) = engine.containers_labelled(&[label]).await else { return };
    let mut times = Times::load(state);
    let began = before(Timestamp::now(), outcome.elapsed);
    for container in containers.iter().filter(|container| started.contains(container.name.as_str())) {
        let Some(after) = outcome.ready.get(&container.name) else { continue };
        let ready = began.checked_add(*after).unwrap_or(began);
        let start = Start { began: began.to_string(), ready: ready.to_string() };
        times.starts.insert(container.id.clone(), start);
    }
    times.starts.retain(|id, _| containers.iter().any(|container| container.id == *id));
    for (service, at) in completed {
        let known = times.completed.entry(service).or_default();
        known.push(at.to_string());
        known.drain(..known.len().saturating_sub(KEPT));
    }
    if let Ok(text) = serde_json::to_vec(&times)
        && private_directory(state).is_ok()
    {
        let _ = write_whole(&state.join("times.json"), &text, 0o600, None);
    }
}

fn before(now: Timestamp, elapsed: Duration) -> Timestamp {
    now.checked_sub(elapsed).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_garbage_is_nothing() {
        let dir = std::env::temp_dir().join(format!("plimsoll-test-times-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        assert_eq!(Times::load(&dir), Times::default());
        fs::write(dir.join("times.json"), "{").unwrap();
        assert_eq!(Times::load(&dir), Times::default());
        let mut times = Times::default();
        times.starts.insert("a".into(), Start { began: "x".into(), ready: "y".into() });
        fs::write(dir.join("times.json"), serde_json::to_vec(&times).unwrap()).unwrap();
        assert_eq!(Times::load(&dir), times);
        fs::remove_dir_all(&dir).unwrap();
    }
}
