//! Services: what each container needs to become what it should be.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_engine::{ContainerSpec, Health, MountKind, MountSpec, RunState};

use super::{
    Op, Plan, PlanOptions,
    recreate::{self, Replacement},
    resources::{self, Resources},
};
use crate::{Desired, DesiredService, Observed, ObservedContainer, Replica, StackError, cause, labels};

/// Compares `desired` with `observed`.
pub fn plan(desired: &Desired, observed: &Observed, options: &PlanOptions) -> Result<Plan, StackError> {
    let mut plan = Plan {
        project: desired.project.clone(),
        fits: desired.fits.clone(),
        notes: desired.notes.clone(),
        ..Plan::default()
    };
    let resources = resources::plan(desired, observed, &mut plan)?;
    let mut builder = Builder {
        desired,
        observed,
        options,
        resources,
        plan,
        reached: BTreeMap::new(),
        removed: BTreeMap::new(),
        gone: BTreeMap::new(),
    };
    builder.strays();
    builder.recreate_networks();
    let wanted = wanted_services(desired, options);
    for service in desired.services.iter().filter(|service| wanted.contains(service.name.as_str())) {
        builder.service(service);
    }
    builder.orphans();
    Ok(builder.plan)
}

/// The asked-for services and everything that they depend on.
fn wanted_services<'a>(desired: &'a Desired, options: &PlanOptions) -> BTreeSet<&'a str> {
    let all = || desired.services.iter();
    if options.services.is_empty() {
        return all().map(|service| service.name.as_str()).collect();
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

/// What happens with one existing container.
enum Verdict {
    /// It is as it should be.
    Keep,
    /// It only has to be started.
    Start(String),
    /// It is frozen.
    Unpause,
    /// It is replaced by a new one.
    Recreate(String),
    /// It cannot stay while a network is made anew: removed by [`Builder::recreate_networks`] already.
    Gone(String),
    /// It is half removed.
    Dead,
}

/// The steps after which a service counts as started, and as ready (healthy, completed or just started).
#[derive(Default, Clone)]
struct Reached {
    started: Vec<usize>,
    ready: Vec<usize>,
    /// A container of it is new.
    replaced: bool,
    /// Volumes that it and what it depends on write to: what a one-shot has prepared lives there.
    data: BTreeSet<String>,
}

struct Builder<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    options: &'a PlanOptions,
    resources: Resources,
    plan: Plan,
    reached: BTreeMap<String, Reached>,
    /// Container names that are being removed first: name to step.
    removed: BTreeMap<String, usize>,
    /// Containers that had to leave a network: id to cause.
    gone: BTreeMap<String, String>,
}

