//! Services: what each container needs to become what it should be.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_engine::{Attachment, ContainerSpec, Health, MountKind, MountSpec, RunState};

use super::{
    Op, Plan, PlanOptions,
    recreate::{self, Made, Replacement},
    resources::{self, Resources},
    rolling::Rolling,
    verdict::Verdict,
};
use crate::{Desired, DesiredService, InitHook, Observed, ObservedContainer, Replica, StackError};

/// Compares `desired` with `observed`.
pub fn plan(desired: &Desired, observed: &Observed, options: &PlanOptions) -> Result<Plan, StackError> {
    let observed = &*observed.seen_from(desired);
    let mut plan = Plan {
        project: desired.project.clone(),
        fits: desired.fits.clone(),
        notes: desired.notes.clone(),
        ..Plan::default()
    };
    let resources = resources::plan(desired, observed, options, &mut plan)?;
    let mut builder = Builder {
        desired,
        observed,
        options,
        resources,
        plan,
        reached: BTreeMap::new(),
        removed: BTreeMap::new(),
        gone: BTreeMap::new(),
        freed: BTreeMap::new(),
    };
    builder.strays();
    builder.recreate_volumes()?;
    builder.recreate_networks()?;
    let wanted = wanted_services(desired, options);
    unique_names(desired, &wanted)?;
    builder.contested(&wanted);
    for service in desired.services.iter().filter(|service| wanted.contains(service.name.as_str())) {
        donors(service, &wanted, observed)?;
        builder.service(service);
    }
    builder.orphans();
    Ok(builder.plan)
}

/// Two containers cannot have one name, and nothing is made before that is known.
fn unique_names(desired: &Desired, wanted: &BTreeSet<&str>) -> Result<(), StackError> {
    let mut holders: BTreeMap<&str, &str> = BTreeMap::new();
    for service in desired.services.iter().filter(|service| wanted.contains(service.name.as_str())) {
        for replica in &service.replicas {
            if let Some(first) = holders.insert(&replica.name, &service.name) {
                return Err(StackError::NameTwice {
                    name: replica.name.clone(),
                    first: first.to_owned(),
                    second: service.name.clone(),
                });
            }
        }
    }
    Ok(())
}

/// Whose namespaces or volumes a service has must be there, or be made now.
fn donors(service: &DesiredService, wanted: &BTreeSet<&str>, observed: &Observed) -> Result<(), StackError> {
    for need in service.needs.iter().filter(|need| need.namespace) {
        let there = observed
            .containers
            .iter()
            .any(|found| found.service == need.service && !found.oneoff && !found.is_stray());
        if !there && !wanted.contains(need.service.as_str()) {
            return Err(StackError::DonorMissing {
                service: service.name.clone(),
                donor: need.service.clone(),
            });
        }
    }
    Ok(())
}

/// The asked-for services and, unless they are to be left alone, everything that they depend on.
fn wanted_services<'a>(desired: &'a Desired, options: &PlanOptions) -> BTreeSet<&'a str> {
    let all = || desired.services.iter().map(|service| service.name.as_str());
    if options.services.is_empty() {
        return all().collect();
    }
    if options.no_deps {
        return all().filter(|name| options.services.iter().any(|asked| asked == name)).collect();
    }
    let mut wanted: BTreeSet<&str> = BTreeSet::new();
    // dependencies come first in the list: backwards, each service is seen after those that need it
    for service in desired.services.iter().rev() {
        if options.services.contains(&service.name) || wanted.contains(service.name.as_str()) {
            wanted.insert(&service.name);
            wanted.extend(service.needs.iter().map(|need| need.service.as_str()));
        }
    }
    wanted
}

