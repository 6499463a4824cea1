//! Containers: create, start, stop, rename, remove, look at.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use bollard::{
    errors::Error as Wire,
    models,
    query_parameters::{
        CreateContainerOptions, InspectContainerOptions, ListContainersOptions, RemoveContainerOptions,
        RenameContainerOptions, StartContainerOptions, StatsOptions, StopContainerOptions, TopOptions,
        WaitContainerOptions,
    },
};
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};

use crate::{
    Engine, EngineError,
    connect::{CALL_SECONDS, TRANSFER_SECONDS},
    spec::{Attachment, ContainerSpec},
    translate,
};

/// Whether a container runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Made, never started.
    Created,
    /// Running.
    Running,
    /// Frozen.
    Paused,
    /// Between two runs.
    Restarting,
    /// Ended.
    Exited,
    /// Being removed.
    Removing,
    /// Half removed; only removal is possible.
    Dead,
}

impl RunState {
    fn parse(text: &str) -> Self {
        match text {
            "running" | "stopping" => Self::Running,
            "paused" => Self::Paused,
            "restarting" => Self::Restarting,
            "exited" => Self::Exited,
            "removing" => Self::Removing,
            "dead" => Self::Dead,
            _ => Self::Created,
        }
    }

    /// The engine's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
            Self::Removing => "removing",
            Self::Dead => "dead",
        }
    }
}

/// What the engine's own health check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// There is no health check.
    None,
    /// No probe has passed yet and not enough have failed.
    Starting,
    /// The last probe passed.
    Healthy,
    /// Enough probes have failed in a row.
    Unhealthy,
}

impl Health {
    /// The engine's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "starting" => Self::Starting,
            "healthy" => Self::Healthy,
            "unhealthy" => Self::Unhealthy,
            _ => Self::None,
        }
    }
}

/// A port of the container and where it is published.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PublishedPort {
    /// Port in the container.
    pub container: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
    /// Address of the host; empty if not published.
    pub host_ip: String,
    /// Port of the host, if published and running.
    pub host: Option<u16>,
}

/// A container's place on a network, as one list call shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Id of the network. One that was made anew under the same name has another.
    pub network: String,
    /// Addresses that it has now, of both families; none while it does not run.
    pub addresses: Vec<String>,
    /// Hardware address, if it runs.
    pub mac: Option<String>,
}

/// A container as one list call shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerSummary {
    /// Id, 64 hexadecimal digits.
    pub id: String,
    /// Name without the leading slash.
    pub name: String,
    /// The image as it was named at creation.
    pub image: String,
    /// The image's id.
    pub image_id: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Whether it runs.
    pub state: RunState,
    /// The engine's sentence, `Up 5 minutes (healthy)`.
    pub status: String,
    /// Health, read from that sentence.
    pub health: Health,
    /// Exit code of an exited container, read from that sentence.
    pub exit_code: Option<i64>,
    /// Creation, seconds since the epoch.
    pub created: i64,
    /// Ports.
    pub ports: Vec<PublishedPort>,
    /// Network name to network id.
    pub networks: BTreeMap<String, String>,
    /// Network name to the container's place on it.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// Mounted volumes: path in the container to volume name.
    pub volumes: BTreeMap<String, String>,
}

impl ContainerSummary {
    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key).map(String::as_str)
    }
}

/// One probe of the engine's health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Exit code of the test.
    pub exit_code: i64,
    /// What it printed.
    pub output: String,
    /// When it ended, RFC 3339.
    pub ended: String,
}

/// A container as inspection shows it: what changes while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerDetail {
    /// Id.
    pub id: String,
    /// Name without the leading slash.
    pub name: String,
    /// The image's id.
    pub image_id: String,
    /// Whether it runs.
    pub state: RunState,
    /// Exit code of the last run.
    pub exit_code: i64,
    /// Killed for lack of memory. False does not prove the opposite: only the first process counts.
    pub oom_killed: bool,
    /// The engine's reason when the container could not be started.
    pub error: String,
    /// Process id on the engine's host, 0 if it does not run.
    pub pid: i64,
    /// Start of the last run, RFC 3339.
    pub started: String,
    /// End of the last run, RFC 3339.
    pub finished: String,
    /// How often the engine has started it again.
    pub restarts: i64,
    /// Health.
    pub health: Health,
    /// Failures in a row.
    pub failing_streak: i64,
    /// The last probes, the newest last.
    pub probes: Vec<Probe>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The user it runs as, as configured.
    pub user: String,
    /// Health test in force.
    pub health_test: Vec<String>,
    /// Shell of the image, for `CMD-SHELL`.
    pub shell: Vec<String>,
    /// Has a terminal: output is not separated.
    pub tty: bool,
}

