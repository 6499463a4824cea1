//! `plimsoll up`: brings the engine to what the compose file says.

mod attached;
mod boot;
mod front;
mod owner;
mod password;
mod progress;
mod verdict;

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use clap::{Args as _, FromArgMatches as _};
use plimsoll_buildx::proxy;
use plimsoll_compose::Project;
use plimsoll_engine::{Engine, EngineFacts, PublishedPort};
use plimsoll_ops::{
    Failure,
    home::home,
    is_in_place,
    policy::{Policy, Root},
    project, remote, stack,
    variables::Orphans,
};
use plimsoll_source::printable_output;
use plimsoll_stack::{
    Context, Desired, ImageMap, Lock, Observed, Outcome, Plan, PlanOptions, Progress, RunOptions, StackError,
    StackFiles, changed_passwords, desired, host_listeners, labels, observe, plan, port_conflicts,
    stack_files,
};
use serde_json::json;

use crate::{
    commands::{logs::hook_lines, run::needed as needs_of},
    globals,
    project::ProjectArgs,
    stack_images::{self, Asked},
};

/// Bring the stack up: networks, volumes, secrets, one-shot jobs, services in the order of their health
///
/// Only what differs is touched. Exits with 0 when everything is healthy, 1 if a service failed, 2 if nothing could
/// be tried.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only these services and what they depend on
    services: Vec<String>,
    /// Print the plan with its causes and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Seconds that a container has to end when it is replaced or removed, instead of its own grace period
    #[arg(short, long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// Longest wait for one service; without it the health check's own settings decide
    #[arg(long, value_name = "SECONDS")]
    wait_timeout: Option<u64>,
    /// Health is always waited for; accepted for the habit
    #[arg(long, hide = true)]
    wait: bool,
    /// Write a systemd unit that brings the stack up like this after a reboot; with --dry-run show it
    #[arg(long, conflicts_with_all = ["force_recreate", "no_recreate", "json"])]
    boot: bool,
    /// What the unit says: once for each boot, stop first what the engine has started in its own order
    #[arg(long, hide = true)]
    at_boot: bool,
    /// Replace containers that are up to date too
    #[arg(long, conflicts_with = "no_recreate")]
    force_recreate: bool,
    /// Never replace a container
    #[arg(long)]
    no_recreate: bool,
    /// Replace what the named services depend on too, also where it is up to date
    #[arg(long, conflicts_with = "no_recreate")]
    always_recreate_deps: bool,
    /// Leave alone what the named services depend on
    #[arg(long)]
    no_deps: bool,
    /// Number of containers of a service; may be given several times
    #[arg(long, value_name = "SERVICE=NUMBER")]
    scale: Vec<String>,
    /// Make containers and start none
    #[arg(long, conflicts_with = "wait_timeout")]
    no_start: bool,
    /// Give new containers new anonymous volumes instead of their predecessors'
    #[arg(short = 'V', long)]
    renew_anon_volumes: bool,
    /// Make this volume anew if it differs from the compose file; its data are lost; may be given several times
    #[arg(long, value_name = "VOLUME")]
    recreate_volume: Vec<String>,
    /// When images are pulled, instead of the services' `pull_policy`
    #[arg(long, value_name = "POLICY", value_parser = ["always", "missing", "never", "build"])]
    pull: Option<String>,
    /// Say nothing about pulls
    #[arg(long)]
    quiet_pull: bool,
    /// Under its own name this program always builds; in place of docker compose only with this, or what is missing
    #[arg(long, hide = true, conflicts_with = "no_build")]
    build: bool,
    /// Build nothing: take the images that are there
    #[arg(long)]
    no_build: bool,
    #[command(flatten)]
    attached: attached::Front,
    /// Remove containers of services that the project does not have any more
    #[arg(long)]
    remove_orphans: bool,
    /// Containers run in the background; accepted for the habit
    #[arg(short, long, hide = true, conflicts_with_all = ["abort_on_container_exit", "abort_on_container_failure", "exit_code_from", "attach", "attach_dependencies"])]
    detach: bool,
    /// Yes to the one question that docker compose asks: volumes that differ from the file are made anew, and their data
    /// are lost
    #[arg(short, long)]
    yes: bool,
    /// Say nothing about builds
    #[arg(long)]
    quiet_build: bool,
    /// There are no shortcuts on the keyboard; accepted for the habit
    #[arg(long, hide = true)]
    menu: bool,
    /// Refused: containers are replaced by new images, not changed
    #[arg(short, long, hide = true)]
    watch: bool,
    /// The store in this volume has the project's new password by now; may be given several times
    #[arg(long, value_name = "VOLUME")]
    password_changed: Vec<String>,
    /// Go on with containers and volumes that another folder made under this project's name
    #[arg(long)]
    take_over: bool,
    /// Print the plan and the outcome as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    /// As `scale` asks for it.
    pub(super) fn for_scale(
        project: ProjectArgs,
        scale: Vec<String>,
        no_deps: bool,
        dry_run: bool,
    ) -> Result<Self, Failure> {
        let parsed = Self::augment_args(clap::Command::new("scale")).try_get_matches_from(["scale"]);
        let args = parsed.and_then(|found| Self::from_arg_matches(&found));
        let args = args.map_err(|error| Failure::of(&error))?;
        let services = scale.iter().map(|entry| entry.split('=').next().unwrap_or_default().to_owned());
        Ok(Self { services: services.collect(), project, scale, no_deps, dry_run, detach: true, ..args })
    }

    /// In place of docker compose `up` stays in front unless it is told otherwise.
    fn stays_in_front(&self) -> bool {
        let background = self.detach || self.wait || self.no_start || self.at_boot || self.json;
        self.attached.is_asked() || (is_in_place() && !background)
    }

    /// Services that the command line names: their profiles are active.
    fn named(&self) -> Vec<String> {
        let scaled = self.scale.iter().filter_map(|entry| Some(entry.split_once('=')?.0));
        let attached = self.attached.named().map(String::as_str);
        self.services.iter().map(String::as_str).chain(scaled).chain(attached).map(str::to_owned).collect()
    }
}