/// The steps after which a service counts as started, and as ready (healthy, completed or just started).
#[derive(Default, Clone)]
pub(super) struct Reached {
    started: Vec<usize>,
    ready: Vec<usize>,
    /// A container of it is new.
    pub(super) replaced: bool,
    /// Its `pre_start` containers have their turn in this plan: the last step of them.
    init: Option<usize>,
    /// Other containers of it stay: these are only more of them.
    more: bool,
    /// Volumes that it and what it depends on write to: what a one-shot has prepared lives there.
    data: BTreeSet<String>,
}

pub(super) struct Builder<'a> {
    pub(super) desired: &'a Desired,
    pub(super) observed: &'a Observed,
    pub(super) options: &'a PlanOptions,
    pub(super) resources: Resources,
    pub(super) plan: Plan,
    pub(super) reached: BTreeMap<String, Reached>,
    /// Container names that are being removed first: name to step.
    pub(super) removed: BTreeMap<String, usize>,
    /// Containers that had to leave a network or volume, or have what another one gets: id to cause.
    pub(super) gone: BTreeMap<String, String>,
    /// Service and number to the removals of containers that have what it gets.
    pub(super) freed: BTreeMap<(String, u32), Vec<usize>>,
}

impl<'a> Builder<'a> {
    fn service(&mut self, service: &DesiredService) {
        let (existing, surplus) = self.existing_of(service);
        let mut reached = Reached { data: self.data(service), ..Reached::default() };
        let gate = self.gate(service);
        let files = self.files_step(service);

        for container in surplus {
            if !self.gone.contains_key(&container.id) {
                let wanted = service.replicas.len();
                let cause = format!(
                    "{}: {wanted} container{} wanted",
                    service.name,
                    if wanted == 1 { "" } else { "s" }
                );
                let removed = self.remove(container, &cause, &[]);
                // what depends on this service finds the number that is wanted
                reached.started.push(removed);
                reached.ready.push(removed);
            }
        }
        let mut rolling = Rolling::new(service.update);
        reached.more = existing.iter().any(|found| matches!(self.verdict(service, found), Verdict::Keep));
        let mut free: Vec<&Replica> = service
            .replicas
            .iter()
            .filter(|replica| !existing.iter().any(|found| found.number == replica.number))
            .collect();
        for container in existing {
            let replica = match service.replicas.iter().position(|replica| replica.number == container.number)
            {
                Some(at) => service.replicas[at].clone(),
                // a higher number that is up to date keeps its number and its name
                None => {
                    if !free.is_empty() {
                        free.remove(0);
                    }
                    Replica { number: container.number, name: container.name.clone() }
                }
            };
            let gate = self.gate_of(service, &replica, &gate);
            self.existing(service, (container, &replica), &gate, files, &mut reached, &mut rolling);
        }
        for replica in free {
            let cause = format!("{} does not exist", service.name);
            // its predecessor may be gone since a killed run, and a successor hold the anonymous volumes
            let inherit = self.observed.containers.iter().find(|found| {
                found.is_stray() && found.service == service.name && found.number == replica.number
            });
            let new = New { replica, cause: &cause, inherit, name_free_after: None };
            let gate = self.gate_of(service, replica, &gate);
            self.create(service, new, &gate, files, &mut reached);
            reached.replaced = true;
        }
        self.reached.insert(service.name.clone(), reached);
    }

    /// Containers of a service, and those of them that are too many.
    pub(super) fn existing_of(
        &self,
        service: &DesiredService,
    ) -> (Vec<&'a ObservedContainer>, Vec<&'a ObservedContainer>) {
        let mut existing: Vec<&ObservedContainer> = self
            .observed
            .containers
            .iter()
            .filter(|found| found.service == service.name && !found.oneoff && !found.is_stray())
            .collect();
        // those that are up to date stay, then the lowest numbers
        existing.sort_by_key(|found| (!found.is_current(service), found.number));
        let surplus = existing.split_off(existing.len().min(service.replicas.len()));
        (existing, surplus)
    }

