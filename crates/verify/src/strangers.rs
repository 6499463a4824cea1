//! Containers of others that reach into the project: endpoints on its networks, sharers of its namespaces and volumes.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use plimsoll_engine::{ContainerSummary, Engine, EngineError, NetworkDetail};

use crate::member::{Kind, Member};

/// So many containers are asked for at the same time.
const AT_ONCE: usize = 16;

/// How a stranger reaches into the project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// On this network (name and id).
    Network(String, String),
    /// In the namespace of this kind of the member of this name.
    Namespace(&'static str, String),
    /// Has this volume mounted.
    Volume(String),
}

impl Reach {
    /// For people.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Network(name, _) => format!("on network {name}"),
            Self::Namespace(kind, member) => format!("in the {kind} namespace of {member}"),
            Self::Volume(name) => format!("has volume {name} mounted"),
        }
    }
}

/// A container of somebody else.
#[derive(Clone, Debug)]
pub(crate) struct Stranger {
    /// As the engine has it; its kind is [`Kind::Stranger`].
    pub(crate) member: Member,
    pub(crate) reaches: Vec<Reach>,
}

/// The project's networks: those with its label, and those that its containers are on.
pub(crate) async fn networks(
    engine: &Engine,
    label: String,
    members: &[Member],
) -> Result<Vec<NetworkDetail>, EngineError> {
    let mut ids: BTreeSet<String> =
        engine.networks(&[label]).await?.into_iter().map(|found| found.id).collect();
    // A container of an inner network that does not run has none of the engine's predefined ones either.
    ids.extend(members.iter().flat_map(Member::networks).map(|(_, id)| id));
    let mut networks = Vec::new();
    for id in ids {
        match engine.inspect_network(&id).await {
            Ok(network) => networks.push(network),
            // It was removed while it was looked at.
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    networks.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
    Ok(networks)
}

/// Every running container that is not the project's and reaches into it.
pub(crate) async fn strangers(
    engine: &Engine,
    all: Vec<ContainerSummary>,
    members: &[Member],
    networks: &[NetworkDetail],
) -> Result<Vec<Stranger>, EngineError> {
    let own: BTreeSet<&str> = members.iter().map(Member::id).collect();
    let names: BTreeMap<&str, &str> =
        members.iter().map(|member| (member.id(), member.name.as_str())).collect();
    let volumes: BTreeSet<String> = members.iter().flat_map(Member::volumes).collect();
    let foreign: Vec<_> = all.into_iter().filter(|found| !own.contains(found.id.as_str())).collect();
    let asked = stream::iter(foreign).map(|found| async move {
        let looked =
            tokio::try_join!(engine.inspect_container(&found.id), engine.inspect_container_raw(&found.id));
        match looked {
            Ok((detail, raw)) => Ok(Some(Member {
                kind: Kind::Stranger,
                service: String::new(),
                subject: found.name.clone(),
                name: found.name,
                detail,
                raw,
                given_uid: None,
                new_pid: std::sync::Arc::default(),
            })),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    });
    let found: Vec<Option<Member>> = asked.buffered(AT_ONCE).try_collect().await?;
    let strangers = found.into_iter().flatten().filter(Member::is_up).filter_map(|member| {
        let reaches = reaches(&member, &names, networks, &volumes);
        (!reaches.is_empty()).then_some(Stranger { member, reaches })
    });
    Ok(strangers.collect())
}

fn reaches(
    stranger: &Member,
    members: &BTreeMap<&str, &str>,
    networks: &[NetworkDetail],
    volumes: &BTreeSet<String>,
) -> Vec<Reach> {
    let mut found = Vec::new();
    for (_, id) in stranger.networks() {
        found.extend(
            networks
                .iter()
                .filter(|network| network.id == id)
                .map(|network| Reach::Network(network.spec.name.clone(), id.clone())),
        );
    }
    for (kind, key) in [("net", "NetworkMode"), ("pid", "PidMode"), ("ipc", "IpcMode")] {
        let mode = stranger.raw["HostConfig"][key].as_str().unwrap_or_default();
        let of = mode.strip_prefix("container:").and_then(|other| {
            members.iter().find(|(id, name)| **name == other || (other.len() >= 12 && id.starts_with(other)))
        });
        found.extend(of.map(|(_, name)| Reach::Namespace(kind, (*name).to_owned())));
    }
    let mounted = stranger.volumes().into_iter().filter(|volume| volumes.contains(volume));
    found.extend(mounted.map(Reach::Volume));
    let by_path = stranger.raw["Mounts"].as_array().into_iter().flatten();
    let by_path =
        by_path.filter(|mount| mount["Type"] == "bind").filter_map(|mount| mount["Source"].as_str());
    found.extend(by_path.filter_map(|source| {
        // The engine's directory of a volume, mounted by path.
        let name = source.split_once("/volumes/")?.1.strip_suffix("/_data")?;
        volumes.contains(name).then(|| Reach::Volume(name.to_owned()))
    }));
    found.sort();
    found.dedup();
    found
}

/// The networks that the engine makes by itself: everybody is on them.
pub(crate) fn is_predefined(network: &NetworkDetail) -> bool {
    matches!(network.spec.name.as_str(), "bridge" | "host" | "none" | "podman")
}

/// True for a network that others are on by right: the engine's own, or one that the file takes from elsewhere.
pub(crate) fn is_shared(stack: &crate::stack::Stack<'_>, network: &NetworkDetail) -> bool {
    let external = stack.project.networks.iter().any(|(key, declared)| {
        declared.external && declared.name.as_deref().unwrap_or(key) == network.spec.name
    });
    external || is_predefined(network)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::member::tests::member;

    #[test]
    fn every_way_in_is_seen() {
        let id = "a".repeat(64);
        let members = [(id.as_str(), "shop-db-1")].into();
        let network = NetworkDetail {
            id: "n1".into(),
            spec: plimsoll_engine::NetworkSpec { name: "shop_data".into(), ..Default::default() },
            ..Default::default()
        };
        let volumes = ["shop_db".to_owned()].into();
        let said = |raw: Value| {
            let found = reaches(&member(raw), &members, std::slice::from_ref(&network), &volumes);
            found.iter().map(Reach::words).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(
            said(json!({ "NetworkSettings": { "Networks": { "shop_data": { "NetworkID": "n1" } } } })),
            "on network shop_data"
        );
        assert_eq!(
            said(json!({ "HostConfig": { "NetworkMode": format!("container:{id}") } })),
            "in the net namespace of shop-db-1"
        );
        assert_eq!(
            said(json!({ "HostConfig": { "PidMode": "container:shop-db-1" } })),
            "in the pid namespace of shop-db-1"
        );
        assert_eq!(
            said(json!({ "Mounts": [{ "Type": "volume", "Name": "shop_db" }] })),
            "has volume shop_db mounted"
        );
        assert_eq!(
            said(
                json!({ "Mounts": [{ "Type": "bind", "Source": "/var/lib/docker/volumes/shop_db/_data" }] })
            ),
            "has volume shop_db mounted"
        );
        assert_eq!(
            said(json!({ "NetworkSettings": { "Networks": { "other": { "NetworkID": "n2" } } } })),
            ""
        );
    }
}
