//! The rounds: every case of every workload, ours and BuildKit's in turn.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use clap::Args;

use super::{
    engine::{Engine, Release},
    floor::Rooms,
    measure::{self, Alone, Cost},
    needs,
    ours::Ours,
    registry::Registry,
    report::{Report, Subject},
    trixie,
    workload::{self, Workload},
};
use crate::shell;

#[derive(Args)]
pub(crate) struct Options {
    /// How often each case is measured
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Only these workloads: api, spa, flask, files, steps
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,
    /// The engines whose BuildKit is measured, the faster one of which counts: 20.10 (the installed one), 26.1
    #[arg(long, value_delimiter = ',', value_name = "NAMES", default_value = "20.10")]
    engines: Vec<String>,
    /// Measure this binary instead of the release build
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

/// A tag of each builder, so that neither sees the other's image.
const OURS: &str = "plimsoll-bench/ours:1";
const PEER: &str = "plimsoll-bench/buildkit:1";

struct Bench {
    folder: PathBuf,
    ours: Ours,
    engines: Vec<(Subject, Engine)>,
    report: Report,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("the builders' sandboxes and the engine need root");
    }
    let mut wants = needs::ENGINE.to_vec();
    wants.push(needs::NPM);
    // every workload exports to a registry; the cost of a RUN step needs none
    if options.only.is_empty() || options.only.iter().any(|only| only != "steps") {
        wants.push(needs::REGISTRY);
    }
    needs::ensure(wants)?;
    let folder = shell::target().join("bench");
    fs::create_dir_all(&folder)?;
    let workloads = workload::all(&folder.join("contexts"))?;
    let mut engines = Vec::new();
    for name in &options.engines {
        engines.push(match name.as_str() {
            "20.10" => (Subject::BuildKit, Engine::start(&folder.join("engine"))?),
            "26.1" => {
                let release = Release::Unpacked(trixie::engine(&folder.join("trixie"))?);
                (Subject::BuildKit26, Engine::start_release(&folder.join("engine-26.1"), release, 2, false)?)
            }
            other => bail!("there is no engine {other}; there are 20.10 and 26.1"),
        });
    }
    let (_, first) = engines.first().context("--engines is empty")?;
    let ours = Ours::new(options.binary.clone(), folder.join("home"), first.host())?;
    // the bases, built once by us and given to the engines too
    for number in 0..workload::IMAGES.len() {
        for (_, engine) in &engines {
            prepare_base(&ours.with_host(engine.host()), &folder, number, true)?;
        }
    }
    let mut bench = Bench { folder, ours, engines, report: Report::default() };
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    for workload in workloads.iter().filter(|workload| wanted(workload.name)) {
        bench.workload(workload, options.runs)?;
        bench.save()?;
    }
    if wanted("steps") {
        bench.steps(options.runs)?;
        bench.save()?;
    }
    print!("{}", bench.report.markdown());
    Ok(())
}

impl Bench {
    fn save(&self) -> Result<()> {
        let file = self.folder.join("build.json");
        fs::write(&file, serde_json::to_vec_pretty(&self.report.json())?)?;
        fs::write(self.folder.join("build.md"), self.report.markdown())?;
        Ok(())
    }

    fn workload(&mut self, workload: &Workload, runs: usize) -> Result<()> {
        eprintln!("[bench] {}: filling the package caches", workload.title);
        let rooms = match &workload.floor {
            Some(_) => Some(Rooms::new(&self.folder.join("floor"), &self.ours, workload)?),
            None => None,
        };
        let subjects = self.subjects();
        for subject in &subjects {
            self.build(workload, *subject)?;
        }
        if let Some(rooms) = &rooms {
            rooms.run(workload)?;
        }
        for round in 0..runs {
            let mut order = subjects.clone();
            order.rotate_left(round % subjects.len());
            for subject in order.iter().copied() {
                self.cold(workload, subject)?;
            }
            for subject in order.iter().copied() {
                let cost = self.build(workload, subject)?;
                self.report.add(workload.title, "nothing changed", subject, cost);
            }
            for subject in order.iter().copied() {
                workload.touch()?;
                let cost = self.build(workload, subject)?;
                self.report.add(workload.title, "all times touched", subject, cost);
            }
            self.exports(workload, round, &order)?;
            self.hand_overs(workload, round)?;
            if let Some(rooms) = &rooms {
                let (cold, changed) = rooms.run(workload)?;
                for (case, wall) in [("cold", cold), ("one line changed", changed)] {
                    self.report.add(workload.title, case, Subject::Floor, Cost { wall, ..Cost::default() });
                }
            }
        }
        Ok(())
    }