    pub(super) fn data(&self, service: &DesiredService) -> BTreeSet<String> {
        let own = service.writable_volumes().into_values();
        let others = service.needs.iter().filter_map(|need| self.reached.get(&need.service));
        own.chain(others.flat_map(|reached| reached.data.iter().cloned())).collect()
    }

    /// Steps that must be done before a container of this service may start.
    fn gate(&self, service: &DesiredService) -> Vec<usize> {
        let mut gate = Vec::new();
        for need in &service.needs {
            if let Some(reached) = self.reached.get(&need.service) {
                let started = need.condition == "service_started";
                gate.extend(if started { &reached.started } else { &reached.ready });
            }
        }
        gate
    }

    /// The same for one container: others may have to leave what it gets.
    fn gate_of(&self, service: &DesiredService, replica: &Replica, gate: &[usize]) -> Vec<usize> {
        let freed = self.freed.get(&(service.name.clone(), replica.number));
        gate.iter().chain(freed.into_iter().flatten()).copied().collect()
    }

    fn files_step(&mut self, service: &DesiredService) -> Option<usize> {
        if !service.has_files {
            return None;
        }
        let needed = service.replicas.iter().any(|replica| {
            let found = self.observed.containers.iter().find(|found| {
                found.service == service.name
                    && found.number == replica.number
                    && !found.oneoff
                    && !found.is_stray()
            });
            !found
                .is_some_and(|found| matches!(self.verdict(service, found), Verdict::Keep | Verdict::Unpause))
        });
        needed.then(|| {
            let op = Op::WriteFiles { image: service.spec.image.clone(), user: service.user.clone() };
            self.plan.push(op, Some(&service.name), format!("{} reads them", service.name), &[])
        })
    }

    fn existing(
        &mut self,
        service: &DesiredService,
        (container, replica): (&ObservedContainer, &Replica),
        gate: &[usize],
        files: Option<usize>,
        reached: &mut Reached,
        rolling: &mut Rolling,
    ) {
        match self.verdict(service, container) {
            Verdict::Keep => self.keep(service, container, gate, reached),
            Verdict::Unpause => {
                let op = Op::UnpauseContainer { container: container.name.clone() };
                let step =
                    self.plan.push(op, Some(&service.name), format!("{} is paused", service.name), &[]);
                self.wait(service, &container.name, step, reached);
            }
            Verdict::Start(_) if self.options.no_start => self.plan.unchanged.push(container.name.clone()),
            Verdict::Start(cause) => {
                let mut after = gate.to_vec();
                after.extend(files);
                if container.state == RunState::Created {
                    let spec = service.replica(&Replica { name: container.name.clone(), ..replica.clone() });
                    let missing =
                        |attachment: &&Attachment| !container.networks.contains_key(&attachment.network);
                    let connect: Vec<Attachment> = spec.networks.iter().filter(missing).cloned().collect();
                    let made = Made { container: container.name.clone(), image: spec.image.clone() };
                    after.extend(connect.iter().filter_map(|on| self.resources.made.get(&on.network)));
                    let finish = recreate::finish_steps(&mut self.plan, service, &made, &connect, &after);
                    after.extend(finish);
                    self.init(service, &spec, &mut after, reached);
                } else {
                    let connected = self.connect(service, container);
                    after.extend(connected);
                }
                self.start(service, &container.name, &cause, &after, reached);
            }
            Verdict::Gone(cause) => {
                let removed = self.removed.get(&container.name).copied();
                let new = New { replica, cause: &cause, inherit: Some(container), name_free_after: removed };
                self.create(service, new, gate, files, reached);
                reached.replaced = true;
            }
            Verdict::Dead => {
                let cause = format!("{} is half removed", service.name);
                let remove = Op::RemoveContainer { container: container.name.clone(), volumes: false };
                let step = self.plan.push(remove, Some(&service.name), &cause, &[]);
                let new =
                    New { replica, cause: &cause, inherit: Some(container), name_free_after: Some(step) };
                self.create(service, new, gate, files, reached);
                reached.replaced = true;
            }
            Verdict::Recreate(cause) => {
                let mut gate = gate.to_vec();
                gate.extend(rolling.gate(&mut self.plan, service));
                self.replace(service, (container, replica), &cause, &gate, files, reached);
                rolling.replaced(reached.started.last().copied(), reached.ready.last().copied());
                reached.replaced = true;
            }
        }
    }

