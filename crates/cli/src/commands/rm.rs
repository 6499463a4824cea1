//! `plimsoll rm`: containers that do not run.

use std::process::ExitCode;

use plimsoll_engine::RunState;
use plimsoll_stack::{Lifecycle, plan_stop};

use crate::{
    error::CommandError,
    lifecycle,
    project::ProjectArgs,
    stack::{self, failed},
};

/// Remove the project's containers that do not run; networks and named volumes stay
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only these services
    services: Vec<String>,
    /// Stop those first that run
    #[arg(short, long)]
    stop: bool,
    /// Remove their anonymous volumes too
    #[arg(short, long)]
    volumes: bool,
    /// Nobody is asked; accepted for the habit
    #[arg(long, hide = true)]
    force: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, CommandError> {
    let target = stack::target(&args.project, &args.services)?;
    let name = target.name.clone();
    let _lock = stack::lock(&name, "plimsoll rm")?;
    stack::with_engine(|engine| async move {
        let mut found = lifecycle::chosen(&engine, &target, &args.services).await?;
        if args.stop {
            let ask = Lifecycle { services: args.services.clone(), no_deps: true, ..Lifecycle::default() };
            let code = lifecycle::carry_out(&engine, &plan_stop(&name, &found, &ask), None).await?;
            if code != ExitCode::SUCCESS {
                return Ok(code);
            }
            found = lifecycle::chosen(&engine, &target, &args.services).await?;
        }
        for member in found {
            if matches!(member.state, RunState::Running | RunState::Paused | RunState::Restarting) {
                errln!("{} runs and stays; --stop stops it first", member.name);
                continue;
            }
            let removed = engine.remove_container(&member.name, false, args.volumes).await;
            removed.map_err(|error| failed(error.into()))?;
            outln!("{}", member.name);
        }
        Ok(ExitCode::SUCCESS)
    })
}
