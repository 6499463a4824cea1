//! `plimsoll image`: builds and handles images, without a daemon.

mod alias;
mod attest;
mod build;
mod built_in;
mod cache;
mod call;
mod context;
mod df;
mod diff;
mod flags;
mod inspect;
mod load;
mod ls;
mod mounts;
mod output;
pub(crate) mod prepared;
mod product;
mod progress;
pub(crate) mod proxy;
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
mod store;
pub(crate) mod task;
mod values;

use std::process::ExitCode;

use clap::Subcommand;
use plimsoll_ops::Failure;

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