    /// Puts a new container in the place of one that is out of date.
    fn replace(
        &mut self,
        service: &DesiredService,
        (container, replica): (&ObservedContainer, &Replica),
        cause: &str,
        gate: &[usize],
        files: Option<usize>,
        reached: &mut Reached,
    ) {
        let renew = self.options.renew_anon_volumes;
        let spec = instance(service, replica, Some(container).filter(|_| !renew), self.observed);
        let (before, connect) = self.before_create(service, &spec, files, gate);
        let mut replacement = Replacement {
            old: container,
            name: &replica.name,
            spec,
            cause,
            grace: self.options.grace,
            renew,
        };
        let temporary = recreate::successor(&mut replacement);
        let stray = self.removed.get(&temporary).copied();
        let before: Vec<usize> = before.into_iter().chain(stray).collect();
        let spec = replacement.spec.clone();
        let mut ready =
            recreate::create_steps(&mut self.plan, service, spec.clone(), cause, &before, &connect);
        // the old one serves until everything that its successor needs is there
        ready.extend(gate);
        if !self.options.no_start {
            self.init(service, &spec, &mut ready, reached);
        }
        let beside = service.update.is_some_and(|update| update.start_first)
            && container.is_up()
            && !self.options.no_start;
        if beside {
            let mut own = Reached::default();
            self.start(service, &temporary, cause, &ready, &mut own);
            let renamed = recreate::take_over(&mut self.plan, service, &replacement, &temporary, &own.ready);
            reached.started.push(renamed);
            reached.ready.push(renamed);
            return;
        }
        let renamed = recreate::take_over(&mut self.plan, service, &replacement, &temporary, &ready);
        if self.options.no_start {
            reached.started.push(renamed);
            reached.ready.push(renamed);
            return;
        }
        let start = self.start(service, &replica.name, cause, &[renamed], reached);
        self.plan.steps[start].finish = true;
    }

    /// Starts a container, runs what is to be run in it, and waits until it is ready. Gives the start step.
    fn start(
        &mut self,
        service: &DesiredService,
        container: &str,
        cause: &str,
        after: &[usize],
        reached: &mut Reached,
    ) -> usize {
        let op = Op::StartContainer { container: container.to_owned() };
        let start = self.plan.push(op, Some(&service.name), cause, after);
        let last = self.plan.post_start(container, &service.name, &service.hooks, start);
        self.wait(service, container, last, reached);
        start
    }

    /// The service's `pre_start` containers: once for what changed, not for more of the same, unless it says so.
    fn init(
        &mut self,
        service: &DesiredService,
        spec: &ContainerSpec,
        ready: &mut Vec<usize>,
        reached: &mut Reached,
    ) {
        let first = reached.init.is_none() && !reached.more;
        let hooks: Vec<(usize, &InitHook)> =
            service.init.iter().enumerate().filter(|(_, hook)| first || hook.per_replica).collect();
        ready.extend(reached.init);
        if let Some(last) = recreate::init_steps(&mut self.plan, service, spec, &hooks, ready) {
            ready.push(last);
            if first {
                reached.init = Some(last);
            }
        }
    }

