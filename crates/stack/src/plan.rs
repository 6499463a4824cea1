//! The difference between what is wanted and what is there, as a graph of single engine calls, each with its cause.
//! A plan is plain data: it can be printed, stored, compared and run.

mod build;
mod contested;
mod leftovers;
mod reality;
mod recreate;
mod resources;
mod rolling;
mod verdict;

use std::{collections::BTreeSet, fmt::Write as _};

use plimsoll_engine::{Attachment, ContainerSpec, ExecSpec, HealthSpec, NetworkSpec, RunState, VolumeSpec};
use serde::{Deserialize, Serialize};

pub use build::plan;
pub(crate) use leftovers::{orphan_cause, orphan_notes};
pub(crate) use recreate::create_steps;

use crate::{
    Fit, Hooks, ObservedContainer,
    cause::{self, short_id},
};

/// How `up` is asked to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanOptions {
    /// Replace containers of the asked-for services that are up to date too.
    pub force_recreate: bool,
    /// Replace those too that the asked-for services depend on.
    pub always_recreate_deps: bool,
    /// Never replace a container.
    pub no_recreate: bool,
    /// New containers get new anonymous volumes instead of their predecessors'.
    pub renew_anon_volumes: bool,
    /// Volumes, by key, whose content may be lost if they differ from the Compose file.
    pub recreate_volumes: BTreeSet<String>,
    /// Make containers and start none.
    pub no_start: bool,
    /// Leave alone what the asked-for services depend on.
    pub no_deps: bool,
    /// Seconds that a container has to end, instead of its own grace period.
    pub grace: Option<u32>,
    /// Ids of containers whose `post_start` hooks have run: [`crate::hooked`].
    pub hooked: BTreeSet<String>,
    /// Say nothing about containers of services that the project does not have any more.
    pub ignore_orphans: bool,
    /// Remove containers of services that the project does not have any more.
    pub remove_orphans: bool,
    /// Only these services and what they depend on; empty is all.
    pub services: Vec<String>,
}

/// A graph of steps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The project.
    pub project: String,
    /// The steps; every step comes after those that it waits for.
    pub steps: Vec<Step>,
    /// Containers that are as they should be.
    pub unchanged: Vec<String>,
    /// Limits that were fitted to the host.
    pub fits: Vec<Fit>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// One engine call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its number, the position in [`Plan::steps`].
    pub id: usize,
    /// What is done.
    pub op: Op,
    /// Why.
    pub cause: String,
    /// The service that it belongs to.
    pub service: Option<String>,
    /// Steps that must be done before.
    pub after: Vec<usize>,
    /// Part of a replacement whose old container is stopped: once that has happened it is finished whatever else
    /// fails.
    pub finish: bool,
}

/// What is done in one step. Containers are named, because most do not exist when the plan is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Op {
    /// Makes a network.
    CreateNetwork {
        /// The network.
        spec: NetworkSpec,
    },
    /// Removes a network.
    RemoveNetwork {
        /// Its name.
        name: String,
        /// Its id: names are not unique.
        network: String,
    },
    /// Removes all networks of a name but one.
    RemoveDuplicates {
        /// The name.
        name: String,
    },
    /// Makes a volume.
    CreateVolume {
        /// The volume.
        spec: VolumeSpec,
    },
    /// Removes a volume and its content.
    RemoveVolume {
        /// Its name.
        name: String,
    },
    /// Takes an image's name away, and the image if it has no other; one that a container uses stays.
    RemoveImage {
        /// Its name.
        image: String,
    },
    /// Writes a service's secrets and configs for its user.
    WriteFiles {
        /// Image whose /etc/passwd names the user.
        image: String,
        /// The user as configured; empty is root.
        user: String,
    },
    /// Removes the project's secrets and configs from the host.
    RemoveFiles,
    /// Removes the secrets and configs of one service from the host.
    RemoveServiceFiles {
        /// The service.
        service: String,
    },
    /// Makes a container.
    CreateContainer {
        /// The container.
        spec: Box<ContainerSpec>,
    },
    /// Joins a container to a further network.
    ConnectNetwork {
        /// The container.
        container: String,
        /// How.
        attachment: Attachment,
    },
    /// Gives empty volumes that belong to root to the service's user.
    PrepareVolumes {
        /// The container that has them mounted.
        container: String,
        /// Paths in the container, with volume names.
        volumes: Vec<(String, String)>,
        /// Image whose /etc/passwd names the user.
        image: String,
        /// The user as configured.
        user: String,
    },
    /// Starts a container.
    StartContainer {
        /// The container.
        container: String,
    },
    /// Lets a frozen container go on.
    UnpauseContainer {
        /// The container.
        container: String,
    },
    /// Asks a container to end, and kills it after its grace period.
    StopContainer {
        /// The container.
        container: String,
        /// Seconds instead of its own grace period.
        grace: Option<u32>,
    },
    /// Removes a container.
    RemoveContainer {
        /// The container.
        container: String,
        /// Its anonymous volumes too.
        volumes: bool,
    },
    /// Gives a container its final name.
    RenameContainer {
        /// The container.
        container: String,
        /// The name.
        name: String,
    },
    /// Runs a command in a running container: a `post_start` or `pre_stop` hook.
    RunHook {
        /// The container.
        container: String,
        /// The command.
        hook: ExecSpec,
        /// Which of the two, and whether it is the last of them.
        when: HookTime,
    },
    /// Makes a container, runs it to its end, which must be a success, and removes it: a `pre_start` hook.
    RunInit {
        /// The container.
        spec: Box<ContainerSpec>,
    },
    /// Waits.
    Delay {
        /// So long.
        milliseconds: u64,
    },
    /// Waits until the health check passes, probing itself.
    WaitHealthy {
        /// The container.
        container: String,
        /// The check.
        health: HealthSpec,
        /// The engine has already called it unhealthy: the next failure is final.
        unhealthy: bool,
    },
    /// Waits until a container has ended with exit code 0.
    WaitCompleted {
        /// The container.
        container: String,
    },
    /// Makes sure that a container without a health check stays up for a moment.
    WaitRunning {
        /// The container.
        container: String,
    },
}

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HookTime {
    /// After the start, and others follow.
    PostStart,
    /// After the start, the last one.
    PostStartLast,
    /// Before the stop.
    PreStop,
}

