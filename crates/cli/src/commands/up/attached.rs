//! `up` with the logs in front, until a container ends or a person has seen enough.

use std::{collections::BTreeSet, process::ExitCode, time::Duration};

use futures_util::StreamExt as _;
use plimsoll_compose::{Condition, Project};
use plimsoll_engine::{Engine, EventFilter, RunState};
use plimsoll_stack::{Lifecycle, LogQuery, Outcome, StackLine, labels, logs, members, plan_stop};

use crate::{
    commands::{exec::exit_code, logs::Printer},
    error::CommandError,
    lifecycle,
    stack::{self, failed},
};

/// How long lines are waited for after the end of a container.
const LAST_LINES: Duration = Duration::from_millis(300);

/// The options of `up` that keep it in front
#[derive(clap::Args)]
pub(crate) struct Front {
    /// Show the logs of this service and stay in front; Ctrl-C stops the stack; may be given several times
    #[arg(long, value_name = "SERVICE")]
    attach: Vec<String>,
    /// Show the logs of what the named services depend on too
    #[arg(long)]
    attach_dependencies: bool,
    /// Do not show the logs of this service; may be given several times
    #[arg(long, value_name = "SERVICE")]
    no_attach: Vec<String>,
    /// Stay in front, and stop everything as soon as one container has ended
    #[arg(long)]
    abort_on_container_exit: bool,
    /// The same, only when one has ended with a failure
    #[arg(long)]
    abort_on_container_failure: bool,
    /// The same as --abort-on-container-exit; the exit code is this service's
    #[arg(long, value_name = "SERVICE")]
    exit_code_from: Option<String>,
    /// Logs without colours
    #[arg(long)]
    no_color: bool,
    /// Logs without the services' names
    #[arg(long)]
    no_log_prefix: bool,
    /// Logs with the time of each line
    #[arg(long)]
    timestamps: bool,
}

impl Front {
    /// Whether `up` is to stay in front.
    pub(super) fn is_asked(&self) -> bool {
        !self.attach.is_empty() || self.attach_dependencies || self.aborts()
    }

    fn aborts(&self) -> bool {
        self.abort_on_container_exit || self.abort_on_container_failure || self.exit_code_from.is_some()
    }

    /// Services that are named here.
    pub(super) fn named(&self) -> impl Iterator<Item = &String> {
        self.attach.iter().chain(&self.no_attach).chain(&self.exit_code_from)
    }

    /// Services whose logs are shown.
    fn shown(&self, project: &Project, asked: &[String]) -> Vec<String> {
        let wanted = |name: &String| {
            let listed = if self.attach.is_empty() {
                asked.is_empty() || self.attach_dependencies || asked.contains(name)
            } else {
                self.attach.contains(name)
            };
            listed && !self.no_attach.contains(name) && project.services[name].attach != Some(false)
        };
        project.services.keys().filter(|name| wanted(name)).cloned().collect()
    }
}

/// What is followed.
pub(super) struct Follow<'a> {
    pub(super) engine: &'a Engine,
    pub(super) project: &'a Project,
    /// When `up` began, in seconds since the epoch.
    pub(super) began: i64,
    /// Seconds that containers have to end.
    pub(super) grace: Option<u32>,
    /// Services that were asked for.
    pub(super) services: &'a [String],
}