/// What a container uses at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ContainerUsage {
    /// Memory in bytes, page cache that can be dropped not counted.
    pub memory: u64,
    /// The largest memory use that was seen (cgroup v1 only).
    pub memory_peak: Option<u64>,
    /// Memory limit in bytes.
    pub memory_limit: u64,
    /// CPU time so far in nanoseconds.
    pub cpu_time: u64,
    /// Processes and threads.
    pub pids: u64,
}

impl Engine {
    /// Every container of the engine, stopped ones too.
    pub async fn containers(&self) -> Result<Vec<ContainerSummary>, EngineError> {
        self.list(None).await
    }

    /// Containers that carry all of these labels (`key` or `key=value`), stopped ones too.
    pub async fn containers_labelled(&self, labels: &[String]) -> Result<Vec<ContainerSummary>, EngineError> {
        self.list(Some(HashMap::from([("label".to_owned(), labels.to_vec())]))).await
    }

    async fn list(
        &self,
        filters: Option<HashMap<String, Vec<String>>>,
    ) -> Result<Vec<ContainerSummary>, EngineError> {
        let options = ListContainersOptions { all: true, filters, ..ListContainersOptions::default() };
        let list = self.docker.list_containers(Some(options)).await.map_err(wire)?;
        Ok(list.into_iter().map(summary).collect())
    }

    /// Creates a container; gives its id. Networks after the first are not connected yet.
    pub async fn create_container(&self, spec: &ContainerSpec) -> Result<String, EngineError> {
        Ok(self.create_container_warned(spec).await?.0)
    }

    /// The same, with what the engine says that it leaves out: settings that its kernel does not support.
    pub async fn create_container_warned(
        &self,
        spec: &ContainerSpec,
    ) -> Result<(String, Vec<String>), EngineError> {
        let options = CreateContainerOptions {
            name: (!spec.name.is_empty()).then(|| spec.name.clone()),
            platform: spec.platform.clone().unwrap_or_default(),
        };
        let body = translate::create_body(spec, self.api());
        let docker = match translate::only_mac(spec, self.api()) {
            Some(mac) => with_mac(self.docker.clone(), &body, mac)?,
            None => self.docker.clone(),
        };
        let made = docker.create_container(Some(options), body).await.map_err(wire)?;
        Ok((made.id, made.warnings))
    }

    /// Connects a container to a network.
    pub async fn connect_container(
        &self,
        container: &str,
        attachment: &Attachment,
    ) -> Result<(), EngineError> {
        let request = models::NetworkConnectRequest {
            container: container.to_owned(),
            endpoint_config: Some(translate::endpoint(attachment)),
        };
        let mut missed = MissedNetwork::default();
        loop {
            match self.docker.connect_network(&attachment.network, request.clone()).await.map_err(wire) {
                Err(error) if missed.is_asked_for_again(&error).await => {}
                done => return done,
            }
        }
    }

    /// Disconnects a container from a network.
    pub async fn disconnect_container(&self, container: &str, network: &str) -> Result<(), EngineError> {
        let request = models::NetworkDisconnectRequest { container: container.to_owned(), force: Some(true) };
        self.docker.disconnect_network(network, request).await.map_err(wire)
    }

    /// Starts a container; one that runs already is fine.
    pub async fn start_container(&self, container: &str) -> Result<(), EngineError> {
        let mut missed = MissedNetwork::default();
        loop {
            match self.docker.start_container(container, None::<StartContainerOptions>).await.map_err(wire) {
                Err(error) if missed.is_asked_for_again(&error).await => {}
                done => return done,
            }
        }
    }

    /// Asks a container to end and kills it after `grace` seconds (`None`: its own grace period).
    pub async fn stop_container(&self, container: &str, grace: Option<u32>) -> Result<(), EngineError> {
        let seconds = u64::from(grace.unwrap_or(0)).max(3600) + CALL_SECONDS;
        let options =
            StopContainerOptions { signal: None, t: grace.and_then(|grace| i32::try_from(grace).ok()) };
        let stopped = self.patient(seconds).stop_container(container, Some(options)).await;
        stopped.map_err(|error| EngineError::from_wire(error, seconds))
    }

