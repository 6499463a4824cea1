//! `plimsoll run`: a container of a service for one command.

use std::{collections::BTreeMap, io::IsTerminal as _, process::ExitCode, time::Duration};

use futures_util::StreamExt as _;
use plimsoll_engine::{Engine, EngineError, EventFilter};
use plimsoll_ops::{
    Failure, is_in_place,
    one_off::{self, Ask},
    policy::Root,
    project, stack,
    stack_images::Asked,
    variables::Orphans,
};
use plimsoll_source::Source;
use plimsoll_stack::{OneOff, stack_files};
use tokio::time::timeout;

use crate::{
    commands::exec::{exit_code, variables},
    project::ProjectArgs,
    screen::Shown,
    terminal::{self, Raw},
};

/// Run one command in a new container of a service; its dependencies are started first
#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of docker compose")]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Service
    service: String,
    /// Command instead of the service's
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
    /// Remove the container when it has ended
    #[arg(long)]
    rm: bool,
    /// Start nothing else
    #[arg(long)]
    no_deps: bool,
    /// Start it and print its name
    #[arg(short, long)]
    detach: bool,
    /// No terminal, also when there is one here
    #[arg(short = 'T', long = "no-tty", visible_alias = "no-TTY")]
    no_tty: bool,
    /// Variable, `KEY=value`, or `KEY` with the value that it has here or in .env; may be given several times
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    env: Vec<String>,
    /// Entry point instead of the image's; words are split at spaces
    #[arg(long, value_name = "COMMAND")]
    entrypoint: Option<String>,
    /// User, `name` or `uid:gid`
    #[arg(short, long)]
    user: Option<String>,
    /// Directory
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// Name of the container
    #[arg(long)]
    name: Option<String>,
    /// Label, `KEY=value`; may be given several times
    #[arg(short, long, alias = "labels", value_name = "KEY=VALUE")]
    label: Vec<String>,
    /// Publish a port, `[[IP:]HOST:]CONTAINER[/PROTOCOL]`; may be given several times
    #[arg(long, value_name = "PORT")]
    publish: Vec<String>,
    /// Mount a folder or volume, `SOURCE:TARGET[:ro]`; may be given several times
    #[arg(short, long, alias = "volumes", value_name = "MOUNT")]
    volume: Vec<String>,
    /// File of variables for the container; may be given several times
    #[arg(long, value_name = "FILE")]
    env_from_file: Vec<std::path::PathBuf>,
    /// Capability to add; may be given several times
    #[arg(long, value_name = "CAPABILITY")]
    cap_add: Vec<String>,
    /// Capability to drop; may be given several times
    #[arg(long, value_name = "CAPABILITY")]
    cap_drop: Vec<String>,
    /// What is built here is always built; accepted for the habit
    #[arg(long, hide = true)]
    build: bool,
    /// Standard input is open as it is; accepted for the habit
    #[arg(short, long, hide = true)]
    interactive: bool,
    /// Standard input is not passed on
    #[arg(long, hide = true)]
    no_interactive: bool,
    /// There is a terminal if there is one here; whoever asks for one where there is none is told
    #[arg(short, long, hide = true)]
    tty: bool,
    /// When images are pulled, instead of the services' `pull_policy`
    #[arg(long, value_name = "POLICY", value_parser = ["always", "missing", "never"])]
    pull: Option<String>,
    /// Say nothing about pulls
    #[arg(long)]
    quiet_pull: bool,
    /// Say nothing about builds
    #[arg(long)]
    quiet_build: bool,
    /// Say nothing but what the command itself says
    #[arg(short, long)]
    quiet: bool,
    /// Remove containers of services that the project does not have any more
    #[arg(long)]
    remove_orphans: bool,
    /// Publish the service's ports
    #[arg(short = 'P', long)]
    service_ports: bool,
    /// Be known on the networks by the service's name too
    #[arg(long)]
    use_aliases: bool,
    /// Print the plan and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let attended = !args.detach && !args.no_interactive && !args.no_tty;
    if args.tty && attended && !std::io::stdin().is_terminal() {
        return Err(Failure::new(
            "cannot attach stdin to a TTY-enabled container because stdin is not a terminal",
            "leave --tty out: without it there is a terminal where there is one here",
        ));
    }
    // it builds, and reads the store's layers
    plimsoll_ops::rootless::enter(true);
    let root = Root::find()?;
    let mut options = args.project.options(&root)?;
    options.files.extend(overlay(&args));
    // asking for it by name is enough, whatever its profile
    options.services = vec![args.service.clone()];
    options.no_deps = args.no_deps;
    let orphans = Orphans::of(args.remove_orphans, &options.env)?;
    let (mut project, env) = args.project.load_with(options)?;
    project.files.retain(|file| file != OPTIONS);
    project::absolute_files(&mut project);
    let variable = |name: &str| env.get(name).cloned();
    let (state, _kept) = stack::state_for(&project.name, args.dry_run)?;
    let files = stack_files(&project, &state, &variable)?;
    let mut ask = asked(&args, &env)?;
    if project.compatibility && ask.name.is_none() {
        ask.name = Some(format!("{}_{}_run_{}", project.name, ask.service, ask.slug));
    }
    let ask = Ask {
        images: Asked {
            pull: args.pull.clone(),
            quiet: args.quiet_pull || args.quiet,
            build: args.build,
            dry_run: args.dry_run,
            ..Asked::default()
        },
        orphans,
        quiet: args.quiet,
        dry_run: args.dry_run,
        one_off: ask,
    };
    let screen = Shown::of_verb(args.quiet_build || args.quiet, false);
    stack::with_engine(|engine| async move {
        match one_off::make(&engine, &project, &root.policy, &files, &ask, &screen).await? {
            Some(name) => begin(&engine, &name, &args).await,
            None => Ok(ExitCode::SUCCESS),
        }
    })
}

