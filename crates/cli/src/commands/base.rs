//! `plimsoll base`: base images from Debian's packages.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use clap::Subcommand;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use plimsoll_base::{BaseError, Bases, Made, Mirror, Progress, Record, cache_dir, recipes};
use plimsoll_image::Store;

use crate::{error::CommandError, home::home, policy::Root};

/// Make base images from Debian packages: signed, reproducible, without a registry
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make bases; one that is there already is left as it is
    Make {
        /// Which; all when none is named
        names: Vec<String>,
        /// Read the archive again and take the newest packages
        #[arg(long)]
        refresh: bool,
        #[command(flatten)]
        mirror: MirrorArgs,
        /// Print what was made as JSON
        #[arg(long)]
        json: bool,
    },
    /// List the bases, and what was made of them
    Ls {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a base's packages as SPDX 2.3 (JSON)
    Sbom {
        /// Which
        name: String,
    },
}

#[derive(clap::Args)]
struct MirrorArgs {
    /// Address of a Debian mirror, the directory that holds `dists` and `pool`
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
}

/// Bases made at a time: one unpacks while another fetches or waits for its packages' scripts.
const WORKERS: usize = 2;

pub(crate) fn run(args: Args) -> Result<ExitCode, CommandError> {
    crate::rootless::enter(matches!(args.action, Action::Make { .. }));
    match args.action {
        Action::Make { names, refresh, mirror, json } => {
            make(&names, refresh, mirror.mirror.as_deref(), json)
        }
        Action::Ls { json } => list(json),
        Action::Sbom { name } => {
            let sbom = bases(None)?.sbom(&name).map_err(|error| command_error(&error))?;
            print_json(&sbom)
        }
    }
}

fn make(names: &[String], refresh: bool, mirror: Option<&str>, json: bool) -> Result<ExitCode, CommandError> {
    let bases = bases(mirror)?;
    let before = bases.list().map_err(|error| command_error(&error))?;
    let names = in_order(names)?;
    let bars = MultiProgress::new();
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (done, results) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS.min(names.len()) {
            let done = done.clone();
            scope.spawn(|| {
                let done = done;
                while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // What is under way is finished; nothing new begins after an error.
                    if failed.load(Ordering::Relaxed) {
                        break;
                    }
                    let started = Instant::now();
                    let shown = Shown::new(name, &bars);
                    let show = |progress| shown.show(&progress);
                    let made = if refresh { bases.refresh(name, &show) } else { bases.make(name, &show) };
                    shown.bar.finish_and_clear();
                    failed.fetch_or(made.is_err(), Ordering::Relaxed);
                    // The receiver lives until every worker has ended.
                    let _ = done.send((made, started.elapsed()));
                }
            });
        }
        drop(done);
        let mut made = Vec::new();
        for (result, took) in results {
            let one = result.map_err(|error| command_error(&error))?;
            if !json {
                bars.suspend(|| print_line(&one, took))?;
                let old = before.iter().filter_map(|row| row.made.as_ref());
                if let Some(old) = old.clone().find(|old| old.record.name == one.record.name) {
                    bars.suspend(|| print_changes(&old.record, &one.record))?;
                }
            }
            made.push(one);
        }
        if json { print_json(&made.iter().map(as_json).collect()) } else { Ok(ExitCode::SUCCESS) }
    })
}

/// The recipes named, or all of them; those that others stand on first, so that nobody waits for them later.
fn in_order(names: &[String]) -> Result<Vec<&'static str>, CommandError> {
    for name in names {
        if recipes::named(name).is_none() {
            return Err(command_error(&BaseError::UnknownBase { name: name.clone() }));
        }
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    let mut recipes: Vec<_> = recipes::ALL.into_iter().filter(|recipe| wanted(recipe.name)).collect();
    recipes.sort_by_key(|recipe| recipe.parent.is_some());
    Ok(recipes.into_iter().map(|recipe| recipe.name).collect())
}