impl Builder<'_> {
    /// Successors that never took their place, because a run was killed.
    fn strays(&mut self) {
        for stray in self.observed.containers.iter().filter(|found| found.is_stray()) {
            let step = self.plan.push(
                Op::RemoveContainer { container: stray.name.clone(), volumes: false },
                Some(&stray.service),
                format!("{} was left behind by an interrupted run", stray.service),
                &[],
            );
            self.removed.insert(stray.name.clone(), step);
        }
    }

    /// A network cannot be changed, and not be removed while a container is on it.
    fn recreate_networks(&mut self) {
        for (name, diverged) in std::mem::take(&mut self.resources.diverged) {
            let Some(network) = self.desired.networks.iter().find(|network| network.spec.name == name) else {
                continue;
            };
            let cause = format!("network {}: {}", network.key, diverged.difference);
            let mut removals = Vec::new();
            for container in &self.observed.containers {
                if container.is_stray() || !container.networks.contains(&name) {
                    continue;
                }
                let removal = match self.removed.get(&container.name) {
                    Some(step) => *step,
                    None => self.remove(container, &cause, &[]),
                };
                removals.push(removal);
                self.gone.insert(container.id.clone(), cause.clone());
            }
            removals.extend(self.removed.values());
            removals.extend(self.resources.made.get(&name));
            let remove = Op::RemoveNetwork { name: name.clone(), network: diverged.id };
            let removed = self.plan.push(remove, None, &cause, &removals);
            let made =
                self.plan.push(Op::CreateNetwork { spec: network.spec.clone() }, None, &cause, &[removed]);
            self.resources.made.insert(name, made);
        }
    }

    /// Stops and removes a container.
    fn remove(&mut self, container: &ObservedContainer, cause: &str, after: &[usize]) -> usize {
        let service = Some(container.service.as_str());
        let mut after = after.to_vec();
        if container.is_up() {
            let stop = Op::StopContainer { container: container.name.clone(), grace: None };
            after = vec![self.plan.push(stop, service, cause, &after)];
        }
        let remove = Op::RemoveContainer { container: container.name.clone(), volumes: false };
        let step = self.plan.push(remove, service, cause, &after);
        self.removed.insert(container.name.clone(), step);
        step
    }

    fn service(&mut self, service: &DesiredService) {
        let mut existing: Vec<&ObservedContainer> = self
            .observed
            .containers
            .iter()
            .filter(|found| found.service == service.name && !found.oneoff && !found.is_stray())
            .collect();
        // those that are up to date stay, then the lowest numbers
        existing.sort_by_key(|found| (found.hash != service.hash, found.number));
        let surplus = existing.split_off(existing.len().min(service.replicas.len()));
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
                self.remove(container, &cause, &[]);
            }
        }
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
            self.existing(service, container, &replica, &gate, files, &mut reached);
        }
        for replica in free {
            let cause = format!("{} does not exist", service.name);
            // its predecessor may be gone since a killed run, and a successor hold the anonymous volumes
            let inherit = self.observed.containers.iter().find(|found| {
                found.is_stray() && found.service == service.name && found.number == replica.number
            });
            let new = New { replica, cause: &cause, inherit, name_free_after: None };
            self.create(service, new, &gate, files, &mut reached);
            reached.replaced = true;
        }
        self.reached.insert(service.name.clone(), reached);
    }

    fn data(&self, service: &DesiredService) -> BTreeSet<String> {
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

    fn files_step(&mut self, service: &DesiredService) -> Option<usize> {
        if !service.has_files {
            return None;
        }
        let needed = service.replicas.iter().any(|replica| {
            let found = self.observed.containers.iter().find(|found| found.name == replica.name);
            !found
                .is_some_and(|found| matches!(self.verdict(service, found), Verdict::Keep | Verdict::Unpause))
        });
        needed.then(|| {
            let op = Op::WriteFiles { image: service.spec.image.clone(), user: service.user.clone() };
            self.plan.push(op, Some(&service.name), format!("{} reads them", service.name), &[])
        })
    }

    fn verdict(&self, service: &DesiredService, container: &ObservedContainer) -> Verdict {
        let name = &service.name;
        if let Some(cause) = self.gone.get(&container.id) {
            return Verdict::Gone(cause.clone());
        }
        if matches!(container.state, RunState::Dead | RunState::Removing) {
            return Verdict::Dead;
        }
        let replaced = service.needs.iter().find(|need| {
            need.namespace && self.reached.get(&need.service).is_some_and(|reached| reached.replaced)
        });
        if self.options.force_recreate {
            return Verdict::Recreate(format!("{name}: asked for"));
        }
        if container.hash != service.hash && !self.options.no_recreate {
            let old = &container.image_id;
            let said =
                cause::difference(container.parts.as_deref(), &service.parts, old, &service.spec.image);
            return Verdict::Recreate(format!("{name}: {said}"));
        }
        if let Some(need) = replaced {
            return Verdict::Recreate(format!(
                "{name} lives in a namespace of {}, which is replaced",
                need.service
            ));
        }
        match container.state {
            RunState::Paused => Verdict::Unpause,
            RunState::Running | RunState::Restarting => Verdict::Keep,
            _ if service.one_shot => self.one_shot(service, container),
            RunState::Created => Verdict::Start(format!("{name} was made and never started")),
            _ => Verdict::Start(match container.exit_code {
                Some(code) => format!("{name} has ended with exit code {code}"),
                None => format!("{name} is not running"),
            }),
        }
    }

    /// A one-shot that has succeeded is done until its inputs change, and data it prepared is an input.
    fn one_shot(&self, service: &DesiredService, container: &ObservedContainer) -> Verdict {
        let name = &service.name;
        if container.state == RunState::Created {
            return Verdict::Start(format!("{name} was made and never started"));
        }
        match container.exit_code {
            Some(0) => match self.newer_data(service, container) {
                Some(volume) => {
                    Verdict::Recreate(format!("{name} runs again: volume {volume} is newer than its success"))
                }
                None => Verdict::Keep,
            },
            code => Verdict::Start(format!("{name} failed the last time (exit code {})", code.unwrap_or(-1))),
        }
    }

    /// A volume that was made after this container, or is about to be made.
    fn newer_data(&self, service: &DesiredService, container: &ObservedContainer) -> Option<String> {
        self.data(service).into_iter().find(|name| {
            let found = self.observed.volumes.iter().find(|volume| volume.spec.name == *name);
            let made = found.and_then(|volume| volume.spec.labels.get(labels::CREATED)?.parse::<u64>().ok());
            self.resources.new_volumes.contains(name)
                || made.zip(container.created).is_some_and(|(data, run)| data > run)
        })
    }

    fn existing(
        &mut self,
        service: &DesiredService,
        container: &ObservedContainer,
        replica: &Replica,
        gate: &[usize],
        files: Option<usize>,
        reached: &mut Reached,
    ) {
        match self.verdict(service, container) {
            Verdict::Keep => self.keep(service, container, gate, reached),
            Verdict::Unpause => {
                let op = Op::UnpauseContainer { container: container.name.clone() };
                let step =
                    self.plan.push(op, Some(&service.name), format!("{} is paused", service.name), &[]);
                self.wait(service, &container.name, step, reached);
            }
            Verdict::Start(cause) => {
                let mut after = gate.to_vec();
                after.extend(files);
                let op = Op::StartContainer { container: container.name.clone() };
                let step = self.plan.push(op, Some(&service.name), cause, &after);
                self.wait(service, &container.name, step, reached);
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
                let new = New { replica, cause: &cause, inherit: None, name_free_after: Some(step) };
                self.create(service, new, gate, files, reached);
                reached.replaced = true;
            }
            Verdict::Recreate(cause) => {
                let spec = instance(service, replica, Some(container));
                let (before, connect) = self.before_create(service, &spec, files, gate);
                let replacement = Replacement { old: container, name: &replica.name, spec, cause: &cause };
                let stray =
                    self.removed.get(&crate::observed::temporary_name(&container.id, &replica.name)).copied();
                let before: Vec<usize> = before.into_iter().chain(stray).collect();
                let start = recreate::steps(&mut self.plan, service, replacement, &before, &connect, gate);
                self.wait(service, &replica.name, start, reached);
                reached.replaced = true;
            }
        }
    }

    /// An unchanged container: nothing, unless it is not ready yet or must follow one that is replaced.
    fn keep(
        &mut self,
        service: &DesiredService,
        container: &ObservedContainer,
        gate: &[usize],
        reached: &mut Reached,
    ) {
        let follows = service.needs.iter().find(|need| {
            need.restart && self.reached.get(&need.service).is_some_and(|reached| reached.replaced)
        });
        if let Some(need) = follows {
            let cause = format!("{} restarts with {}", service.name, need.service);
            let stop = Op::StopContainer { container: container.name.clone(), grace: None };
            let stop = self.plan.push(stop, Some(&service.name), &cause, gate);
            let start = Op::StartContainer { container: container.name.clone() };
            let start = self.plan.push(start, Some(&service.name), &cause, &[stop]);
            self.plan.steps[start].finish = true;
            return self.wait(service, &container.name, start, reached);
        }
        if let (Some(health), Health::Starting | Health::Unhealthy) = (&service.health, container.health)
            && container.is_up()
        {
            let unhealthy = container.health == Health::Unhealthy;
            let op = Op::WaitHealthy { container: container.name.clone(), health: health.clone(), unhealthy };
            let cause =
                format!("{} is {}", service.name, if unhealthy { "unhealthy" } else { "still starting" });
            reached.ready.push(self.plan.push(op, Some(&service.name), cause, &[]));
        } else if service.one_shot && container.is_up() {
            let op = Op::WaitCompleted { container: container.name.clone() };
            let cause = format!("{} is still running", service.name);
            reached.ready.push(self.plan.push(op, Some(&service.name), cause, &[]));
        } else {
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
    ) -> (Vec<usize>, Vec<plimsoll_engine::Attachment>) {
        let mut before: Vec<usize> = files.into_iter().collect();
        // the engine looks the other container up when this one is made
        let modes = [&spec.network_mode, &spec.ipc, &spec.pid];
        let joins =
            modes.iter().any(|mode| mode.as_deref().is_some_and(|mode| mode.starts_with("container:")));
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
        let spec = instance(service, new.replica, new.inherit);
        let (mut before, connect) = self.before_create(service, &spec, files, gate);
        before.extend(new.name_free_after);
        let mut ready = recreate::create_steps(&mut self.plan, service, spec, new.cause, &before, &connect);
        ready.extend(gate);
        let op = Op::StartContainer { container: new.replica.name.clone() };
        let start = self.plan.push(op, Some(&service.name), new.cause, &ready);
        self.wait(service, &new.replica.name, start, reached);
    }

    /// Containers of services that the project does not have any more.
    fn orphans(&mut self) {
        let known: BTreeSet<&str> = self
            .desired
            .services
            .iter()
            .map(|service| service.name.as_str())
            .chain(self.desired.disabled.iter().map(String::as_str))
            .collect();
        for container in &self.observed.containers {
            if known.contains(container.service.as_str()) || container.oneoff || container.is_stray() {
                continue;
            }
            if self.removed.contains_key(&container.name) {
                continue;
            }
            if self.options.remove_orphans {
                let cause = format!("the project has no service {} any more", container.service);
                self.remove(container, &cause, &[]);
            } else {
                self.plan.notes.push(format!(
                    "{} belongs to no service of the project; `--remove-orphans` removes it",
                    container.name
                ));
            }
        }
    }
}

/// A container to make under its final name.
struct New<'a> {
    replica: &'a Replica,
    cause: &'a str,
    inherit: Option<&'a ObservedContainer>,
    name_free_after: Option<usize>,
}

/// The specification of a replica, with the anonymous volumes of its predecessor: their data would be lost.
fn instance(service: &DesiredService, replica: &Replica, old: Option<&ObservedContainer>) -> ContainerSpec {
    let mut spec = service.replica(replica);
    let taken: BTreeSet<String> =
        spec.mounts.iter().map(|mount| mount.target.clone()).chain(spec.tmpfs.keys().cloned()).collect();
    for (target, volume) in old.iter().flat_map(|old| &old.volumes) {
        let anonymous = volume.len() == 64 && volume.bytes().all(|byte| byte.is_ascii_hexdigit());
        if anonymous && !taken.contains(target) {
            let kind = MountKind::Volume { name: Some(volume.clone()), no_copy: true, subpath: None };
            spec.mounts.push(MountSpec { target: target.clone(), read_only: false, kind });
        }
    }
    spec
}
