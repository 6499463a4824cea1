//! Things of which an engine has one: names of containers, addresses, ports of the host. When one passes from a
//! container that leaves to another one, the container that has it leaves first: it is removed before anything that
//! wants it is made.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_engine::{ContainerSpec, MountKind};

use super::{build::Builder, verdict::Verdict};
use crate::{DesiredService, ObservedContainer};

/// A thing that one container can have at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Name(String),
    /// Network and address, of the container's network or hardware.
    Address(String, String),
    /// Protocol and number. The host's address does not matter: a port of all addresses takes it from each.
    Port(String, u16),
    /// A volume of a container that goes for good: its successor may be the same program under another name.
    Volume(String),
}

impl Thing {
    fn describe(&self) -> String {
        match self {
            Self::Name(name) => format!("the name {name}"),
            Self::Address(network, address) => format!("{address} on {network}"),
            Self::Port(protocol, port) => format!("port {port}/{protocol}"),
            Self::Volume(name) => format!("volume {name}"),
        }
    }
}

fn wants(name: &str, spec: &ContainerSpec) -> BTreeSet<Thing> {
    let mut things = BTreeSet::from([Thing::Name(name.to_owned())]);
    for on in &spec.networks {
        let fixed = [&on.ipv4, &on.ipv6, &on.mac].into_iter().flatten();
        things.extend(fixed.map(|address| Thing::Address(on.network.clone(), address.to_ascii_lowercase())));
    }
    let ports = spec.ports.iter().filter_map(|port| Some((port, port.host.parse::<u16>().ok()?)));
    things.extend(ports.map(|(port, number)| Thing::Port(port.protocol.clone(), number)));
    things.extend(spec.mounts.iter().filter_map(|mount| match &mount.kind {
        MountKind::Volume { name: Some(name), .. } => Some(Thing::Volume(name.clone())),
        _ => None,
    }));
    things
}

/// What a container has. One that does not run has no address and no port, but its name.
fn has(container: &ObservedContainer, for_good: bool) -> BTreeSet<Thing> {
    let mut things = BTreeSet::from([Thing::Name(container.name.clone())]);
    if !container.is_up() {
        return things;
    }
    for (network, place) in &container.networks {
        let all = place.addresses.iter().chain(&place.mac);
        things.extend(all.map(|address| Thing::Address(network.clone(), address.to_ascii_lowercase())));
    }
    let ports = container.ports.iter().filter_map(|port| Some((port, port.host?)));
    things.extend(ports.map(|(port, number)| Thing::Port(port.protocol.clone(), number)));
    if for_good {
        things.extend(container.volumes.values().map(|volume| Thing::Volume(volume.clone())));
    }
    things
}

impl Builder<'_> {
    /// Removes the containers that leave and have what another one is to get. Whoever gets it waits for that.
    pub(super) fn contested(&mut self, wanted: &BTreeSet<&str>) {
        let (desired, observed) = (self.desired, self.observed);
        let mut wishes: BTreeMap<Thing, BTreeSet<(String, u32)>> = BTreeMap::new();
        for service in desired.services.iter().filter(|service| wanted.contains(service.name.as_str())) {
            let (existing, _) = self.existing_of(service);
            let stays = |number: u32| {
                let found = existing.iter().find(|found| found.number == number);
                found.is_some_and(|found| {
                    matches!(self.verdict(service, found), Verdict::Keep | Verdict::Unpause)
                })
            };
            for replica in service.replicas.iter().filter(|replica| !stays(replica.number)) {
                for thing in wants(&replica.name, &service.spec) {
                    wishes.entry(thing).or_default().insert((service.name.clone(), replica.number));
                }
            }
        }
        for container in observed.containers.iter().filter(|found| !found.is_stray() && !found.oneoff) {
            if self.gone.contains_key(&container.id) {
                continue;
            }
            let Some(for_good) = self.leaves(container, wanted) else { continue };
            let own = (container.service.clone(), container.number);
            let takers = has(container, for_good).into_iter().filter_map(|thing| {
                let others: BTreeSet<_> =
                    wishes.get(&thing)?.iter().filter(|taker| for_good || **taker != own).cloned().collect();
                (!others.is_empty()).then_some((thing, others))
            });
            let takers: Vec<(Thing, BTreeSet<(String, u32)>)> = takers.collect();
            let Some((thing, others)) = takers.first() else { continue };
            let to: Vec<&str> = others.iter().map(|(service, _)| service.as_str()).collect();
            let cause = format!("{}: {} goes to {}", container.service, thing.describe(), to.join(", "));
            let removed = self.remove(container, &cause, &[]);
            self.gone.insert(container.id.clone(), cause);
            for taker in takers.into_iter().flat_map(|(_, others)| others) {
                self.freed.entry(taker).or_default().push(removed);
            }
        }
    }

    /// Whether a container leaves in this plan; true in it if its service is gone too.
    fn leaves(&self, container: &ObservedContainer, wanted: &BTreeSet<&str>) -> Option<bool> {
        let service = self.desired.services.iter().find(|service| service.name == container.service);
        let Some(service) = service else {
            let orphan = self.options.remove_orphans && !self.desired.disabled.contains(&container.service);
            return orphan.then_some(true);
        };
        if !wanted.contains(service.name.as_str()) {
            return None;
        }
        if self.is_surplus(service, container) {
            return Some(false);
        }
        matches!(self.verdict(service, container), Verdict::Recreate(_)).then_some(false)
    }

    fn is_surplus(&self, service: &DesiredService, container: &ObservedContainer) -> bool {
        let (_, surplus) = self.existing_of(service);
        surplus.iter().any(|found| found.id == container.id)
    }
}
