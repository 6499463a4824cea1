//! `plimsoll exec`: a command in a running container.

use std::process::ExitCode;

use indexmap::IndexMap;
use plimsoll_engine::ExecSpec;
use plimsoll_ops::{
    Failure,
    pick::{self, Pick},
    stack,
};

use crate::{
    project::ProjectArgs,
    terminal::{self, Raw},
};

/// Run a command in a running container of a service; its exit code is ours
#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of docker compose")]
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
    /// Variable, `KEY=value`, or `KEY` with the value that it has here or in .env; may be given several times
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
    /// Standard input is open as it is; accepted for the habit
    #[arg(short, long, hide = true)]
    interactive: bool,
    /// Standard input is not passed on
    #[arg(long, hide = true)]
    no_interactive: bool,
    /// There is a terminal if there is one here; accepted for the habit
    #[arg(short, long, hide = true)]
    tty: bool,
    /// Print what would be run and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let target = stack::target(&args.project, std::slice::from_ref(&args.service))?;
    stack::with_engine(|engine| async move {
        let pick = Pick { service: &args.service, index: args.index, one_offs: true, running: true };
        let container = pick::one(&engine, &target, pick).await?;
        if args.dry_run {
            outln!("would run {} in {}", args.command.join(" "), container.name);
            return Ok(ExitCode::SUCCESS);
        }
        let spec = ExecSpec {
            command: args.command,
            user: args.user,
            working_dir: args.workdir,
            env: variables(&args.env, &target.env.0),
            privileged: args.privileged,
        };
        if args.detach {
            engine.exec_detached(&container.id, &spec).await?;
            return Ok(ExitCode::SUCCESS);
        }
        let stdin = !args.no_interactive;
        let tty = !args.no_tty && terminal::is_interactive();
        let (id, session) = engine.exec_session(&container.id, &spec, tty, stdin).await?;
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
        let done = terminal::converse(session, stdin, resized).await;
        drop(raw);
        done?;
        let code = engine.exec_exit_code(&id).await?;
        Ok(exit_code(code.unwrap_or(0)))
    })
}

/// A container's exit code as ours.
pub(crate) fn exit_code(code: i64) -> ExitCode {
    ExitCode::from(u8::try_from(code.rem_euclid(256)).unwrap_or(1))
}

/// `KEY` alone gets the value that the project has for it, and is left out if it has none: the environment first, then
/// the files of variables.
pub(crate) fn variables(given: &[String], project: &IndexMap<String, String>) -> Vec<String> {
    given
        .iter()
        .filter_map(|entry| {
            if entry.contains('=') {
                return Some(entry.clone());
            }
            project.get(entry).map(|value| format!("{entry}={value}"))
        })
        .collect()
}
