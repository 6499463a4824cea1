//! `plimsoll image`: builds and handles images, without a daemon.

mod build;
mod output;
mod progress;

use std::process::ExitCode;

use clap::Subcommand;

use crate::error::CommandError;

/// Build and handle images, without a daemon
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Build(Box<build::Args>),
}

pub(crate) fn run(args: Args) -> Result<ExitCode, CommandError> {
    match args.action {
        Action::Build(args) => build::run(*args),
    }
}
