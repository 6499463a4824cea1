//! Developer commands: `cargo xtask <command>`. This list is all of them.

mod bench;
mod conformance;
mod demo;
mod dist;
mod engine;
mod licences;
mod shell;
mod test;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Plimsoll's developer commands
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// How fast we are, beside the others
    Bench(bench::Bench),
    /// Recorded cases of the reference implementations
    Conformance(conformance::Conformance),
    /// From bare source to a proved, running stack: examples/pivotal by the real binary
    Demo(demo::Demo),
    /// A Debian package and a tarball of the release binary
    Dist(dist::Dist),
    /// Every test there is, with a real engine
    Test(test::Test),
}

fn main() -> Result<ExitCode> {
    match Cli::parse().command {
        Command::Bench(bench) => bench.run()?,
        Command::Conformance(conformance) => return conformance.run(),
        Command::Demo(demo) => demo.run()?,
        Command::Dist(dist) => dist.run()?,
        Command::Test(test) => test.run()?,
    }
    Ok(ExitCode::SUCCESS)
}
