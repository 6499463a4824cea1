//! One changed line in examples/pivotal: our rebuild of the backend and `docker build`'s, in turn, both ending with the
//! image in the engine.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result};
use clap::Args;

use super::measure::{Alone, Cost, median, run};
use crate::{demo, engine, shell};

const NODE: &str = "plimsoll-bench/node:ca";
const RUNTIME: &str = "plimsoll-bench/distroless-node:base";

#[derive(Args)]
pub(crate) struct Options {
    /// Runs of each
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Install and start an engine without asking
    #[arg(long)]
    yes: bool,
}

pub(crate) fn run_all(options: &Options) -> Result<()> {
    engine::ensure(options.yes)?;
    shell::run(shell::cargo().args(["build", "--release", "--quiet", "--package", "plimsoll"]))?;
    let place = demo::Place::new("pivotal");
    place.lay_out_source()?;
    shell::run(&mut place.plimsoll(&["init", "--yes"]))?;
    let bench = Rebuild { place, source: PathBuf::from("apps/backend/src/index.ts") };
    bench.prepare_bases()?;
    let original = fs::read_to_string(bench.place.project.join(&bench.source))?;
    // both have seen the unchanged tree; bases and package caches are warm for both
    for command in [&mut bench.ours(), &mut bench.docker()] {
        run(command, &Alone)?;
    }
    let (mut ours, mut theirs, mut unchanged) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..options.runs {
        bench.change(&original, &format!("ours {round}"))?;
        ours.push(run(&mut bench.ours(), &Alone)?);
        unchanged.push(run(&mut bench.ours(), &Alone)?);
        bench.change(&original, &format!("theirs {round}"))?;
        theirs.push(run(&mut bench.docker(), &Alone)?);
    }
    fs::write(bench.place.project.join(&bench.source), original)?;
    let wall = |costs: &[Cost]| median(costs.iter().map(|cost| cost.wall));
    println!("| backend of examples/pivotal, median of {} | seconds |", options.runs);
    println!("|---|---|");
    println!("| one changed line, plimsoll image build --load | {:.2} |", wall(&ours));
    println!("| one changed line, docker build (BuildKit) | {:.2} |", wall(&theirs));
    println!("| ratio | {:.2} |", wall(&theirs) / wall(&ours));
    println!("| nothing changed, plimsoll image build --load | {:.3} |", wall(&unchanged));
    Ok(())
}

struct Rebuild {
    place: demo::Place,
    source: PathBuf,
}

impl Rebuild {
    /// The same bases for both, with the machine's certificates in the one that fetches packages.
    fn prepare_bases(&self) -> Result<()> {
        shell::run(&mut self.place.plimsoll(&["base", "make", "node", "distroless-node"]))?;
        let folder = shell::target().join("bench/rebuild");
        fs::create_dir_all(&folder)?;
        let bundle =
            std::env::var("SSL_CERT_FILE").unwrap_or_else(|_| "/etc/ssl/certs/ca-certificates.crt".into());
        fs::copy(&bundle, folder.join("ca.pem")).with_context(|| format!("cannot read {bundle}"))?;
        let with_ca =
            "FROM plimsoll.local/node:20\nCOPY ca.pem /etc/ca.pem\nENV NODE_EXTRA_CA_CERTS=/etc/ca.pem\n";
        for (name, text) in [(NODE, with_ca), (RUNTIME, "FROM plimsoll.local/distroless-node:20\n")] {
            fs::write(folder.join("Dockerfile"), text)?;
            let args = ["image", "build", "--quiet", "--load", "--tag", name];
            shell::run(self.place.plimsoll(&args).arg(&folder))?;
        }
        Ok(())
    }

    fn change(&self, original: &str, text: &str) -> Result<()> {
        fs::write(self.place.project.join(&self.source), format!("{original}// {text}\n"))?;
        Ok(())
    }

    fn ours(&self) -> Command {
        let args = ["image", "build", "--progress=plain", "--ca=off", "--load"];
        let mut command = self.place.plimsoll(&args);
        arguments(&mut command, "plimsoll-bench/backend:ours");
        command
    }

    fn docker(&self) -> Command {
        let mut command = Command::new("/usr/bin/docker");
        command
            .args(["build", "--network=host"])
            .env("DOCKER_BUILDKIT", "1")
            .current_dir(&self.place.project);
        arguments(&mut command, "plimsoll-bench/backend:docker");
        command
    }
}

fn arguments(command: &mut Command, tag: &str) {
    command
        .args(["--tag", tag, "--file", "apps/backend/Dockerfile"])
        .args(["--build-arg", &format!("NODE_IMAGE={NODE}")])
        .args(["--build-arg", &format!("RUNTIME_IMAGE={RUNTIME}")])
        .arg(".");
}
