//! A container of `run`: its image, its plan, and everything up to its start.

use plimsoll_compose::Project;
use plimsoll_engine::Engine;
use plimsoll_stack::{Context, OneOff, Op, Progress, RunOptions, StackFiles, desired, observe, plan_oneoff};

use crate::{
    Event, Failure, Reporter,
    home::home,
    policy::Policy,
    project, remote, stack,
    stack_images::{self, Asked},
    variables::Orphans,
};

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Where images come from.
    pub images: Asked,
    /// What becomes of containers whose service is gone.
    pub orphans: Orphans,
    /// Say nothing about what is made.
    pub quiet: bool,
    /// Only look.
    pub dry_run: bool,
    /// The container.
    pub one_off: OneOff,
}

/// Everything up to the start, under the project's lock; gives the container's name. `None` if only the plan was asked
/// for.
pub async fn make(
    engine: &Engine,
    project: &Project,
    policy: &Policy,
    files: &StackFiles,
    ask: &Ask,
    reporter: &dyn Reporter,
) -> Result<Option<String>, Failure> {
    let OneOff { service, no_deps, user, .. } = &ask.one_off;
    let lock = if ask.dry_run { None } else { Some(stack::lock(&project.name, "plimsoll run")?) };
    let mut reduced = project.clone();
    reduced.services.retain(|name, _| project::needed(project, service, *no_deps).contains(&name.as_str()));
    let images = stack_images::bring(engine, &reduced, &home()?, policy, &ask.images, reporter).await?;
    let (facts, observed) = tokio::join!(engine.facts(), observe(engine, &project.name));
    let (facts, observed) = (facts?, observed?);
    let mut files = files.clone();
    let elsewhere = remote::prepare(engine, &reduced, &mut files, &facts);
    if let Some(user) = user {
        files.apart_for(service, user);
    }
    let context = Context { images: &images, facts: &facts, files: &files };
    let mut wanted = desired(&reduced, context)?;
    wanted.lend_environment(&plimsoll_buildx::proxy::variables(engine.host())?);
    let mut plan = plan_oneoff(&wanted, &observed, &ask.one_off)?;
    if ask.orphans.remove || !ask.orphans.ignore {
        plan.orphans(&observed, ask.orphans.remove, |service| {
            project.services.contains_key(service) || project.disabled_services.contains_key(service)
        });
    }
    plan.notes.extend(elsewhere);
    for note in plan.notes.iter().filter(|_| !ask.quiet) {
        reporter.tell(&project.name, &format!("note  {note}"));
    }
    if ask.dry_run {
        reporter.report(Event::Plan(&plan));
        return Ok(None);
    }
    let options =
        RunOptions { state: stack::states()?.join(&project.name), cancel: None, ..RunOptions::default() };
    let mut show = |progress: Progress<'_>| match progress {
        Progress::Done(..) | Progress::Told(..) if ask.quiet => {}
        Progress::Done(step, _) if matches!(step.op, Op::CreateContainer { .. }) => {}
        progress => reporter.report(Event::Step(&progress)),
    };
    let outcome = plimsoll_stack::run(engine, &plan, &files, &options, &mut show).await;
    drop(lock);
    let name = ask.one_off.container(&project.name);
    if outcome.is_success() {
        return Ok(Some(name));
    }
    for failure in &outcome.failures {
        reporter.report(Event::Broken(failure));
    }
    Err(Failure::new(
        format!("{name} was not started: {} of {} steps done", outcome.done, plan.steps.len()),
        "correct what failed, or leave the dependencies alone with --no-deps",
    ))
}