    /// Puts a container back on the networks that it was taken off.
    fn connect(&mut self, service: &DesiredService, container: &ObservedContainer) -> Vec<usize> {
        let name = &service.name;
        let mut steps = Vec::new();
        for attachment in self.off(service, container) {
            let cause = format!("{name} is not on {} any more", attachment.network);
            let after: Vec<usize> =
                self.resources.made.get(&attachment.network).copied().into_iter().collect();
            let op = Op::ConnectNetwork { container: container.name.clone(), attachment };
            steps.push(self.plan.push(op, Some(name), cause, &after));
        }
        steps
    }

    /// An unchanged container: nothing, unless it is not ready yet or must follow one that is replaced.
    fn keep(
        &mut self,
        service: &DesiredService,
        container: &ObservedContainer,
        gate: &[usize],
        reached: &mut Reached,
    ) {
        let connected = self.connect(service, container);
        let back = !connected.is_empty();
        reached.started.extend(&connected);
        reached.ready.extend(connected);
        let follows = service.needs.iter().filter(|_| !self.options.no_start).find(|need| {
            need.restart && self.reached.get(&need.service).is_some_and(|reached| reached.replaced)
        });
        if let Some(need) = follows {
            let cause = format!("{} restarts with {}", service.name, need.service);
            let stop = self.plan.stop(container, self.options.grace, &cause, gate);
            let start = self.start(service, &container.name, &cause, &[stop], reached);
            self.plan.steps[start].finish = true;
            return;
        }
        let hooks = &service.hooks;
        if !hooks.post_start.is_empty()
            && container.state == RunState::Running
            && container.parts.is_some()
            && !self.options.hooked.contains(&container.id)
        {
            let step = self.plan.post_start_late(&container.name, &service.name, hooks);
            return self.wait(service, &container.name, step, reached);
        }
        // it ended a moment ago: the engine tells no health until it runs again
        let restarting = container.state == RunState::Restarting;
        let unproved = restarting || matches!(container.health, Health::Starting | Health::Unhealthy);
        if let Some(health) = service.health.as_ref().filter(|_| unproved && container.is_up()) {
            let unhealthy = container.health == Health::Unhealthy;
            let op = Op::WaitHealthy { container: container.name.clone(), health: health.clone(), unhealthy };
            let state = match (restarting, unhealthy) {
                (true, _) => "restarting",
                (_, true) => "unhealthy",
                _ => "still starting",
            };
            let cause = format!("{} is {state}", service.name);
            reached.ready.push(self.plan.push(op, Some(&service.name), cause, &[]));
        } else if service.one_shot && container.is_up() {
            let op = Op::WaitCompleted { container: container.name.clone() };
            let cause = format!("{} is still running", service.name);
            reached.ready.push(self.plan.push(op, Some(&service.name), cause, &[]));
        } else if restarting {
            let op = Op::WaitRunning { container: container.name.clone() };
            let cause = format!("{} is restarting", service.name);
            reached.ready.push(self.plan.push(op, Some(&service.name), cause, &[]));
        } else if !back {
            self.plan.unchanged.push(container.name.clone());
        }
    }

    /// The step after which a started container is ready.
    fn wait(&mut self, service: &DesiredService, container: &str, start: usize, reached: &mut Reached) {
        reached.started.push(start);
        let container = container.to_owned();
        let (op, cause) = match &service.health {
            _ if service.one_shot => {
                (Op::WaitCompleted { container }, format!("others wait for the end of {}", service.name))
            }
            Some(health) => (
                Op::WaitHealthy { container, health: health.clone(), unhealthy: false },
                format!("{} has a health check", service.name),
            ),
            None => (Op::WaitRunning { container }, format!("{} has no health check", service.name)),
        };
        reached.ready.push(self.plan.push(op, Some(&service.name), cause, &[start]));
    }