    /// Sends a signal (`SIGHUP`).
    pub async fn kill_container(&self, container: &str, signal: &str) -> Result<(), EngineError> {
        let options = bollard::query_parameters::KillContainerOptions { signal: signal.to_owned() };
        self.docker.kill_container(container, Some(options)).await.map_err(wire)
    }

    /// Removes a container, its anonymous volumes too if `volumes`, even if it runs if `force`.
    pub async fn remove_container(
        &self,
        container: &str,
        force: bool,
        volumes: bool,
    ) -> Result<(), EngineError> {
        let options = RemoveContainerOptions { v: volumes, force, link: false };
        self.docker.remove_container(container, Some(options)).await.map_err(wire)
    }

    /// Gives a container another name.
    pub async fn rename_container(&self, container: &str, name: &str) -> Result<(), EngineError> {
        let options = RenameContainerOptions { name: name.to_owned() };
        self.docker.rename_container(container, options).await.map_err(wire)
    }

    /// Freezes a container.
    pub async fn pause_container(&self, container: &str) -> Result<(), EngineError> {
        self.docker.pause_container(container).await.map_err(wire)
    }

    /// Lets a frozen container go on.
    pub async fn unpause_container(&self, container: &str) -> Result<(), EngineError> {
        self.docker.unpause_container(container).await.map_err(wire)
    }

    /// Waits until a container does not run; gives its exit code. No time limit of its own.
    pub async fn wait_container(&self, container: &str) -> Result<i64, EngineError> {
        self.wait_until(container, "not-running").await
    }

    /// Waits until a container that the engine removes at its end is removed, with its anonymous volumes; gives its exit
    /// code. One that is gone already is not found. No time limit of its own.
    pub async fn wait_removed(&self, container: &str) -> Result<i64, EngineError> {
        self.wait_until(container, "removed").await
    }

    async fn wait_until(&self, container: &str, condition: &str) -> Result<i64, EngineError> {
        let options = WaitContainerOptions { condition: condition.to_owned() };
        let docker = self.patient(TRANSFER_SECONDS);
        let mut answers = std::pin::pin!(docker.wait_container(container, Some(options)));
        match answers.next().await {
            Some(Ok(answer)) => Ok(answer.status_code),
            // the client library makes an error of every exit code but 0
            Some(Err(Wire::DockerContainerWaitError { code, .. })) => Ok(code),
            Some(Err(error)) => Err(EngineError::from_wire(error, TRANSFER_SECONDS)),
            None => Err(EngineError::Connection { message: format!("no answer to wait for {container}") }),
        }
    }

    /// The list call's own answer about the containers with all of these labels, stopped ones too; with `size` the engine
    /// measures their files.
    pub async fn containers_raw(
        &self,
        labels: &[String],
        size: bool,
    ) -> Result<Vec<serde_json::Value>, EngineError> {
        let filters = serde_json::json!({ "label": labels }).to_string();
        let filters: String = filters
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect();
        let size = u8::from(size);
        match self.raw_get(&format!("/containers/json?all=1&size={size}&filters={filters}")).await? {
            serde_json::Value::Array(list) => Ok(list),
            other => Err(EngineError::Unreadable { message: format!("a list of containers: {other}") }),
        }
    }

    /// A container's state.
    pub async fn inspect_container(&self, container: &str) -> Result<ContainerDetail, EngineError> {
        let found =
            self.docker.inspect_container(container, None::<InspectContainerOptions>).await.map_err(wire)?;
        Ok(detail(found))
    }

    /// Everything the engine says about a container, as it says it.
    pub async fn inspect_container_raw(&self, container: &str) -> Result<serde_json::Value, EngineError> {
        self.raw_get(&format!("/containers/{container}/json")).await
    }

    /// The processes of a container: column titles and rows, as `ps -o` with these columns prints them.
    pub async fn top(
        &self,
        container: &str,
        columns: &str,
    ) -> Result<(Vec<String>, Vec<Vec<String>>), EngineError> {
        let options = TopOptions { ps_args: format!("-eo {columns}") };
        let answer = self.docker.top_processes(container, Some(options)).await.map_err(wire)?;
        Ok((answer.titles.unwrap_or_default(), answer.processes.unwrap_or_default()))
    }

