//! `cargo xtask bench edits`: how long a service's image takes again after one line of its source and after one more
//! package, ours beside the image of one stage that a tutorial makes.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use super::{
    build::make_image,
    engine::Engine,
    measure::{self, Alone, Cost, median},
    naive::{self, Naive},
    needs,
    ours::{self, Ours},
    systems::{self, Kind, Service},
};
use crate::shell;

#[derive(Args)]
pub(crate) struct Options {
    /// Only this system: maestroverse, atlantiplex, edenconz or pivotal
    #[arg(long, value_name = "SYSTEM")]
    only: Option<String>,
    /// How often each case is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=RELEASES as i64))]
    runs: u8,
    /// Build the naive images by the installed engine's BuildKit too. Needs root and an engine
    #[arg(long)]
    buildkit: bool,
    /// Measure this binary instead of the release build
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

/// How many releases of the added package there are: each round takes one that no cache has seen.
const RELEASES: usize = 12;
/// Added to programs of Node.js, in the versions 1.11.0 to 1.11.11; it depends on nothing and nothing else on it.
const OF_NODE: &str = "dayjs";
/// Added to programs of Python, for the same reasons.
const OF_PYTHON: &str = "pytz";
const PYTZ: [&str; RELEASES] = [
    "2020.1", "2020.4", "2020.5", "2021.1", "2021.3", "2022.1", "2022.7", "2023.3", "2024.1", "2024.2",
    "2025.1", "2025.2",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    Source,
    Dependency,
}

impl Change {
    const ALL: [Self; 2] = [Self::Source, Self::Dependency];

    fn title(self) -> &'static str {
        match self {
            Self::Source => "one line of source",
            Self::Dependency => "one more package",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Builder {
    /// Our Dockerfile, by `plimsoll build`.
    Ours,
    /// The naive one, by `plimsoll image build`.
    Naive,
    /// The naive one, by `docker build`.
    BuildKit,
}

impl Builder {
    fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Naive => "naive",
            Self::BuildKit => "naive by BuildKit",
        }
    }
}

type Costs = BTreeMap<(Change, Builder), Vec<Cost>>;

pub(crate) fn run(options: &Options) -> Result<()> {
    let systems = systems::systems(options.only.as_deref())?;
    let mut wants = vec![needs::NPM];
    if options.buildkit {
        if !nix::unistd::geteuid().is_root() {
            bail!("the engine needs root");
        }
        wants.extend(needs::ENGINE);
    }
    needs::ensure(wants)?;
    eprintln!(
        "[bench] bases and packages are fetched from Debian's mirror and the registries of npm and Python"
    );
    let folder = shell::target().join("bench");
    fs::create_dir_all(&folder)?;
    let engine = if options.buildkit { Some(Engine::start(&folder.join("engine"))?) } else { None };
    let host = engine.as_ref().map_or_else(ours::host, Engine::host);
    let ours = Ours::new(options.binary.clone(), folder.join("home"), host)?;
    systems::make_bases(&ours)?;
    let mut measured = Vec::new();
    for service in systems.into_iter().flat_map(systems::services_of) {
        let trial = Trial::prepare(service, &ours, engine.as_ref(), &folder)?;
        let costs = trial.rounds(options.runs.into()).with_context(|| service.id())?;
        measured.push((service, costs));
        fs::write(folder.join("edits.json"), serde_json::to_vec_pretty(&as_json(&measured))?)?;
        fs::write(folder.join("edits.md"), markdown(&measured))?;
    }
    print!("{}", markdown(&measured));
    Ok(())
}

/// One service: its copies, and who builds them.
struct Trial<'a> {
    service: &'static Service,
    ours: &'a Ours,
    /// The copy with the files that `init` writes.
    project: PathBuf,
    naive: Naive,
    /// The same with a base that has the certificates of this machine, which BuildKit does not lend.
    buildkit: Option<(Naive, &'a Engine)>,
    /// The source file as it is in the example.
    source: String,
}

impl<'a> Trial<'a> {
    /// Fresh copies, empty caches, and one build of each, so that all have seen the unchanged tree.
    fn prepare(
        service: &'static Service,
        ours: &'a Ours,
        engine: Option<&'a Engine>,
        folder: &Path,
    ) -> Result<Self> {
        let place = folder.join("edits").join(service.id());
        let project = place.join("ours").join(service.system);
        systems::initialised(ours, service.system, &project)?;
        let naive = Naive::lay_out(service, service.base().image, &place.join("naive"))?;
        let buildkit = match engine {
            Some(engine) => {
                let base = base_with_certificates(ours, service, folder)?;
                Some((Naive::lay_out(service, &base, &place.join("buildkit"))?, engine))
            }
            None => None,
        };
        let file = service.source(&project);
        let source = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let trial = Self { service, ours, project, naive, buildkit, source };
        eprintln!("[bench] {}: first builds, from empty caches", service.id());
        ours.forget(&naive::tag(service))?;
        shell::quiet(&mut ours.plimsoll(&["image", "prune", "--cache-mounts"]))?;
        if let Some((_, engine)) = &trial.buildkit {
            engine.forget()?;
        }
        for builder in trial.builders() {
            trial.build(builder)?;
        }
        Ok(trial)
    }