impl Op {
    /// The container that it is about.
    pub fn container(&self) -> Option<&str> {
        match self {
            Self::CreateContainer { spec } | Self::RunInit { spec } => Some(&spec.name),
            Self::ConnectNetwork { container, .. }
            | Self::PrepareVolumes { container, .. }
            | Self::StartContainer { container }
            | Self::UnpauseContainer { container }
            | Self::StopContainer { container, .. }
            | Self::RemoveContainer { container, .. }
            | Self::RenameContainer { container, .. }
            | Self::RunHook { container, .. }
            | Self::WaitHealthy { container, .. }
            | Self::WaitCompleted { container }
            | Self::WaitRunning { container } => Some(container),
            _ => None,
        }
    }

    /// True for steps that only look.
    pub fn is_wait(&self) -> bool {
        matches!(self, Self::WaitHealthy { .. } | Self::WaitCompleted { .. } | Self::WaitRunning { .. })
    }

    /// What is done, in words.
    pub fn describe(&self) -> String {
        match self {
            Self::CreateNetwork { spec } => {
                format!("create network {}{}", spec.name, if spec.internal { " (internal)" } else { "" })
            }
            Self::RemoveNetwork { name, .. } => format!("remove network {name}"),
            Self::RemoveDuplicates { name } => format!("remove duplicates of network {name}"),
            Self::CreateVolume { spec } => format!("create volume {}", spec.name),
            Self::RemoveVolume { name } => format!("remove volume {name}"),
            Self::RemoveImage { image } => format!("remove image {image}"),
            Self::WriteFiles { user, .. } => {
                let user = if user.is_empty() { "root" } else { user };
                format!("write secrets and configs for user {user}")
            }
            Self::RemoveFiles => "remove secrets and configs".to_owned(),
            Self::RemoveServiceFiles { service } => format!("remove secrets and configs of {service}"),
            Self::CreateContainer { spec } => format!("create {} from {}", spec.name, short_id(&spec.image)),
            Self::ConnectNetwork { container, attachment } => {
                format!("connect {container} to {}", attachment.network)
            }
            Self::PrepareVolumes { container, volumes, user, .. } => {
                let names: Vec<&str> = volumes.iter().map(|(_, volume)| volume.as_str()).collect();
                format!("check that user {user} of {container} owns {}", names.join(", "))
            }
            Self::StartContainer { container } => format!("start {container}"),
            Self::UnpauseContainer { container } => format!("unpause {container}"),
            Self::StopContainer { container, .. } => format!("stop {container}"),
            Self::RemoveContainer { container, .. } => format!("remove {container}"),
            Self::RenameContainer { container, name } => format!("rename {container} to {name}"),
            Self::RunHook { container, hook, .. } => {
                format!("run `{}` in {container}", hook.command.join(" "))
            }
            Self::RunInit { spec } => format!("run {} to its end", spec.name),
            Self::Delay { milliseconds } => format!("wait {} s", *milliseconds as f64 / 1000.0),
            Self::WaitHealthy { container, .. } => format!("wait until {container} is healthy"),
            Self::WaitCompleted { container } => format!("wait until {container} has completed"),
            Self::WaitRunning { container } => format!("see that {container} stays up"),
        }
    }
}

impl Plan {
    /// True if nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// True if no container, network, volume or file is touched: at most something is waited for.
    pub fn changes_nothing(&self) -> bool {
        self.steps.iter().all(|step| step.op.is_wait())
    }