/// Name of the Compose file that stands for options of the command line.
const OPTIONS: &str = "<options of run>";

/// Ports, mounts, capabilities and files of variables as one more Compose file: they mean there what they mean here.
fn overlay(args: &Args) -> Option<Source> {
    let env_files: Vec<_> =
        args.env_from_file.iter().filter_map(|file| std::path::absolute(file).ok()).collect();
    let mut lines = Vec::new();
    let mut list = |key: &str, tag: &str, values: Vec<String>| {
        if !values.is_empty() {
            // a JSON string is a YAML string
            let values: Vec<String> =
                values.into_iter().map(|value| serde_json::Value::from(value).to_string()).collect();
            lines.push(format!("    {key}: {tag}[{}]\n", values.join(", ")));
        }
    };
    list("ports", if args.service_ports { "" } else { "!override " }, escaped(&args.publish));
    list("volumes", "", escaped(&args.volume));
    list("cap_add", "", escaped(&args.cap_add));
    list("cap_drop", "", escaped(&args.cap_drop));
    let env_files: Vec<String> = env_files.iter().map(|file| file.display().to_string()).collect();
    list("env_file", "", escaped(&env_files));
    (!lines.is_empty()).then(|| {
        let service = serde_json::Value::from(args.service.as_str());
        Source::new(OPTIONS, format!("services:\n  {service}:\n{}", lines.concat()))
    })
}

/// A shell has replaced variables already: a dollar is a dollar.
fn escaped(values: &[String]) -> Vec<String> {
    values.iter().map(|value| value.replace('$', "$$")).collect()
}

fn asked(args: &Args, project: &indexmap::IndexMap<String, String>) -> Result<OneOff, Failure> {
    let mut random = [0; 6];
    getrandom::fill(&mut random)
        .map_err(|error| Failure::new(format!("no random bytes: {error}"), "check /dev/urandom"))?;
    let number = random.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let slug = format!("{number:012x}");
    let pair = |entry: &String| {
        let (key, value) = entry.split_once('=').unwrap_or((entry, ""));
        (key.to_owned(), value.to_owned())
    };
    let env = variables(&args.env, project)
        .into_iter()
        .map(|entry| pair(&entry))
        .map(|(key, value)| (key, Some(value)));
    let words = |text: &String| text.split_whitespace().map(str::to_owned).collect();
    Ok(OneOff {
        service: args.service.clone(),
        slug,
        name: args.name.clone(),
        command: (!args.command.is_empty()).then(|| args.command.clone()),
        entrypoint: args.entrypoint.as_ref().map(words),
        env: env.collect(),
        labels: args.label.iter().map(pair).collect::<BTreeMap<_, _>>(),
        user: args.user.clone(),
        working_dir: args.workdir.clone(),
        tty: !args.no_tty && !args.detach && terminal::is_interactive(),
        stdin: !args.no_interactive,
        detached: args.detach,
        auto_remove: args.rm,
        service_ports: args.service_ports || !args.publish.is_empty(),
        use_aliases: args.use_aliases,
        no_deps: args.no_deps,
    })
}