    /// Steps that a create call waits for, and the networks that are joined after it.
    fn before_create(
        &self,
        service: &DesiredService,
        spec: &ContainerSpec,
        files: Option<usize>,
        gate: &[usize],
    ) -> (Vec<usize>, Vec<Attachment>) {
        let mut before: Vec<usize> = files.into_iter().collect();
        // the engine looks the other container up when this one is made
        let modes = [&spec.network_mode, &spec.ipc, &spec.pid];
        let linked = !spec.links.is_empty() || spec.networks.iter().any(|network| !network.links.is_empty());
        let joins = linked
            || modes.iter().any(|mode| mode.as_deref().is_some_and(|mode| mode.starts_with("container:")));
        if joins || !spec.volumes_from.is_empty() {
            before.extend(gate);
        }
        // so that a one-shot is never older than the data that it prepares
        if service.one_shot {
            before.extend(self.data(service).iter().filter_map(|volume| self.resources.made.get(volume)));
        }
        let networks = spec.networks.iter().map(|attachment| &attachment.network);
        let volumes = spec.mounts.iter().filter_map(|mount| match &mount.kind {
            MountKind::Volume { name: Some(name), .. } => Some(name),
            _ => None,
        });
        before.extend(networks.chain(volumes).filter_map(|name| self.resources.made.get(name)));
        (before, spec.networks.iter().skip(1).cloned().collect())
    }

    fn create(
        &mut self,
        service: &DesiredService,
        new: New<'_>,
        gate: &[usize],
        files: Option<usize>,
        reached: &mut Reached,
    ) {
        let inherit = new.inherit.filter(|_| !self.options.renew_anon_volumes);
        let spec = instance(service, new.replica, inherit, self.observed);
        let (mut before, connect) = self.before_create(service, &spec, files, gate);
        before.extend(new.name_free_after);
        before.extend(self.freed.get(&(service.name.clone(), new.replica.number)).into_iter().flatten());
        let mut ready =
            recreate::create_steps(&mut self.plan, service, spec.clone(), new.cause, &before, &connect);
        if self.options.no_start {
            reached.started.extend(&ready);
            reached.ready.extend(ready);
            return;
        }
        ready.extend(gate);
        self.init(service, &spec, &mut ready, reached);
        self.start(service, &new.replica.name, new.cause, &ready, reached);
    }
}

/// A container to make under its final name.
struct New<'a> {
    replica: &'a Replica,
    cause: &'a str,
    inherit: Option<&'a ObservedContainer>,
    name_free_after: Option<usize>,
}

/// The specification of a replica, with the anonymous volumes of its predecessor: their data would be lost. They are
/// those that the image declares and those that the Compose file declares without a name; what the new file mounts
/// under the same path goes before.
fn instance(
    service: &DesiredService,
    replica: &Replica,
    old: Option<&ObservedContainer>,
    observed: &Observed,
) -> ContainerSpec {
    let mut spec = service.replica(replica);
    let Some(old) = old else { return spec };
    // what it has from another container comes from there again
    let donors =
        spec.volumes_from.iter().map(|from| from.split_once(':').map_or(from.as_str(), |(name, _)| name));
    let lent: BTreeSet<&String> = donors
        .filter_map(|donor| observed.containers.iter().find(|found| found.name == donor))
        .flat_map(|donor| donor.volumes.values())
        .collect();
    for (target, volume) in &old.volumes {
        if !observed.is_anonymous(volume) || lent.contains(volume) {
            continue;
        }
        match spec.mounts.iter_mut().find(|mount| same_path(&mount.target, target)) {
            Some(MountSpec { kind: MountKind::Volume { name: name @ None, .. }, .. }) => {
                *name = Some(volume.clone());
            }
            Some(_) => {}
            None if spec.tmpfs.keys().any(|path| same_path(path, target)) => {}
            None => {
                let kind = MountKind::Volume {
                    name: Some(volume.clone()),
                    no_copy: true,
                    subpath: None,
                    labels: BTreeMap::new(),
                };
                spec.mounts.push(MountSpec { target: target.clone(), read_only: false, kind });
            }
        }
    }
    spec
}

/// An engine tells a mount's path without a slash at its end.
fn same_path(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}
