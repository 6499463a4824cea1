//! `plimsoll image`: builds and handles images, without a daemon.

mod answer;
mod build;
mod df;
mod diff;
mod inspect;
mod load;
mod ls;
mod progress;
mod prune;
mod pull;
mod push;
mod rawjson;
mod rm;
mod save;
mod sbom;
mod serve;
mod shell;
mod size;
pub(crate) mod store;
pub(crate) mod task;
mod write;

use std::process::ExitCode;

use clap::Subcommand;
use plimsoll_ops::Failure;

pub(crate) use answer::show;
pub(crate) use push::send;

/// Build and handle images, without a daemon
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Build(Box<build::Args>),
    Df(df::Args),
    Diff(diff::Args),
    Inspect(inspect::Args),
    Load(load::Args),
    Ls(ls::Args),
    Prune(prune::Args),
    Pull(pull::Args),
    Push(push::Args),
    Rm(rm::Args),
    Save(save::Args),
    Sbom(sbom::Args),
    Serve(serve::Args),
    Size(size::Args),
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let writes = matches!(args.action, Action::Build(_) | Action::Load(_) | Action::Pull(_));
    if let Action::Build(args) = &args.action {
        build::begin(args);
    }
    plimsoll_ops::rootless::enter(writes);
    match args.action {
        Action::Build(args) => build::run(*args),
        Action::Df(args) => df::run(args),
        Action::Diff(args) => diff::run(args),
        Action::Inspect(args) => inspect::run(args),
        Action::Load(args) => load::run(args),
        Action::Ls(args) => ls::run(args),
        Action::Prune(args) => prune::run(args),
        Action::Pull(args) => pull::run(args),
        Action::Push(args) => push::run(args),
        Action::Rm(args) => rm::run(args),
        Action::Save(args) => save::run(args),
        Action::Sbom(args) => sbom::run(args),
        Action::Serve(args) => serve::run(args),
        Action::Size(args) => size::run(args),
    }
}
