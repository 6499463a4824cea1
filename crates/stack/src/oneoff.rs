//! A container of a service that runs one command and is gone: `run`.

use std::collections::BTreeMap;

use plimsoll_engine::RestartSpec;

use crate::{
    Desired, Observed, ObservedContainer, Op, Plan, PlanOptions, StackError, labels,
    plan::{create_steps, orphan_cause, orphan_notes, plan},
};

/// docker compose's label that tells one-off containers apart.
const SLUG: &str = "com.docker.compose.slug";

/// What differs from the service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OneOff {
    /// The service.
    pub service: String,
    /// Tells this container from other ones; hexadecimal digits.
    pub slug: String,
    /// Name; made of project, service and slug if absent.
    pub name: Option<String>,
    /// Command, if not the service's.
    pub command: Option<Vec<String>>,
    /// Entry point, if not the service's.
    pub entrypoint: Option<Vec<String>>,
    /// Variables beside the service's; without value they are removed.
    pub env: BTreeMap<String, Option<String>>,
    /// Labels beside the service's.
    pub labels: BTreeMap<String, String>,
    /// User, if not the service's.
    pub user: Option<String>,
    /// Directory, if not the service's.
    pub working_dir: Option<String>,
    /// With a terminal.
    pub tty: bool,
    /// With standard input.
    pub stdin: bool,
    /// Nobody attaches: standard input stays open for who may attach later.
    pub detached: bool,
    /// The engine removes it when it has ended: whoever asked for it may be gone by then.
    pub auto_remove: bool,
    /// Publish the service's ports.
    pub service_ports: bool,
    /// Known on the networks by the service's name too.
    pub use_aliases: bool,
    /// Start nothing else.
    pub no_deps: bool,
}

impl OneOff {
    /// The container's name.
    pub fn container(&self, project: &str) -> String {
        self.name.clone().unwrap_or_else(|| format!("{project}-{}-run-{}", self.service, self.slug))
    }
}

impl Plan {
    /// Adds the removal of orphans, without their volumes, or what there is to say about them. `knows` tells the
    /// project's services, of whatever profile.
    pub fn orphans(&mut self, observed: &Observed, remove: bool, knows: impl Fn(&str) -> bool) {
        let orphans = observed.containers.iter().filter(|found| found.is_orphan(&knows));
        if remove {
            orphans.for_each(|container| self.remove_orphan(container));
        } else {
            self.notes.extend(orphan_notes(orphans));
        }
    }

    fn remove_orphan(&mut self, container: &ObservedContainer) {
        let cause = orphan_cause(container);
        let service = Some(container.service.as_str());
        let mut after = Vec::new();
        if container.is_up() {
            after.push(self.stop(container, None, &cause, &[]));
        }
        let op = Op::RemoveContainer { container: container.name.clone(), volumes: false };
        self.push(op, service, cause, &after);
    }
}

/// What must be done before the container can be started: networks, volumes, its dependencies at their gates, its
/// secrets, and the container itself.
pub fn plan_oneoff(desired: &Desired, observed: &Observed, ask: &OneOff) -> Result<Plan, StackError> {
    let service = desired.services.iter().find(|service| service.name == ask.service);
    let Some(service) = service else {
        return Err(StackError::NoService { project: desired.project.clone(), service: ask.service.clone() });
    };
    let needed: Vec<String> = if ask.no_deps {
        Vec::new()
    } else {
        service.needs.iter().filter(|need| need.required).map(|need| need.service.clone()).collect()
    };
    let nothing_beside = needed.is_empty();
    let options = PlanOptions {
        no_recreate: true,
        // no service has the empty name: networks and volumes alone
        services: if nothing_beside { vec![String::new()] } else { needed },
        ..PlanOptions::default()
    };
    let mut plan = plan(desired, observed, &options)?;
    let replaced = plan.steps.iter().find_map(|step| match &step.op {
        Op::RemoveNetwork { name, .. } => Some(name.clone()),
        _ => None,
    });
    if let Some(network) = replaced {
        return Err(StackError::Outdated { network });
    }
    // what is said of the others is not asked for
    let own = format!("{}: ", ask.service);
    plan.notes.retain(|note| note.starts_with(&own));

    let mut spec = service.spec.clone();
    spec.name = ask.container(&desired.project);
    spec.restart = RestartSpec::No;
    spec.tty = ask.tty;
    spec.stdin_open = ask.stdin;
    spec.stdin_once = ask.stdin && !ask.detached;
    spec.auto_remove = ask.auto_remove;
    if let Some(command) = &ask.command {
        spec.command = Some(command.clone());
    }
    if let Some(entrypoint) = &ask.entrypoint {
        spec.entrypoint = Some(entrypoint.clone());
        // the service's command is for its own entry point
        spec.command = Some(ask.command.clone().unwrap_or_default());
    }
    spec.env.extend(ask.env.clone());
    spec.user = ask.user.clone().or(spec.user);
    spec.working_dir = ask.working_dir.clone().or(spec.working_dir);
    if !ask.service_ports {
        spec.ports.clear();
    }
    for network in &mut spec.networks {
        if !ask.use_aliases {
            network.aliases.clear();
        }
        // the service's own container has these
        (network.ipv4, network.ipv6, network.mac) = (None, None, None);
        network.link_local.clear();
    }
    spec.labels.insert(labels::ONEOFF.into(), "True".into());
    spec.labels.insert(labels::NUMBER.into(), "1".into());
    spec.labels.insert(SLUG.into(), ask.slug.clone());
    spec.labels.extend(ask.labels.clone());

    let mut before: Vec<usize> = (0..plan.steps.len()).collect();
    if service.has_files {
        let user = spec.user.clone().unwrap_or_else(|| service.user.clone());
        let op = Op::WriteFiles { image: spec.image.clone(), user };
        before.push(plan.push(op, Some(&service.name), format!("{} reads them", service.name), &[]));
    }
    let connect: Vec<_> = spec.networks.iter().skip(1).cloned().collect();
    create_steps(&mut plan, service, spec, "a command was asked for", &before, &connect);
    Ok(plan)
}
