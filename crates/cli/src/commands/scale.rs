//! `plimsoll scale`: more or fewer containers of a service.

use std::process::ExitCode;

use plimsoll_ops::Failure;

use crate::{commands::up, project::ProjectArgs};

/// Bring services to a number of containers; what they depend on is started too
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// `SERVICE=NUMBER`
    #[arg(required = true, value_name = "SERVICE=NUMBER")]
    scale: Vec<String>,
    /// Leave alone what the services depend on
    #[arg(long)]
    no_deps: bool,
    /// Print the plan and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// What `up --scale` does, of these services alone.
pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    up::run(up::Args::for_scale(args.project, args.scale, args.no_deps, args.dry_run)?)
}
