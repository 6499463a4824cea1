//! What an engine cannot honour: refused where dropping it would change what a container may do or see, else said
//! once with the reason.

use plimsoll_compose::{CredentialSpec, MountKind as Kind, Project, Service};
use plimsoll_engine::EngineFacts;

use super::joins::attachments;
use crate::StackError;

/// Settings that widen or narrow what a container may do are refused rather than dropped.
pub(super) fn refuse(
    project: &Project,
    name: &str,
    service: &Service,
    facts: &EngineFacts,
) -> Result<(), StackError> {
    let refuse = |attribute: &'static str, why: &str| {
        let title = format!("service {name}: `{attribute}` is not supported: {why}");
        Err(match project.origin(&["services", name, attribute]) {
            Some(origin) => StackError::File(Box::new(origin.error(title))),
            None => StackError::Unsupported { service: name.to_owned(), attribute, why: why.to_owned() },
        })
    };
    if service.provider.is_some() {
        return refuse("provider", "services without a container are not run; start the program yourself");
    }
    if service.use_api_socket {
        return refuse("use_api_socket", "mount the socket as a volume if the service must have it");
    }
    if service.credential_spec.as_ref().is_some_and(|spec| *spec != CredentialSpec::default()) {
        return refuse("credential_spec", "it exists only on Windows");
    }
    // the one value that an engine on Linux takes
    if service.isolation.as_deref().is_some_and(|kind| !matches!(kind, "" | "default")) {
        return refuse("isolation", "other values than `default` exist only on Windows");
    }
    if service.volumes.iter().any(|mount| matches!(mount.kind, Kind::Cluster | Kind::Npipe)) {
        return refuse("volumes", "cluster volumes need a Swarm, named pipes Windows");
    }
    if service.volumes.iter().any(|mount| mount.kind == Kind::Image) {
        return refuse("volumes", "mounts of images are not made; copy the files into the service's image");
    }
    let subpath = service.volumes.iter().find_map(|mount| mount.volume.as_ref()?.subpath.as_ref());
    if subpath.is_some() && !speaks(facts, 45) {
        return refuse("volumes", "a subpath needs Docker Engine 26: this one would mount the whole volume");
    }
    let recursive = service.volumes.iter().filter_map(|mount| mount.bind.as_ref()?.recursive.as_deref());
    if recursive.into_iter().any(|mode| mode == "readonly") && !speaks(facts, 44) {
        return refuse(
            "volumes",
            "`recursive: readonly` needs Docker Engine 25: mounts below would be writable",
        );
    }
    if !speaks(facts, 44) && attachments(project, name, service).iter().skip(1).any(|on| on.mac.is_some()) {
        return refuse(
            "mac_address",
            "one of a further network needs Docker Engine 25; this one takes that of the first network alone",
        );
    }
    Ok(())
}

/// What is said, once, and has no effect.
pub(super) fn notes(name: &str, service: &Service, facts: &EngineFacts) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = |present: bool, what: &str| {
        if present {
            notes.push(format!("{name}: {what}"));
        }
    };
    let networks = || service.networks.values().flatten();
    note(!service.models.is_empty(), "models are not provided");
    note(
        service.mac_address.is_some() && service.network_mode.is_some(),
        "mac_address has no effect with network_mode: it belongs to a network",
    );
    note(
        service.cpu_count != 0 || service.cpu_percent != 0.0,
        "cpu_count and cpu_percent exist only on Windows; use cpus",
    );
    note(
        !service.annotations.is_empty() && !speaks(facts, 43),
        "annotations need Docker Engine 24 and are left out",
    );
    note(
        networks().any(|network| network.interface_name.is_some()) && major(facts) < 28,
        "interface_name needs Docker Engine 28 and has no effect",
    );
    note(
        networks().any(|network| network.gw_priority != 0) && !speaks(facts, 48),
        "gw_priority needs Docker Engine 28; the network with the highest `priority` has the gateway",
    );
    if let Some(deploy) = &service.deploy {
        note(
            !deploy.placement.constraints.is_empty()
                || !deploy.placement.preferences.is_empty()
                || deploy.placement.max_replicas_per_node != 0,
            "deploy.placement has no meaning on one host",
        );
        note(
            deploy.endpoint_mode.is_some() || !deploy.labels.is_empty(),
            "deploy.endpoint_mode and deploy.labels belong to a Swarm's services, not to containers",
        );
        let reserved = deploy.resources.reservations.as_ref();
        note(
            reserved.is_some_and(|reserved| reserved.cpus > 0.0 || !reserved.generic_resources.is_empty()),
            "reservations of CPUs and generic resources only choose a node in a Swarm; the memory reservation counts",
        );
        let policy = deploy.restart_policy.as_ref();
        note(
            policy.is_some_and(|policy| policy.delay.is_some() || policy.window.is_some()),
            "deploy.restart_policy: an engine has delays of its own; delay and window have no effect",
        );
        note(
            deploy.rollback_config.is_some()
                || deploy.update_config.as_ref().is_some_and(|update| {
                    update.failure_action.as_deref() == Some("rollback") || update.max_failure_ratio > 0.0
                }),
            "`up` does not roll back: an update ends at the first replica that fails, the others stay as they are",
        );
    }
    notes
}

/// True if the engine speaks API 1.`minor`.
pub(crate) fn speaks(facts: &EngineFacts, minor: u32) -> bool {
    let (major, found) = facts.api.split_once('.').unwrap_or(("1", "0"));
    (number(major), number(found)) >= (1, minor)
}

fn major(facts: &EngineFacts) -> u32 {
    number(facts.version.split('.').next().unwrap_or_default())
}

fn number(text: &str) -> u32 {
    text.parse().unwrap_or(0)
}
