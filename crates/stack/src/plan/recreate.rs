//! The steps that make a container, and those that put one in the place of another: create under a temporary name,
//! then stop, remove, rename, start, so that the old one serves until its successor exists.

use plimsoll_engine::{Attachment, ContainerSpec};

use super::{Op, Plan};
use crate::{DesiredService, ObservedContainer, labels, observed::temporary_name};

/// A container that takes the place of another.
pub(super) struct Replacement<'a> {
    pub(super) old: &'a ObservedContainer,
    /// The final name.
    pub(super) name: &'a str,
    pub(super) spec: ContainerSpec,
    pub(super) cause: &'a str,
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
    let container = spec.name.clone();
    let name = Some(service.name.as_str());
    let volumes: Vec<(String, String)> = service.writable_volumes().into_iter().collect();
    let image = spec.image.clone();
    let create = plan.push(Op::CreateContainer { spec: Box::new(spec) }, name, cause, before);
    let mut ready = vec![create];
    for attachment in connect {
        let op = Op::ConnectNetwork { container: container.clone(), attachment: attachment.clone() };
        ready.push(plan.push(op, name, format!("{} is on it too", service.name), &[create]));
    }
    let root = matches!(service.user.split(':').next(), None | Some("" | "0" | "root"));
    if !volumes.is_empty() && !root {
        let op = Op::PrepareVolumes { container, volumes, image, user: service.user.clone() };
        ready.push(plan.push(op, name, "a new volume belongs to root", &[create]));
    }
    ready
}

/// All steps of a replacement. Gives the start step.
pub(super) fn steps(
    plan: &mut Plan,
    service: &DesiredService,
    replacement: Replacement<'_>,
    before: &[usize],
    connect: &[Attachment],
    gate: &[usize],
) -> usize {
    let Replacement { old, name, mut spec, cause } = replacement;
    let temporary = temporary_name(&old.id, name);
    spec.name.clone_from(&temporary);
    spec.labels.insert(labels::REPLACE.into(), old.name.clone());
    let mut ready = create_steps(plan, service, spec, cause, before, connect);
    // the old one serves until everything that its successor needs is there
    ready.extend(gate);
    let of = Some(service.name.as_str());
    let mut last = ready;
    if old.is_up() {
        let stop = Op::StopContainer { container: old.name.clone(), grace: None };
        last = vec![plan.push(stop, of, cause, &last)];
    }
    let remove = Op::RemoveContainer { container: old.name.clone(), volumes: false };
    let remove = plan.push(remove, of, cause, &last);
    let rename = Op::RenameContainer { container: temporary, name: name.to_owned() };
    let rename = plan.push(rename, of, cause, &[remove]);
    let start = plan.push(Op::StartContainer { container: name.to_owned() }, of, cause, &[rename]);
    for step in [remove, rename, start] {
        plan.steps[step].finish = true;
    }
    start
}
