//! The project's containers for people: state, health with the last probe, ports, restarts.

use std::path::Path;

use futures_util::future::join_all;
use plimsoll_engine::{ContainerSummary, Engine, Health, PublishedPort, RunState};
use serde::{Deserialize, Serialize};

use crate::{ExitMeaning, StackError, labels, proved::Proved};

/// A container of the project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The service.
    pub service: String,
    /// The container.
    pub container: String,
    /// Whether it runs.
    pub state: RunState,
    /// How it ended, if it has.
    pub exit: Option<ExitMeaning>,
    /// Killed for lack of memory in its last run.
    pub out_of_memory: bool,
    /// The engine's health check.
    pub health: Health,
    /// Its health check has passed by `up`'s own probe in this run, while the engine waits for its first one.
    pub proved: bool,
    /// Output of its last probe.
    pub probe: Option<String>,
    /// The image as the Compose file names it.
    pub image: String,
    /// The image stands in for another.
    pub standin: bool,
    /// Ports.
    pub ports: Vec<PublishedPort>,
    /// Start of this or the last run, RFC 3339.
    pub started: String,
    /// Seconds that it has been running; absent if it does not.
    pub uptime: Option<u64>,
    /// How often the engine has started it again.
    pub restarts: i64,
}

/// The containers of `project`, by service, with what `up` has written down in the project's state directory; those that ran once and were made by `run` are not among them.
pub async fn ps(engine: &Engine, project: &str, state: &Path) -> Result<Vec<Row>, StackError> {
    let mut rows = ps_with_one_offs(engine, project, state).await?;
    rows.retain(|(_, one_off)| !one_off);
    Ok(rows.into_iter().map(|(row, _)| row).collect())
}

/// The same with the containers of `run`, which are marked.
pub async fn ps_with_one_offs(
    engine: &Engine,
    project: &str,
    state: &Path,
) -> Result<Vec<(Row, bool)>, StackError> {
    let proved = Proved::load(state);
    let filter = [format!("{}={project}", labels::PROJECT)];
    let found = engine.containers_labelled(&filter).await?;
    let found = found.into_iter().filter(|container| container.label(labels::HELPER).is_none());
    let rows = join_all(found.map(|container| async {
        let one_off = is_oneoff(&container);
        Ok::<_, StackError>(row(engine, container, &proved).await?.map(|row| (row, one_off)))
    }))
    .await;
    let mut rows = rows.into_iter().filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
    rows.sort_by(|(a, _): &(Row, bool), (b, _)| (&a.service, &a.container).cmp(&(&b.service, &b.container)));
    Ok(rows)
}

fn is_oneoff(container: &ContainerSummary) -> bool {
    container.label(labels::ONEOFF).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// `None` if it has been removed in the meantime.
async fn row(
    engine: &Engine,
    container: ContainerSummary,
    proved: &Proved,
) -> Result<Option<Row>, StackError> {
    let detail = match engine.inspect_container(&container.id).await {
        Err(error) if error.is_not_found() => return Ok(None),
        other => other?,
    };
    let running = matches!(detail.state, RunState::Running | RunState::Paused);
    let ended = matches!(detail.state, RunState::Exited | RunState::Dead | RunState::Restarting);
    let mut ports = container.ports.clone();
    // an address of IPv6 beside the same one of IPv4 says nothing new
    let ipv4: Vec<_> =
        ports.iter().filter(|port| !port.host_ip.contains(':')).map(|port| port.host).collect();
    ports.retain(|port| !port.host_ip.contains(':') || !ipv4.contains(&port.host));
    Ok(Some(Row {
        service: container.label(labels::SERVICE).unwrap_or_default().to_owned(),
        state: detail.state,
        exit: ended.then(|| ExitMeaning::of(detail.exit_code)),
        out_of_memory: detail.oom_killed,
        health: detail.health,
        proved: detail.health == Health::Starting && proved.has(&detail),
        probe: detail.probes.last().map(|probe| probe.output.trim_end().to_owned()),
        image: container.label(labels::IMAGE_NAME).map_or_else(|| container.image.clone(), str::to_owned),
        standin: container.label(labels::STANDIN) == Some("true"),
        ports,
        uptime: if running { seconds_since(&detail.started) } else { None },
        started: detail.started,
        restarts: detail.restarts,
        container: container.name,
    }))
}

fn seconds_since(time: &str) -> Option<u64> {
    let then: jiff::Timestamp = time.parse().ok()?;
    u64::try_from(jiff::Timestamp::now().as_second() - then.as_second()).ok()
}