async fn begin(engine: &Engine, name: &str, args: &Args) -> Result<ExitCode, Failure> {
    if args.detach {
        // docker compose prints the id; one that is removed at its end can be asked for it only before
        let id = engine.inspect_container(name).await?.id;
        engine.start_container(name).await?;
        outln!("{}", if is_in_place() { id.as_str() } else { name });
        return Ok(ExitCode::SUCCESS);
    }
    let ended = async {
        let fleeting = if args.rm { Fleeting::find(engine, name).await? } else { None };
        attended(engine, name, args).await?;
        match fleeting {
            Some(fleeting) => fleeting.end(engine).await,
            None => engine.wait_container(name).await,
        }
    };
    let code = ended.await;
    if args.rm && code.is_err() {
        // the engine removes what has ended, and this may be running, or never have begun
        let _ = engine.remove_container(name, true, true).await;
    }
    code.map(exit_code).map_err(Failure::from)
}

/// How long the engine may take to remove a container that has ended.
const REMOVAL: Duration = Duration::from_secs(10);
/// How long it may take to tell what has happened.
const EVENTS: Duration = Duration::from_secs(5);

/// A container that the engine removes as soon as it has ended, so that nothing is left whatever becomes of us. It may
/// be gone before anybody can ask how it ended.
struct Fleeting {
    id: String,
    /// When it was made, by the engine's clock.
    created: i64,
}

impl Fleeting {
    /// To be found before it is started.
    async fn find(engine: &Engine, name: &str) -> Result<Option<Self>, EngineError> {
        let found = engine.containers().await?.into_iter().find(|found| found.name == name);
        Ok(found.map(|found| Self { id: found.id, created: found.created }))
    }

    /// Its exit code, as soon as it is gone: whoever uses its name or its volumes next finds them free.
    async fn end(&self, engine: &Engine) -> Result<i64, EngineError> {
        let code = match engine.wait_container(&self.id).await {
            Err(error) if error.is_not_found() => self.code_by_events(engine).await?,
            code => code?,
        };
        // gone, or gone before anybody could ask, or the engine does not do it
        let _ = timeout(REMOVAL, engine.wait_removed(&self.id)).await;
        match engine.remove_container(&self.id, true, true).await {
            Ok(()) | Err(EngineError::NotFound { .. } | EngineError::Conflict { .. }) => Ok(code),
            Err(error) => Err(error),
        }
    }

    /// Its exit code as the engine told it. Events of the past are kept there, those of this container since it was
    /// made.
    async fn code_by_events(&self, engine: &Engine) -> Result<i64, EngineError> {
        let filter = EventFilter { since: Some(self.created), ..EventFilter::default() };
        let mut events = engine.events(&filter);
        let found = async {
            while let Some(event) = events.next().await {
                let event = event?;
                if event.action == "die"
                    && event.id == self.id
                    && let Some(code) = event.exit_code()
                {
                    return Ok(Some(code));
                }
            }
            Ok::<_, EngineError>(None)
        };
        match timeout(EVENTS, found).await {
            Ok(Ok(Some(code))) => Ok(code),
            Ok(Err(error)) => Err(error),
            Ok(Ok(None)) | Err(_) => Err(EngineError::Unreadable {
                message: "the container is gone, and no event tells its exit code".to_owned(),
            }),
        }
    }
}

/// Attached before the start, until nothing comes any more; signals are passed on.
async fn attended(engine: &Engine, name: &str, args: &Args) -> Result<(), EngineError> {
    let tty = !args.no_tty && terminal::is_interactive();
    let stdin = !args.no_interactive;
    let session = engine.attach_container(name, stdin).await?;
    engine.start_container(name).await?;
    let raw = if tty { Raw::enter() } else { None };
    let resized = |rows, columns| async move {
        if tty {
            // the process may be gone already: then its terminal needs no size
            let _ = engine.resize_container(name, rows, columns).await;
        }
    };
    if let Some((rows, columns)) = terminal::size() {
        resized(rows, columns).await;
    }
    let talk = terminal::converse(session, stdin, resized);
    let pass_on = async {
        loop {
            let signal = stack::next_signal().await;
            let _ = engine.kill_container(name, signal).await;
        }
    };
    let talked = tokio::select! {
        talked = talk => talked,
        () = pass_on => Ok(()),
    };
    drop(raw);
    talked
}
