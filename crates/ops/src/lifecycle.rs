//! What the verbs about containers that exist share: which ones are meant, a plan, its run.

use std::time::Duration;

use plimsoll_engine::Engine;
use plimsoll_stack::{Lifecycle, Member, Op, Plan, Progress, RunOptions, StackFiles, Step, members};

use crate::{
    Event, Failure, interrupt, is_in_place,
    project::Selection,
    reporter,
    stack::{self, Target},
};

/// How the run of a plan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything is done.
    Well,
    /// Something of it failed, and that was told.
    Badly,
    /// Somebody asked for its end.
    Interrupted,
}

impl Ended {
    /// The exit code that says so.
    pub fn code(self) -> u8 {
        match self {
            Self::Well => 0,
            Self::Badly => 1,
            Self::Interrupted => interrupt::EXIT,
        }
    }

    /// How a run ended.
    pub fn of(interrupted: bool, good: bool) -> Self {
        match (interrupted, good) {
            (true, _) => Self::Interrupted,
            (false, true) => Self::Well,
            (false, false) => Self::Badly,
        }
    }
}

/// A verb that is a plan over containers.
pub struct Verb {
    /// Who holds the project's lock.
    pub purpose: &'static str,
    /// Whether having nothing to work on is an error.
    pub needs_containers: bool,
    /// Makes the plan.
    pub plan: fn(&str, &[Member], &Lifecycle) -> Plan,
}

/// Makes the plan and runs it.
pub fn run(
    project: &Selection,
    verb: &Verb,
    ask: &Lifecycle,
    wait: Option<u64>,
    dry_run: bool,
) -> Result<Ended, Failure> {
    let target = stack::target(project, &ask.services)?;
    let _lock = stack::lock(&target.name, verb.purpose)?;
    stack::with_engine(|engine| async move {
        let found = meant(&engine, &target).await?;
        let chosen = among(&target, found.clone(), &ask.services)?;
        let bare =
            ask.services.iter().find(|service| !found.iter().any(|member| member.service == **service));
        if let (true, Some(service)) = (verb.needs_containers, bare) {
            return Err(Failure::new(
                format!("project {} has no container of service {service}", target.name),
                "`plimsoll up` makes it",
            ));
        }
        if chosen.is_empty() {
            return if verb.needs_containers {
                Err(Failure::new(
                    format!("project {} has no containers", target.name),
                    "`plimsoll up` makes them; `plimsoll ls` lists the projects of this engine",
                ))
            } else {
                Ok(Ended::Well)
            };
        }
        let plan = (verb.plan)(&target.name, &found, ask);
        for note in plan.notes.iter().filter(|_| !dry_run) {
            reporter().tell(&target.name, &format!("note  {note}"));
        }
        if dry_run {
            reporter().report(Event::Plan(&plan));
            return Ok(Ended::Well);
        }
        carry_out(&engine, &plan, wait).await
    })
}

/// The containers that a verb may touch: those of the file's services, or, without a file, of the whole project.
async fn meant(engine: &Engine, target: &Target) -> Result<Vec<Member>, Failure> {
    let mut found = members(engine, &target.name).await?;
    found.retain(|member| target.has(&member.service));
    Ok(found)
}

/// The containers of these services, all that are meant if none is named. A service that the file has may have none:
/// that is only said. One that nobody knows is an error.
pub async fn chosen(engine: &Engine, target: &Target, services: &[String]) -> Result<Vec<Member>, Failure> {
    let found = meant(engine, target).await?;
    among(target, found, services)
}

fn among(target: &Target, mut found: Vec<Member>, services: &[String]) -> Result<Vec<Member>, Failure> {
    for service in services {
        if found.iter().any(|member| member.service == *service) {
            continue;
        }
        if !target.knows(service) {
            return Err(target.no_service(service));
        }
        reporter().tell(service, &format!("note  service {service} has no container"));
    }
    if found.is_empty() && services.is_empty() {
        let text = format!("note  project {} has no containers", target.name);
        reporter().tell(&target.name, &text);
    }
    found.retain(|member| services.is_empty() || services.contains(&member.service));
    Ok(found)
}

/// Runs the plan, one line for each thing that is done.
pub async fn carry_out(engine: &Engine, plan: &Plan, wait: Option<u64>) -> Result<Ended, Failure> {
    carry_out_with(engine, plan, wait, |_, _| {}).await
}

/// The same; `said` is given the lines that hooks write, with the step that ran them.
pub async fn carry_out_with(
    engine: &Engine,
    plan: &Plan,
    wait: Option<u64>,
    mut said: impl FnMut(&Step, &str) + Send,
) -> Result<Ended, Failure> {
    let options = RunOptions {
        timeout: wait.map(Duration::from_secs),
        state: stack::states()?.join(&plan.project),
        cancel: Some(stack::interruption()),
        journal: None,
    };
    // to docker compose a container that had ended before is stopped too, and one that is stopped to start again
    // restarts
    let starts = |op: &Op| matches!(op, Op::StartContainer { .. });
    let restarts = plan.steps.iter().any(|step| starts(&step.op));
    if is_in_place() {
        plan.unchanged.iter().for_each(|name| reporter().tell(name, &format!(" Container {name} Stopped")));
    }
    let mut show = |progress: Progress<'_>| match progress {
        Progress::Started(Step { op: Op::StopContainer { container, .. }, .. })
            if restarts && is_in_place() =>
        {
            reporter().tell(container, &format!(" Container {container} Restarting"));
        }
        Progress::Said(step, text) => said(step, text),
        progress => reporter().report(Event::Step(&progress)),
    };
    let outcome = plimsoll_stack::run(engine, plan, &StackFiles::default(), &options, &mut show).await;
    for failure in &outcome.failures {
        reporter().report(Event::Broken(failure));
    }
    if outcome.is_success() {
        let count = |wanted: fn(&Op) -> bool| plan.steps.iter().filter(|step| wanted(&step.op)).count();
        let stopped = count(|op| matches!(op, Op::StopContainer { .. }));
        let started = count(|op| matches!(op, Op::StartContainer { .. } | Op::UnpauseContainer { .. }));
        let what = match (stopped, started) {
            (0, 0) => "nothing to do".to_owned(),
            (0, started) => format!("{started} started"),
            (stopped, 0) => format!("{stopped} stopped"),
            (stopped, started) => format!("{stopped} stopped, {started} started"),
        };
        let text = format!("{what} in {:.2} s", outcome.elapsed.as_secs_f64());
        reporter().tell(&plan.project, &text);
    }
    let good = outcome.failures.is_empty() && outcome.failed_hooks == 0;
    Ok(Ended::of(outcome.interrupted, good))
}
