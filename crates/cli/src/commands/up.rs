//! `plimsoll up`: brings the engine to what the compose file says.

mod attached;
mod progress;

use std::process::ExitCode;

use clap::{Args as _, FromArgMatches as _};
use plimsoll_compose::Project;
use plimsoll_engine::Engine;
use plimsoll_ops::{
    Failure, boot,
    converge::{self, Ask, Prepared},
    front, is_in_place, owner,
    policy::{Policy, Root},
    project, stack,
    stack_images::Asked,
    variables::Orphans,
    verdict,
};
use plimsoll_source::printable_output;
use plimsoll_stack::{Lock, Outcome, StackFiles, stack_files};
use serde_json::json;

use crate::{globals, project::ProjectArgs, screen::Shown};

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

    /// What the command line asks for.
    fn ask(&self, project: &Project, orphans: Orphans) -> Ask {
        Ask {
            services: self.services.clone(),
            named: self.attached.named().cloned().collect(),
            images: Asked {
                pull: self.pull.clone().filter(|policy| policy != "build"),
                no_build: self.no_build,
                build: self.build || self.pull.as_deref() == Some("build"),
                quiet: self.quiet_pull,
                whole: self.services.is_empty() && !self.no_build && project.disabled_services.is_empty(),
                dry_run: self.dry_run,
            },
            orphans,
            force_recreate: self.force_recreate,
            no_recreate: self.no_recreate,
            always_recreate_deps: self.always_recreate_deps,
            no_deps: self.no_deps,
            no_start: self.no_start,
            renew_anon_volumes: self.renew_anon_volumes,
            yes: self.yes,
            recreate_volume: self.recreate_volume.clone(),
            password_changed: self.password_changed.clone(),
            timeout: self.timeout,
            wait_timeout: self.wait_timeout,
            dry_run: self.dry_run,
        }
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
    let files: Vec<String> = options.files.iter().map(|file| file.name().to_owned()).collect();
    project::activate(&mut options, &args.named())?;
    let profiles = options.profiles.clone();
    let (mut project, options_env) = args.project.load_with(options)?;
    converge::scale(&mut project, &args.scale)?;
    if args.boot {
        let unit = boot::Unit {
            project: &project,
            files: &files,
            env_files: &args.project.env_files,
            profiles: &profiles,
            services: &args.services,
            wait_timeout: args.wait_timeout,
        };
        return install(&unit, args.dry_run);
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

/// Writes the unit and enables it, or shows it.
fn install(unit: &boot::Unit<'_>, dry_run: bool) -> Result<ExitCode, Failure> {
    if dry_run {
        let text = unit.text()?;
        errln!("would write {}", unit.path().display());
        out!("{text}");
        return Ok(ExitCode::SUCCESS);
    }
    unit.write()?;
    outln!("wrote {}", unit.path().display());
    let name = unit.name();
    if unit.enable()? {
        outln!("enabled; `systemctl disable --now {name}` takes it back");
    } else {
        outln!("systemd does not run here: enable it there with `systemctl enable --now {name}`");
    }
    Ok(ExitCode::SUCCESS)
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
    let ask = args.ask(project, orphans);
    let screen = Shown::of_verb(args.quiet_build, !args.json);
    let prepared = converge::prepare(engine, project, policy, files, &ask, &screen).await?;
    drop(screen);
    if args.dry_run {
        if args.json {
            print_json(&json!({ "plan": prepared.plan }))?;
        } else {
            out!("{}", prepared.plan.render());
        }
        return Ok(ExitCode::SUCCESS);
    }
    let began = now();
    let options = converge::run_options(project, &ask)?;
    progress::tell_notes(&prepared.plan, &options.state, args.services.is_empty());
    progress::tell_unchanged(&prepared.plan, &prepared.observed);
    let printer = args.stays_in_front().then(|| args.attached.printer(&project.name));
    let screen = progress::Screen::new(&prepared.plan, printer);
    let outcome = converge::run(engine, &prepared, &options, &screen).await;
    screen.finish();
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
        front::published(engine, &project.name).await?
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
        for address in front::addresses(ports) {
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

fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)?;
    println!("{text}");
    Ok(())
}
