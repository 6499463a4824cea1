//! `up --wait` in place of docker compose: until the engine itself says what our own probes have found. Scripts ask it
//! for the health right after.

use std::time::Duration;

use plimsoll_engine::{ContainerSummary, Engine, Health};
use plimsoll_stack::labels;

use crate::{Failure, pick::is_one_off, stack};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// How it ended.
pub enum Verdict {
    /// The engine has found all of them healthy that have a health check.
    Agrees,
    /// This one is not healthy, or not yet when the time was over.
    Not(String),
    /// A person has seen enough.
    Interrupted,
}

/// Waits for the engine's word on the containers of these services, all without a name, for so many seconds at most.
pub async fn engines(
    engine: &Engine,
    project: &str,
    services: &[String],
    limit: Option<u64>,
) -> Result<Verdict, Failure> {
    let filter = [format!("{}={project}", labels::PROJECT)];
    let meant = |found: &ContainerSummary| {
        let service = found.label(labels::SERVICE).unwrap_or_default();
        !is_one_off(found) && (services.is_empty() || services.iter().any(|name| name == service))
    };
    let end = limit.map(|seconds| tokio::time::Instant::now() + Duration::from_secs(seconds));
    let mut signal = std::pin::pin!(stack::next_signal());
    loop {
        let mut found = engine.containers_labelled(&filter).await?;
        found.retain(meant);
        let is = |health: Health| found.iter().find(|container| container.health == health);
        if let Some(unhealthy) = is(Health::Unhealthy) {
            return Ok(Verdict::Not(format!("container {} is unhealthy", unhealthy.name)));
        }
        let Some(starting) = is(Health::Starting) else { return Ok(Verdict::Agrees) };
        if end.is_some_and(|end| end <= tokio::time::Instant::now()) {
            return Ok(Verdict::Not(format!("container {} is not healthy yet", starting.name)));
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = &mut signal => return Ok(Verdict::Interrupted),
        }
    }
}
