//! `cargo xtask demo`: the whole product on one of the five systems, or on all that are here, timed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{engine, shell};

/// The systems whose applications are in examples/.
const SYSTEMS: [&str; 4] = ["pivotal", "maestroverse", "atlantiplex", "edenconz"];

/// Brings an example from bare source to a proved, running stack
#[derive(Args)]
pub(crate) struct Demo {
    /// Which one: pivotal, maestroverse, atlantiplex, edenconz, or all of them one after the other
    #[arg(long, default_value = "pivotal", value_parser = clap::builder::PossibleValuesParser::new(SYSTEMS.into_iter().chain(["all"])))]
    system: String,
    /// Install and start an engine without asking
    #[arg(long)]
    yes: bool,
    /// Forget the last demo first: its stack, volumes, files and base images
    #[arg(long)]
    cold: bool,
    /// Take the stack down at the end
    #[arg(long)]
    down: bool,
}

impl Demo {
    pub(crate) fn run(self) -> Result<()> {
        let begin = Instant::now();
        engine::ensure(self.yes || std::env::var_os("CI").is_some())?;
        shell::run(shell::cargo().args(["build", "--release", "--quiet", "--package", "plimsoll"]))?;
        let built = begin.elapsed();
        if self.system != "all" {
            return self.show(&Place::new(&self.system), built);
        }
        let mut failed = Vec::new();
        for system in SYSTEMS {
            // the next one has the same port
            let demo = Self { system: system.to_owned(), down: true, ..self };
            let place = Place::new(system);
            if let Err(error) = demo.show(&place, Duration::ZERO) {
                eprintln!("[demo] {system}: {error:#}");
                failed.push(system);
                shell::run(&mut place.plimsoll(&["down", "--volumes"]))?;
            }
        }
        if failed.is_empty() { Ok(()) } else { bail!("not proved: {}", failed.join(", ")) }
    }

    fn show(&self, place: &Place, built: Duration) -> Result<()> {
        let begin = Instant::now();
        if self.cold {
            place.forget()?;
        }
        place.lay_out_source()?;
        for verb in [&["survey"][..], &["init", "--yes", "--no-input"], &["up"], &["verify"]] {
            let start = Instant::now();
            shell::run(&mut place.plimsoll(verb))?;
            eprintln!("[demo] plimsoll {}: {:.1} s\n", verb.join(" "), start.elapsed().as_secs_f64());
        }
        let certificate = place.project.join(".plimsoll/certificate.html");
        println!("application  http://127.0.0.1:8080/");
        println!("certificate  {}", certificate.display());
        println!(
            "time         {:.1} s, and {:.1} s to install, start and compile before",
            begin.elapsed().as_secs_f64(),
            built.as_secs_f64()
        );
        if self.down {
            shell::run(&mut place.plimsoll(&["down", "--volumes"]))?;
        } else {
            println!("stop it      cd {} && plimsoll down --volumes", place.project.display());
        }
        Ok(())
    }
}

/// Where the demo works: a copy of the example, so that the repository stays as it is.
pub(crate) struct Place {
    system: String,
    pub(crate) project: PathBuf,
    home: PathBuf,
}

impl Place {
    pub(crate) fn new(system: &str) -> Self {
        let demo = shell::target().join("demo");
        Self { system: system.to_owned(), project: demo.join(system), home: demo.join("home") }
    }

    pub(crate) fn plimsoll(&self, args: &[&str]) -> Command {
        let mut command = Command::new(shell::target().join("release/plimsoll"));
        command.args(args).current_dir(&self.project).env("PLIMSOLL_HOME", &self.home);
        command
    }

    fn forget(&self) -> Result<()> {
        if self.project.join("compose.production.yml").exists() {
            shell::run(&mut self.plimsoll(&["down", "--volumes"]))?;
        }
        for folder in [&self.project, &self.home] {
            if folder.exists() {
                fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
            }
        }
        Ok(())
    }

    pub(crate) fn lay_out_source(&self) -> Result<()> {
        copy_tree(&shell::root().join("examples").join(&self.system), &self.project)
    }
}

/// Copies what is newer than its copy, so that a second demo finds what the first one made of the files.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let (name, source) = (entry.file_name(), entry.path());
        if name == "node_modules" || name == "dist" {
            continue;
        }
        let target = to.join(&name);
        if entry.file_type()?.is_dir() {
            copy_tree(&source, &target)?;
        } else if !newer(&target, &source) {
            fs::copy(&source, &target).with_context(|| format!("cannot write {}", target.display()))?;
        }
    }
    Ok(())
}

fn newer(file: &Path, than: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    changed(file) >= changed(than)
}
