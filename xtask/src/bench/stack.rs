//! Compose stacks: our verbs and docker-compose's in turn, on the same engine, files and image.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;

use super::measure::{Cost, median, run_with_peak};
use crate::{engine, shell};

const IMAGE: &str = "plimsoll-bench/busybox:1";
/// Services of the large file.
const MANY: usize = 300;

#[derive(Args)]
pub(crate) struct Options {
    /// Runs of each
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Measure this binary instead of the release build
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Install and start an engine without asking
    #[arg(long)]
    yes: bool,
}

/// What is measured, with the ratio theirs / ours that is promised.
const CASES: [(&str, Option<f64>); 8] = [
    ("config", Some(3.0)),
    ("config of 300 services", Some(3.0)),
    ("cold up, three chained", Some(1.5)),
    ("up, nothing changed", Some(5.0)),
    ("up, one service changed", None),
    ("ps", Some(2.0)),
    ("down", None),
    ("up again after down", None),
];

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tool {
    Ours,
    Theirs,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    engine::ensure(options.yes)?;
    let bench = Bench::prepare(options)?;
    let mut costs: BTreeMap<(usize, Tool), Vec<Cost>> = BTreeMap::new();
    for round in 0..options.runs {
        // who begins changes, so that neither always has the warmer machine
        let order = if round % 2 == 0 { [Tool::Ours, Tool::Theirs] } else { [Tool::Theirs, Tool::Ours] };
        for tool in order {
            let done = bench.round(tool, round);
            if done.is_err() {
                bench.command(tool, &["down"]).output()?;
            }
            for (case, cost) in done?.into_iter().enumerate() {
                let name = if tool == Tool::Ours { "ours" } else { "docker-compose" };
                eprintln!("[bench] {}, {name}: {:.3} s, cpu {:.2} s", CASES[case].0, cost.wall, cost.cpu);
                costs.entry((case, tool)).or_default().push(cost);
            }
        }
    }
    let (text, missed) = report(&costs, options.runs);
    print!("{text}");
    fs::write(bench.folder.join("stack.json"), as_json(&costs).to_string())?;
    if !missed.is_empty() && options.runs >= 5 {
        bail!("targets missed: {}", missed.join(", "));
    }
    Ok(())
}

struct Bench {
    folder: PathBuf,
    ours: PathBuf,
    theirs: PathBuf,
}

impl Bench {
    fn prepare(options: &Options) -> Result<Self> {
        let folder = shell::target().join("bench/stack");
        fs::create_dir_all(&folder)?;
        let ours = match &options.binary {
            Some(binary) => binary.canonicalize()?,
            None => {
                shell::run(shell::cargo().args(["build", "--release", "--quiet", "--package", "plimsoll"]))?;
                shell::target().join("release/plimsoll")
            }
        };
        let theirs = package(&folder, "docker-compose", "usr/libexec/docker/cli-plugins/docker-compose")?;
        image(&folder)?;
        fs::write(folder.join("compose.yml"), three())?;
        fs::write(folder.join("many.yml"), many())?;
        let bench = Self { folder, ours, theirs };
        for tool in [Tool::Ours, Tool::Theirs] {
            bench.command(tool, &["down"]).output()?;
        }
        Ok(bench)
    }

    fn command(&self, tool: Tool, arguments: &[&str]) -> Command {
        self.command_of(tool, "compose.yml", arguments)
    }

    fn command_of(&self, tool: Tool, file: &str, arguments: &[&str]) -> Command {
        let path = self.folder.join(file);
        let mut command;
        match tool {
            Tool::Ours => {
                command = Command::new(&self.ours);
                command
                    .arg(arguments[0])
                    .args(["--project-name", "plimsoll-bench-ours", "--file"])
                    .arg(path)
                    .args(&arguments[1..])
                    .env("PLIMSOLL_HOME", self.folder.join("home"));
            }
            Tool::Theirs => {
                command = Command::new(&self.theirs);
                command.args(["--project-name", "plimsoll-bench-theirs", "--file"]).arg(path).args(arguments);
            }
        }
        command.current_dir(&self.folder).env("RELEASE", "1");
        command
    }

    /// All cases once, in the order of [`CASES`].
    fn round(&self, tool: Tool, round: usize) -> Result<Vec<Cost>> {
        let mut costs = vec![
            run_with_peak(&mut self.command(tool, &["config"]))?,
            run_with_peak(&mut self.command_of(tool, "many.yml", &["config"]))?,
            run_with_peak(&mut self.command(tool, &["up", "-d"]))?,
        ];
        let before = Self::containers(tool)?;
        if before.lines().count() != 3 || !before.lines().all(|line| line.ends_with("running")) {
            bail!("the stack is not up:\n{before}");
        }
        costs.push(run_with_peak(&mut self.command(tool, &["up", "-d"]))?);
        let after = Self::containers(tool)?;
        if tool == Tool::Ours && before != after {
            bail!("an `up` that had nothing to do has touched containers:\n{before}\n{after}");
        }
        let mut changed = self.command(tool, &["up", "-d"]);
        costs.push(run_with_peak(changed.env("RELEASE", format!("changed-{round}")))?);
        if Self::containers(tool)? == after {
            bail!("an `up` with a changed service has changed nothing");
        }
        costs.push(run_with_peak(&mut self.command(tool, &["ps"]))?);
        costs.push(run_with_peak(&mut self.command(tool, &["down"]))?);
        costs.push(run_with_peak(&mut self.command(tool, &["up", "-d"]))?);
        run_with_peak(&mut self.command(tool, &["down"]))?;
        if !Self::containers(tool)?.is_empty() {
            bail!("`down` has left containers");
        }
        Ok(costs)
    }

