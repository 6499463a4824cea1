//! What is a store, and who uses it. Not by whether an image was built here, and not by how the file words a dependency:
//! both can be changed without changing what runs.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use plimsoll_compose::{MountKind, Service};
use plimsoll_facts as facts;

use crate::stack::{Member, Stack};

/// Why a container is taken for a store, if it is one.
pub(crate) fn is_store(stack: &Stack<'_>, member: &Member) -> Option<String> {
    let image = member.text("/Config/Image");
    let declared = stack.declared(member).and_then(|service| service.image.as_deref()).unwrap_or_default();
    let named = |image: &str| facts::store_of_image(without_project(image, &stack.project.name));
    if let Some(store) = [image, declared].into_iter().find_map(named) {
        return Some(format!("its image is one of {}", store.label));
    }
    let label = member.text("/Config/Labels/org.opencontainers.image.title").to_ascii_lowercase();
    if facts::store_of_process(&label).is_some() {
        return Some(format!("its image is titled {label}"));
    }
    let process = stack
        .visible_pid(member)
        .ok()
        .and_then(|pid| stack.procfs.processes_of(member.id(), pid).ok())
        .into_iter()
        .flatten()
        .filter_map(|pid| stack.procfs.status(pid).ok())
        .map(|status| status.name.to_ascii_lowercase())
        .find(|name| facts::store_of_process(name).is_some());
    if let Some(name) = process {
        return Some(format!("{name} runs in it"));
    }
    if let Some(port) = exposed(member).into_iter().find(|port| is_port_of_store(port)) {
        return Some(format!("it exposes {port}"));
    }
    keeps_data(stack, member)
        .then(|| "it has a volume, is on internal networks alone and needs nobody".to_owned())
}

/// An image's name without the project's before it: one that is built here is called `PROJECT-SERVICE`, and a project may
/// be called after the store that it uses.
fn without_project<'a>(image: &'a str, project: &str) -> &'a str {
    let rest = image.strip_prefix(project).and_then(|rest| rest.strip_prefix(['-', '_']));
    rest.filter(|rest| !rest.is_empty()).unwrap_or(image)
}

/// A service with data of its own that nobody outside reaches and that needs no other: not an application that stores
/// uploads, which needs its database.
fn keeps_data(stack: &Stack<'_>, member: &Member) -> bool {
    let Some(service) = stack.declared(member) else { return false };
    let named = service
        .volumes
        .iter()
        .any(|mount| mount.kind == MountKind::Volume && mount.source.is_some() && !mount.read_only);
    named
        && service.ports.is_empty()
        && service.depends_on.is_empty()
        && service.build.is_none()
        && stack.project.is_internal(service)
}

fn exposed(member: &Member) -> Vec<&str> {
    let ports = member.raw.pointer("/Config/ExposedPorts").and_then(serde_json::Value::as_object);
    ports.into_iter().flat_map(|ports| ports.keys().map(String::as_str)).collect()
}

/// Whether a port as the engine writes it, `5432/tcp`, is a store's alone.
fn is_port_of_store(port: &str) -> bool {
    let number = port.strip_suffix("/tcp").and_then(|number| number.parse().ok());
    number.is_some_and(|number| facts::store_of_port(number).is_some())
}

/// How a service is known to need another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// Its environment or command names it.
    Named,
    /// It is connected to it now.
    Connected,
    /// `depends_on`, in any form.
    Declared,
}

impl Need {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Named => "names it",
            Self::Connected => "is connected to it",
            Self::Declared => "depends on it",
        }
    }
}

/// How `member` needs the service `store` with these containers; `None` if nothing tells that it does.
pub(crate) fn need(
    stack: &Stack<'_>,
    member: &Member,
    service: &Service,
    store: &str,
    containers: &[&Member],
) -> Option<Need> {
    if service.depends_on.contains_key(store) {
        return Some(Need::Declared);
    }
    let addresses: BTreeSet<IpAddr> =
        containers.iter().flat_map(|one| one.addresses()).map(|(_, address)| address).collect();
    let connected = stack
        .visible_pid(member)
        .ok()
        .and_then(|pid| stack.procfs.connections(pid).ok())
        .is_some_and(|peers| peers.iter().any(|peer: &SocketAddr| addresses.contains(&plain(peer.ip()))));
    if connected {
        return Some(Need::Connected);
    }
    let mine: BTreeSet<String> = member.networks().into_iter().map(|(_, id)| id).collect();
    let shared = containers.iter().any(|one| one.networks().iter().any(|(_, id)| mine.contains(id)));
    let aliases = containers.iter().flat_map(|one| names(one));
    let names: BTreeSet<String> = aliases.chain([store.to_owned()]).collect();
    (shared && words(member).any(|text| names.iter().any(|name| names_host(&text, name))))
        .then_some(Need::Named)
}

/// An IPv4 address in IPv6's form is the IPv4 address.
fn plain(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(six) => six.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

/// The names of a container on its networks, but for its id.
fn names(member: &Member) -> Vec<String> {
    let networks = member.raw.pointer("/NetworkSettings/Networks").and_then(serde_json::Value::as_object);
    let aliases = networks.into_iter().flatten().flat_map(|(_, network)| {
        network["Aliases"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|alias| Some(alias.as_str()?.to_owned()))
    });
    aliases.filter(|alias| !member.id().starts_with(alias.as_str())).collect()
}

/// What a container is told: values of its environment, its command.
fn words(member: &Member) -> impl Iterator<Item = String> {
    ["/Config/Env", "/Config/Cmd", "/Config/Entrypoint"].into_iter().flat_map(|pointer| {
        let list = member.raw.pointer(pointer).and_then(serde_json::Value::as_array);
        let text = move |value: &serde_json::Value| {
            let text = value.as_str()?;
            Some(if pointer == "/Config/Env" { text.split_once('=')?.1.to_owned() } else { text.to_owned() })
        };
        list.into_iter().flatten().filter_map(text).collect::<Vec<_>>()
    })
}

/// Whether a text names a host: the name as a whole word, as in `redis://:x@store:6379/0` or `HOST=store`. The path of a
/// file or the name of a database is no host.
fn names_host(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        let whole = !before.is_some_and(is_part) && !after.is_some_and(is_part);
        let path = before == Some('/') && !text[..at].ends_with("//");
        let scheme = text[at + name.len()..].starts_with("://");
        whole && !path && !scheme
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_stores() {
        assert!(is_port_of_store("5432/tcp") && is_port_of_store("6333/tcp"));
        assert!(
            !is_port_of_store("5432/udp") && !is_port_of_store("8080/tcp") && !is_port_of_store("8123/tcp")
        );
    }

    #[test]
    fn the_projects_name_says_nothing_of_its_services() {
        let store = |image: &str| facts::store_of_image(without_project(image, "shop-postgres")).is_some();
        assert!(!store("shop-postgres-app:local") && !store("shop-postgres_proxy"));
        assert!(store("shop-postgres-redis:local") && store("shop-redis") && store("postgres:17"));
        assert!(facts::store_of_image("shop-postgres-app:local").is_some(), "the name alone is a guess");
    }

    #[test]
    fn hosts_in_texts() {
        assert!(names_host("redis://:x@store:6379/0", "store"));
        assert!(names_host("store", "store"));
        assert!(names_host("a,store:9092,b", "store"));
        assert!(names_host("postgres://store/app", "store"));
        assert!(!names_host("redis://cache:6379", "redis"));
        assert!(!names_host("/var/store/x", "store"));
        assert!(!names_host("datastore", "store"));
        assert!(!names_host("store-2", "store"));
    }
}