fn list(json: bool) -> Result<ExitCode, CommandError> {
    let listed = bases(None)?.list().map_err(|error| command_error(&error))?;
    if json {
        let rows = listed.iter().map(|row| match &row.made {
            Some(made) => as_json(made),
            None => {
                serde_json::json!({ "name": row.recipe.name, "summary": row.recipe.summary, "image": null })
            }
        });
        return print_json(&rows.collect());
    }
    let mut out = std::io::stdout().lock();
    for row in &listed {
        let (reference, size) = match &row.made {
            Some(made) => {
                (made.record.references.first().map_or("", String::as_str), megabytes(made.image.bytes))
            }
            None => ("not made", String::new()),
        };
        writeln!(out, "{:<16} {reference:<34} {size:>9}  {}", row.recipe.name, row.recipe.summary)
            .map_err(|error| CommandError::from_error(&error))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn bases(mirror: Option<&str>) -> Result<Bases, CommandError> {
    let home = home()?;
    let store = Store::open(home.join("store")).map_err(|error| CommandError::from_error(&error))?;
    let policy = Root::find()?.policy;
    let mirror = match Mirror::find(mirror.or(policy.base.mirror.as_deref())) {
        Ok(mirror) => Some(mirror),
        // Bases that are there need none; making one says so then.
        Err(BaseError::NoMirror) => None,
        Err(error) => return Err(command_error(&error)),
    };
    Ok(Bases::new(&store, cache_dir(&home), mirror))
}

fn command_error(error: &BaseError) -> CommandError {
    match error.hint() {
        Some(hint) => CommandError::new(error.to_string(), hint),
        None => CommandError::from_error(error),
    }
}

fn as_json(made: &Made) -> serde_json::Value {
    let record = &made.record;
    serde_json::json!({
        "name": record.name,
        "version": record.version,
        "image": made.image.id.to_string(),
        "references": record.references,
        "bytes": made.image.bytes,
        "packages": record.packages.len(),
        "suite": record.suite,
        "architecture": record.architecture,
        "cached": made.cached,
    })
}

fn print_json(value: &serde_json::Value) -> Result<ExitCode, CommandError> {
    let mut out = std::io::stdout().lock();
    let written = serde_json::to_writer_pretty(&mut out, value).map_err(std::io::Error::from);
    match written.and_then(|()| writeln!(out)) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(CommandError::from_error(&error)),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

fn print_line(made: &Made, took: Duration) -> Result<(), CommandError> {
    let how =
        if made.cached { "there already".to_owned() } else { format!("made in {:.1} s", took.as_secs_f64()) };
    let reference = made.record.references.first().map_or("", String::as_str);
    let packages = made.record.packages.len();
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{reference}  {}  {}  {packages} packages  {how}",
        made.image.id.short(),
        megabytes(made.image.bytes)
    )
    .map_err(|error| CommandError::from_error(&error))
}

/// What a refresh brought, package by package.
fn print_changes(old: &Record, new: &Record) -> Result<(), CommandError> {
    let versions = |record: &Record| -> BTreeMap<String, String> {
        record.packages.iter().map(|package| (package.name.clone(), package.version.to_string())).collect()
    };
    let (old, new) = (versions(old), versions(new));
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let mut out = std::io::stdout().lock();
    for name in names {
        let line = match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) if old != new => format!("  {name} {old} -> {new}"),
            (Some(old), None) => format!("  {name} {old} is gone"),
            (None, Some(new)) => format!("  {name} {new} is new"),
            _ => continue,
        };
        writeln!(out, "{line}").map_err(|error| CommandError::from_error(&error))?;
    }
    Ok(())
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// Progress on a terminal; plain lines elsewhere.
struct Shown {
    name: String,
    bar: ProgressBar,
    last: Mutex<Option<Progress>>,
}

impl Shown {
    fn new(name: &str, bars: &MultiProgress) -> Self {
        // Hidden where stderr is no terminal.
        let bar = bars.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Self { name: name.to_owned(), bar, last: Mutex::new(None) }
    }

    fn show(&self, progress: &Progress) {
        let name = &self.name;
        let line = match progress {
            Progress::Index => format!("{name}: reading the archive's index"),
            Progress::Fetch { done, total } => {
                format!("{name}: fetched {} of {}", megabytes(*done), megabytes(*total))
            }
            Progress::Assemble { packages } => format!("{name}: unpacking {packages} packages"),
            Progress::Note(note) => format!("{name}: {note}"),
        };
        if !self.bar.is_hidden() {
            self.bar.set_message(line);
            return;
        }
        // One line for each stage: in a log nobody wants to see every package arrive.
        let Ok(mut last) = self.last.lock() else { return };
        let again = |last: &Progress| std::mem::discriminant(last) == std::mem::discriminant(progress);
        let finished = matches!(progress, Progress::Fetch { done, total } if done == total);
        if finished || !(last.as_ref().is_some_and(again) || matches!(progress, Progress::Fetch { .. })) {
            anstream::eprintln!("{line}");
        }
        *last = Some(progress.clone());
    }
}