    /// Id, start and state of each container.
    fn containers(tool: Tool) -> Result<String> {
        let project = if tool == Tool::Ours { "plimsoll-bench-ours" } else { "plimsoll-bench-theirs" };
        let filter = format!("label=com.docker.compose.project={project}");
        let list = Command::new("docker").args(["ps", "-aq", "--no-trunc", "--filter", &filter]).output()?;
        let ids = String::from_utf8_lossy(&list.stdout).into_owned();
        if ids.trim().is_empty() {
            return Ok(String::new());
        }
        let format = "{{.Id}} {{.State.StartedAt}} {{.State.Status}}";
        let found = Command::new("docker")
            .args(["inspect", "--format", format])
            .args(ids.split_whitespace())
            .output()?;
        let mut lines: Vec<String> =
            String::from_utf8_lossy(&found.stdout).lines().map(str::to_owned).collect();
        lines.sort();
        Ok(lines.join("\n"))
    }
}

/// A file of a package of Debian trixie, unpacked and not installed. From what the machine's own apt lists say; on an
/// older Debian with the release's name replaced in lists of our own.
fn package(folder: &Path, name: &str, file: &str) -> Result<PathBuf> {
    let root = folder.join(name);
    let binary = root.join(file);
    if binary.exists() {
        return Ok(binary);
    }
    fs::create_dir_all(root.join("lists/partial"))?;
    let sources = root.join("trixie.list");
    fs::write(&sources, trixie_sources()?)?;
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.current_dir(&root)
            .args(["-qq", "-o", "APT::Sandbox::User=root", "-o", "Dir::Etc::SourceParts=/dev/null"])
            .arg("-o")
            .arg(format!("Dir::Etc::SourceList={}", sources.display()))
            .arg("-o")
            .arg(format!("Dir::State::Lists={}", root.join("lists").display()))
            .args(["-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="]);
        apt
    };
    shell::run(apt().arg("update"))?;
    shell::run(apt().args(["download", name]))?;
    let prefix = format!("{name}_");
    let archive = fs::read_dir(&root)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            name.starts_with(&prefix) && path.extension().is_some_and(|kind| kind == "deb")
        })
        .context("apt-get has downloaded nothing")?;
    shell::run(Command::new("dpkg").arg("-x").arg(archive).arg(&root))?;
    if binary.exists() { Ok(binary) } else { bail!("package {name} has no {file}") }
}

/// The mirror that this machine uses, for trixie.
fn trixie_sources() -> Result<String> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(parts) = fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(parts.flatten().map(|part| part.path()));
    }
    files.retain(|file| file.extension().is_some_and(|kind| kind == "list" || kind == "sources"));
    let text: String = files.iter().map(|file| fs::read_to_string(file).unwrap_or_default() + "\n").collect();
    let mirror = text
        .lines()
        .filter(|line| line.starts_with("URIs:") || line.starts_with("deb "))
        .flat_map(str::split_whitespace)
        .find(|word| word.starts_with("http") && !word.contains("security"))
        .context("no Debian mirror in /etc/apt")?;
    let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
    Ok(format!("deb [signed-by={keyring}] {mirror} trixie main\n"))
}

/// A busybox image, imported into the engine.
fn image(folder: &Path) -> Result<()> {
    if shell::succeeds(Command::new("docker").args(["image", "inspect", IMAGE])) {
        return Ok(());
    }
    let busybox = ["usr/bin/busybox", "bin/busybox"]
        .into_iter()
        .find_map(|file| package(folder, "busybox-static", file).ok())
        .context("package busybox-static has no busybox")?;
    let root = folder.join("image");
    fs::create_dir_all(root.join("bin"))?;
    fs::create_dir_all(root.join("tmp"))?;
    fs::copy(busybox, root.join("bin/busybox"))?;
    for name in ["sh", "sleep", "test", "touch", "echo"] {
        let link = root.join("bin").join(name);
        if !link.exists() {
            std::os::unix::fs::symlink("busybox", link)?;
        }
    }
    let archive = folder.join("image.tar");
    shell::run(Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(&root).arg("."))?;
    shell::run(Command::new("docker").args(["import", "--change", "ENV PATH=/bin"]).arg(archive).arg(IMAGE))
}

