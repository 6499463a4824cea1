//! `cargo xtask conformance init`: the negative half, folders that no stack can be made of; then every example, from bare
//! source to a proved stack, on the engine.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};

use super::suite;
use crate::{demo::copy_tree, engine, shell};

/// The steps of one example; each needs the one before.
const STEPS: [(&str, &[&str]); 6] = [
    ("recognised", &["survey"]),
    ("written", &["init", "--apply", "--no-input"]),
    ("built", &["build"]),
    ("healthy", &["up"]),
    ("proved", &["verify"]),
    ("no changes", &["init", "--check", "--no-input"]),
];

/// An example's copy, where we work.
struct Try {
    name: String,
    folder: PathBuf,
    home: PathBuf,
    log: PathBuf,
}

pub(crate) fn run(only: Option<&str>) -> Result<bool> {
    engine::ensure(true)?;
    shell::run(shell::cargo().args(["build", "--release", "--quiet", "--package", "plimsoll"]))?;
    let mut examples = examples()?;
    if let Some(only) = only {
        examples.retain(|(name, _)| name == only);
        if examples.is_empty() {
            bail!("no example {only}; examples/ and examples/quickstart/ have them");
        }
    }
    // before the hour that the examples take
    let mut passed = only.is_some() || suite::NEGATIVE.run(None)?;
    let total = examples.len();
    let mut good = 0;
    for (name, source) in examples {
        let place = Try::new(&name, &source)?;
        let ok = place.run()?;
        good += usize::from(ok);
        passed &= ok;
    }
    println!("{:<20} {good:>4}/{total}", "examples");
    Ok(passed)
}

/// Name and folder of each example.
fn examples() -> Result<Vec<(String, PathBuf)>> {
    let root = shell::root().join("examples");
    let mut found = Vec::new();
    for folder in [root.clone(), root.join("quickstart")] {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() && path.join("smoke.toml").exists() {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                found.push((name, path));
            }
        }
    }
    found.sort();
    Ok(found)
}

impl Try {
    fn new(name: &str, source: &Path) -> Result<Self> {
        let work = shell::target().join("conformance/init");
        let place = Self {
            name: name.to_owned(),
            folder: work.join(name),
            home: work.join("home"),
            log: work.join(format!("{name}.log")),
        };
        if place.folder.join("compose.production.yml").exists() {
            // what an earlier run that was killed left running
            place.plimsoll(&["down", "--volumes"])?;
        }
        if place.folder.exists() {
            fs::remove_dir_all(&place.folder)?;
        }
        copy_tree(source, &place.folder)?;
        File::create(&place.log)?;
        Ok(place)
    }

    /// Takes every step; prints a line. True if all of them passed.
    fn run(&self) -> Result<bool> {
        let (begin, mut done) = (Instant::now(), Vec::new());
        let mut failed = None;
        for (step, args) in STEPS {
            let start = Instant::now();
            if !self.plimsoll(args)? {
                failed = Some(step);
                break;
            }
            done.push(format!("{step} {:.1} s", start.elapsed().as_secs_f64()));
        }
        let figures = self.certificate().unwrap_or_else(|| "no certificate".to_owned());
        if self.folder.join("compose.production.yml").exists() {
            self.plimsoll(&["down", "--volumes"])?;
        }
        let mark = if failed.is_none() { "ok  " } else { "FAIL" };
        println!(
            "{mark} {:14} {:6.1} s  {}  [{figures}]",
            self.name,
            begin.elapsed().as_secs_f64(),
            done.join(", ")
        );
        if let Some(step) = failed {
            println!("     not {step}; the log is {}", self.log.display());
        }
        Ok(failed.is_none())
    }

    /// Runs us in the copy; what is printed goes to the log.
    fn plimsoll(&self, args: &[&str]) -> Result<bool> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(shell::target().join("release/plimsoll"));
        command.args(args).current_dir(&self.folder).env("PLIMSOLL_HOME", &self.home);
        self.choose_ports()?;
        let status = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).status()?;
        Ok(status.success())
    }

    /// Writes ports of our own into `.env`, once: they stay from `up` to `down`.
    fn choose_ports(&self) -> Result<()> {
        let Ok(compose) = fs::read_to_string(self.folder.join("compose.production.yml")) else {
            return Ok(());
        };
        // `${HTTP_PORT:-8080}:8080`
        let published = |part: &str| {
            let (name, rest) = part.split_once(":-")?;
            rest.split_once('}').is_some_and(|(_, rest)| rest.starts_with(':')).then(|| name.to_owned())
        };
        let variables = compose.split("${").filter_map(published);
        let kept = self.folder.join(".env");
        let mut lines = fs::read_to_string(&kept).unwrap_or_default();
        for name in variables {
            if !lines.contains(&format!("{name}=")) {
                lines += &format!("{name}={}\n", free_port()?);
            }
        }
        Ok(fs::write(&kept, lines)?)
    }

    fn certificate(&self) -> Option<String> {
        let text = fs::read_to_string(self.folder.join(".plimsoll/certificate.json")).ok()?;
        let value: serde_json::Value = serde_json::from_str(&text).ok()?;
        let count = |key: &str| value["summary"][key].as_u64().unwrap_or_default();
        Some(format!(
            "{} proved, {} failed, {} not checked, {} not applicable",
            count("proved"),
            count("failed"),
            count("not_checked"),
            count("not_applicable")
        ))
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