/// `plimsoll create`: everything but the starts.
pub(crate) fn create(args: Args) -> Result<ExitCode, Failure> {
    run(Args { no_start: true, ..args })
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    if args.watch {
        return super::refused::run("watch", &super::refused::Args::default());
    }
    // it builds, and reads the store's layers
    plimsoll_ops::rootless::enter(!args.no_build);
    let root = Root::find()?;
    let mut options = args.project.options(&root)?;
    options.services.clone_from(&args.services);
    options.no_deps = args.no_deps && !args.services.is_empty();
    let orphans = Orphans::of(args.remove_orphans, &options.env)?;
    let boot: Vec<String> = options.files.iter().map(|file| file.name().to_owned()).collect();
    project::activate(&mut options, &args.named())?;
    let profiles = options.profiles.clone();
    let (mut project, options_env) = args.project.load_with(options)?;
    scale(&mut project, &args.scale)?;
    if args.boot {
        let files: Vec<&str> = boot.iter().map(String::as_str).collect();
        return boot::install(&args, &project, &files, &profiles);
    }
    project::absolute_files(&mut project);
    // what is only looked at needs no turn
    let lock = if args.dry_run { None } else { Some(stack::lock(&project.name, "plimsoll up")?) };
    let (state, _kept) = stack::state_for(&project.name, args.dry_run)?;
    let variable = |name: &str| options_env.get(name).cloned();
    let files = stack_files(&project, &state, &variable)?;
    stack::with_engine(|engine| async move {
        up(&engine, &project, &root.policy, files, (&args, orphans), lock).await
    })
}

async fn up(
    engine: &Engine,
    project: &Project,
    policy: &Policy,
    files: StackFiles,
    (args, orphans): (&Args, Orphans),
    lock: Option<Lock>,
) -> Result<ExitCode, Failure> {
    if !args.take_over {
        owner::check(engine, project, args.project.names_the_project()).await?;
    }
    if args.at_boot && !args.dry_run {
        boot::clear(engine, &project.name, &args.services).await?;
    }
    let prepared = prepare(engine, project, policy, files, (args, orphans)).await?;
    if args.dry_run {
        if args.json {
            print_json(&json!({ "plan": prepared.plan }))?;
        } else {
            out!("{}", prepared.plan.render());
        }
        return Ok(ExitCode::SUCCESS);
    }
    let began = now();
    let options = RunOptions {
        timeout: args.wait_timeout.map(Duration::from_secs),
        state: stack::states()?.join(&project.name),
        cancel: Some(stack::interruption()),
    };
    progress::tell_notes(&prepared.plan, &options.state, args.services.is_empty());
    let mut shown = progress::Shown::new(&prepared.plan);
    progress::tell_unchanged(&prepared.plan, &prepared.observed);
    let mut printer = args.stays_in_front().then(|| args.attached.printer(&project.name));
    let mut show = |progress: Progress<'_>| match (&progress, &mut printer) {
        (Progress::Said(step, text), Some(printer)) => {
            // an error means that nobody reads any more
            for line in &hook_lines(step, text) {
                drop(printer.print(line));
            }
        }
        _ => shown.show(&progress),
    };
    let outcome = plimsoll_stack::run(engine, &prepared.plan, &prepared.files, &options, &mut show).await;
    shown.finish();
    if args.json {
        print_json(&json!({ "plan": prepared.plan, "outcome": outcome }))?;
    } else {
        for failure in &outcome.failures {
            err!("\n{}", printable_output(&failure.render()));
        }
        summary(engine, project, &prepared, &outcome).await?;
    }
    // whoever only shows logs keeps nobody out
    drop(lock);
    if args.stays_in_front() && !outcome.interrupted {
        let follow =
            attached::Follow { engine, project, began, grace: args.timeout, services: &args.services };
        return follow.until_the_end(&args.attached, &outcome).await;
    }
    if args.wait && is_in_place() && outcome.is_success() {
        return wait(engine, project, args).await;
    }
    Ok(match (outcome.interrupted, outcome.failures.is_empty()) {
        (true, _) => ExitCode::from(130),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(1),
    })
}

