//! `up` with the logs in front, until all containers have ended, one ends that matters, or a person has seen enough.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use futures_util::{Stream, StreamExt as _};
use plimsoll_compose::{Condition, Project};
use plimsoll_engine::{ContainerSummary, Engine, EngineError, Event, EventFilter, RunState};
use plimsoll_ops::{Failure, is_in_place, lifecycle, pick::is_one_off, stack};
use plimsoll_stack::{Lifecycle, LogQuery, Outcome, StackLine, Step, labels, logs, members, plan_stop};
use tokio::time::{Instant, sleep_until};

use crate::commands::{
    exec::exit_code,
    logs::{Printer, hook_lines},
};

/// How long lines are waited for after the end of a container.
const LAST_LINES: Duration = Duration::from_millis(300);
/// How long everything must have ended: between the stop and the start of a restart nothing runs.
const ENDED_FOR: Duration = Duration::from_millis(1500);

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
    /// Stay in front, and stop everything as soon as one container has failed
    #[arg(long)]
    abort_on_container_failure: bool,
    /// Like --abort-on-container-exit; the exit code is this service's
    #[arg(long, value_name = "SERVICE")]
    exit_code_from: Option<String>,
    /// Logs without colours
    #[arg(long)]
    no_color: bool,
    /// Logs without the containers' names
    #[arg(long)]
    no_log_prefix: bool,
    /// Logs with the time of each line
    #[arg(long)]
    timestamps: bool,
}

impl Front {
    /// Whether an option says that `up` is to stay in front.
    pub(super) fn is_asked(&self) -> bool {
        !self.attach.is_empty() || self.attach_dependencies || self.aborts()
    }

    fn aborts(&self) -> bool {
        self.abort_on_container_exit || self.abort_on_container_failure || self.exit_code_from.is_some()
    }