    /// Who builds.
    fn subjects(&self) -> Vec<Subject> {
        std::iter::once(Subject::Ours).chain(self.engines.iter().map(|(subject, _)| *subject)).collect()
    }

    /// The engine of a subject; none of ours.
    fn engine(&self, subject: Subject) -> Option<&Engine> {
        self.engines.iter().find(|(of, _)| *of == subject).map(|(_, engine)| engine)
    }

    fn build(&self, workload: &Workload, subject: Subject) -> Result<Cost> {
        self.build_context(&workload.context, subject)
    }

    fn build_context(&self, context: &Path, subject: Subject) -> Result<Cost> {
        match self.engine(subject) {
            Some(engine) => measure::run(&mut engine.build(context, PEER), engine),
            None => measure::run(&mut self.ours.build(context, OURS), &Alone),
        }
    }

    fn cold(&mut self, workload: &Workload, subject: Subject) -> Result<()> {
        let mut cost;
        if let Some(engine) = self.engine(subject) {
            // the image goes too, for its layers would be found again
            let _ = engine.docker().args(["rmi", "--force", PEER]).output();
            engine.forget()?;
            engine.reset_peak();
            cost = self.build(workload, subject)?;
            cost.peak = Some(engine.peak());
        } else {
            self.ours.forget(OURS)?;
            cost = measure::run_with_peak(&mut self.ours.build(&workload.context, OURS))?;
        }
        if workload.floor.is_some() {
            cost.peak = None;
        }
        self.report.add(workload.title, "cold", subject, cost);
        Ok(())
    }

    /// First export of all that the build made, then a change, then the export of that. The base is in the registry.
    fn exports(&mut self, workload: &Workload, round: usize, order: &[Subject]) -> Result<()> {
        let base = base_of(workload)?;
        for subject in order.iter().copied().chain([Subject::OursZstd]) {
            let image = if self.engine(subject).is_some() { PEER } else { OURS };
            let registry = Registry::start(&self.folder.join("registry"))?;
            let name = |tag: &str| format!("{}/app:{tag}", registry.address);
            self.push(subject, &base, &name("base"))?;
            // the layers' compressed forms are not to be there yet
            let cost = self.push(subject, image, &name("first"))?;
            self.report.add(workload.title, "first export", subject, cost);
            workload.change(round)?;
            let cost = self.build(workload, subject)?;
            if subject != Subject::OursZstd {
                self.report.add(workload.title, "one line changed", subject, cost);
            }
            let cost = self.push(subject, image, &name("second"))?;
            self.report.add(workload.title, "export of the change", subject, cost);
        }
        Ok(())
    }

    fn push(&self, subject: Subject, image: &str, name: &str) -> Result<Cost> {
        match self.engine(subject) {
            Some(engine) => {
                shell::quiet(engine.docker().args(["tag", image, name]))?;
                let cost = measure::run(engine.docker().args(["push", name]), engine)?;
                shell::quiet(engine.docker().args(["rmi", name]))?;
                Ok(cost)
            }
            None => {
                let form = if subject == Subject::OursZstd { "zstd" } else { "gzip" };
                let args = ["image", "push", image, name, "--insecure", "--compression", form];
                measure::run(&mut self.ours.plimsoll(&args), &Alone)
            }
        }
    }

