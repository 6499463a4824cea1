//! `plimsoll exec`: a command in a running container.

use std::process::ExitCode;

use plimsoll_engine::{Engine, ExecSpec, RunState};
use plimsoll_stack::labels;

use crate::{
    error::CommandError,
    project::ProjectArgs,
    stack::{self, failed},
    terminal::{self, Raw},
};

/// Run a command in a running container of a service; its exit code is ours
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Service
    service: String,
    /// Command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
    /// No terminal, also when there is one here
    #[arg(short = 'T', long = "no-tty", visible_alias = "no-TTY")]
    no_tty: bool,
    /// Variable, `KEY=value`, or `KEY` with the value that it has here; may be given several times
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    env: Vec<String>,
    /// User, `name` or `uid:gid`, instead of the container's
    #[arg(short, long)]
    user: Option<String>,
    /// Directory instead of the container's
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// Number of the container, if the service has several
    #[arg(long, value_name = "N")]
    index: Option<u32>,
    /// Start it and do not wait
    #[arg(short, long)]
    detach: bool,
    /// With all privileges
    #[arg(long)]
    privileged: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, CommandError> {
    let project = stack::project_name(&args.project)?;
    stack::with_engine(|engine| async move {
        let container = container(&engine, &project, &args).await?;
        let spec = ExecSpec {
            command: args.command,
            user: args.user,
            working_dir: args.workdir,
            env: variables(&args.env),
            privileged: args.privileged,
        };
        if args.detach {
            engine.exec_detached(&container, &spec).await.map_err(|error| failed(error.into()))?;
            return Ok(ExitCode::SUCCESS);
        }
        let tty = !args.no_tty && terminal::is_interactive();
        let (id, session) =
            engine.exec_session(&container, &spec, tty, true).await.map_err(|error| failed(error.into()))?;
        let raw = if tty { Raw::enter() } else { None };
        let resized = |rows, columns| {
            let (engine, id) = (&engine, &id);
            async move {
                if tty {
                    // the process may be gone already: then its terminal needs no size
                    let _ = engine.resize_exec(id, rows, columns).await;
                }
            }
        };
        if let Some((rows, columns)) = terminal::size() {
            resized(rows, columns).await;
        }
        let done = terminal::converse(session, true, resized).await;
        drop(raw);
        done.map_err(|error| failed(error.into()))?;
        let code = engine.exec_exit_code(&id).await.map_err(|error| failed(error.into()))?;
        Ok(exit_code(code.unwrap_or(0)))
    })
}

/// A container's exit code as ours.
pub(crate) fn exit_code(code: i64) -> ExitCode {
    ExitCode::from(u8::try_from(code.rem_euclid(256)).unwrap_or(1))
}

/// `KEY` alone is taken from our own environment, and left out if it is not there.
pub(crate) fn variables(given: &[String]) -> Vec<String> {
    given
        .iter()
        .filter_map(|entry| {
            if entry.contains('=') {
                return Some(entry.clone());
            }
            std::env::var(entry).ok().map(|value| format!("{entry}={value}"))
        })
        .collect()
}

async fn container(engine: &Engine, project: &str, args: &Args) -> Result<String, CommandError> {
    let service = &args.service;
    let filter = [format!("{}={project}", labels::PROJECT), format!("{}={service}", labels::SERVICE)];
    let mut found = engine.containers_labelled(&filter).await.map_err(|error| failed(error.into()))?;
    found.retain(|container| {
        container.label(labels::ONEOFF).is_none_or(|value| !value.eq_ignore_ascii_case("true"))
    });
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u32>().ok()).unwrap_or(u32::MAX);
    found.sort_by_key(|container| number(container.label(labels::NUMBER)));
    if let Some(index) = args.index {
        found.retain(|container| number(container.label(labels::NUMBER)) == index);
    }
    if let Some(container) = found.iter().find(|container| container.state == RunState::Running) {
        return Ok(container.id.clone());
    }
    Err(match found.first() {
        Some(container) => CommandError::new(
            format!("container {} of service {service} is {}", container.name, container.state.as_str()),
            format!("`plimsoll start {service}` starts it; `plimsoll run {service}` makes another one"),
        ),
        None => CommandError::new(
            format!("project {project} has no container of service {service}"),
            "`plimsoll ps` lists those that exist",
        ),
    })
}