    /// What a container uses now.
    pub async fn usage(&self, container: &str) -> Result<ContainerUsage, EngineError> {
        let options = StatsOptions { stream: false, one_shot: true };
        let mut answers = std::pin::pin!(self.docker.stats(container, Some(options)));
        let stats = answers
            .next()
            .await
            .ok_or_else(|| EngineError::Connection { message: format!("no statistics of {container}") })?
            .map_err(wire)?;
        let memory = stats.memory_stats.unwrap_or_default();
        let counters = memory.stats.unwrap_or_default();
        // what `docker stats` subtracts: the file pages that can be dropped at once
        let inactive =
            ["total_inactive_file", "inactive_file"].iter().find_map(|key| counters.get(*key)).copied();
        let usage = memory.usage.unwrap_or(0);
        Ok(ContainerUsage {
            memory: usage.saturating_sub(inactive.unwrap_or(0)),
            memory_peak: memory.max_usage,
            memory_limit: memory.limit.unwrap_or(0),
            cpu_time: stats
                .cpu_stats
                .and_then(|cpu| cpu.cpu_usage)
                .and_then(|usage| usage.total_usage)
                .unwrap_or(0),
            pids: stats.pids_stats.and_then(|pids| pids.current).unwrap_or(0),
        })
    }
}

/// A client whose create call carries a field that the client library has given up.
fn with_mac(
    docker: bollard::Docker,
    body: &models::ContainerCreateBody,
    mac: &str,
) -> Result<bollard::Docker, EngineError> {
    let unreadable =
        |error: serde_json::Error| EngineError::Unreadable { message: format!("the request: {error}") };
    let mut body = serde_json::to_value(body).map_err(unreadable)?;
    body["MacAddress"] = mac.into();
    let text = serde_json::to_vec(&body).map_err(unreadable)?;
    Ok(docker.with_request_modifier(move |mut request| {
        *request.body_mut() = bollard::body_full(text.clone().into());
        request
    }))
}

/// A network that the engine does not find. Engine 20.10 misses one that is there while other networks are made and
/// removed: a `start` or `connect` then fails, and does not when it is asked for again.
#[derive(Default)]
struct MissedNetwork {
    times: u32,
}

impl MissedNetwork {
    /// One that is really missing is said after two seconds.
    const TIMES: u32 = 20;
    const PAUSE: Duration = Duration::from_millis(100);

    /// True, after a pause, if the call that failed so is worth another try.
    async fn is_asked_for_again(&mut self, error: &EngineError) -> bool {
        self.times += 1;
        let again = self.times <= Self::TIMES
            && matches!(error, EngineError::NotFound { message } if is_about_a_network(message));
        if again {
            tokio::time::sleep(Self::PAUSE).await;
        }
        again
    }
}

/// `network NAME not found`, also behind other words; not `No such container: NAME`.
fn is_about_a_network(message: &str) -> bool {
    message.trim_end().strip_suffix(" not found").is_some_and(|named| {
        let mut words = named.rsplit(' ');
        words.next().is_some() && words.next() == Some("network")
    })
}

fn wire(error: Wire) -> EngineError {
    EngineError::from_wire(error, CALL_SECONDS)
}

fn summary(found: models::ContainerSummary) -> ContainerSummary {
    let status = found.status.unwrap_or_default();
    let state = found.state.map_or(RunState::Created, |state| RunState::parse(state.as_ref()));
    let ports = found.ports.unwrap_or_default().into_iter().map(|port| PublishedPort {
        container: port.private_port,
        protocol: port.typ.map_or_else(|| "tcp".to_owned(), |typ| typ.to_string()),
        host_ip: port.ip.unwrap_or_default(),
        host: port.public_port,
    });
    let networks = found.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    let mut ports: Vec<_> = ports.collect();
    ports.sort();
    let endpoints = networks.iter().map(|(name, end)| (name.clone(), endpoint(end))).collect();
    ContainerSummary {
        endpoints,
        id: found.id.unwrap_or_default(),
        name: found
            .names
            .unwrap_or_default()
            .first()
            .map(|name| name.trim_start_matches('/').to_owned())
            .unwrap_or_default(),
        image: found.image.unwrap_or_default(),
        image_id: found.image_id.unwrap_or_default(),
        labels: found.labels.unwrap_or_default().into_iter().collect(),
        state,
        health: health_in(&status),
        exit_code: exit_code_in(&status),
        status,
        created: found.created.unwrap_or(0),
        ports,
        networks: networks
            .into_iter()
            .map(|(name, end)| (name, end.network_id.unwrap_or_default()))
            .collect(),
        volumes: found
            .mounts
            .unwrap_or_default()
            .into_iter()
            .filter(|mount| mount.typ.as_deref() == Some("volume"))
            .filter_map(|mount| Some((mount.destination?, mount.name?)))
            .collect(),
    }
}

