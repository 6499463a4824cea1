//! Taking a project away. Labels say everything that is needed: no Compose file is read, so that a stack whose file is
//! gone can be taken away too, also one that docker compose made.

use std::collections::BTreeMap;

use crate::{Observed, Op, Plan, labels};

/// Stops and removes all containers (dependents first), networks, and with `volumes` the project's volumes.
pub fn plan_down(project: &str, observed: &Observed, volumes: bool, grace: Option<u32>) -> Plan {
    let mut plan = Plan { project: project.to_owned(), ..Plan::default() };
    let mut stops: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut removals = Vec::new();
    for at in dependents_first(observed) {
        let container = &observed.containers[at];
        let service = Some(container.service.as_str());
        let dependents: Vec<usize> = observed
            .containers
            .iter()
            .filter(|other| other.depends_on.iter().any(|(service, _)| *service == container.service))
            .flat_map(|other| stops.get(other.service.as_str()).cloned().unwrap_or_default())
            .collect();
        let mut after = Vec::new();
        if container.is_up() {
            let stop = plan.stop(container, grace, "the stack is taken down", &dependents);
            stops.entry(&container.service).or_default().push(stop);
            after.push(stop);
        }
        let op = Op::RemoveContainer { container: container.name.clone(), volumes: true };
        removals.push(plan.push(op, service, "the stack is taken down", &after));
    }
    let ours =
        |labels: &BTreeMap<String, String>| labels.get(labels::PROJECT).is_some_and(|owner| owner == project);
    for network in observed.networks.iter().filter(|network| ours(&network.spec.labels)) {
        let op = Op::RemoveNetwork { name: network.spec.name.clone(), network: network.id.clone() };
        plan.push(op, None, "the stack is taken down", &removals);
    }
    for volume in observed.volumes.iter().filter(|volume| ours(&volume.spec.labels)) {
        let files = volume.spec.labels.contains_key(labels::FILES);
        if volumes || files {
            let why = if files { "nothing reads it any more" } else { "its removal was asked for" };
            plan.push(Op::RemoveVolume { name: volume.spec.name.clone() }, None, why, &removals);
        }
    }
    plan.push(Op::RemoveFiles, None, "nothing reads them any more", &removals);
    plan
}

/// Adds the removal of the containers' images, after the containers: with `local` only of those that have docker
/// compose's default name, `PROJECT-SERVICE`, because they were built for it. An image that others use stays.
pub fn plan_images(plan: &mut Plan, observed: &Observed, local: bool) {
    let removals: Vec<usize> = plan
        .steps
        .iter()
        .filter(|step| matches!(step.op, Op::RemoveContainer { .. }))
        .map(|step| step.id)
        .collect();
    let own = |container: &crate::ObservedContainer| {
        let name = format!("{}-{}", plan.project, container.service);
        container.image == name || container.image == format!("{name}:latest")
    };
    let images: std::collections::BTreeSet<String> = observed
        .containers
        .iter()
        .filter(|container| !local || own(container))
        // a stand-in is shown with the name that it stands for
        .map(|container| container.image.split(" for ").next().unwrap_or_default().to_owned())
        .collect();
    for image in images {
        plan.push(Op::RemoveImage { image }, None, "its removal was asked for", &removals);
    }
}

/// Positions of containers, each after those that depend on it. Labels of others may form a cycle: then the rest comes
/// in any order.
fn dependents_first(observed: &Observed) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    let mut left: Vec<usize> = (0..observed.containers.len()).collect();
    while !left.is_empty() {
        let (free, rest): (Vec<usize>, Vec<usize>) = left.iter().partition(|at| {
            let service = &observed.containers[**at].service;
            !left.iter().any(|other| {
                other != *at
                    && observed.containers[*other].depends_on.iter().any(|(needed, _)| needed == service)
            })
        });
        if free.is_empty() {
            order.extend(rest);
            break;
        }
        order.extend(free);
        left = rest;
    }
    order
}