async fn wait(engine: &Engine, project: &Project, args: &Args) -> Result<ExitCode, Failure> {
    Ok(match verdict::engines(engine, &project.name, &args.services, args.wait_timeout).await? {
        verdict::Verdict::Agrees => ExitCode::SUCCESS,
        verdict::Verdict::Interrupted => ExitCode::from(130),
        verdict::Verdict::Not(why) => {
            errln!("{why}");
            ExitCode::from(1)
        }
    })
}

struct Prepared {
    plan: Plan,
    observed: Observed,
    files: StackFiles,
    standins: Vec<String>,
}

/// Everything that is asked and read before anything is done. What can be refused is refused before images are built.
async fn prepare(
    engine: &Engine,
    project: &Project,
    policy: &Policy,
    mut files: StackFiles,
    (args, orphans): (&Args, Orphans),
) -> Result<Prepared, Failure> {
    for volume in args.recreate_volume.iter().chain(&args.password_changed) {
        if !project.volumes.contains_key(volume) {
            return Err(Failure::new(
                format!("project {} has no volume {volume}", project.name),
                format!("it has {}", project.volumes.keys().cloned().collect::<Vec<_>>().join(", ")),
            ));
        }
    }
    for service in args.services.iter().chain(args.attached.named()) {
        // one that is left out this time is a service all the same
        if !project.disabled_services.contains_key(service) {
            project::check_names(project, std::iter::once(service))?;
        }
    }
    let asked = Asked {
        pull: args.pull.clone().filter(|policy| policy != "build"),
        no_build: args.no_build,
        build: args.build || args.pull.as_deref() == Some("build"),
        quiet: args.quiet_pull,
        quiet_build: args.quiet_build,
        whole: args.services.is_empty() && !args.no_build && project.disabled_services.is_empty(),
        listing: !args.json,
        dry_run: args.dry_run,
    };
    let needed = needed(project, args);
    let facts = engine.facts().await?;
    let elsewhere = remote::prepare(engine, project, &mut files, &facts);
    let options = plan_options(project, args, orphans)?;
    let basis = Basis { engine, project, files: &files, facts: &facts, options: &options, args };
    if !args.dry_run {
        // a build takes minutes, and what can be refused without it costs nothing to find
        basis.plan(&stack_images::expected(engine, &needed, &asked).await?).await?;
    }
    let images = stack_images::bring(engine, &needed, &home()?, policy, &asked).await?;
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
    args: &'a Args,
}