    fn builders(&self) -> Vec<Builder> {
        let more = self.buildkit.is_some().then_some(Builder::BuildKit);
        [Builder::Ours, Builder::Naive].into_iter().chain(more).collect()
    }

    fn build(&self, builder: Builder) -> Result<Cost> {
        let tag = naive::tag(self.service);
        match (builder, &self.buildkit) {
            (Builder::Ours, _) => {
                let mut build = self.ours.plimsoll(&["build", self.service.name]);
                measure::run(build.current_dir(&self.project), &Alone)
            }
            (Builder::BuildKit, Some((naive, engine))) => {
                measure::run(&mut engine.build(&naive.context, &tag), *engine)
            }
            (Builder::Naive | Builder::BuildKit, _) => {
                measure::run(&mut self.naive.build(self.ours, &tag), &Alone)
            }
        }
    }

    fn rounds(&self, runs: usize) -> Result<Costs> {
        let mut costs = Costs::new();
        for round in 0..runs {
            // who begins changes, so that nobody always has the warmer machine
            let mut order = self.builders();
            let count = order.len();
            order.rotate_left(round % count);
            for change in Change::ALL {
                match change {
                    Change::Source => self.change_source(round)?,
                    Change::Dependency => self.add_package(round)?,
                }
                for builder in order.iter().copied() {
                    let cost = self.build(builder)?;
                    let (id, change_title, name) = (self.service.id(), change.title(), builder.name());
                    eprintln!("[bench] {id}, {change_title}, {name}: {:.2} s", cost.wall);
                    costs.entry((change, builder)).or_default().push(cost);
                }
            }
        }
        Ok(costs)
    }

    /// All copies of the system, ours first.
    fn copies(&self) -> impl Iterator<Item = &Path> {
        let more = self.buildkit.iter().map(|(naive, _)| naive.copy.as_path());
        [self.project.as_path(), self.naive.copy.as_path()].into_iter().chain(more)
    }

    fn change_source(&self, round: usize) -> Result<()> {
        let text = format!("{}\n{}\n", self.source.trim_end(), self.service.line(round));
        self.write(&self.service.source(Path::new("")), &text)
    }

    /// Another version of the added package, in the manifest and in the lock file.
    fn add_package(&self, round: usize) -> Result<()> {
        let folder = Path::new(self.service.folder);
        if self.service.kind == Kind::Python {
            let list = folder.join("requirements.txt");
            let text = with_requirement(&self.read(&list)?, PYTZ[round]);
            return self.write(&list, &text);
        }
        let manifest = folder.join("package.json");
        let text = with_dependency(&self.read(&manifest)?, &format!("1.11.{round}"))
            .with_context(|| format!("in {}", self.project.join(&manifest).display()))?;
        self.write(&manifest, &text)?;
        let (mut command, lock) = if self.service.kind == Kind::Workspace {
            let mut npx = Command::new("npx");
            npx.args(["--yes", &naive::manager(&self.project)?, "install", "--lockfile-only"]);
            // what CI would refuse is the point here
            npx.arg("--no-frozen-lockfile").current_dir(&self.project);
            (npx, PathBuf::from("pnpm-lock.yaml"))
        } else {
            let mut npm = Command::new("npm");
            npm.args(["install", "--package-lock-only", "--no-audit", "--no-fund"]);
            npm.current_dir(self.project.join(folder));
            (npm, folder.join("package-lock.json"))
        };
        shell::quiet(&mut command)?;
        let text = self.read(&lock)?;
        self.write(&lock, &text)
    }

    /// A file of our copy.
    fn read(&self, file: &Path) -> Result<String> {
        let file = self.project.join(file);
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    }

