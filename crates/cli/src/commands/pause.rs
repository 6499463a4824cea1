//! `plimsoll pause` and `plimsoll unpause`: containers frozen where they are.

use std::process::ExitCode;

use plimsoll_engine::RunState;
use plimsoll_ops::{Failure, lifecycle, stack};

use crate::{globals, project::ProjectArgs};

/// Which containers
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only these services
    services: Vec<String>,
    /// Print what would be done and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Freezes what runs, or lets what is frozen go on.
pub(crate) fn run(args: Args, freeze: bool) -> Result<ExitCode, Failure> {
    let target = stack::target(&args.project, &args.services)?;
    let purpose = if freeze { "plimsoll pause" } else { "plimsoll unpause" };
    let _lock = stack::lock(&target.name, purpose)?;
    stack::with_engine(|engine| async move {
        let mut already: Vec<String> = Vec::new();
        for member in lifecycle::chosen(&engine, &target, &args.services).await? {
            let wanted = if freeze { RunState::Running } else { RunState::Paused };
            if member.state != wanted {
                // one that does not run has nothing to freeze, and is not meant
                let meant = freeze || !args.services.is_empty();
                if meant && matches!(member.state, RunState::Running | RunState::Paused) {
                    already.push(member.name);
                }
                continue;
            }
            let done = if freeze { "is frozen" } else { "goes on" };
            if args.dry_run {
                outln!("{} would be changed: it {done}", member.name);
                continue;
            }
            let changed = if freeze {
                engine.pause_container(&member.name).await
            } else {
                engine.unpause_container(&member.name).await
            };
            changed?;
            globals::tell(&member.name, &format!("{} {done}", member.name));
        }
        if already.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        let are = if already.len() == 1 { "is" } else { "are" };
        let so = if freeze { "already paused" } else { "not paused" };
        errln!("{} {are} {so}", already.join(", "));
        Ok(ExitCode::from(1))
    })
}
