//! What an engine cannot honour: refused where dropping it would change what a container may do or see, else said
//! once with the reason.

use plimsoll_compose::{CredentialSpec, MountKind as Kind, Project, Service};
use plimsoll_engine::EngineFacts;
use plimsoll_source::Diagnostic;

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

/// `start_interval`: an engine before 25 does not know it, and every engine goes wrong without `start_period`, since the
/// interval counts within that time alone. Gives the note, if there is one.
pub(super) fn start_interval(
    project: &Project,
    name: &str,
    facts: &EngineFacts,
) -> Result<Option<String>, StackError> {
    let Some(check) = &project.services[name].healthcheck else { return Ok(None) };
    if check.disable || check.start_interval.is_none() {
        return Ok(None);
    }
    let origin = project.origin(&["services", name, "healthcheck", "start_interval"]);
    if check.start_period.is_none() {
        let title = format!("service {name}: healthcheck.start_interval needs healthcheck.start_period");
        let diagnostic = match origin {
            Some(origin) => origin.error(title),
            None => Diagnostic::error(title),
        };
        let hint = "say with start_period how long the probes come at that interval, or leave it out";
        return Err(StackError::File(Box::new(diagnostic.hint(hint))));
    }
    if speaks(facts, 44) {
        return Ok(None);
    }
    let place = origin.and_then(|origin| origin.place()).map_or_else(String::new, |place| {
        format!(" ({}:{})", place.source.name(), place.source.line_col(place.span.start).line)
    });
    Ok(Some(format!(
        "{name}: healthcheck.start_interval needs Docker Engine 25 and has no effect{place}; `up` probes by itself \
         at the first start, and after a restart `interval` counts"
    )))
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

#[cfg(test)]
mod tests {
    use plimsoll_compose::{LoadOptions, NoFiles};
    use plimsoll_source::Source;

    use super::*;

    fn project(check: &str) -> Project {
        let text = format!("name: t\nservices:\n  a:\n    image: x\n    healthcheck: {check}\n");
        let options = LoadOptions::new(vec![Source::new("compose.yaml", text)], "/srv");
        plimsoll_compose::load(&options, &NoFiles).unwrap()
    }

    fn engine(api: &str) -> EngineFacts {
        EngineFacts { api: api.into(), ..EngineFacts::default() }
    }

    #[test]
    fn start_interval_is_dropped() {
        let both = project("{ test: [CMD, 'true'], start_period: 10s, start_interval: 1s }");
        let note = start_interval(&both, "a", &engine("1.41")).unwrap().unwrap();
        assert!(note.contains("needs Docker Engine 25") && note.contains("(compose.yaml:5)"), "{note}");
        assert_eq!(start_interval(&both, "a", &engine("1.44")).unwrap(), None);
        let alone = project("{ test: [CMD, 'true'], start_interval: 1s }");
        for api in ["1.41", "1.47"] {
            let error = start_interval(&alone, "a", &engine(api)).unwrap_err();
            let StackError::File(diagnostic) = error else { panic!("{error}") };
            assert!(diagnostic.title.contains("needs healthcheck.start_period"), "{}", diagnostic.title);
            assert_eq!(diagnostic.labels[0].source.name(), "compose.yaml");
        }
        let off = project("{ disable: true, start_interval: 1s }");
        assert_eq!(start_interval(&off, "a", &engine("1.41")).unwrap(), None);
        let plain = project("{ test: [CMD, 'true'] }");
        assert_eq!(start_interval(&plain, "a", &engine("1.41")).unwrap(), None);
    }
}
