//! `plimsoll stop`: containers that exist, in the order of their dependencies.

use std::process::ExitCode;

use plimsoll_ops::{
    Failure,
    lifecycle::{self, Verb},
};
use plimsoll_stack::{Lifecycle, plan_stop};

use crate::project::ProjectArgs;

/// Stop containers and keep them: those that depend on others first
///
/// Works from the labels in the engine, so the compose file may be gone (give --project-name then).
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only these services
    services: Vec<String>,
    /// Seconds that each container has to end, instead of its own grace period
    #[arg(short, long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// Print the plan and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let ask = Lifecycle { services: args.services, grace: args.timeout, no_deps: true };
    let verb = Verb { purpose: "plimsoll stop", needs_containers: false, plan: plan_stop };
    let ended = lifecycle::run(&args.project, &verb, &ask, None, args.dry_run)?;
    Ok(ExitCode::from(ended.code()))
}
