//! What the containers of a project use, against their limits.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Instant,
};

use futures_util::{StreamExt as _, future::join_all};
use plimsoll_engine::{ContainerSummary, Engine, EventFilter, RunState};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{StackError, labels};

/// Reports of lack of memory that follow each other within so many nanoseconds are of one kill.
const ONE_KILL: i64 = 1_000_000_000;

/// One container at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// The service.
    pub service: String,
    /// The container.
    pub container: String,
    /// Whether it runs.
    pub state: RunState,
    /// CPUs in use since the sample before; absent in the first one.
    pub cpus: Option<f64>,
    /// CPUs that it may use: its limit, else those of the host.
    pub cpu_limit: f64,
    /// Bytes of memory, without file pages that can be dropped.
    pub memory: u64,
    /// Bytes of memory that it may use: its limit, else the host's memory.
    pub memory_limit: u64,
    /// False if the limit is the host's memory.
    pub memory_limited: bool,
    /// The most that it has used (cgroup v1 only), file pages included.
    pub memory_peak: Option<u64>,
    /// Processes and threads.
    pub pids: u64,
    /// How many it may have.
    pub pids_limit: Option<u64>,
    /// Processes that the kernel killed for lack of memory since the container's start, as far as it can be told.
    pub oom_kills: u64,
}

/// What does not change while a container runs.
#[derive(Debug, Clone, Default)]
struct ContainerLimits {
    started: String,
    cpus: Option<f64>,
    memory: Option<u64>,
    pids: Option<u64>,
    pid: i64,
}

/// Takes samples; remembers the last ones for the difference.
#[derive(Debug, Default)]
pub struct Meter {
    last: BTreeMap<String, (Instant, u64)>,
    limits: BTreeMap<String, ContainerLimits>,
    host: Option<(f64, u64)>,
}

