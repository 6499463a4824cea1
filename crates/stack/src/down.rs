//! Taking a project away. Given a Compose file, what the file has goes, and nothing else. Without one the labels say
//! everything that is needed, so that a stack whose file is gone can be taken away too, also one that docker compose
//! made.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Generation, Observed, ObservedContainer, Op, Plan, Scope, labels};

/// How `down` is asked to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DownOptions {
    /// The declared volumes and the containers' anonymous ones go too, with their data.
    pub volumes: bool,
    /// Seconds that a container has to end, instead of its own grace period.
    pub grace: Option<u32>,
    /// Containers of services that the file does not have go too, without their volumes.
    pub remove_orphans: bool,
    /// Only these services; empty is all.
    pub services: Vec<String>,
    /// Only this release's containers. What releases share stays: networks, volumes, stores.
    pub generation: Option<Generation>,
}

impl DownOptions {
    fn names(&self, service: &str) -> bool {
        self.services.is_empty() || self.services.iter().any(|name| name == service)
    }
}

/// What becomes of a container.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Goes,
    /// It goes, and its volumes stay.
    Orphan,
    Stays,
    /// It stays, and a person should know.
    Told,
}

/// Without a file everything of the project is meant. With one: the containers of its active services; those of other
/// files only when they were asked for. A container of `run` belongs to the person who began it, unless the removal of
/// orphans is asked for: then those of the file's services go as well, whether they still run or not.
fn fate(container: &ObservedContainer, scope: Option<&Scope>, options: &DownOptions) -> Fate {
    let service = container.service.as_str();
    if options.generation.is_some() && container.generation != options.generation {
        return Fate::Stays;
    }
    let Some(scope) = scope else {
        return if options.names(service) { Fate::Goes } else { Fate::Stays };
    };
    if container.oneoff && !container.helper {
        let meant = options.remove_orphans && options.names(service);
        let goes = meant && (scope.has(service) || container.is_orphan(|service| !scope.is_orphan(service)));
        return if goes { Fate::Orphan } else { Fate::Stays };
    }
    if scope.is_orphan(service) {
        return if options.remove_orphans { Fate::Orphan } else { Fate::Told };
    }
    if scope.has(service) && options.names(service) { Fate::Goes } else { Fate::Stays }
}

/// Stops and removes containers (dependents first), then the networks that nobody is on any more, and with `volumes`
/// the volumes that nobody uses any more.
pub fn plan_down(project: &str, observed: &Observed, scope: Option<&Scope>, options: &DownOptions) -> Plan {
    let mut plan = Plan { project: project.to_owned(), ..Plan::default() };
    let fates: Vec<Fate> =
        observed.containers.iter().map(|container| fate(container, scope, options)).collect();
    let goes = |at: usize| matches!(fates[at], Fate::Goes | Fate::Orphan);
    let mut stops: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut removals = Vec::new();
    for at in dependents_first(observed).into_iter().filter(|at| goes(*at)) {
        let container = &observed.containers[at];
        let service = Some(container.service.as_str());
        let cause = match fates[at] {
            Fate::Orphan if container.oneoff => "the orphans' removal was asked for, and `run` made it",
            Fate::Orphan => "the orphans' removal was asked for",
            _ => "the stack is taken down",
        };
        let dependents: Vec<usize> = observed
            .containers
            .iter()
            .filter(|other| other.depends_on.iter().any(|(service, _)| *service == container.service))
            .flat_map(|other| stops.get(other.service.as_str()).cloned().unwrap_or_default())
            .collect();
        let mut after = Vec::new();
        if container.is_up() {
            let stop = plan.stop(container, options.grace, cause, &dependents);
            stops.entry(&container.service).or_default().push(stop);
            after.push(stop);
        }
        let volumes = options.volumes && fates[at] == Fate::Goes;
        let op = Op::RemoveContainer { container: container.name.clone(), volumes };
        removals.push(plan.push(op, service, cause, &after));
    }
    for (container, fate) in observed.containers.iter().zip(&fates) {
        if *fate == Fate::Told {
            plan.notes.push(format!(
                "{} belongs to no service of the compose file and stays; `--remove-orphans` removes it",
                container.name
            ));
        }
    }
    let left: Vec<&ObservedContainer> =
        observed.containers.iter().enumerate().filter(|(at, _)| !goes(*at)).map(|(_, left)| left).collect();
    if options.generation.is_none() {
        networks(&mut plan, observed, scope, &left, &removals);
        volumes(&mut plan, observed, scope, options, &left, &removals);
    }
    if options.volumes {
        let gone = observed.containers.iter().zip(&fates).filter(|(_, fate)| **fate == Fate::Goes);
        anonymous_volumes(&mut plan, observed, gone.map(|(container, _)| container), &left, &removals);
    }
    files(&mut plan, observed, &left, &removals);
    plan
}

fn is_ours(project: &str, labels: &BTreeMap<String, String>) -> bool {
    labels.get(labels::PROJECT).is_some_and(|owner| owner == project)
}

fn networks(
    plan: &mut Plan,
    observed: &Observed,
    scope: Option<&Scope>,
    left: &[&ObservedContainer],
    removals: &[usize],
) {
    let project = plan.project.clone();
    for network in observed.networks.iter().filter(|network| is_ours(&project, &network.spec.labels)) {
        let name = &network.spec.name;
        if scope.is_some_and(|scope| !scope.networks.contains(name)) {
            continue;
        }
        // what `run` made and has ended is on no network any more, and nobody starts it again
        let on = |container: &&&ObservedContainer| container.is_up() || !container.oneoff;
        let own = left.iter().filter(on).filter(|container| container.networks.contains_key(name));
        let own = own.map(|container| format!("container {}", container.name));
        let others =
            observed.foreign_networks.iter().filter(|(on, _)| on == name).map(|(_, who)| who.clone());
        let users: BTreeSet<String> = own.chain(others).collect();
        if !users.is_empty() {
            let is = if users.len() == 1 { "is" } else { "are" };
            let users: Vec<String> = users.into_iter().collect();
            plan.notes.push(format!("network {name} stays: {} {is} on it", users.join(", ")));
            continue;
        }
        let op = Op::RemoveNetwork { name: name.clone(), network: network.id.clone() };
        plan.push(op, None, "the stack is taken down", removals);
    }
}

