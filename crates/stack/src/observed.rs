//! One picture of the engine: three list calls, and a look at each container of the project that runs.

use std::{collections::BTreeMap, time::Duration};

use plimsoll_engine::{
    ContainerSummary, Endpoint, Engine, Health, NetworkDetail, PublishedPort, Resources, RunState,
    VolumeDetail,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{DesiredService, Generation, Hooks, StackError, labels};

/// The engine's own label of a volume that nobody named.
const ANONYMOUS: &str = "com.docker.volume.anonymous";

/// What exists.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// Containers of the project, by name.
    pub containers: Vec<ObservedContainer>,
    /// Published ports of other projects' containers: port and who has it.
    pub foreign_ports: Vec<(PublishedPort, String)>,
    /// Networks that other projects' containers are on: name and who.
    pub foreign_networks: Vec<(String, String)>,
    /// Volumes that other projects' containers have: name and who.
    pub foreign_volumes: Vec<(String, String)>,
    /// All networks of the engine.
    pub networks: Vec<NetworkDetail>,
    /// All volumes of the engine.
    pub volumes: Vec<VolumeDetail>,
}

impl Observed {
    /// True for a volume that nobody named: engines give it 64 hexadecimal digits, newer ones a label too.
    pub fn is_anonymous(&self, volume: &str) -> bool {
        let found = self.volumes.iter().find(|found| found.spec.name == volume);
        found.is_some_and(|found| found.spec.labels.contains_key(ANONYMOUS))
            || (volume.len() == 64 && volume.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }
}

/// What can change while a container runs, and what its labels do not tell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inside {
    /// Limits that `docker update` changes, as the engine has them; 0 and empty are none.
    pub limits: Resources,
    /// When the engine starts it again by itself, by the engine's word.
    pub restart: String,
    /// Network name to the names that it has there.
    pub aliases: BTreeMap<String, Vec<String>>,
    /// Network name to the link-local addresses that it has there.
    #[serde(default)]
    pub link_local: BTreeMap<String, Vec<String>>,
    /// Devices of the host that it was given.
    #[serde(default)]
    pub devices: Vec<String>,
}

impl Inside {
    fn of(raw: &Value) -> Self {
        let host = &raw["HostConfig"];
        let number = |key: &str| host[key].as_i64().filter(|number| *number != 0);
        let limits = Resources {
            memory: number("Memory"),
            memory_reservation: number("MemoryReservation"),
            nano_cpus: number("NanoCpus"),
            cpu_shares: number("CpuShares"),
            cpuset: host["CpusetCpus"].as_str().filter(|text| !text.is_empty()).map(str::to_owned),
            pids: number("PidsLimit").filter(|number| *number > 0),
            ..Resources::default()
        };
        let names = |place: &Value| -> Vec<String> {
            let lists = [&place["Aliases"], &place["DNSNames"]];
            let names = lists.into_iter().filter_map(Value::as_array).flatten();
            names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
        };
        let link_local = |place: &Value| -> Vec<String> {
            let addresses = place["IPAMConfig"]["LinkLocalIPs"].as_array().into_iter().flatten();
            addresses.filter_map(|address| address.as_str().map(str::to_owned)).collect()
        };
        let devices = host["Devices"].as_array().into_iter().flatten();
        let networks = || raw["NetworkSettings"]["Networks"].as_object().into_iter().flatten();
        Self {
            limits,
            restart: host["RestartPolicy"]["Name"].as_str().unwrap_or_default().to_owned(),
            aliases: networks().map(|(name, place)| (name.clone(), names(place))).collect(),
            link_local: networks()
                .map(|(name, place)| (name.clone(), link_local(place)))
                .filter(|(_, addresses)| !addresses.is_empty())
                .collect(),
            devices: devices.filter_map(|device| device["PathOnHost"].as_str().map(str::to_owned)).collect(),
        }
    }
}