    /// What would be made otherwise than it is, by service (empty: the project) and cause: not what would only be
    /// started, unfrozen or waited for, and not what is merely unknown of a container that another tool made.
    pub fn changes(&self) -> Vec<(String, String)> {
        let mut changes: Vec<(String, String)> = Vec::new();
        for step in &self.steps {
            let starts = matches!(
                step.op,
                Op::StartContainer { .. }
                    | Op::UnpauseContainer { .. }
                    | Op::RunHook { .. }
                    | Op::Delay { .. }
            );
            if starts || step.op.is_wait() || step.cause.ends_with(cause::ANOTHER_TOOL) {
                continue;
            }
            let service = step.service.clone().unwrap_or_default();
            let change = (service, step.cause.clone());
            if !changes.contains(&change) {
                changes.push(change);
            }
        }
        changes
    }

    /// What a person should know before it runs, a line each: limits that were fitted, and notes.
    pub fn words(&self) -> Vec<String> {
        let fits = self.fits.iter().map(|fit| {
            format!(
                "fit   {}: {} {} -> {} (the host has no more)",
                fit.service, fit.what, fit.asked, fit.given
            )
        });
        fits.chain(self.notes.iter().map(|note| format!("note  {note}"))).collect()
    }

    /// The plan for people: one line per step with what it waits for and why.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for line in self.words() {
            let _ = writeln!(text, "{line}");
        }
        for step in &self.steps {
            let after: Vec<String> = step.after.iter().map(|id| (id + 1).to_string()).collect();
            let after = if after.is_empty() { String::new() } else { format!(" after {}", after.join(",")) };
            let _ = writeln!(text, "{:>4}  {}{after}  # {}", step.id + 1, step.op.describe(), step.cause);
        }
        if !self.unchanged.is_empty() {
            let _ = writeln!(text, "as they should be: {}", self.unchanged.join(", "));
        }
        if self.steps.is_empty() {
            text.push_str("nothing to do\n");
        }
        text
    }

    /// Runs the `pre_stop` hooks of a running container, then stops it. Gives the last step.
    pub(crate) fn stop(
        &mut self,
        container: &ObservedContainer,
        grace: Option<u32>,
        cause: &str,
        after: &[usize],
    ) -> usize {
        let running = container.state == RunState::Running;
        self.stop_named(
            (&container.name, &container.service),
            &container.hooks,
            running,
            grace,
            (cause, after),
        )
    }

    /// The same for what is known of a container by its labels.
    pub(crate) fn stop_named(
        &mut self,
        (container, service): (&str, &str),
        hooks: &Hooks,
        running: bool,
        grace: Option<u32>,
        (cause, after): (&str, &[usize]),
    ) -> usize {
        let mut after = after.to_vec();
        for hook in hooks.pre_stop.iter().filter(|_| running) {
            let op =
                Op::RunHook { container: container.to_owned(), hook: hook.clone(), when: HookTime::PreStop };
            after = vec![self.push(op, Some(service), format!("{service} has a pre_stop hook"), &after)];
        }
        let stop = Op::StopContainer { container: container.to_owned(), grace };
        self.push(stop, Some(service), cause, &after)
    }

    /// The `post_start` hooks after a start step; gives the last step.
    pub(crate) fn post_start(
        &mut self,
        container: &str,
        service: &str,
        hooks: &Hooks,
        start: usize,
    ) -> usize {
        self.hook_steps(container, service, hooks, Some(start), "has a post_start hook").unwrap_or(start)
    }

    /// The same for a container that runs already.
    pub(crate) fn post_start_late(&mut self, container: &str, service: &str, hooks: &Hooks) -> usize {
        let cause = "runs, and its post_start hooks have not been seen to run";
        self.hook_steps(container, service, hooks, None, cause).unwrap_or(0)
    }

    fn hook_steps(
        &mut self,
        container: &str,
        service: &str,
        hooks: &Hooks,
        mut last: Option<usize>,
        cause: &str,
    ) -> Option<usize> {
        for (at, hook) in hooks.post_start.iter().enumerate() {
            let end = at + 1 == hooks.post_start.len();
            let op = Op::RunHook {
                container: container.to_owned(),
                hook: hook.clone(),
                when: if end { HookTime::PostStartLast } else { HookTime::PostStart },
            };
            let after: Vec<usize> = last.into_iter().collect();
            last = Some(self.push(op, Some(service), format!("{service} {cause}"), &after));
        }
        last
    }

    /// Adds a step; gives its number.
    pub(crate) fn push(
        &mut self,
        op: Op,
        service: Option<&str>,
        cause: impl Into<String>,
        after: &[usize],
    ) -> usize {
        let id = self.steps.len();
        let mut after = after.to_vec();
        after.sort_unstable();
        after.dedup();
        self.steps.push(Step {
            id,
            op,
            cause: cause.into(),
            service: service.map(str::to_owned),
            after,
            finish: false,
        });
        id
    }
}