fn volumes(
    plan: &mut Plan,
    observed: &Observed,
    scope: Option<&Scope>,
    options: &DownOptions,
    left: &[&ObservedContainer],
    removals: &[usize],
) {
    let project = plan.project.clone();
    for volume in observed.volumes.iter().filter(|volume| is_ours(&project, &volume.spec.labels)) {
        let name = &volume.spec.name;
        if volume.spec.labels.contains_key(labels::FILES) {
            if left.is_empty() {
                let op = Op::RemoveVolume { name: name.clone() };
                plan.push(op, None, "nothing reads it any more", removals);
            }
            continue;
        }
        let meant = match scope {
            // data that a service of the same file uses which stays are not meant
            Some(scope) => scope
                .volumes
                .get(name)
                .is_some_and(|users| users.iter().all(|service| options.names(service))),
            None => options.services.is_empty(),
        };
        if !options.volumes || !meant {
            continue;
        }
        let own = left.iter().filter(|container| container.volumes.values().any(|held| held == name));
        let own = own.map(|container| format!("container {}", container.name));
        let others = observed.foreign_volumes.iter().filter(|(held, _)| held == name);
        let users: BTreeSet<String> = own.chain(others.map(|(_, who)| who.clone())).collect();
        if !users.is_empty() {
            let has = if users.len() == 1 { "has" } else { "have" };
            let users: Vec<String> = users.into_iter().collect();
            plan.notes.push(format!("volume {name} stays: {} {has} it", users.join(", ")));
            continue;
        }
        let op = Op::RemoveVolume { name: name.clone() };
        plan.push(op, None, "its removal was asked for", removals);
    }
}

/// An engine removes a container's nameless volumes with it, but not one that it has from its predecessor.
fn anonymous_volumes<'a>(
    plan: &mut Plan,
    observed: &Observed,
    gone: impl Iterator<Item = &'a ObservedContainer>,
    left: &[&ObservedContainer],
    removals: &[usize],
) {
    let held: BTreeSet<&String> = gone.flat_map(|container| container.volumes.values()).collect();
    let used = |name: &str| {
        left.iter().any(|container| container.volumes.values().any(|held| held == name))
            || observed.foreign_volumes.iter().any(|(held, _)| held == name)
    };
    for name in held.into_iter().filter(|name| observed.is_anonymous(name) && !used(name)) {
        let op = Op::RemoveVolume { name: name.clone() };
        plan.push(op, None, "its removal was asked for", removals);
    }
}

/// Secrets on the host: of the services that go, or, when nothing is left, the whole state.
fn files(plan: &mut Plan, observed: &Observed, left: &[&ObservedContainer], removals: &[usize]) {
    if left.is_empty() {
        plan.push(Op::RemoveFiles, None, "nothing reads them any more", removals);
        return;
    }
    let staying: BTreeSet<&str> = left.iter().map(|container| container.service.as_str()).collect();
    let services: BTreeSet<&str> =
        observed.containers.iter().map(|container| container.service.as_str()).collect();
    for service in services.difference(&staying) {
        let op = Op::RemoveServiceFiles { service: (*service).to_owned() };
        plan.push(op, Some(service), "nothing reads them any more", removals);
    }
}

/// Adds the removal of images, after the containers: with `local` only of those that nobody gave a name, because they
/// were built for the project. An image that others use stays.
pub fn plan_images(
    plan: &mut Plan,
    observed: &Observed,
    scope: Option<&Scope>,
    options: &DownOptions,
    local: bool,
) {
    let removed: BTreeMap<&str, usize> = plan
        .steps
        .iter()
        .filter(|step| matches!(step.op, Op::RemoveContainer { .. }))
        .filter_map(|step| Some((step.op.container()?, step.id)))
        .collect();
    let own = |container: &ObservedContainer| {
        ['-', '_'].iter().any(|join| {
            let name = format!("{}{join}{}", plan.project, container.service);
            container.image == name || container.image == format!("{name}:latest")
        })
    };
    let mut images: BTreeSet<String> = observed
        .containers
        .iter()
        .filter(|container| removed.contains_key(container.name.as_str()))
        .filter(|container| scope.is_none_or(|scope| scope.has(&container.service)))
        .filter(|container| !local || own(container))
        // a stand-in is shown with the name that it stands for
        .map(|container| container.image.split(" for ").next().unwrap_or_default().to_owned())
        .collect();
    let declared = scope.iter().flat_map(|scope| &scope.images);
    for (_, image, own) in declared.filter(|(service, ..)| options.names(service)) {
        // one name has two spellings
        let plain = |name: &str| name.trim_end_matches(":latest").to_owned();
        let known = images.iter().any(|known| plain(known) == plain(image));
        if (*own || !local) && !known {
            images.insert(image.clone());
        }
    }
    // One after the other: an engine that removes two names of one image at the same moment loses sight of it and
    // answers 500.
    let mut before: Vec<usize> = removed.into_values().collect();
    for image in images {
        let step = plan.push(Op::RemoveImage { image }, None, "its removal was asked for", &before);
        before = vec![step];
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
