//! `plimsoll kill`: a signal for running containers.

use std::process::ExitCode;

use plimsoll_engine::RunState;

use crate::{
    error::CommandError,
    lifecycle,
    project::ProjectArgs,
    stack::{self, failed},
};

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
}

pub(crate) fn run(args: Args) -> Result<ExitCode, CommandError> {
    let target = stack::target(&args.project, &args.services)?;
    stack::with_engine(|engine| async move {
        for member in lifecycle::chosen(&engine, &target, &args.services).await? {
            if member.state == RunState::Running {
                let sent = engine.kill_container(&member.name, &args.signal).await;
                sent.map_err(|error| failed(error.into()))?;
                outln!("{}", member.name);
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}