/// A container of the project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObservedContainer {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Service, by label.
    pub service: String,
    /// Number of the replica, by label.
    pub number: u32,
    /// The release that it belongs to, by label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// Made by `run`, not by `up`.
    pub oneoff: bool,
    /// Made by a run for its own purposes.
    pub helper: bool,
    /// Whether it runs.
    pub state: RunState,
    /// The engine's health check.
    pub health: Health,
    /// Exit code, if it has ended.
    pub exit_code: Option<i64>,
    /// When it was made, in milliseconds since the epoch, if we made it.
    pub created: Option<u64>,
    /// Digest of its configuration, if we made it.
    pub hash: String,
    /// docker compose's digest of its configuration.
    pub compose_hash: String,
    /// The image's id by docker compose's label.
    pub image_label: String,
    /// Commands in it.
    pub hooks: Hooks,
    /// Digests by part, if we made it.
    pub parts: Option<String>,
    /// Digest of what a one-shot was given to read, if we made it.
    pub inputs: Option<String>,
    /// Image id.
    pub image_id: String,
    /// The image as it was named.
    pub image: String,
    /// What it depends on, by label.
    pub depends_on: Vec<(String, String)>,
    /// Published ports.
    pub ports: Vec<PublishedPort>,
    /// Network name to its place on it.
    pub networks: BTreeMap<String, Endpoint>,
    /// Path to volume name.
    pub volumes: BTreeMap<String, String>,
    /// What only a look at the container itself tells; only of one that runs.
    pub inside: Option<Inside>,
    /// The engine's sentence about it.
    pub status: String,
}

impl ObservedContainer {
    /// True for a container that an interrupted run left behind: a helper, or a successor with its temporary name.
    pub fn is_stray(&self) -> bool {
        self.helper || is_temporary(&self.name)
    }

    /// Running, or about to.
    pub fn is_up(&self) -> bool {
        matches!(self.state, RunState::Running | RunState::Restarting | RunState::Paused)
    }

    /// True for what nobody will look after any more: a container of a service that the project does not have, or of a
    /// `run` whose command has ended. `knows` tells the project's services, of whatever profile.
    pub fn is_orphan(&self, knows: impl Fn(&str) -> bool) -> bool {
        if self.is_stray() {
            return false;
        }
        if self.oneoff {
            return matches!(self.state, RunState::Exited | RunState::Dead);
        }
        !knows(&self.service)
    }

    /// True if it was made from what the service says now: by our digest, or by docker compose's for a container that
    /// docker compose made. Secrets and configs of such a one cannot be compared.
    pub fn is_current(&self, service: &DesiredService) -> bool {
        if self.parts.is_some() {
            return self.hash == service.hash;
        }
        service.compose_hashes.contains(&self.compose_hash)
            && self.image_label == service.spec.image
            && !service.has_files
    }

    fn from_summary(found: ContainerSummary) -> Self {
        let text = |key: &str| found.labels.get(key).cloned().unwrap_or_default();
        let depends_on = text(labels::DEPENDS_ON)
            .split(',')
            .filter_map(|entry| {
                let mut parts = entry.split(':');
                let service = parts.next().filter(|service| !service.is_empty())?;
                Some((service.to_owned(), parts.next().unwrap_or_default().to_owned()))
            })
            .collect();
        Self {
            service: text(labels::SERVICE),
            number: text(labels::NUMBER).parse().unwrap_or(0),
            // one that somebody else wrote is of no release of ours
            generation: found.labels.get(labels::GENERATION).cloned().and_then(|id| id.try_into().ok()),
            helper: found.labels.contains_key(labels::HELPER),
            oneoff: text(labels::ONEOFF).eq_ignore_ascii_case("true"),
            created: text(labels::CREATED).parse().ok(),
            hash: text(labels::HASH),
            compose_hash: text(labels::CONFIG_HASH),
            image_label: text(labels::IMAGE),
            hooks: Hooks::from_label(found.labels.get(labels::HOOKS).map(String::as_str)),
            parts: found.labels.get(labels::PARTS).cloned(),
            inputs: found.labels.get(labels::INPUTS).cloned(),
            image: found.labels.get(labels::IMAGE_NAME).cloned().unwrap_or_else(|| found.image.clone()),
            depends_on,
            id: found.id,
            name: found.name,
            state: found.state,
            health: found.health,
            exit_code: found.exit_code,
            image_id: found.image_id,
            ports: found.ports,
            networks: found.endpoints,
            volumes: found.volumes,
            inside: None,
            status: found.status,
        }
    }
}

/// The name that the successor of container `id` has until it takes the place: docker compose's form.
pub(crate) fn temporary_name(id: &str, name: &str) -> String {
    format!("{}_{name}", id.get(..12).unwrap_or(id))
}

