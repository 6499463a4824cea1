//! `plimsoll pause` and `plimsoll unpause`: containers frozen where they are.

use std::process::ExitCode;

use plimsoll_engine::RunState;

use crate::{
    error::CommandError,
    lifecycle,
    project::ProjectArgs,
    stack::{self, failed},
};

/// Which containers
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only these services
    services: Vec<String>,
}

/// Freezes what runs, or lets what is frozen go on.
pub(crate) fn run(args: Args, freeze: bool) -> Result<ExitCode, CommandError> {
    let target = stack::target(&args.project, &args.services)?;
    let name = target.name.clone();
    let purpose = if freeze { "plimsoll pause" } else { "plimsoll unpause" };
    let _lock = stack::lock(&name, purpose)?;
    stack::with_engine(|engine| async move {
        for member in lifecycle::chosen(&engine, &target, &args.services).await? {
            let done = match (freeze, member.state) {
                (true, RunState::Running) => engine.pause_container(&member.name).await,
                (false, RunState::Paused) => engine.unpause_container(&member.name).await,
                _ => continue,
            };
            done.map_err(|error| failed(error.into()))?;
            outln!("{}", member.name);
        }
        Ok(ExitCode::SUCCESS)
    })
}
