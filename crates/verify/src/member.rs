//! One container as it is found, and what it is to the project.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use plimsoll_engine::{ContainerDetail, RunState};
use serde_json::Value;

use crate::given::Given;

/// What a container is to the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A container of a service of the file.
    Service,
    /// Made by `run` beside the services: part of what runs, not of what the file says.
    OneOff,
    /// Labelled as the project's, of a service that the file does not have.
    Orphan,
    /// Not the project's, but on one of its networks, in one of its namespaces or on one of its volumes.
    Stranger,
}

impl Kind {
    /// For people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Service => "container of a service",
            Self::OneOff => "one-off container",
            Self::Orphan => "container of a service that the file does not have",
            Self::Stranger => "container of somebody else",
        }
    }
}

/// One container.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) kind: Kind,
    /// The service; empty for a stranger.
    pub(crate) service: String,
    /// What claims about it are about: the service, or where that has several containers this one. One-offs, orphans
    /// and strangers go by their own names.
    pub(crate) subject: String,
    pub(crate) name: String,
    pub(crate) detail: ContainerDetail,
    /// The engine's whole answer, for what [`ContainerDetail`] does not hold.
    pub(crate) raw: Value,
    /// The numeric user that it was given, where it does not run; `None` if that cannot be known.
    pub(crate) given_uid: Option<u32>,
    /// The first process after a claim has started it again; 0 where none has.
    pub(crate) new_pid: Arc<AtomicU32>,
}

impl Member {
    pub(crate) fn id(&self) -> &str {
        &self.detail.id
    }

    /// The first process on the engine's host.
    pub(crate) fn pid(&self) -> Option<u32> {
        let new = Some(self.new_pid.load(Ordering::Relaxed)).filter(|pid| *pid > 0);
        new.or_else(|| u32::try_from(self.detail.pid).ok().filter(|pid| *pid > 0))
    }

    /// A claim has started it again.
    pub(crate) fn runs_as(&self, pid: u32) {
        self.new_pid.store(pid, Ordering::Relaxed);
    }

    /// Running, or frozen.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.detail.state, RunState::Running | RunState::Paused)
    }

    /// What the engine gave it, whether it runs or not.
    pub(crate) fn given(&self) -> Given<'_> {
        Given::new(&self.raw)
    }

    /// Name and value of each variable of its environment.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        let variables = self.raw.pointer("/Config/Env").and_then(Value::as_array).into_iter().flatten();
        variables.filter_map(|variable| variable.as_str()?.split_once('='))
    }

    /// A setting of the engine's answer by JSON pointer.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.raw.pointer(pointer).and_then(Value::as_str).unwrap_or("")
    }

    /// Its addresses by network name, IPv4 first.
    pub(crate) fn addresses(&self) -> Vec<(String, IpAddr)> {
        let networks = self.raw.pointer("/NetworkSettings/Networks").and_then(Value::as_object);
        let mut found = Vec::new();
        for (name, network) in networks.into_iter().flatten() {
            let address = |key: &str| network[key].as_str()?.parse().ok();
            let both = [address("IPAddress"), address("GlobalIPv6Address")];
            found.extend(both.into_iter().flatten().map(|address: IpAddr| (name.clone(), address)));
        }
        found
    }

    /// The ids of its networks by name.
    pub(crate) fn networks(&self) -> Vec<(String, String)> {
        let networks = self.raw.pointer("/NetworkSettings/Networks").and_then(Value::as_object);
        let id = |network: &Value| Some(network["NetworkID"].as_str()?.to_owned());
        networks
            .into_iter()
            .flatten()
            .filter_map(|(name, network)| Some((name.clone(), id(network)?)))
            .filter(|(_, id)| !id.is_empty())
            .collect()
    }

    /// The names of its volumes.
    pub(crate) fn volumes(&self) -> Vec<String> {
        let mounts = self.raw.pointer("/Mounts").and_then(Value::as_array);
        let volume = mounts.into_iter().flatten().filter(|mount| mount["Type"] == "volume");
        volume.filter_map(|mount| Some(mount["Name"].as_str()?.to_owned())).collect()
    }

    /// Published ports as the engine has them: port in the container, protocol, address of the host.
    pub(crate) fn published(&self) -> Vec<(u16, String, SocketAddr)> {
        let mut found = Vec::new();
        let ports = self.raw.pointer("/NetworkSettings/Ports").and_then(Value::as_object);
        for (port, bindings) in ports.into_iter().flatten() {
            let Some((number, protocol)) = port.split_once('/') else { continue };
            let Ok(number) = number.parse() else { continue };
            for binding in bindings.as_array().into_iter().flatten() {
                let ip = binding["HostIp"].as_str().filter(|ip| !ip.is_empty()).unwrap_or("0.0.0.0");
                let host = binding["HostPort"].as_str().and_then(|port| port.parse().ok());
                if let (Ok(ip), Some(host)) = (ip.parse(), host) {
                    found.push((number, protocol.to_owned(), SocketAddr::new(ip, host)));
                }
            }
        }
        found.sort();
        found
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// A running container with this answer of the engine.
    pub(crate) fn member(raw: Value) -> Member {
        let detail = serde_json::from_value(json!({
            "id": "f".repeat(64), "name": "one", "image_id": "", "state": "running", "exit_code": 0,
            "oom_killed": false, "error": "", "pid": 7, "started": "", "finished": "", "restarts": 0,
            "health": "none", "failing_streak": 0, "probes": [], "labels": {}, "user": "", "health_test": [],
            "shell": [], "tty": false
        }))
        .unwrap();
        Member {
            kind: Kind::Service,
            service: "one".into(),
            subject: "one".into(),
            name: "one".into(),
            detail,
            raw,
            given_uid: None,
            new_pid: Arc::default(),
        }
    }

    #[test]
    fn networks_and_volumes_by_the_engines_answer() {
        let one = member(json!({
            "NetworkSettings": { "Networks": { "a": { "NetworkID": "1", "IPAddress": "10.0.0.2" }, "b": { "NetworkID": "" } } },
            "Mounts": [{ "Type": "volume", "Name": "v" }, { "Type": "bind", "Source": "/" }]
        }));
        assert_eq!(one.networks(), [("a".to_owned(), "1".to_owned())]);
        assert_eq!(one.volumes(), ["v"]);
    }
}
