//! `plimsoll rm`: containers that do not run.

use std::process::ExitCode;

use plimsoll_engine::RunState;
use plimsoll_ops::{Failure, lifecycle, stack};
use plimsoll_stack::{Lifecycle, plan_stop};

use crate::{globals, project::ProjectArgs};

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
    /// Without effect in docker compose too; accepted for the habit
    #[arg(short, long, hide = true)]
    all: bool,
    /// Print what would be removed and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let target = stack::target(&args.project, &args.services)?;
    let _lock = stack::lock(&target.name, "plimsoll rm")?;
    stack::with_engine(|engine| async move {
        let mut found = lifecycle::chosen(&engine, &target, &args.services).await?;
        // an engine may list a container as running for a moment after its stop
        let mut stopped = Vec::new();
        let runs = |state| matches!(state, RunState::Running | RunState::Paused | RunState::Restarting);
        if args.stop && !args.dry_run && found.iter().any(|member| runs(member.state)) {
            let ask = Lifecycle { services: args.services.clone(), no_deps: true, ..Lifecycle::default() };
            let plan = plan_stop(&target.name, &found, &ask);
            let ended = lifecycle::carry_out(&engine, &plan, None).await?;
            if ended != lifecycle::Ended::Well {
                return Ok(ExitCode::from(ended.code()));
            }
            stopped = found.into_iter().map(|member| member.name).collect();
            found = lifecycle::chosen(&engine, &target, &args.services).await?;
        }
        for member in found {
            if runs(member.state) && !(args.dry_run && args.stop) && !stopped.contains(&member.name) {
                let said = format!("{} runs and stays; --stop stops it first", member.name);
                globals::tell(&member.name, &said);
                continue;
            }
            if args.dry_run {
                outln!("{} would be removed", member.name);
                continue;
            }
            let removed = engine.remove_container(&member.name, false, args.volumes).await;
            removed?;
            globals::tell(&member.name, &format!("{} removed", member.name));
        }
        Ok(ExitCode::SUCCESS)
    })
}