impl Basis<'_> {
    /// The plan with these images for what the engine has now.
    ///
    /// # Errors
    /// What keeps it from being run: a password that a store does not know, a port that somebody else has, …
    async fn plan(&self, images: &ImageMap) -> Result<(Desired, Observed, Plan), Failure> {
        let Self { engine, project, files, facts, options, args } = *self;
        let observed = observe(engine, &project.name).await?;
        let mut wanted = desired(project, Context { images, facts, files })?;
        wanted.lend_environment(&proxy::variables(engine.host())?);
        let changed = changed_passwords(&wanted, &observed, files);
        password::check(&changed, args, &stack::states()?.join(&project.name))?;
        let plan = plan(&wanted, &observed, options)?;
        if !args.dry_run {
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

fn plan_options(project: &Project, args: &Args, orphans: Orphans) -> Result<PlanOptions, Failure> {
    Ok(PlanOptions {
        force_recreate: args.force_recreate,
        no_recreate: args.no_recreate,
        remove_orphans: orphans.remove,
        ignore_orphans: orphans.ignore,
        services: args.services.clone(),
        always_recreate_deps: args.always_recreate_deps,
        no_deps: args.no_deps,
        no_start: args.no_start,
        renew_anon_volumes: args.renew_anon_volumes,
        // who says yes to all says it to the loss of data in a volume that differs from the file, as in docker compose
        recreate_volumes: if args.yes {
            project.volumes.keys().cloned().collect()
        } else {
            args.recreate_volume.iter().cloned().collect()
        },
        grace: args.timeout,
        hooked: plimsoll_stack::hooked(&stack::states()?.join(&project.name)),
    })
}

/// The project with only what is brought up: images of other services need not be there.
fn needed(project: &Project, args: &Args) -> Project {
    let mut reduced = project.clone();
    if !args.services.is_empty() {
        let mut names: Vec<&str> = Vec::new();
        for service in &args.services {
            names.extend(needs_of(project, service, args.no_deps));
        }
        reduced.services.retain(|name, _| names.contains(&name.as_str()));
    }
    reduced
}

/// `--scale web=3`.
fn scale(project: &mut Project, asked: &[String]) -> Result<(), Failure> {
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

fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.as_secs() as i64)
}

/// What a person wants to know at the end: did it work, how long, where.
async fn summary(
    engine: &Engine,
    project: &Project,
    prepared: &Prepared,
    outcome: &Outcome,
) -> Result<(), Failure> {
    let unchanged = prepared.plan.unchanged.len();
    let seconds = outcome.elapsed.as_secs_f64();
    if !outcome.is_success() {
        let what = if outcome.interrupted { "interrupted" } else { "failed" };
        errln!("\n{what} after {seconds:.2} s: {} of {} steps done", outcome.done, prepared.plan.steps.len());
        return Ok(());
    }
    let ports = if prepared.plan.changes_nothing() {
        let containers = prepared.observed.containers.iter();
        containers.map(|container| (container.service.clone(), container.ports.clone())).collect()
    } else {
        published(engine, &project.name).await?
    };
    let say = |text: String| globals::tell(&project.name, &text);
    match outcome.ready.values().max() {
        Some(all) if !prepared.plan.changes_nothing() => say(format!(
            "up in {seconds:.2} s: {} container{} ready, all after {:.2} s; {unchanged} unchanged",
            outcome.ready.len(),
            plural(outcome.ready.len()),
            all.as_secs_f64()
        )),
        _ if prepared.plan.changes_nothing() => {
            let count = unchanged + outcome.ready.len();
            say(format!("nothing to do: {count} container{} as they should be", plural(count)));
        }
        _ => say(format!("done in {seconds:.2} s; {unchanged} unchanged")),
    }
    for (service, ports) in &ports {
        for address in addresses(ports) {
            say(format!("  {service}  {address}"));
        }
        // A second `up` of a stack that runs asks nobody, and neither does one whose engine is elsewhere.
        if engine.is_local() && !prepared.plan.changes_nothing() && !is_in_place() {
            for refusal in front::refusals(ports).await {
                say(format!("  {}", refusal.sentence(service)));
            }
        }
    }
    if !prepared.standins.is_empty() {
        say(format!("  stand-in: {}", prepared.standins.join(", ")));
    }
    Ok(())
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

async fn published(engine: &Engine, project: &str) -> Result<BTreeMap<String, Vec<PublishedPort>>, Failure> {
    let filter = [format!("{}={project}", labels::PROJECT)];
    let found = engine.containers_labelled(&filter).await?;
    Ok(found
        .into_iter()
        .map(|container| (container.label(labels::SERVICE).unwrap_or_default().to_owned(), container.ports))
        .collect())
}

/// Where published ports can be reached from this machine.
fn addresses(ports: &[PublishedPort]) -> Vec<String> {
    let mut addresses: Vec<String> = ports
        .iter()
        .filter_map(|port| {
            let number = port.host?;
            let host = match port.host_ip.as_str() {
                "" | "0.0.0.0" | "::" => "localhost".to_owned(),
                address if address.contains(':') => format!("[{address}]"),
                address => address.to_owned(),
            };
            Some(match (port.container, port.protocol.as_str()) {
                (443 | 8443, "tcp") => format!("https://{host}:{number}"),
                (container, "tcp") if speaks_no_http(container) => format!("{host}:{number}"),
                (_, "tcp") => format!("http://{host}:{number}"),
                (_, protocol) => format!("{host}:{number}/{protocol}"),
            })
        })
        .collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

/// Ports of stores, brokers and the like.
fn speaks_no_http(port: u16) -> bool {
    matches!(port, 22 | 25 | 53 | 1433 | 3306 | 5432 | 5672 | 6379 | 9092 | 11211 | 27017)
}

fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)?;
    println!("{text}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_what_a_person_opens() {
        let port = |container, host_ip: &str, host| PublishedPort {
            container,
            protocol: "tcp".into(),
            host_ip: host_ip.into(),
            host,
        };
        let ports = [
            port(8080, "0.0.0.0", Some(80)),
            port(8080, "::", Some(80)),
            port(5432, "127.0.0.1", Some(5433)),
            port(443, "::1", Some(443)),
            port(9000, "", None),
        ];
        assert_eq!(addresses(&ports), ["127.0.0.1:5433", "http://localhost:80", "https://[::1]:443"]);
    }
}
