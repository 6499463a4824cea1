//! From a project to a stack that runs: images built and handed over, a plan, its run, each service waited for.

use std::time::Duration;

use plimsoll_compose::Project;
use plimsoll_engine::{Engine, EngineFacts};
use plimsoll_stack::{
    Context, Desired, ImageMap, Observed, Outcome, Plan, PlanOptions, Progress, RunOptions, StackError,
    StackFiles, changed_passwords, desired, host_listeners, observe, plan, port_conflicts,
};

use crate::{
    Event, Failure, Reporter,
    home::home,
    password,
    policy::Policy,
    project, remote, stack,
    stack_images::{self, Asked},
    variables::Orphans,
};

/// How a stack is to be brought up.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// Only these services and what they depend on; empty is all.
    pub services: Vec<String>,
    /// Further services that were named and have to be there.
    pub named: Vec<String>,
    /// Where images come from.
    pub images: Asked,
    /// What becomes of containers whose service is gone.
    pub orphans: Orphans,
    /// Replace containers that are up to date too.
    pub force_recreate: bool,
    /// Never replace a container.
    pub no_recreate: bool,
    /// Replace what the named services depend on too.
    pub always_recreate_deps: bool,
    /// Leave alone what the named services depend on.
    pub no_deps: bool,
    /// Make containers and start none.
    pub no_start: bool,
    /// Give new containers new anonymous volumes.
    pub renew_anon_volumes: bool,
    /// Any volume that differs from the file may be made anew, and its data lost.
    pub yes: bool,
    /// These may.
    pub recreate_volume: Vec<String>,
    /// The stores in these volumes have the project's new password by now.
    pub password_changed: Vec<String>,
    /// Seconds that a container has to end, instead of its own grace period.
    pub timeout: Option<u32>,
    /// Seconds that one service is waited for at most.
    pub wait_timeout: Option<u64>,
    /// Only look.
    pub dry_run: bool,
}

/// Runs the plan, and waits until each service is ready; every step is reported.
pub async fn run(
    engine: &Engine,
    prepared: &Prepared,
    options: &RunOptions,
    reporter: &dyn Reporter,
) -> Outcome {
    let mut show = |progress: Progress<'_>| reporter.report(Event::Step(&progress));
    plimsoll_stack::run(engine, &prepared.plan, &prepared.files, options, &mut show).await
}

/// The options of a run of the project's plan, which ends early when the process is asked to end.
pub fn run_options(project: &Project, ask: &Ask) -> Result<RunOptions, Failure> {
    Ok(RunOptions {
        timeout: ask.wait_timeout.map(Duration::from_secs),
        state: stack::states()?.join(&project.name),
        cancel: Some(stack::interruption()),
        journal: None,
    })
}

/// A stack that can be brought up: its images are in the engine.
pub struct Prepared {
    /// What is to be done.
    pub plan: Plan,
    /// What the engine has.
    pub observed: Observed,
    /// Secrets and configs.
    pub files: StackFiles,
    /// Services whose image stands in for another one.
    pub standins: Vec<String>,
}

/// Everything that is asked and read before anything is done. What can be refused is refused before images are built.
pub async fn prepare(
    engine: &Engine,
    project: &Project,
    policy: &Policy,
    mut files: StackFiles,
    ask: &Ask,
    reporter: &dyn Reporter,
) -> Result<Prepared, Failure> {
    for volume in ask.recreate_volume.iter().chain(&ask.password_changed) {
        if !project.volumes.contains_key(volume) {
            return Err(Failure::new(
                format!("project {} has no volume {volume}", project.name),
                format!("it has {}", project.volumes.keys().cloned().collect::<Vec<_>>().join(", ")),
            ));
        }
    }
    for service in ask.services.iter().chain(&ask.named) {
        // one that is left out this time is a service all the same
        if !project.disabled_services.contains_key(service) {
            project::check_names(project, std::iter::once(service))?;
        }
    }
    let needed = needed(project, ask);
    let facts = engine.facts().await?;
    let elsewhere = remote::prepare(engine, project, &mut files, &facts);
    let options = plan_options(project, ask)?;
    let basis = Basis { engine, project, files: &files, facts: &facts, options: &options, ask };
    if !ask.dry_run {
        // a build takes minutes, and what can be refused without it costs nothing to find
        basis.plan(&stack_images::expected(engine, &needed, &ask.images).await?).await?;
    }
    let images = stack_images::bring(engine, &needed, &home()?, policy, &ask.images, reporter).await?;
    // what was observed before a build may not be true any more after it
    let (wanted, observed, mut plan) = basis.plan(&images).await?;
    plan.notes.extend(elsewhere);
    let standins =
        wanted.services.iter().filter(|service| service.standin).map(|service| service.name.clone());
    let standins = standins.collect();
    Ok(Prepared { plan, observed, files, standins })
}

