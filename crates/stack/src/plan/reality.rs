//! A container as it is, beside what its labels say that it was made from: somebody may have given it another name,
//! taken it off a network, made the network anew, or changed its limits.

use plimsoll_engine::{Attachment, RunState};

use super::build::Builder;
use crate::{DesiredService, ObservedContainer};

impl Builder<'_> {
    /// The name that a container of this number has to have.
    pub(super) fn right_name<'s>(
        service: &'s DesiredService,
        container: &ObservedContainer,
    ) -> Option<&'s str> {
        let replica = service.replicas.iter().find(|replica| replica.number == container.number)?;
        Some(&replica.name)
    }

    /// What cannot be put right while the container stays, in words.
    pub(super) fn unlike(&self, service: &DesiredService, container: &ObservedContainer) -> Option<String> {
        if let Some(name) = Self::right_name(service, container).filter(|name| *name != container.name) {
            return Some(format!("its name is {}, not {name}", container.name));
        }
        // a job that has done its work needs no network any more
        let done = service.one_shot && container.state == RunState::Exited;
        if done || service.spec.network_mode.is_some() {
            return None;
        }
        service.spec.networks.iter().find_map(|on| self.misplaced(container, on))
    }

    fn misplaced(&self, container: &ObservedContainer, on: &Attachment) -> Option<String> {
        let name = &on.network;
        // one that was never started has no place yet
        let place = container.networks.get(name).filter(|place| !place.network.is_empty())?;
        let mut same = self.observed.networks.iter().filter(|network| network.spec.name == *name);
        if !same.any(|network| network.id == place.network) {
            return Some(format!("network {name} was made anew"));
        }
        let fixed = [&on.ipv4, &on.ipv6].into_iter().flatten();
        let has = |address: &String| {
            place.addresses.is_empty() || place.addresses.iter().any(|own| same_address(own, address))
        };
        let wrong = fixed.into_iter().find(|address| !has(address));
        wrong.map(|address| format!("its address on {name} is not {address}"))
    }

    /// Networks that a container that stays is not on, and has to be.
    pub(super) fn off(&self, service: &DesiredService, container: &ObservedContainer) -> Vec<Attachment> {
        let done = service.one_shot && container.state == RunState::Exited;
        if done || service.spec.network_mode.is_some() || self.options.no_recreate {
            return Vec::new();
        }
        let missing = |on: &&Attachment| !container.networks.contains_key(&on.network);
        service.spec.networks.iter().filter(missing).cloned().collect()
    }
}

fn same_address(one: &str, other: &str) -> bool {
    match (one.parse::<std::net::IpAddr>(), other.parse::<std::net::IpAddr>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}
