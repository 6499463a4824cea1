//! What `stop`, `start` and `restart` share: containers by their labels, a plan, its run.

use std::{process::ExitCode, time::Duration};

use plimsoll_stack::{Lifecycle, Member, Op, Plan, Progress, RunOptions, StackFiles, members};

use crate::{
    error::CommandError,
    project::ProjectArgs,
    stack::{self, Target, failed},
};

/// Makes the plan and runs it.
pub(crate) fn run(
    project: &ProjectArgs,
    purpose: &str,
    ask: &Lifecycle,
    wait: Option<u64>,
    dry_run: bool,
    plan: fn(&str, &[Member], &Lifecycle) -> Plan,
) -> Result<ExitCode, CommandError> {
    let target = stack::target(project, &ask.services)?;
    let name = target.name.clone();
    let _lock = stack::lock(&name, purpose)?;
    stack::with_engine(|engine| async move {
        let found = meant(&engine, &target).await?;
        if let Some(missing) =
            ask.services.iter().find(|service| !found.iter().any(|member| member.service == **service))
        {
            return Err(CommandError::new(
                format!("project {name} has no container of service {missing}"),
                "`plimsoll ps` lists those that exist; `plimsoll up` makes them",
            ));
        }
        if found.is_empty() {
            return Err(CommandError::new(
                format!("project {name} has no containers"),
                "`plimsoll up` makes them; `plimsoll ls` lists the projects of this engine",
            ));
        }
        let plan = plan(&name, &found, ask);
        for note in plan.notes.iter().filter(|_| !dry_run) {
            errln!("note  {note}");
        }
        if dry_run {
            out!("{}", plan.render());
            return Ok(ExitCode::SUCCESS);
        }
        carry_out(&engine, &plan, wait).await
    })
}

/// The containers that a verb may touch: those of the file's services, or, without a file, of the whole project.
async fn meant(engine: &plimsoll_engine::Engine, target: &Target) -> Result<Vec<Member>, CommandError> {
    let mut found = members(engine, &target.name).await.map_err(failed)?;
    found.retain(|member| target.has(&member.service));
    Ok(found)
}

/// The containers of these services, all that are meant if none is named; a service without one is an error.
pub(crate) async fn chosen(
    engine: &plimsoll_engine::Engine,
    target: &Target,
    services: &[String],
) -> Result<Vec<Member>, CommandError> {
    let project = &target.name;
    let mut found = meant(engine, target).await?;
    if let Some(missing) =
        services.iter().find(|service| !found.iter().any(|member| member.service == **service))
    {
        return Err(CommandError::new(
            format!("project {project} has no container of service {missing}"),
            "`plimsoll ps` lists those that exist; `plimsoll up` makes them",
        ));
    }
    found.retain(|member| services.is_empty() || services.contains(&member.service));
    Ok(found)
}

/// Runs the plan, one line for each thing that is done.
pub(crate) async fn carry_out(
    engine: &plimsoll_engine::Engine,
    plan: &Plan,
    wait: Option<u64>,
) -> Result<ExitCode, CommandError> {
    let options = RunOptions {
        timeout: wait.map(Duration::from_secs),
        state: stack::states()?.join(&plan.project),
        cancel: Some(stack::interruption()),
    };
    let mut show = |progress: Progress<'_>| match progress {
        Progress::Done(step, took) => {
            errln!("{:7.2}s  {}", took.as_secs_f64(), step.op.describe());
        }
        Progress::Told(step, text) => errln!("   note  {}: {text}", step.op.describe()),
        Progress::Failed(step, failure) => {
            errln!("FAILED  {}: {}", step.op.describe(), failure.reason);
        }
        _ => {}
    };
    let outcome = plimsoll_stack::run(engine, plan, &StackFiles::default(), &options, &mut show).await;
    for failure in &outcome.failures {
        err!("\n{}", failure.render());
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
        outln!("{what} in {:.2} s", outcome.elapsed.as_secs_f64());
    }
    Ok(match (outcome.interrupted, outcome.failures.is_empty()) {
        (true, _) => ExitCode::from(130),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(1),
    })
}
