//! `plimsoll start`: containers that exist, in the order of their dependencies.

use std::process::ExitCode;

use plimsoll_ops::{
    Failure,
    lifecycle::{self, Verb},
};
use plimsoll_stack::{Lifecycle, plan_start};

use crate::project::ProjectArgs;

/// Start containers that exist, each when what it depends on is healthy
///
/// Works from the labels in the engine, so the compose file may be gone (give --project-name then).
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only these services
    services: Vec<String>,
    /// Health is always waited for; accepted for the habit
    #[arg(long, hide = true)]
    wait: bool,
    /// Longest wait for one service; without it the health check's own settings decide
    #[arg(long, value_name = "SECONDS")]
    wait_timeout: Option<u64>,
    /// Leave the services alone that these depend on, or that depend on these
    #[arg(long)]
    no_deps: bool,
    /// Print the plan and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let ask = Lifecycle { services: args.services, grace: None, no_deps: args.no_deps };
    let verb = Verb { purpose: "plimsoll start", needs_containers: true, plan: plan_start };
    let ended = lifecycle::run(&args.project, &verb, &ask, args.wait_timeout, args.dry_run)?;
    Ok(ExitCode::from(ended.code()))
}
