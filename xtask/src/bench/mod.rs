//! `cargo xtask bench`: how fast we are, beside the others, on workloads that the program makes itself.

mod build;
mod edits;
mod engine;
mod floor;
mod handover;
mod measure;
mod naive;
mod needs;
mod ours;
mod rebuild;
mod registry;
mod report;
mod repository;
mod sizes;
mod stack;
mod survey;
mod systems;
mod trixie;
mod workload;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Measures; the figures go to standard output as Markdown and to target/bench/ as JSON
#[derive(Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Builds of four workloads, ours and BuildKit's in turn. Needs root
    Build(build::Options),
    /// Services of the four systems after one line and after one more package, beside a tutorial's. Needs npm and the
    /// package registries
    Edits(edits::Options),
    /// One changed layer into three engines, ours and `docker load` in turn. Needs root
    Handover(handover::Options),
    /// One changed line in examples/pivotal, ours and `docker build` in turn. Needs root and an engine
    Rebuild(rebuild::Options),
    /// Images of the four systems beside their documents' figures and beside a tutorial's. Needs the package registries
    Sizes(sizes::Options),
    /// Compose stacks, ours and docker-compose in turn. Needs an engine
    Stack(stack::Options),
    /// `survey` and `init` on a repository of 5,000 files: time and memory beside what they may take
    Survey(survey::Options),
}

impl Bench {
    pub(crate) fn run(self) -> Result<()> {
        match self.what {
            What::Build(options) => build::run(&options),
            What::Edits(options) => edits::run(&options),
            What::Handover(options) => handover::run(&options),
            What::Rebuild(options) => rebuild::run_all(&options),
            What::Sizes(options) => sizes::run(&options),
            What::Stack(options) => stack::run(&options),
            What::Survey(options) => survey::run(&options),
        }
    }
}