impl Meter {
    /// A sample of every container of `project`, or of these services; ended ones are there with zeros if `all`.
    pub async fn sample(
        &mut self,
        engine: &Engine,
        project: &str,
        services: &[String],
        all: bool,
    ) -> Result<Vec<Usage>, StackError> {
        let host = match self.host {
            Some(host) => host,
            None => {
                let facts = engine.facts().await?;
                *self.host.insert((f64::from(facts.cpus), facts.memory))
            }
        };
        let found = engine.containers_labelled(&[format!("{}={project}", labels::PROJECT)]).await?;
        let found: Vec<ContainerSummary> = found
            .into_iter()
            .filter(|container| container.label(labels::HELPER).is_none())
            .filter(|container| all || is_up(container.state))
            .filter(|container| {
                let service = container.label(labels::SERVICE).unwrap_or_default();
                services.is_empty() || services.iter().any(|wanted| wanted == service)
            })
            .collect();
        let known: BTreeSet<&str> = found.iter().map(|container| container.id.as_str()).collect();
        self.last.retain(|id, _| known.contains(id.as_str()));
        self.limits.retain(|id, _| known.contains(id.as_str()));
        self.learn(engine, &found).await?;
        let told = self.told(engine, project).await;
        let last = &self.last;
        let limits = &self.limits;
        let samples = join_all(found.iter().map(|container| async move {
            if !is_up(container.state) {
                return Ok::<_, StackError>(None);
            }
            match engine.usage(&container.id).await {
                Ok(usage) => Ok(Some((Instant::now(), usage))),
                // it has ended in the meantime
                Err(error) if error.is_not_found() => Ok(None),
                Err(plimsoll_engine::EngineError::Conflict { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            }
        }))
        .await;
        let mut rows = Vec::new();
        let mut next = Vec::new();
        for (container, sample) in found.iter().zip(samples) {
            let (at, usage) = sample?.map_or((None, Default::default()), |(at, usage)| (Some(at), usage));
            let limit = limits.get(&container.id).cloned().unwrap_or_default();
            let cpus = at.and_then(|at| {
                next.push((container.id.clone(), (at, usage.cpu_time)));
                let (before, time) = last.get(&container.id)?;
                let wall = at.duration_since(*before).as_nanos() as f64;
                (wall > 0.0).then(|| usage.cpu_time.saturating_sub(*time) as f64 / wall)
            });
            rows.push(Usage {
                service: container.label(labels::SERVICE).unwrap_or_default().to_owned(),
                container: container.name.clone(),
                state: container.state,
                cpus,
                cpu_limit: limit.cpus.unwrap_or(host.0),
                memory: usage.memory,
                memory_limit: limit.memory.unwrap_or(host.1),
                memory_limited: limit.memory.is_some(),
                memory_peak: usage.memory_peak,
                pids: usage.pids,
                pids_limit: limit.pids,
                oom_kills: oom_kills(engine, limit.pid)
                    .unwrap_or_else(|| told.get(&container.id).copied().unwrap_or(0)),
            });
        }
        self.last.extend(next);
        rows.sort_by(|a, b| (&a.service, &a.container).cmp(&(&b.service, &b.container)));
        Ok(rows)
    }

    /// Limits of containers that are new, or have been started again.
    async fn learn(&mut self, engine: &Engine, found: &[ContainerSummary]) -> Result<(), StackError> {
        // the sentence changes with every start, and is part of the list call
        let unknown = found.iter().filter(|container| {
            self.limits.get(&container.id).is_none_or(|limits| {
                limits.pid == 0 || container.status.contains("second") || limits.started.is_empty()
            })
        });
        let learnt = join_all(unknown.map(|container| async move {
            match engine.inspect_container_raw(&container.id).await {
                Ok(raw) => Ok(Some((container.id.clone(), limits(&raw)))),
                Err(error) if error.is_not_found() => Ok(None),
                Err(error) => Err(StackError::from(error)),
            }
        }))
        .await;
        for limits in learnt {
            self.limits.extend(limits?);
        }
        Ok(())
    }

    /// Kills for lack of memory that the engine remembers (its last 256 events), by container id.
    async fn told(&self, engine: &Engine, project: &str) -> BTreeMap<String, u64> {
        let unreadable =
            |limits: &ContainerLimits| limits.pid != 0 && oom_kills(engine, limits.pid).is_none();
        let mut told: BTreeMap<String, u64> = BTreeMap::new();
        let mut at: BTreeMap<String, i64> = BTreeMap::new();
        if !self.limits.values().any(unreadable) {
            return told;
        }
        let filter = EventFilter {
            labels: vec![format!("{}={project}", labels::PROJECT)],
            since: Some(1),
            until: Some(jiff::Timestamp::now().as_second() + 1),
        };
        let mut events = engine.events(&filter).take(512);
        // the stream ends when the clock has passed `until`: half a second is enough for what is remembered
        let listen = async {
            while let Some(Ok(event)) = events.next().await {
                match event.action.as_str() {
                    "oom" => {
                        // an engine tells of one kill many times while the kernel looks for memory
                        let before = at.insert(event.id.clone(), event.time).unwrap_or(0);
                        if event.time - before > ONE_KILL {
                            *told.entry(event.id).or_insert(0) += 1;
                        }
                    }
                    "start" => {
                        told.remove(&event.id);
                    }
                    _ => {}
                }
            }
        };
        let _ = tokio::time::timeout(std::time::Duration::from_millis(300), listen).await;
        told
    }
}

fn is_up(state: RunState) -> bool {
    matches!(state, RunState::Running | RunState::Paused)
}

fn limits(raw: &Value) -> ContainerLimits {
    let host = &raw["HostConfig"];
    let positive = |key: &str| host[key].as_i64().and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0);
    let quota = || {
        let period = positive("CpuPeriod").unwrap_or(100_000);
        Some(positive("CpuQuota")? as f64 / period as f64)
    };
    ContainerLimits {
        started: raw["State"]["StartedAt"].as_str().unwrap_or_default().to_owned(),
        cpus: positive("NanoCpus").map(|nano| nano as f64 / 1e9).or_else(quota),
        memory: positive("Memory"),
        pids: positive("PidsLimit"),
        pid: raw["State"]["Pid"].as_i64().unwrap_or(0),
    }
}

/// The kernel's count for the cgroup of process `pid`, where it can be read: on this machine, with cgroups mounted.
fn oom_kills(engine: &Engine, pid: i64) -> Option<u64> {
    if pid <= 0 || !engine.is_local() {
        return None;
    }
    let cgroups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    oom_file(&cgroups).iter().find_map(|path| kills(&fs::read_to_string(path).ok()?))
}

/// Where the count may be, v1 first: a hybrid host has its memory controller there.
fn oom_file(cgroups: &str) -> Vec<String> {
    let mut files = Vec::new();
    for line in cgroups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(names), Some(path)) = (fields.next(), fields.next()) else { continue };
        // a path that leaves the mount is seen from another cgroup namespace
        if path.contains("/..") {
            continue;
        }
        if names.split(',').any(|name| name == "memory") {
            files.insert(0, format!("/sys/fs/cgroup/memory{path}/memory.oom_control"));
        } else if names.is_empty() {
            files.push(format!("/sys/fs/cgroup{path}/memory.events"));
        }
    }
    files
}

fn kills(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_count_is_found_in_both_hierarchies() {
        let hybrid = "5:memory:/docker/abc\n1:name=systemd:/docker/abc\n0::/docker/abc\n";
        let found = oom_file(hybrid);
        assert_eq!(
            found,
            [
                "/sys/fs/cgroup/memory/docker/abc/memory.oom_control",
                "/sys/fs/cgroup/docker/abc/memory.events"
            ]
        );
        assert!(oom_file("0::/../abc\n").is_empty());
        assert_eq!(kills("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), Some(3));
        assert_eq!(kills("low 0\noom 1\n"), None);
    }

    #[test]
    fn limits_come_from_either_form() {
        let raw = serde_json::json!({
            "HostConfig": { "NanoCpus": 1_500_000_000_i64, "Memory": 64 << 20, "PidsLimit": null },
            "State": { "Pid": 7, "StartedAt": "x" },
        });
        let found = limits(&raw);
        assert_eq!((found.cpus, found.memory, found.pids, found.pid), (Some(1.5), Some(64 << 20), None, 7));
        let quota = serde_json::json!({ "HostConfig": { "CpuQuota": 50_000, "CpuPeriod": 100_000 } });
        assert_eq!(limits(&quota).cpus, Some(0.5));
    }
}
