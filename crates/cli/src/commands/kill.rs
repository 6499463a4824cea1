//! `plimsoll kill`: a signal for running containers.

use std::process::ExitCode;

use plimsoll_engine::RunState;
use plimsoll_ops::{Failure, lifecycle, stack};

use crate::{globals, project::ProjectArgs};

/// Send a signal to the project's running containers; no hook runs, no order is kept
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only these services
    services: Vec<String>,
    /// The signal
    #[arg(short, long, value_name = "SIGNAL", default_value = "SIGKILL")]
    signal: String,
    /// Containers of services that the file does not have any more too
    #[arg(long)]
    remove_orphans: bool,
    /// Print what would be signalled and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let mut target = stack::target(&args.project, &args.services)?;
    if args.remove_orphans {
        // the whole project is meant
        target.scope = None;
    }
    stack::with_engine(|engine| async move {
        for member in lifecycle::chosen(&engine, &target, &args.services).await? {
            if member.state != RunState::Running {
                continue;
            }
            if args.dry_run {
                outln!("{} would get {}", member.name, args.signal);
                continue;
            }
            let sent = engine.kill_container(&member.name, &args.signal).await;
            sent?;
            globals::tell(&member.name, &format!("{} got {}", member.name, args.signal));
        }
        Ok(ExitCode::SUCCESS)
    })
}
