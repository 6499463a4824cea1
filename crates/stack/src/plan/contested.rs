//! Things of which an engine has one: names of containers, addresses, ports and devices of the host. When one passes
//! from a container that leaves to another one, the container that has it leaves first: it is removed before anything
//! that wants it is made.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_engine::{ContainerSpec, MountKind};

use super::{build::Builder, verdict::Verdict};
use crate::{DesiredService, Observed, ObservedContainer, ports};

/// Service and number of a container that is to be made.
type Taker = (String, u32);

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
    /// A device of the host that its service is not given any more.
    Device(String),
}

impl Thing {
    fn describe(&self) -> String {
        match self {
            Self::Name(name) => format!("the name {name}"),
            Self::Address(network, address) => format!("{address} on {network}"),
            Self::Port(protocol, port) => format!("port {port}/{protocol}"),
            Self::Volume(name) => format!("volume {name}"),
            Self::Device(path) => format!("the device {path}"),
        }
    }
}

fn wants(name: &str, spec: &ContainerSpec) -> BTreeSet<Thing> {
    let mut things = BTreeSet::from([Thing::Name(name.to_owned())]);
    for on in &spec.networks {
        let fixed = [&on.ipv4, &on.ipv6, &on.mac].into_iter().flatten().chain(&on.link_local);
        things.extend(fixed.map(|address| Thing::Address(on.network.clone(), address.to_ascii_lowercase())));
    }
    let ports = spec.ports.iter().filter_map(|port| Some((port, ports::range(&port.host)?)));
    let single = ports.filter(|(_, (first, last))| first == last);
    things.extend(single.map(|(port, (number, _))| Thing::Port(port.protocol.clone(), number)));
    things.extend(spec.devices.iter().map(|device| Thing::Device(device.source.clone())));
    things.extend(spec.mounts.iter().filter_map(|mount| match &mount.kind {
        MountKind::Volume { name: Some(name), .. } => Some(Thing::Volume(name.clone())),
        _ => None,
    }));
    things
}

/// A range of ports of which the engine gives one to a container.
struct Range {
    taker: Taker,
    protocol: String,
    first: u16,
    last: u16,
}

impl Range {
    fn of(taker: &Taker, spec: &ContainerSpec) -> Vec<Self> {
        let ports = spec.ports.iter().filter_map(|port| Some((port, ports::range(&port.host)?)));
        let wide = ports.filter(|(_, (first, last))| first < last);
        wide.map(|(port, (first, last))| Self {
            taker: taker.clone(),
            protocol: port.protocol.clone(),
            first,
            last,
        })
        .collect()
    }

    fn holds(&self, protocol: &str, port: u16) -> bool {
        self.protocol == protocol && (self.first..=self.last).contains(&port)
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.protocol == other.protocol && self.first <= other.last && other.first <= self.last
    }

    /// Whether its taker replaces a container with a port of the range: that one comes free in its turn.
    fn is_inherited(&self, observed: &Observed) -> bool {
        let (service, number) = &self.taker;
        let own = observed.containers.iter().filter(|found| {
            found.is_up() && !found.oneoff && found.service == *service && found.number == *number
        });
        own.flat_map(|found| &found.ports)
            .any(|port| port.host.is_some_and(|host| self.holds(&port.protocol, host)))
    }
}

/// The ranges with fewer free ports than are wanted of them. Of the others nobody has to leave for a port.
fn scarce<'r>(ranges: &'r [Range], observed: &Observed) -> Vec<&'r Range> {
    let ours = observed.containers.iter().filter(|found| found.is_up()).flat_map(|found| &found.ports);
    let held: BTreeSet<(&str, u16)> = ours
        .chain(observed.foreign_ports.iter().map(|(port, _)| port))
        .filter_map(|port| Some((port.protocol.as_str(), port.host?)))
        .collect();
    let new: Vec<&Range> = ranges.iter().filter(|range| !range.is_inherited(observed)).collect();
    let is_scarce = |range: &Range| {
        let wanted = new.iter().filter(|other| range.overlaps(other)).count();
        let taken = held.iter().filter(|(protocol, port)| range.holds(protocol, *port)).count();
        usize::from(range.last - range.first) + 1 < taken + wanted
    };
    new.iter().copied().filter(|range| is_scarce(range)).collect()
}

/// What a container has. One that does not run has no address and no port, but its name. What its service (`stays`) is
/// given still is not given away.
fn has(container: &ObservedContainer, stays: Option<&DesiredService>) -> BTreeSet<Thing> {
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
    let inside = container.inside.iter();
    let link_local = inside.clone().flat_map(|inside| &inside.link_local);
    things.extend(link_local.flat_map(|(network, addresses)| {
        addresses.iter().map(move |address| Thing::Address(network.clone(), address.to_ascii_lowercase()))
    }));
    let kept = |path: &String| {
        stays.is_some_and(|service| service.spec.devices.iter().any(|device| device.source == *path))
    };
    let devices = inside.flat_map(|inside| &inside.devices).filter(|path| !kept(path));
    things.extend(devices.map(|path| Thing::Device(path.clone())));
    if stays.is_none() {
        things.extend(container.volumes.values().map(|volume| Thing::Volume(volume.clone())));
    }
    things
}

impl Builder<'_> {
    /// Removes the containers that leave and have what another one is to get. Whoever gets it waits for that.
    pub(super) fn contested(&mut self, wanted: &BTreeSet<&str>) {
        let (desired, observed) = (self.desired, self.observed);
        let wishes = self.wishes(wanted);
        for container in observed.containers.iter().filter(|found| !found.is_stray() && !found.oneoff) {
            if self.gone.contains_key(&container.id) {
                continue;
            }
            let Some(for_good) = self.leaves(container, wanted) else { continue };
            let own = (container.service.clone(), container.number);
            let stays = desired.services.iter().find(|service| service.name == container.service);
            let takers = has(container, stays).into_iter().filter_map(|thing| {
                let others: BTreeSet<_> =
                    wishes.get(&thing)?.iter().filter(|taker| for_good || **taker != own).cloned().collect();
                (!others.is_empty()).then_some((thing, others))
            });
            let takers: Vec<(Thing, BTreeSet<Taker>)> = takers.collect();
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

    /// What the containers that are to be made are to get.
    fn wishes(&self, wanted: &BTreeSet<&str>) -> BTreeMap<Thing, BTreeSet<Taker>> {
        let mut wishes: BTreeMap<Thing, BTreeSet<Taker>> = BTreeMap::new();
        let mut ranges = Vec::new();
        for service in self.desired.services.iter().filter(|service| wanted.contains(service.name.as_str())) {
            let (existing, _) = self.existing_of(service);
            let stays = |number: u32| {
                let found = existing.iter().find(|found| found.number == number);
                found.is_some_and(|found| {
                    matches!(self.verdict(service, found), Verdict::Keep | Verdict::Unpause)
                })
            };
            for replica in service.replicas.iter().filter(|replica| !stays(replica.number)) {
                let taker = (service.name.clone(), replica.number);
                for thing in wants(&replica.name, &service.spec) {
                    wishes.entry(thing).or_default().insert(taker.clone());
                }
                ranges.extend(Range::of(&taker, &service.spec));
            }
        }
        for range in scarce(&ranges, self.observed) {
            for port in range.first..=range.last {
                let port = Thing::Port(range.protocol.clone(), port);
                wishes.entry(port).or_default().insert(range.taker.clone());
            }
        }
        wishes
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
