//! What the verbs about containers that exist share: which ones are meant, a plan, its run.

use std::{process::ExitCode, time::Duration};

use plimsoll_engine::Engine;
use plimsoll_source::printable_output;
use plimsoll_stack::{Lifecycle, Member, Op, Plan, Progress, RunOptions, StackFiles, Step, members};

use crate::{
    commands::drop_in::is_in_place,
    error::CommandError,
    globals,
    project::ProjectArgs,
    stack::{self, Target, failed},
};

/// A verb that is a plan over containers.
pub(crate) struct Verb {
    /// Who holds the project's lock.
    pub(crate) purpose: &'static str,
    /// Whether having nothing to work on is an error.
    pub(crate) needs_containers: bool,
    /// Makes the plan.
    pub(crate) plan: fn(&str, &[Member], &Lifecycle) -> Plan,
}

/// Makes the plan and runs it.
pub(crate) fn run(
    project: &ProjectArgs,
    verb: &Verb,
    ask: &Lifecycle,
    wait: Option<u64>,
    dry_run: bool,
) -> Result<ExitCode, CommandError> {
    let target = stack::target(project, &ask.services)?;
    let _lock = stack::lock(&target.name, verb.purpose)?;
    stack::with_engine(|engine| async move {
        let found = meant(&engine, &target).await?;
        let chosen = among(&target, found.clone(), &ask.services)?;
        let bare =
            ask.services.iter().find(|service| !found.iter().any(|member| member.service == **service));
        if let (true, Some(service)) = (verb.needs_containers, bare) {
            return Err(CommandError::new(
                format!("project {} has no container of service {service}", target.name),
                "`plimsoll up` makes it",
            ));
        }
        if chosen.is_empty() {
            return if verb.needs_containers {
                Err(CommandError::new(
                    format!("project {} has no containers", target.name),
                    "`plimsoll up` makes them; `plimsoll ls` lists the projects of this engine",
                ))
            } else {
                Ok(ExitCode::SUCCESS)
            };
        }
        let plan = (verb.plan)(&target.name, &found, ask);
        for note in plan.notes.iter().filter(|_| !dry_run) {
            globals::tell(&target.name, &format!("note  {note}"));
        }
        if dry_run {
            out!("{}", plan.render());
            return Ok(ExitCode::SUCCESS);
        }
        carry_out(&engine, &plan, wait).await
    })
}

/// The containers that a verb may touch: those of the file's services, or, without a file, of the whole project.
async fn meant(engine: &Engine, target: &Target) -> Result<Vec<Member>, CommandError> {
    let mut found = members(engine, &target.name).await.map_err(failed)?;
    found.retain(|member| target.has(&member.service));
    Ok(found)
}

/// The containers of these services, all that are meant if none is named. A service that the file has may have none:
/// that is only said. One that nobody knows is an error.
pub(crate) async fn chosen(
    engine: &Engine,
    target: &Target,
    services: &[String],
) -> Result<Vec<Member>, CommandError> {
    let found = meant(engine, target).await?;
    among(target, found, services)
}

fn among(target: &Target, mut found: Vec<Member>, services: &[String]) -> Result<Vec<Member>, CommandError> {
    for service in services {
        if found.iter().any(|member| member.service == *service) {
            continue;
        }
        if !target.knows(service) {
            return Err(target.no_service(service));
        }
        globals::tell(service, &format!("note  service {service} has no container"));
    }
    if found.is_empty() && services.is_empty() {
        let text = format!("note  project {} has no containers", target.name);
        globals::tell(&target.name, &text);
    }
    found.retain(|member| services.is_empty() || services.contains(&member.service));
    Ok(found)
}

/// Runs the plan, one line for each thing that is done.
pub(crate) async fn carry_out(
    engine: &Engine,
    plan: &Plan,
    wait: Option<u64>,
) -> Result<ExitCode, CommandError> {
    carry_out_with(engine, plan, wait, |_, _| {}).await
}

/// The same; `said` is given the lines that hooks write, with the step that ran them.
pub(crate) async fn carry_out_with(
    engine: &Engine,
    plan: &Plan,
    wait: Option<u64>,
    mut said: impl FnMut(&Step, &str) + Send,
) -> Result<ExitCode, CommandError> {
    let options = RunOptions {
        timeout: wait.map(Duration::from_secs),
        state: stack::states()?.join(&plan.project),
        cancel: Some(stack::interruption()),
    };
    // to docker compose a container that had ended before is stopped too, and one that is stopped to start again
    // restarts
    let starts = |op: &Op| matches!(op, Op::StartContainer { .. });
    let restarts = plan.steps.iter().any(|step| starts(&step.op));
    if is_in_place() {
        plan.unchanged.iter().for_each(|name| globals::tell(name, &format!(" Container {name} Stopped")));
    }
    let mut show = |progress: Progress<'_>| match progress {
        Progress::Started(Step { op: Op::StopContainer { container, .. }, .. })
            if restarts && is_in_place() =>
        {
            globals::tell(container, &format!(" Container {container} Restarting"));
        }
        Progress::Said(step, text) => said(step, text),
        progress => globals::tell_step(&progress),
    };
    let outcome = plimsoll_stack::run(engine, plan, &StackFiles::default(), &options, &mut show).await;
    for failure in &outcome.failures {
        err!("\n{}", printable_output(&failure.render()));
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
        globals::tell(&plan.project, &text);
    }
    let good = outcome.failures.is_empty() && outcome.failed_hooks == 0;
    Ok(match (outcome.interrupted, good) {
        (true, _) => ExitCode::from(130),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(1),
    })
}