impl Follow<'_> {
    /// Shows logs until a container ends that matters, or a person interrupts; then stops the stack.
    pub(super) async fn until_the_end(
        &self,
        args: &Front,
        outcome: &Outcome,
    ) -> Result<ExitCode, CommandError> {
        let services = args.shown(self.project, self.services);
        let width = services.iter().map(String::len).max().unwrap_or(0);
        let mut printer = Printer::new(width, args.timestamps, args.no_log_prefix, args.no_color);
        let query = LogQuery { services, follow: true, since: self.began, ..LogQuery::default() };
        let mut sink = |line: StackLine| printer.print(&line).is_ok();
        let ended = if !outcome.is_success() && args.aborts() {
            outcome.failures.iter().find_map(|failure| Some(failure.exit.as_ref()?.code)).or(Some(1))
        } else {
            let mut showing = std::pin::pin!(logs(self.engine, &self.project.name, &query, &mut sink));
            let ended = tokio::select! {
                shown = &mut showing => {
                    shown.map_err(failed)?;
                    None
                }
                ended = self.first_end(args) => Some(ended?),
                _ = stack::next_signal() => None,
            };
            if ended.is_some() {
                // the last lines of what has ended are on their way
                let _ = tokio::time::timeout(LAST_LINES, &mut showing).await;
            }
            ended
        };
        let code = match &args.exit_code_from {
            Some(service) => self.code_of(service).await?.or(ended),
            None => ended,
        };
        let found = members(self.engine, &self.project.name).await.map_err(failed)?;
        let plan =
            plan_stop(&self.project.name, &found, &Lifecycle { grace: self.grace, ..Lifecycle::default() });
        lifecycle::carry_out(self.engine, &plan, None).await?;
        let code = match &args.exit_code_from {
            Some(service) => self.code_of(service).await?.or(code),
            None => code,
        };
        Ok(code.map_or_else(|| ExitCode::from(130), exit_code))
    }

    /// Exit code of a service's first container, if it has ended.
    async fn code_of(&self, service: &str) -> Result<Option<i64>, CommandError> {
        let filter = [
            format!("{}={}", labels::PROJECT, self.project.name),
            format!("{}={service}", labels::SERVICE),
            format!("{}=False", labels::ONEOFF),
        ];
        let found = self.engine.containers_labelled(&filter).await.map_err(|error| failed(error.into()))?;
        let ended = found.iter().find(|container| container.state == RunState::Exited);
        Ok(ended.and_then(|container| container.exit_code))
    }

    /// Exit code of the first container that ends and matters. Never, if none does.
    async fn first_end(&self, args: &Front) -> Result<i64, CommandError> {
        if !args.aborts() {
            return std::future::pending().await;
        }
        let label = format!("{}={}", labels::PROJECT, self.project.name);
        // from the beginning on: one may have ended before anybody listened
        let filter = EventFilter { labels: vec![label.clone()], since: Some(self.began), until: None };
        let mut events = self.engine.events(&filter);
        let found = self.engine.containers_labelled(&[label]).await.map_err(|error| failed(error.into()))?;
        let matters: BTreeSet<&str> = found
            .iter()
            .filter(|container| container.label(labels::ONEOFF) != Some("True"))
            .filter(|container| !self.is_awaited(container.label(labels::SERVICE).unwrap_or_default()))
            .map(|container| container.id.as_str())
            .collect();
        let counts = |code: i64| code != 0 || !args.abort_on_container_failure;
        for container in &found {
            if let (RunState::Exited, Some(code), true) =
                (container.state, container.exit_code, matters.contains(container.id.as_str()))
                && counts(code)
            {
                return Ok(code);
            }
        }
        while let Some(event) = events.next().await {
            let event = event.map_err(|error| failed(error.into()))?;
            if event.action != "die" || !matters.contains(event.id.as_str()) {
                continue;
            }
            let code = event.exit_code().unwrap_or(-1);
            let now = self.engine.inspect_container(&event.id).await;
            // one that the engine starts again has not ended
            if counts(code) && now.is_ok_and(|now| now.state == RunState::Exited) {
                return Ok(code);
            }
        }
        std::future::pending().await
    }

    /// Others wait for its end: that it ends is what it is for.
    fn is_awaited(&self, service: &str) -> bool {
        self.project
            .services
            .values()
            .flat_map(|other| &other.depends_on)
            .any(|(name, need)| name == service && need.condition == Condition::CompletedSuccessfully)
    }
}