fn endpoint(end: &models::EndpointSettings) -> Endpoint {
    let addresses = [&end.ip_address, &end.global_ipv6_address];
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    Endpoint {
        network: end.network_id.clone().unwrap_or_default(),
        addresses: addresses.into_iter().filter_map(given).collect(),
        mac: given(&end.mac_address),
    }
}

/// The list call of engines before API 1.52 tells health only in its sentence.
fn health_in(status: &str) -> Health {
    match status.rsplit_once('(').map(|(_, last)| last.trim_end_matches(')')) {
        Some("healthy") => Health::Healthy,
        Some("unhealthy") => Health::Unhealthy,
        Some("health: starting") => Health::Starting,
        _ => Health::None,
    }
}

/// `Exited (137) 2 hours ago` is 137.
fn exit_code_in(status: &str) -> Option<i64> {
    let rest = status.strip_prefix("Exited (").or_else(|| status.strip_prefix("Restarting ("))?;
    rest.split_once(')')?.0.parse().ok()
}

fn detail(found: models::ContainerInspectResponse) -> ContainerDetail {
    let state = found.state.unwrap_or_default();
    let config = found.config.unwrap_or_default();
    let health = state.health.unwrap_or_default();
    let probes = health.log.unwrap_or_default().into_iter().map(|probe| Probe {
        exit_code: probe.exit_code.unwrap_or(0),
        output: probe.output.unwrap_or_default(),
        ended: probe.end.unwrap_or_default(),
    });
    ContainerDetail {
        id: found.id.unwrap_or_default(),
        name: found.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        image_id: found.image.unwrap_or_default(),
        state: state.status.map_or(RunState::Created, |status| RunState::parse(status.as_ref())),
        exit_code: state.exit_code.unwrap_or(0),
        oom_killed: state.oom_killed.unwrap_or(false),
        error: state.error.unwrap_or_default(),
        pid: state.pid.unwrap_or(0),
        started: state.started_at.unwrap_or_default(),
        finished: state.finished_at.unwrap_or_default(),
        restarts: found.restart_count.unwrap_or(0),
        health: health.status.map_or(Health::None, |status| Health::parse(status.as_ref())),
        failing_streak: health.failing_streak.unwrap_or(0),
        probes: probes.collect(),
        labels: config.labels.unwrap_or_default().into_iter().collect(),
        user: config.user.unwrap_or_default(),
        health_test: config.healthcheck.and_then(|health| health.test).unwrap_or_default(),
        shell: config.shell.unwrap_or_default(),
        tty: config.tty.unwrap_or(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_is_missed_is_asked_for_again() {
        assert!(is_about_a_network("network shop_data not found"));
        assert!(is_about_a_network("failed to set up container networking: network shop_data not found"));
        assert!(!is_about_a_network("No such container: shop-network-1"));
        assert!(!is_about_a_network("volume network not found"));
    }

    #[test]
    fn health_and_exit_code_are_read_from_the_sentence() {
        assert_eq!(health_in("Up 5 minutes (healthy)"), Health::Healthy);
        assert_eq!(health_in("Up 1 second (health: starting)"), Health::Starting);
        assert_eq!(health_in("Up 2 hours (unhealthy)"), Health::Unhealthy);
        assert_eq!(health_in("Up 2 hours (Paused)"), Health::None);
        assert_eq!(exit_code_in("Exited (137) 2 hours ago"), Some(137));
        assert_eq!(exit_code_in("Restarting (1) 3 seconds ago"), Some(1));
        assert_eq!(exit_code_in("Up 2 hours"), None);
    }
}
