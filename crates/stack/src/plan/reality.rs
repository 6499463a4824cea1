//! A container as it is, beside what its labels say that it was made from: somebody may have given it another name,
//! taken it off a network, made the network anew, or changed its limits.

use plimsoll_engine::{Attachment, RestartSpec, RunState};

use super::build::Builder;
use crate::{DesiredService, Inside, ObservedContainer};

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
        let misplaced = service.spec.networks.iter().find_map(|on| self.misplaced(container, on));
        misplaced.or_else(|| changed_inside(service, container.inside.as_ref()?))
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

/// What somebody changed in a container that runs: its limits, when it is started again, its names on a network.
fn changed_inside(service: &DesiredService, inside: &Inside) -> Option<String> {
    let (wanted, has) = (&service.spec.resources, &inside.limits);
    let limits = [
        ("memory limit", wanted.memory, has.memory),
        ("memory reservation", wanted.memory_reservation, has.memory_reservation),
        ("CPU limit", wanted.nano_cpus, has.nano_cpus),
        ("CPU weight", wanted.cpu_shares, has.cpu_shares),
    ];
    // an engine drops what its kernel cannot do: a limit that is not there is no news
    let other =
        |wanted: Option<i64>, has: Option<i64>| has.is_some() && wanted.unwrap_or(0) != has.unwrap_or(0);
    if let Some((what, ..)) = limits.into_iter().find(|(_, wanted, has)| other(*wanted, *has)) {
        return Some(format!("its {what} was changed while it ran"));
    }
    // engines that are not Docker have a limit of processes of their own
    if wanted.pids.is_some() && other(wanted.pids, has.pids) {
        return Some("its limit of processes was changed while it ran".to_owned());
    }
    if has.cpuset.is_some() && wanted.cpuset != has.cpuset {
        return Some("its CPUs were changed while it ran".to_owned());
    }
    let restart = match service.spec.restart {
        RestartSpec::No => "no",
        RestartSpec::Always => "always",
        RestartSpec::UnlessStopped => "unless-stopped",
        RestartSpec::OnFailure { .. } => "on-failure",
    };
    if !inside.restart.is_empty() && inside.restart != restart {
        return Some(format!("its restart policy is {}, not {restart}", inside.restart));
    }
    service.spec.networks.iter().find_map(|on| {
        // an engine that lists no name at all does not tell them
        let names = inside.aliases.get(&on.network).filter(|names| !names.is_empty())?;
        let lacking = on.aliases.iter().find(|alias| !names.contains(alias))?;
        Some(format!("{lacking} is not its name on {}", on.network))
    })
}

fn same_address(one: &str, other: &str) -> bool {
    match (one.parse::<std::net::IpAddr>(), other.parse::<std::net::IpAddr>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}