/// Three services, each waiting for the health of the one before; a second's interval.
fn three() -> String {
    let mut text = String::from("services:\n");
    for (at, name) in ["store", "api", "web"].iter().enumerate() {
        let _ = write!(
            text,
            "  {name}:\n    image: {IMAGE}\n    init: true\n    command: [sleep, '1000000']\n    \
             healthcheck: {{ test: [CMD, test, -d, /tmp], interval: 1s, timeout: 5s, retries: 10 }}\n"
        );
        if at > 0 {
            let before = ["store", "api"][at - 1];
            let _ = writeln!(text, "    depends_on: {{ {before}: {{ condition: service_healthy }} }}");
        }
    }
    text.push_str("    environment: { RELEASE: \"${RELEASE}\" }\n");
    text
}

/// A large file with what real ones have.
fn many() -> String {
    let mut text = String::from(
        "x-base: &base\n  restart: unless-stopped\n  logging: { driver: json-file, options: { max-size: 10m } }\nservices:\n",
    );
    for at in 0..MANY {
        let _ = write!(
            text,
            "  service{at}:\n    <<: *base\n    image: registry.example/app{at}:${{TAG:-1}}\n    \
             command: [serve, --port, '{port}']\n    ports: ['{port}:8080']\n    \
             environment: {{ NAME: service{at}, LEVEL: \"${{LEVEL:-info}}\", URL: 'http://service0:8080' }}\n    \
             volumes: ['data{at}:/data', './conf:/etc/app:ro']\n    networks: [net{net}]\n    \
             healthcheck: {{ test: [CMD, probe], interval: 10s }}\n    \
             deploy: {{ resources: {{ limits: {{ cpus: '0.5', memory: 128M }} }} }}\n",
            port = 20000 + at,
            net = at % 20,
        );
        if at > 0 {
            let _ = writeln!(text, "    depends_on: [service{}]", at - 1);
        }
    }
    text.push_str("networks:\n");
    for at in 0..20 {
        let _ = writeln!(text, "  net{at}: {{}}");
    }
    text.push_str("volumes:\n");
    for at in 0..MANY {
        let _ = writeln!(text, "  data{at}: {{}}");
    }
    text
}

fn report(costs: &BTreeMap<(usize, Tool), Vec<Cost>>, runs: usize) -> (String, Vec<String>) {
    let mut text = format!(
        "| case, median of {runs} | ours s | docker-compose s | ratio | target | ours MB | docker-compose MB |\n\
         |---|---|---|---|---|---|---|\n"
    );
    let mut missed = Vec::new();
    for (case, (name, target)) in CASES.iter().enumerate() {
        let of = |tool| costs.get(&(case, tool)).map_or(&[][..], Vec::as_slice);
        let wall = |tool| median(of(tool).iter().map(|cost| cost.wall));
        let peak = |tool| of(tool).iter().filter_map(|cost| cost.peak).fold(0.0, f64::max);
        let (ours, theirs) = (wall(Tool::Ours), wall(Tool::Theirs));
        let ratio = theirs / ours;
        if target.is_some_and(|target| ratio < target) {
            missed.push(format!("{name}: {ratio:.2}"));
        }
        if peak(Tool::Ours) > peak(Tool::Theirs) / 2.0 {
            missed.push(format!("{name}: memory {:.1} MB", peak(Tool::Ours)));
        }
        let target = target.map_or_else(|| "-".to_owned(), |target| format!(">= {target}"));
        let _ = writeln!(
            text,
            "| {name} | {ours:.3} | {theirs:.3} | {ratio:.2} | {target} | {:.1} | {:.1} |",
            peak(Tool::Ours),
            peak(Tool::Theirs)
        );
    }
    (text, missed)
}

fn as_json(costs: &BTreeMap<(usize, Tool), Vec<Cost>>) -> serde_json::Value {
    let cases = CASES.iter().enumerate().map(|(case, (name, target))| {
        let of = |tool| {
            let costs = costs.get(&(case, tool)).map_or(&[][..], Vec::as_slice);
            json!({
                "wall": costs.iter().map(|cost| cost.wall).collect::<Vec<_>>(),
                "cpu": costs.iter().map(|cost| cost.cpu).collect::<Vec<_>>(),
                "peak_mb": costs.iter().filter_map(|cost| cost.peak).collect::<Vec<_>>(),
            })
        };
        json!({ "case": name, "target": target, "ours": of(Tool::Ours), "theirs": of(Tool::Theirs) })
    });
    cases.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_target_is_named() {
        let cost = |wall, peak| vec![Cost { wall, cpu: 0.0, peak: Some(peak) }];
        let mut costs = BTreeMap::new();
        for case in 0..CASES.len() {
            costs.insert((case, Tool::Ours), cost(0.1, 10.0));
            costs.insert((case, Tool::Theirs), cost(1.0, 40.0));
        }
        assert!(report(&costs, 1).1.is_empty());
        costs.insert((3, Tool::Ours), cost(0.5, 30.0));
        assert_eq!(report(&costs, 1).1, ["up, nothing changed: 2.00", "up, nothing changed: memory 30.0 MB"]);
    }
}
