//! `plimsoll wait`: until a container ends.

use std::process::ExitCode;

use futures_util::future::select_all;
use plimsoll_ops::{Failure, lifecycle, stack};

use crate::{
    commands::{down, exec::exit_code},
    project::ProjectArgs,
};

/// Wait until the first container of these services ends; its exit code is printed and is ours
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Services
    #[arg(required = true)]
    services: Vec<String>,
    /// Take the whole project away when the first container has ended
    #[arg(long)]
    down_project: bool,
    /// Print what would be waited for and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let target = stack::target(&args.project, &args.services)?;
    let code = stack::with_engine(|engine| async move {
        let found = lifecycle::chosen(&engine, &target, &args.services).await?;
        if found.is_empty() {
            let named = args.services.join(", ");
            return Err(Failure::new(
                format!("project {} has no container of {named} to wait for", target.name),
                "`plimsoll up` makes them",
            ));
        }
        if args.dry_run {
            for member in &found {
                outln!("would wait for the end of {}", member.name);
            }
            return Ok(None);
        }
        let ends = found.iter().map(|member| Box::pin(engine.wait_container(&member.name)));
        let code = select_all(ends).await.0?;
        outln!("{code}");
        Ok(Some(code))
    })?;
    let Some(code) = code else { return Ok(ExitCode::SUCCESS) };
    if args.down_project {
        let taken = down::whole(&args.project)?;
        if taken != ExitCode::SUCCESS {
            return Ok(taken);
        }
    }
    Ok(exit_code(code))
}
