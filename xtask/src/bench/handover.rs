//! One changed small layer on a large image, brought into an engine that has the version before: `docker load` of what
//! `docker save` wrote, and ours. On three engines: the installed one, and Debian 13's with both of its image stores.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail, ensure};
use clap::Args;

use super::{
    build::prepare_base,
    engine::{Engine, Release},
    measure, needs,
    ours::Ours,
    report::{Report, Subject},
    trixie,
};
use crate::shell;

#[derive(Args)]
pub(crate) struct Options {
    /// How often each case is measured
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Only these engines: 20.10, 26.1, 26.1-containerd (20.10 stands for the one that is installed)
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    engines: Vec<String>,
    /// Measure this binary instead of the release build
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

const IMAGE: &str = "plimsoll-bench/handover:1";
const DOCKERFILE: &str = "FROM plimsoll-bench/debian:1\nCOPY base /base\nCOPY app /app\nCOPY line /line\nCMD [\"cat\", \"/line/text\"]\n";
/// Megabytes that nothing can compress, so that with Debian's files the base has about 390.
const BASE: usize = 270;
const APP: usize = 18;

pub(crate) fn run(options: &Options) -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("the engines need root");
    }
    needs::ensure(needs::ENGINE.iter().copied())?;
    let folder = shell::target().join("bench");
    let context = folder.join("contexts/handover");
    fill(&context)?;
    let mut report = Report::default();
    let wanted = |name: &str| options.engines.is_empty() || options.engines.iter().any(|only| only == name);
    for (number, name) in ["20.10", "26.1", "26.1-containerd"].into_iter().enumerate() {
        if !wanted(name) {
            continue;
        }
        let release = if number == 0 {
            Release::Installed
        } else {
            Release::Unpacked(trixie::engine(&folder.join("trixie"))?)
        };
        let place = folder.join(format!("engine-handover-{name}"));
        let engine = Engine::start_release(&place, release, 1, name == "26.1-containerd")?;
        let ours = Ours::new(options.binary.clone(), folder.join("home"), engine.host())?;
        prepare_base(&ours, &folder, 3, false)?;
        let bench = Bench { folder: &folder, context: &context, engine, ours };
        bench.measure(name, options.runs, &mut report)?;
        drop(bench);
        // images of a gigabyte
        fs::remove_dir_all(&place)?;
        fs::write(folder.join("handover.json"), serde_json::to_vec_pretty(&report.json())?)?;
        fs::write(folder.join("handover.md"), report.markdown())?;
    }
    print!("{}", report.markdown());
    Ok(())
}

/// Few files, so that the build in front of the hand-over is a small part of it.
fn fill(context: &Path) -> Result<()> {
    if context.join("Dockerfile").exists() {
        return Ok(());
    }
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    for (name, megabytes) in [("base", BASE), ("app", APP)] {
        fs::create_dir_all(context.join(name))?;
        for file in 0..megabytes {
            let mut bytes = Vec::with_capacity(1 << 20);
            while bytes.len() < 1 << 20 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                bytes.extend(state.to_le_bytes());
            }
            fs::write(context.join(name).join(format!("f{file}")), bytes)?;
        }
    }
    fs::create_dir_all(context.join("line"))?;
    fs::write(context.join(".dockerignore"), "Dockerfile\n")?;
    fs::write(context.join("Dockerfile"), DOCKERFILE)?;
    Ok(())
}

struct Bench<'a> {
    folder: &'a Path,
    context: &'a Path,
    engine: Engine,
    ours: Ours,
}

impl Bench<'_> {
    fn measure(&self, name: &str, runs: usize, report: &mut Report) -> Result<()> {
        let workload = format!("hand-over, Docker {name}");
        let tar = self.folder.join("handover.tar");
        for round in 0..runs {
            // nothing of the image is there
            let text = self.change(round, "first")?;
            self.save(&tar)?;
            self.forget();
            let cost = measure::run(&mut self.docker_load(&tar), &self.engine)?;
            report.add(&workload, "first, 410 MB", Subject::BuildKit, cost);
            self.check(&text)?;
            self.forget();
            let cost = measure::run(&mut self.hand_over(), &self.engine)?;
            report.add(&workload, "first, 410 MB", Subject::Ours, cost);
            self.check(&text)?;
            // one small layer differs from what is there
            let text = self.change(round, "theirs")?;
            self.save(&tar)?;
            let cost = measure::run(&mut self.docker_load(&tar), &self.engine)?;
            report.add(&workload, "one small layer changed", Subject::BuildKit, cost);
            self.check(&text)?;
            let cost = measure::run(&mut self.docker_load(&tar), &self.engine)?;
            report.add(&workload, "nothing changed", Subject::BuildKit, cost);
            let text = self.change(round, "ours")?;
            let cost = measure::run(&mut self.hand_over(), &self.engine)?;
            report.add(&workload, "one small layer changed", Subject::Ours, cost);
            self.check(&text)?;
            let cost = measure::run(&mut self.hand_over(), &self.engine)?;
            report.add(&workload, "nothing changed", Subject::Ours, cost);
            self.check(&text)?;
        }
        fs::remove_file(&tar)?;
        Ok(())
    }

    /// Changes the line and builds, without the engine.
    fn change(&self, round: usize, what: &str) -> Result<String> {
        let stamp = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_nanos();
        let text = format!("round {round} {what} {stamp}");
        fs::write(self.context.join("line/text"), &text)?;
        shell::quiet(&mut self.ours.build(self.context, IMAGE))?;
        Ok(text)
    }

    fn save(&self, tar: &Path) -> Result<()> {
        let file = tar.display().to_string();
        shell::quiet(&mut self.ours.plimsoll(&["image", "save", IMAGE, "--output", &file]))
    }

    fn docker_load(&self, tar: &Path) -> Command {
        let mut load = self.engine.docker();
        load.args(["load", "--input"]).arg(tar);
        load
    }

    /// A build in which nothing changed with the hand-over behind it, as people call it.
    fn hand_over(&self) -> Command {
        let mut build = self.ours.build(self.context, IMAGE);
        build.arg("--load");
        build
    }

    /// The engine loses the image and its layers.
    fn forget(&self) {
        // there is nothing before the first round
        let _ = self.engine.docker().args(["rmi", "--force", IMAGE]).output();
        let _ = self.engine.docker().args(["image", "prune", "--force", "--all"]).output();
    }

    /// A container of what the engine has now says the line.
    fn check(&self, text: &str) -> Result<()> {
        let output = self.engine.docker().args(["run", "--rm", "--network=none", IMAGE]).output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(
            said == text,
            "the container said {said:?}, not {text:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}