/// What a plan is made from beside the images.
struct Basis<'a> {
    engine: &'a Engine,
    project: &'a Project,
    files: &'a StackFiles,
    facts: &'a EngineFacts,
    options: &'a PlanOptions,
    ask: &'a Ask,
}

impl Basis<'_> {
    /// The plan with these images for what the engine has now.
    ///
    /// # Errors
    /// What keeps it from being run: a password that a store does not know, a port that somebody else has, …
    async fn plan(&self, images: &ImageMap) -> Result<(Desired, Observed, Plan), Failure> {
        let Self { engine, project, files, facts, options, ask } = *self;
        let observed = observe(engine, &project.name).await?;
        let mut wanted = desired(project, Context { images, facts, files })?;
        wanted.lend_environment(&plimsoll_buildx::proxy::variables(engine.host())?);
        let changed = changed_passwords(&wanted, &observed, files);
        let said = password::Said {
            changed: &ask.password_changed,
            lost: &ask.recreate_volume,
            dry_run: ask.dry_run,
        };
        password::check(&changed, said, &stack::states()?.join(&project.name))?;
        let plan = plan(&wanted, &observed, options)?;
        if !ask.dry_run {
            // of another machine only its engine tells
            let listeners = if engine.is_local() { host_listeners() } else { Vec::new() };
            let conflicts = port_conflicts(&plan, &wanted, &observed, &listeners);
            if !conflicts.is_empty() {
                return Err(StackError::PortsTaken(conflicts).into());
            }
        }
        Ok((wanted, observed, plan))
    }
}

fn plan_options(project: &Project, ask: &Ask) -> Result<PlanOptions, Failure> {
    Ok(PlanOptions {
        force_recreate: ask.force_recreate,
        no_recreate: ask.no_recreate,
        remove_orphans: ask.orphans.remove,
        ignore_orphans: ask.orphans.ignore,
        services: ask.services.clone(),
        always_recreate_deps: ask.always_recreate_deps,
        no_deps: ask.no_deps,
        no_start: ask.no_start,
        renew_anon_volumes: ask.renew_anon_volumes,
        // who says yes to all says it to the loss of data in a volume that differs from the file, as in docker compose
        recreate_volumes: if ask.yes {
            project.volumes.keys().cloned().collect()
        } else {
            ask.recreate_volume.iter().cloned().collect()
        },
        grace: ask.timeout,
        hooked: plimsoll_stack::hooked(&stack::states()?.join(&project.name)),
    })
}

/// The project with only what is brought up: images of other services need not be there.
fn needed(project: &Project, ask: &Ask) -> Project {
    let mut reduced = project.clone();
    if !ask.services.is_empty() {
        let mut names: Vec<&str> = Vec::new();
        for service in &ask.services {
            names.extend(project::needed(project, service, ask.no_deps));
        }
        reduced.services.retain(|name, _| names.contains(&name.as_str()));
    }
    reduced
}

/// `web=3`: how many containers a service has, instead of what the file says.
pub fn scale(project: &mut Project, asked: &[String]) -> Result<(), Failure> {
    for entry in asked {
        let wrong = |why: String| Failure::new(why, "write SERVICE=NUMBER");
        let (name, count) = entry.split_once('=').ok_or_else(|| wrong(format!("`{entry}` has no number")))?;
        let count: u32 =
            count.parse().map_err(|_| wrong(format!("`{count}` in `{entry}` is no number of containers")))?;
        let Some(service) = project.services.get_mut(name) else {
            return Err(project::no_service(project, name));
        };
        if let (Some(fixed), true) = (&service.container_name, count > 1) {
            return Err(Failure::new(
                format!("service {name} cannot have {count} containers: all would be called {fixed}"),
                "remove `container_name` from the compose file",
            ));
        }
        service.scale = Some(i64::from(count));
    }
    Ok(())
}