    /// A one-layer change into the engine: the whole tar by `docker load`, and what we hand over.
    fn hand_overs(&mut self, workload: &Workload, round: usize) -> Result<()> {
        let (subject, engine) = &self.engines[0];
        shell::quiet(&mut self.load(workload))?;
        workload.change(round)?;
        self.build(workload, Subject::Ours)?;
        let tar = self.folder.join("handover.tar");
        save(&self.ours, &tar)?;
        let file = tar.display().to_string();
        let cost = measure::run(engine.docker().args(["load", "--input", &file]), engine)?;
        self.report.add(workload.title, "hand-over of the change", *subject, cost);
        fs::remove_file(&tar)?;
        workload.change(round)?;
        self.build(workload, Subject::Ours)?;
        // an unchanged build with the hand-over behind it, as people call it
        let cost = measure::run(&mut self.load(workload), engine)?;
        self.report.add(workload.title, "hand-over of the change", Subject::Ours, cost);
        Ok(())
    }

    fn load(&self, workload: &Workload) -> Command {
        let mut build = self.ours.build(&workload.context, OURS);
        build.arg("--load");
        build
    }

    /// What a RUN step costs over its command.
    fn steps(&mut self, runs: usize) -> Result<()> {
        const STEPS: usize = 20;
        let context = self.folder.join("contexts/steps");
        fs::create_dir_all(&context)?;
        for round in 0..runs {
            for subject in self.subjects() {
                let mut walls = Vec::new();
                let mut cpus = Vec::new();
                for steps in [1, STEPS + 1] {
                    let stamp =
                        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_nanos();
                    let mut text = "FROM plimsoll-bench/debian:1\n".to_owned();
                    for step in 0..steps {
                        writeln!(text, "RUN : {round} {stamp} {step}")?;
                    }
                    fs::write(context.join("Dockerfile"), text)?;
                    let cost = self.build_context(&context, subject)?;
                    walls.push(cost.wall);
                    cpus.push(cost.cpu);
                }
                let per_step = |values: &[f64]| (values[1] - values[0]) / STEPS as f64;
                let cost = Cost { wall: per_step(&walls), cpu: per_step(&cpus), peak: None };
                self.report.add("20 RUN steps", "each step", subject, cost);
            }
        }
        Ok(())
    }
}

/// Makes one of the images that Dockerfiles start from, and hands it to the engine if asked for.
pub(super) fn prepare_base(ours: &Ours, folder: &Path, number: usize, load: bool) -> Result<()> {
    let (tag, base, dockerfile) = workload::IMAGES[number];
    shell::quiet(&mut ours.plimsoll(&["base", "make", base]))?;
    make_image(ours, &folder.join(format!("images/{number}")), tag, dockerfile, load)
}

/// Builds an image whose Dockerfile may copy `ca.pem`, the certificates of this machine; `context` is for it alone.
pub(super) fn make_image(ours: &Ours, context: &Path, tag: &str, dockerfile: &str, load: bool) -> Result<()> {
    let bundle =
        std::env::var("SSL_CERT_FILE").unwrap_or_else(|_| "/etc/ssl/certs/ca-certificates.crt".into());
    fs::create_dir_all(context)?;
    fs::copy(&bundle, context.join("ca.pem")).with_context(|| format!("cannot read {bundle}"))?;
    fs::write(context.join("Dockerfile"), dockerfile)?;
    let mut build = ours.plimsoll(&["image", "build", "--tag", tag, "."]);
    if load {
        build.arg("--load");
    }
    shell::quiet(build.current_dir(context))
}

fn save(ours: &Ours, tar: &Path) -> Result<()> {
    let file = tar.display().to_string();
    shell::quiet(&mut ours.plimsoll(&["image", "save", OURS, "--output", &file]))
}

/// The image that the last stage starts from.
fn base_of(workload: &Workload) -> Result<String> {
    let text = fs::read_to_string(workload.context.join("Dockerfile"))?;
    let last = text.lines().rev().find_map(|line| line.strip_prefix("FROM "));
    Ok(last.context("a Dockerfile has FROM")?.to_owned())
}
