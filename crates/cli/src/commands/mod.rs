//! One file per verb. This list is the product.

mod base;
mod build;
mod config;
mod down;
mod image;
mod init;
mod logs;
mod ps;
mod survey;
mod up;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{error::CommandError, render};

/// Gives an application a production container stack, and proves it
#[derive(Parser)]
#[command(name = "plimsoll", version, arg_required_else_help = true, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Base(base::Args),
    Build(build::Args),
    Config(config::Args),
    Down(down::Args),
    Image(image::Args),
    Init(init::Args),
    Logs(logs::Args),
    Ps(ps::Args),
    Survey(survey::Args),
    Up(up::Args),
    Verify(verify::Args),
}

/// Exit codes: 0 fine, 1 findings or failed claims, 2 could not run.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    let done: Result<ExitCode, CommandError> = match cli.verb {
        Verb::Base(args) => base::run(args),
        Verb::Build(args) => build::run(args),
        Verb::Config(args) => config::run(args),
        Verb::Down(args) => down::run(args),
        Verb::Image(args) => image::run(args),
        Verb::Init(args) => init::run(args),
        Verb::Logs(args) => logs::run(args),
        Verb::Ps(args) => ps::run(args),
        Verb::Survey(args) => survey::run(args),
        Verb::Up(args) => up::run(args),
        Verb::Verify(args) => verify::run(args),
    };
    done.unwrap_or_else(|error| {
        render::error(&error);
        ExitCode::from(2)
    })
}