    /// The file in every copy.
    fn write(&self, file: &Path, text: &str) -> Result<()> {
        for copy in self.copies() {
            let file = copy.join(file);
            fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(())
    }
}

/// The service's base with the certificates of this machine, handed to the engine.
fn base_with_certificates(ours: &Ours, service: &Service, folder: &Path) -> Result<String> {
    let base = service.base();
    let tag = format!("plimsoll-bench/naive-{}:1", base.recipe);
    let text = format!(
        "FROM {}\nCOPY ca.pem /etc/ca.pem\nENV NODE_EXTRA_CA_CERTS=/etc/ca.pem PIP_CERT=/etc/ca.pem\n",
        base.image
    );
    make_image(ours, &folder.join("images").join(base.recipe), &tag, &text, true)?;
    Ok(tag)
}

/// A package.json with the added package in this version.
fn with_dependency(manifest: &str, version: &str) -> Result<String> {
    let mut manifest: Value = serde_json::from_str(manifest)?;
    let dependencies = manifest.get_mut("dependencies").and_then(Value::as_object_mut);
    dependencies.context("there are no dependencies")?.insert(OF_NODE.to_owned(), version.into());
    Ok(serde_json::to_string_pretty(&manifest)? + "\n")
}

/// A requirements.txt with the added package in this version.
fn with_requirement(list: &str, version: &str) -> String {
    let added = format!("{OF_PYTHON}==");
    let others = list.lines().filter(|line| !line.starts_with(&added)).flat_map(|line| [line, "\n"]);
    others.collect::<String>() + &added + version + "\n"
}

/// The change of the time in percent; below zero is faster.
fn reduction(ours: f64, other: f64) -> f64 {
    (ours / other - 1.0) * 100.0
}

fn markdown(measured: &[(&Service, Costs)]) -> String {
    let mut text = String::from(
        "| system | service | change | runs | ours s | naive s | % | naive by BuildKit s | % | document % |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (service, costs) in measured {
        for change in Change::ALL {
            let wall = |builder| {
                let costs = costs.get(&(change, builder))?;
                Some(median(costs.iter().map(|cost| cost.wall)))
            };
            let Some(ours) = wall(Builder::Ours) else { continue };
            let runs = costs.get(&(change, Builder::Ours)).map_or(0, Vec::len);
            // the document speaks of a build with its packages in the cache
            let claimed = service.claimed.filter(|_| change == Change::Source);
            let mut cells = [service.system, service.name, change.title()].map(str::to_owned).to_vec();
            cells.extend([runs.to_string(), format!("{ours:.2}")]);
            for builder in [Builder::Naive, Builder::BuildKit] {
                let other = wall(builder);
                cells.push(other.map_or_else(String::new, |other| format!("{other:.2}")));
                cells.push(other.map_or_else(String::new, |other| format!("{:+.0}", reduction(ours, other))));
            }
            cells.push(claimed.map_or_else(|| "-".to_owned(), |claimed| claimed.to_string()));
            // writing to a string cannot fail
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
    }
    text
}

fn as_json(measured: &[(&Service, Costs)]) -> Value {
    let rows = measured.iter().flat_map(|(service, costs)| {
        costs.iter().map(move |((change, builder), costs)| {
            json!({
                "system": service.system,
                "service": service.name,
                "change": change.title(),
                "builder": builder.name(),
                "wall": costs.iter().map(|cost| cost.wall).collect::<Vec<_>>(),
                "cpu": costs.iter().map(|cost| cost.cpu).collect::<Vec<_>>(),
            })
        })
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::systems::SERVICES;

    #[test]
    fn reductions_stand_beside_the_documents() {
        let stage = SERVICES.iter().find(|service| service.name == "atlantiplex-stage").unwrap();
        let cost = |wall| vec![Cost { wall, cpu: 0.0, peak: None }];
        let mut costs = Costs::new();
        costs.insert((Change::Source, Builder::Ours), cost(2.0));
        costs.insert((Change::Source, Builder::Naive), cost(8.0));
        costs.insert((Change::Source, Builder::BuildKit), cost(10.0));
        costs.insert((Change::Dependency, Builder::Ours), cost(6.0));
        costs.insert((Change::Dependency, Builder::Naive), cost(5.0));
        assert_eq!(
            markdown(&[(stage, costs)]).lines().skip(2).collect::<Vec<_>>(),
            [
                "| atlantiplex | atlantiplex-stage | one line of source | 1 | 2.00 | 8.00 | -75 | 10.00 | -80 | -73 |",
                "| atlantiplex | atlantiplex-stage | one more package | 1 | 6.00 | 5.00 | +20 |  |  | - |",
            ]
        );
    }

    #[test]
    fn the_added_package_takes_the_place_of_the_round_before() {
        let first = with_dependency(r#"{"name": "a", "dependencies": {"ws": "8.0.0"}}"#, "1.11.0").unwrap();
        let second: Value = serde_json::from_str(&with_dependency(&first, "1.11.1").unwrap()).unwrap();
        assert_eq!(second["dependencies"], json!({ "ws": "8.0.0", "dayjs": "1.11.1" }));
        assert!(with_dependency(r#"{"name": "a"}"#, "1.11.0").is_err());
        let list = with_requirement(&with_requirement("Flask==3.1.3", PYTZ[0]), PYTZ[1]);
        assert_eq!(list, "Flask==3.1.3\npytz==2020.4\n");
    }
}
