//! The steps that make a container, and those that put one in the place of another.
//!
//! Usually: create under a temporary name, then stop, remove, rename, start, so that the old one serves until its
//! successor exists. With `order: start-first` the successor is started beside the old one, which is stopped when it
//! is ready.

use plimsoll_engine::{Attachment, ContainerSpec, RestartSpec};

use super::{Op, Plan};
use crate::{DesiredService, InitHook, ObservedContainer, labels, observed::temporary_name};

/// A container that takes the place of another.
pub(super) struct Replacement<'a> {
    pub(super) old: &'a ObservedContainer,
    /// The final name.
    pub(super) name: &'a str,
    pub(super) spec: ContainerSpec,
    pub(super) cause: &'a str,
    /// Seconds that the old one has to end, instead of its own grace period.
    pub(super) grace: Option<u32>,
    /// Its anonymous volumes go with it: the successor has new ones.
    pub(super) renew: bool,
}

/// Create, join further networks, own the volumes. Gives the steps that a start must wait for.
pub(crate) fn create_steps(
    plan: &mut Plan,
    service: &DesiredService,
    spec: ContainerSpec,
    cause: &str,
    before: &[usize],
    connect: &[Attachment],
) -> Vec<usize> {
    let made = Made { container: spec.name.clone(), image: spec.image.clone() };
    let op = Op::CreateContainer { spec: Box::new(spec) };
    let create = plan.push(op, Some(&service.name), cause, before);
    let mut ready = vec![create];
    ready.extend(finish_steps(plan, service, &made, connect, &[create]));
    ready
}

/// A container that has been made.
pub(super) struct Made {
    pub(super) container: String,
    pub(super) image: String,
}

/// What a container that has been made still needs before its first start: a killed run may have ended between.
pub(super) fn finish_steps(
    plan: &mut Plan,
    service: &DesiredService,
    made: &Made,
    connect: &[Attachment],
    after: &[usize],
) -> Vec<usize> {
    let name = Some(service.name.as_str());
    let Made { container, image } = made;
    let mut steps = Vec::new();
    for attachment in connect {
        let op = Op::ConnectNetwork { container: container.clone(), attachment: attachment.clone() };
        steps.push(plan.push(op, name, format!("{} is on it too", service.name), after));
    }
    let volumes: Vec<(String, String)> = service.writable_volumes().into_iter().collect();
    let root = matches!(service.user.split(':').next(), None | Some("" | "0" | "root"));
    if !volumes.is_empty() && !root {
        let op = Op::PrepareVolumes {
            container: container.clone(),
            volumes,
            image: image.clone(),
            user: service.user.clone(),
        };
        steps.push(plan.push(op, name, "a new volume belongs to root", after));
    }
    steps
}

/// The service's `pre_start` containers, one after the other, before `container` is started. Gives the last step.
pub(super) fn init_steps(
    plan: &mut Plan,
    service: &DesiredService,
    spec: &ContainerSpec,
    hooks: &[(usize, &InitHook)],
    ready: &[usize],
) -> Option<usize> {
    let mut last: Option<usize> = None;
    for (at, hook) in hooks {
        let mut env = spec.env.clone();
        env.extend(hook.env.clone());
        let mut networks = spec.networks.clone();
        for network in &mut networks {
            // the service's own container has these
            network.aliases.clear();
            (network.ipv4, network.ipv6, network.mac) = (None, None, None);
            network.link_local.clear();
        }
        let init = ContainerSpec {
            name: format!("{}-pre-start-{}", spec.name, at + 1),
            image: hook.image.clone(),
            command: hook.command.clone(),
            user: hook.user.clone(),
            working_dir: hook.working_dir.clone(),
            env,
            privileged: hook.privileged,
            volumes_from: vec![spec.name.clone()],
            network_mode: spec.network_mode.clone(),
            networks,
            extra_hosts: spec.extra_hosts.clone(),
            restart: RestartSpec::No,
            labels: [
                (labels::PROJECT.to_owned(), plan.project.clone()),
                (labels::SERVICE.to_owned(), service.name.clone()),
                (labels::ONEOFF.to_owned(), "True".to_owned()),
                (labels::HELPER.to_owned(), "true".to_owned()),
            ]
            .into(),
            ..ContainerSpec::default()
        };
        let after = last.map_or_else(|| ready.to_vec(), |last| vec![last]);
        let op = Op::RunInit { spec: Box::new(init) };
        last = Some(plan.push(
            op,
            Some(&service.name),
            format!("{} has a pre_start hook", service.name),
            &after,
        ));
    }
    last
}

/// The successor's name until it takes the place.
pub(super) fn successor(replacement: &mut Replacement<'_>) -> String {
    let temporary = temporary_name(&replacement.old.id, replacement.name);
    replacement.spec.name.clone_from(&temporary);
    replacement.spec.labels.insert(labels::REPLACE.into(), replacement.old.name.clone());
    temporary
}

/// Stop, remove, rename after `ready`. Gives the rename step.
pub(super) fn take_over(
    plan: &mut Plan,
    service: &DesiredService,
    replacement: &Replacement<'_>,
    temporary: &str,
    ready: &[usize],
) -> usize {
    let Replacement { old, name, cause, .. } = *replacement;
    let of = Some(service.name.as_str());
    let mut last = ready.to_vec();
    if old.is_up() {
        last = vec![plan.stop(old, replacement.grace, cause, &last)];
    }
    let remove = Op::RemoveContainer { container: old.name.clone(), volumes: replacement.renew };
    let remove = plan.push(remove, of, cause, &last);
    let rename = Op::RenameContainer { container: temporary.to_owned(), name: name.to_owned() };
    let rename = plan.push(rename, of, cause, &[remove]);
    plan.steps[remove].finish = true;
    plan.steps[rename].finish = true;
    rename
}