/// The name that a container has when it has taken its place.
pub(crate) fn final_name(name: &str) -> &str {
    match name.split_once('_') {
        Some((_, rest)) if is_temporary(name) => rest,
        _ => name,
    }
}

fn is_temporary(name: &str) -> bool {
    name.split_once('_').is_some_and(|(id, rest)| {
        id.len() == 12
            && !rest.is_empty()
            && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

/// How long an engine may show a container that it is about to take back.
const TAKEN_BACK: Duration = Duration::from_millis(500);

/// A container that was asked for a moment ago (seconds since the epoch) and that nobody has started. If who asked was
/// killed, the engine takes it back: it is looked at again before anything is planned with it.
fn is_half_made(state: RunState, created: i64, now: i64) -> bool {
    state == RunState::Created && (-1..=2).contains(&now.saturating_sub(created))
}

/// Looks at the engine: all containers (the others' ports matter too), networks and volumes, at the same time.
pub async fn observe(engine: &Engine, project: &str) -> Result<Observed, StackError> {
    let (mut containers, networks, volumes) =
        futures_util::try_join!(engine.containers(), engine.networks(&[]), engine.volumes(&[]))?;
    let now = jiff::Timestamp::now().as_second();
    let of_project = |container: &&ContainerSummary| container.label(labels::PROJECT) == Some(project);
    let mut ours = containers.iter().filter(of_project);
    if ours.any(|container| is_half_made(container.state, container.created, now)) {
        tokio::time::sleep(TAKEN_BACK).await;
        containers = engine.containers().await?;
    }
    let mut observed = Observed { networks, volumes, ..Observed::default() };
    for container in containers {
        if container.label(labels::PROJECT) == Some(project) {
            observed.containers.push(ObservedContainer::from_summary(container));
        } else {
            let owner = match container.label(labels::PROJECT) {
                Some(other) => format!("container {} of project {other}", container.name),
                None => format!("container {}", container.name),
            };
            let published = container.ports.into_iter().filter(|port| port.host.is_some());
            observed.foreign_ports.extend(published.map(|port| (port, owner.clone())));
            let networks = container.networks.into_keys().map(|name| (name, owner.clone()));
            observed.foreign_networks.extend(networks);
            let volumes = container.volumes.into_values().map(|name| (name, owner.clone()));
            observed.foreign_volumes.extend(volumes);
        }
    }
    observed.containers.sort_by(|a, b| a.name.cmp(&b.name));
    let looks =
        observed.containers.iter_mut().filter(|container| container.is_up()).map(|container| async move {
            // one that is gone meanwhile is somebody else's news
            if let Ok(raw) = engine.inspect_container_raw(&container.id).await {
                container.inside = Some(Inside::of(&raw));
            }
        });
    futures_util::future::join_all(looks).await;
    Ok(observed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_one_can_have_is_seen_in_a_look() {
        let inside = Inside::of(&serde_json::json!({
            "HostConfig": { "Devices": [{ "PathOnHost": "/dev/ttyUSB0", "PathInContainer": "/dev/a" }] },
            "NetworkSettings": { "Networks": {
                "n": { "IPAMConfig": { "LinkLocalIPs": ["169.254.1.1"] } },
                "m": { "IPAMConfig": null },
            } },
        }));
        assert_eq!(inside.devices, ["/dev/ttyUSB0"]);
        assert_eq!(inside.link_local, BTreeMap::from([("n".to_owned(), vec!["169.254.1.1".to_owned()])]));
    }

    #[test]
    fn half_made_is_what_was_asked_for_just_now_and_not_started() {
        assert!(is_half_made(RunState::Created, 1000, 1001));
        assert!(!is_half_made(RunState::Running, 1000, 1001));
        assert!(!is_half_made(RunState::Created, 1000, 1060));
    }

    #[test]
    fn temporary_names_are_told_from_ordinary_ones() {
        let name = temporary_name(&"0123456789abcdef".repeat(4), "shop-web-1");
        assert_eq!(name, "0123456789ab_shop-web-1");
        assert!(is_temporary(&name));
        for ordinary in ["shop-web-1", "my_shop-web-1", "0123456789ab_", "0123456789AB_x", "0123456789abc_x"]
        {
            assert!(!is_temporary(ordinary), "{ordinary}");
        }
    }
}