    /// Writes as these options say.
    pub(super) fn printer(&self, project: &str) -> Printer {
        let mut printer = Printer::new(project, self.timestamps, self.no_log_prefix, self.no_color);
        printer.apart = true;
        printer
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

/// Why `up` does not stay in front any more.
enum End {
    /// Nothing that is shown runs any more.
    All,
    /// A container that matters has ended with this code.
    One(i64),
    /// A person has seen enough.
    Signal,
}

impl Follow<'_> {
    /// Shows logs until the end. The project's lock is not held: others may change the stack meanwhile.
    pub(super) async fn until_the_end(&self, args: &Front, outcome: &Outcome) -> Result<ExitCode, Failure> {
        if !self.has_begun(outcome) {
            return self.after_failure(args, outcome).await;
        }
        let services = args.shown(self.project, self.services);
        let mut printer = args.printer(&self.project.name);
        let containers = self.containers(&services).await?;
        let mut names: Vec<&str> =
            containers.iter().map(|container| printer.short(&container.name)).collect();
        names.sort_unstable();
        if !names.is_empty() {
            outln!("Attaching to {}", names.join(", "));
        }
        for container in &containers {
            printer.expect(&container.name);
        }
        let printer = RefCell::new(printer);
        let query =
            LogQuery { services: services.clone(), follow: true, since: self.began, ..LogQuery::default() };
        let (lines, mut shown) = tokio::sync::mpsc::unbounded_channel::<StackLine>();
        let hooks = lines.clone();
        let mut sink = move |line: StackLine| lines.send(line).is_ok();
        let showing = async {
            let reading = logs(self.engine, &self.project.name, &query, &mut sink);
            let writing = async {
                while let Some(line) = shown.recv().await {
                    if printer.borrow_mut().print(&line).is_err() {
                        break;
                    }
                }
            };
            tokio::select! {
                read = reading => read.map_err(Failure::from),
                () = writing => Ok(()),
            }
        };
        let mut showing = std::pin::pin!(showing);
        let mut events = self.events();
        let mut told = BTreeSet::new();
        let end = tokio::select! {
            shown = &mut showing => {
                shown?;
                End::Signal
            }
            end = self.end(args, &services, &printer, &mut events, &mut told) => end?,
            _ = stack::next_signal() => End::Signal,
        };
        let code = match &end {
            End::All => {
                // the last lines are on their way
                let _ = tokio::time::timeout(LAST_LINES, &mut showing).await;
                let code = match &args.exit_code_from {
                    Some(service) => self.code_of(service).await?,
                    None => None,
                };
                return Ok(code.map_or(ExitCode::SUCCESS, exit_code));
            }
            End::One(code) => Some(*code),
            End::Signal => None,
        };
        let code = match &args.exit_code_from {
            Some(service) => self.code_of(service).await?.or(code),
            None => code,
        };
        // what containers say on their way out is shown too
        let both = async {
            let _ = tokio::time::timeout(LAST_LINES, std::future::pending::<()>()).await;
            let say = |line| drop(hooks.send(line));
            self.stop_and_tell(&services, &printer, &mut events, &told, say).await
        };
        let mut both = std::pin::pin!(both);
        tokio::select! {
            stopped = &mut both => stopped?,
            _ = &mut showing => both.await?,
        }
        let code = match &args.exit_code_from {
            Some(service) => self.code_of(service).await?.or(code),
            None => code,
        };
        Ok(code.map_or_else(|| ExitCode::from(130), exit_code))
    }

    /// Whether the start succeeded. A program that has ended by itself is started all the same, unless others wait for
    /// its success or its health.
    fn has_begun(&self, outcome: &Outcome) -> bool {
        let needed = |service: &str| {
            let mut needs = self.project.services.values().flat_map(|other| &other.depends_on);
            needs.any(|(name, need)| name == service && need.condition != Condition::Started)
        };
        outcome.failures.iter().all(|failure| {
            failure.exit.is_some() && !failure.not_started && !failure.service.as_deref().is_some_and(needed)
        })
    }

    /// A start that failed: what there was to show, and the end of the rest where an option wants it.
    async fn after_failure(&self, args: &Front, outcome: &Outcome) -> Result<ExitCode, Failure> {
        let services = args.shown(self.project, self.services);
        let mut printer = args.printer(&self.project.name);
        let told = self.show_what_was(&services, &mut printer).await?;
        if !args.aborts() {
            return Ok(ExitCode::from(1));
        }
        let code = outcome.failures.iter().find_map(|failure| Some(failure.exit.as_ref()?.code));
        let printer = RefCell::new(printer);
        self.stop_and_tell(&services, &printer, &mut self.events(), &told, |_| {}).await?;
        Ok(exit_code(code.unwrap_or(1)))
    }

    /// The logs and ends so far. Gives the names of the containers that have ended.
    async fn show_what_was(
        &self,
        services: &[String],
        printer: &mut Printer,
    ) -> Result<BTreeSet<String>, Failure> {
        let containers = self.containers(services).await?;
        for container in &containers {
            printer.expect(&container.name);
        }
        let query = LogQuery { services: services.to_vec(), since: self.began, ..LogQuery::default() };
        logs(self.engine, &self.project.name, &query, &mut |line| printer.print(&line).is_ok()).await?;
        let mut told = BTreeSet::new();
        for container in containers {
            if let (RunState::Exited, Some(code)) = (container.state, container.exit_code) {
                Self::tell(printer, &container.name, code);
                told.insert(container.name);
            }
        }
        Ok(told)
    }

    /// Stops what was brought up, and tells of each container that ends by that. `told` are those that had ended before.
    async fn stop_and_tell(
        &self,
        services: &[String],
        printer: &RefCell<Printer>,
        events: &mut (impl Stream<Item = Result<Event, EngineError>> + Unpin),
        told: &BTreeSet<String>,
        say: impl Fn(StackLine) + Send,
    ) -> Result<(), Failure> {
        let stopping = async {
            self.stop(say).await?;
            // the last lines and ends are on their way
            tokio::time::sleep(LAST_LINES).await;
            Ok::<_, Failure>(())
        };
        let mut stopping = std::pin::pin!(stopping);
        tokio::select! {
            stopped = &mut stopping => stopped,
            () = self.tell_ends(services, printer, events, told) => stopping.await,
        }
    }

    /// Tells of each container that ends, as long as the engine tells us.
    async fn tell_ends(
        &self,
        services: &[String],
        printer: &RefCell<Printer>,
        events: &mut (impl Stream<Item = Result<Event, EngineError>> + Unpin),
        told: &BTreeSet<String>,
    ) {
        let matters = self.matters();
        while let Some(Ok(event)) = events.next().await {
            let service = event.attributes.get(labels::SERVICE).map_or("", String::as_str);
            let shown = services.iter().any(|name| name == service) || matters.contains(service);
            if shown && event.action == "die" && !one_off(&event) && !told.contains(event.name()) {
                Self::tell(&printer.borrow(), event.name(), event.exit_code().unwrap_or(-1));
            }
        }
    }

    /// What happens to the project's containers. From the beginning on: one may have ended before anybody listened.
    fn events(&self) -> impl Stream<Item = Result<Event, EngineError>> + Unpin + use<> {
        let label = format!("{}={}", labels::PROJECT, self.project.name);
        let filter = EventFilter { labels: vec![label], since: Some(self.began), until: None };
        self.engine.events(&filter)
    }

    /// Services whose end may be the end of `up`. To docker compose the end of a job matters too that others wait for.
    fn matters(&self) -> BTreeSet<&str> {
        let counted = |service: &&str| is_in_place() || !self.is_awaited(service);
        self.project.services.keys().map(String::as_str).filter(counted).collect()
    }

    /// Stops what was brought up, under the project's lock. `say` is given what hooks write.
    async fn stop(&self, say: impl Fn(StackLine) + Send) -> Result<ExitCode, Failure> {
        let _lock = tokio::task::block_in_place(|| stack::lock(&self.project.name, "plimsoll up"))?;
        let found = members(self.engine, &self.project.name).await?;
        // only what was asked for: what it depends on may serve others
        let ask = Lifecycle { services: self.services.to_vec(), grace: self.grace, no_deps: true };
        let plan = plan_stop(&self.project.name, &found, &ask);
        let said = move |step: &Step, text: &str| hook_lines(step, text).into_iter().for_each(&say);
        let ended = lifecycle::carry_out_with(self.engine, &plan, None, said).await?;
        Ok(ExitCode::from(ended.code()))
    }

    /// The project's containers of these services, those of `run` left out.
    async fn containers(&self, services: &[String]) -> Result<Vec<ContainerSummary>, Failure> {
        let label = format!("{}={}", labels::PROJECT, self.project.name);
        let mut found = self.engine.containers_labelled(&[label]).await?;
        found.retain(|container| {
            let service = container.label(labels::SERVICE).unwrap_or_default();
            !is_one_off(container) && services.iter().any(|name| name == service)
        });
        Ok(found)
    }

    /// Exit code of a service's first container, if it has ended.
    async fn code_of(&self, service: &str) -> Result<Option<i64>, Failure> {
        let found = self.containers(std::slice::from_ref(&service.to_owned())).await?;
        let ended = found.iter().find(|container| container.state == RunState::Exited);
        Ok(ended.and_then(|container| container.exit_code))
    }

    /// Tells of each container that ends, until all have, or one that matters. `told` gets the names of those that had
    /// ended before: their events are still to come.
    async fn end(
        &self,
        args: &Front,
        services: &[String],
        printer: &RefCell<Printer>,
        events: &mut (impl Stream<Item = Result<Event, EngineError>> + Unpin),
        told: &mut BTreeSet<String>,
    ) -> Result<End, Failure> {
        let all: Vec<String> = self.project.services.keys().cloned().collect();
        let matters = self.matters();
        let counts = |code: i64| code != 0 || !args.abort_on_container_failure;
        if args.aborts() {
            // one that had ended before this `up` began has no event
            let ended = self.ended(&all, &matters).await?;
            if let Some(first) = ended.iter().position(|(_, code)| counts(*code)) {
                for (name, code) in &ended[..=first] {
                    Self::tell(&printer.borrow(), name, *code);
                    told.insert(name.clone());
                }
                return Ok(End::One(ended[first].1));
            }
        }
        let mut look = Instant::now() + ENDED_FOR;
        loop {
            tokio::select! {
                event = events.next() => {
                    let Some(event) = event else { return Ok(End::All) };
                    let event = event?;
                    look = Instant::now() + ENDED_FOR;
                    if event.action != "die" || one_off(&event) {
                        continue;
                    }
                    let code = event.exit_code().unwrap_or(-1);
                    let service = event.attributes.get(labels::SERVICE).map_or("", String::as_str);
                    if services.iter().any(|name| name == service) || matters.contains(service) {
                        Self::tell(&printer.borrow(), event.name(), code);
                    }
                    if args.aborts() && matters.contains(service) && counts(code) {
                        let now = self.engine.inspect_container(&event.id).await;
                        // one that the engine starts again has not ended
                        if now.is_ok_and(|now| now.state == RunState::Exited) {
                            return Ok(End::One(code));
                        }
                    }
                }
                () = sleep_until(look) => {
                    let up = |state| {
                        matches!(state, RunState::Running | RunState::Paused | RunState::Restarting)
                    };
                    // who named services waits for those, whatever else is shown
                    let awaited = if self.services.is_empty() { services } else { self.services };
                    if !self.containers(awaited).await?.iter().any(|container| up(container.state)) {
                        return Ok(End::All);
                    }
                    // the next event brings the next look
                    look = Instant::now() + Duration::from_hours(1);
                }
            }
        }
    }

    /// Containers that have ended, with their codes, in the order in which they did.
    async fn ended(
        &self,
        services: &[String],
        matters: &BTreeSet<&str>,
    ) -> Result<Vec<(String, i64)>, Failure> {
        let mut ended: Vec<(Option<jiff::Timestamp>, String, i64)> = Vec::new();
        for container in self.containers(services).await? {
            let service = container.label(labels::SERVICE).unwrap_or_default();
            if container.state != RunState::Exited || !matters.contains(service) {
                continue;
            }
            // one that is gone meanwhile ended by somebody's hand
            if let Ok(detail) = self.engine.inspect_container(&container.id).await {
                ended.push((detail.finished.parse().ok(), container.name, detail.exit_code));
            }
        }
        ended.sort();
        Ok(ended.into_iter().map(|(_, name, code)| (name, code)).collect())
    }

    fn tell(printer: &Printer, container: &str, code: i64) {
        let _ = writeln!(io::stdout().lock(), "{} exited with code {code}", printer.short(container));
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

/// Of a container of `run`.
fn one_off(event: &Event) -> bool {
    event.attributes.get(labels::ONEOFF).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}
