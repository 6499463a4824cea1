//! `plimsoll wait`: until a container ends.

use std::process::ExitCode;

use futures_util::future::select_all;

use crate::{
    commands::exec::exit_code,
    error::CommandError,
    lifecycle,
    project::ProjectArgs,
    stack::{self, failed},
};

/// Wait until the first container of these services ends; its exit code is printed and is ours
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Services
    #[arg(required = true)]
    services: Vec<String>,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, CommandError> {
    let target = stack::target(&args.project, &args.services)?;
    stack::with_engine(|engine| async move {
        let found = lifecycle::chosen(&engine, &target, &args.services).await?;
        let ends = found.iter().map(|member| Box::pin(engine.wait_container(&member.name)));
        let code = select_all(ends).await.0.map_err(|error| failed(error.into()))?;
        outln!("{code}");
        Ok(exit_code(code))
    })
}
