//! `plimsoll base`: base images from Debian's packages.

mod update;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use clap::Subcommand;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use plimsoll_base::{
    BaseError, Bases, Custom, Listed, Made, Mirror, Progress, Record, Suite, cache_dir, recipes,
};
use plimsoll_ops::{
    Failure,
    home::{home, open_store},
    policy::Root,
};

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
        /// Make a base of your own with this name
        #[arg(long, value_name = "NAME", requires = "packages", conflicts_with_all = ["names", "refresh"])]
        name: Option<String>,
        /// The base that your own stands on
        #[arg(long, value_name = "BASE", requires = "name", default_value = "debian")]
        from: String,
        /// A package of your own base; its dependencies come along
        #[arg(long = "package", short, value_name = "PACKAGE", requires = "name", value_delimiter = ',')]
        packages: Vec<String>,
        /// Read the archive again and take the newest packages
        #[arg(long)]
        refresh: bool,
        #[command(flatten)]
        source: SourceArgs,
        /// Print what was made as JSON
        #[arg(long)]
        json: bool,
    },
    /// Make the bases that are there of the newest packages, and say what changed
    Update {
        /// Which; all that were made when none is named
        names: Vec<String>,
        #[command(flatten)]
        source: SourceArgs,
        /// Print what changed as JSON
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
        /// Release of Debian: trixie or bookworm
        #[arg(long, value_name = "NAME", default_value = "trixie", value_parser = suite)]
        suite: Suite,
    },
}

#[derive(clap::Args)]
struct SourceArgs {
    /// Address of a Debian mirror, the directory that holds `dists` and `pool`
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
    /// Release of Debian: trixie (13) or bookworm (12) [default: trixie; update: both]
    #[arg(long, value_name = "NAME", value_parser = suite)]
    suite: Option<Suite>,
}

fn suite(text: &str) -> Result<Suite, String> {
    Suite::parse(text).ok_or_else(|| "there are trixie (13) and bookworm (12)".to_owned())
}

/// Bases made at a time: one unpacks while another fetches or waits for its packages' scripts.
const WORKERS: usize = 2;

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    plimsoll_ops::rootless::enter(matches!(args.action, Action::Make { .. } | Action::Update { .. }));
    match args.action {
        Action::Make { name: Some(name), from, packages, source, json, .. } => {
            make_custom(&Custom { name, from, packages }, &source, json)
        }
        Action::Make { names, refresh, source, json, .. } => make(&names, refresh, &source, json),
        Action::Update { names, source, json } => update::run(&names, &source, json),
        Action::Ls { json } => list(json),
        Action::Sbom { name, suite } => {
            let sbom = bases(None, suite)?.sbom(&name)?;
            print_json(&sbom)
        }
    }
}

fn make_custom(custom: &Custom, source: &SourceArgs, json: bool) -> Result<ExitCode, Failure> {
    let bases = bases(source.mirror.as_deref(), source.suite.unwrap_or_default())?;
    let started = Instant::now();
    let shown = Shown::new(&custom.name, &MultiProgress::new());
    let made = bases.make_custom(custom, &|progress| shown.show(&progress));
    shown.bar.finish_and_clear();
    let made = made?;
    if json {
        return print_json(&as_json(&made));
    }
    print_line(&made, started.elapsed());
    Ok(ExitCode::SUCCESS)
}

fn make(names: &[String], refresh: bool, source: &SourceArgs, json: bool) -> Result<ExitCode, Failure> {
    let bases = bases(source.mirror.as_deref(), source.suite.unwrap_or_default())?;
    let before = bases.list()?;
    let names = in_order(names, &before)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
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
            let one = result?;
            if !json {
                bars.suspend(|| print_line(&one, took));
                let old = before.iter().filter_map(|row| row.made.as_ref());
                if let Some(old) = old.clone().find(|old| old.record.name == one.record.name) {
                    bars.suspend(|| print_changes(&old.record, &one.record));
                }
            }
            made.push(one);
        }
        if json {
            print_json(&made.iter().map(as_json).collect::<serde_json::Value>())
        } else {
            Ok(ExitCode::SUCCESS)
        }
    })
}

/// The recipes named, or all of ours; those that others stand on first, so that nobody waits for them later.
fn in_order(names: &[String], listed: &[Listed]) -> Result<Vec<String>, Failure> {
    for name in names {
        if listed.iter().all(|row| row.recipe.name != name) {
            return Err(BaseError::UnknownBase { name: name.clone() }.into());
        }
    }
    let wanted = |name: &str| {
        if names.is_empty() {
            recipes::named(name).is_some()
        } else {
            names.iter().any(|wanted| wanted == name)
        }
    };
    let mut recipes: Vec<_> =
        listed.iter().map(|row| row.recipe).filter(|recipe| wanted(recipe.name)).collect();
    recipes.sort_by_key(|recipe| recipe.parent.is_some());
    Ok(recipes.into_iter().map(|recipe| recipe.name.to_owned()).collect())
}

fn list(json: bool) -> Result<ExitCode, Failure> {
    let mut listed = bases(None, Suite::Trixie)?.list()?;
    // of the older release what is there
    let older = bases(None, Suite::Bookworm)?.list()?;
    listed.extend(older.into_iter().filter(|row| row.made.is_some()));
    if json {
        let rows = listed.iter().map(|row| match &row.made {
            Some(made) => as_json(made),
            None => {
                serde_json::json!({ "name": row.recipe.name, "summary": row.summary, "image": null })
            }
        });
        return print_json(&rows.collect());
    }
    for row in &listed {
        let (reference, size) = match &row.made {
            Some(made) => {
                (made.record.references.first().map_or("", String::as_str), megabytes(made.image.bytes))
            }
            None => ("not made", String::new()),
        };
        println!("{:<20} {reference:<40} {size:>9}  {}", row.recipe.name, row.summary);
    }
    Ok(ExitCode::SUCCESS)
}

fn bases(mirror: Option<&str>, suite: Suite) -> Result<Bases, Failure> {
    let home = home()?;
    let store = open_store(&home)?;
    let policy = Root::find()?.policy;
    let mirror = match Mirror::find(mirror.or(policy.base.mirror.as_deref())) {
        Ok(mirror) => Some(mirror),
        // Bases that are there need none; making one says so then.
        Err(BaseError::NoMirror) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Bases::new(&store, cache_dir(&home), mirror).suite(suite))
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

fn print_json(value: &serde_json::Value) -> Result<ExitCode, Failure> {
    let text = serde_json::to_string_pretty(value)?;
    println!("{text}");
    Ok(ExitCode::SUCCESS)
}

fn print_line(made: &Made, took: Duration) {
    let how =
        if made.cached { "there already".to_owned() } else { format!("made in {:.1} s", took.as_secs_f64()) };
    let reference = made.record.references.first().map_or("", String::as_str);
    let packages = made.record.packages.len();
    println!(
        "{reference}  {}  {}  {packages} packages  {how}",
        made.image.id.short(),
        megabytes(made.image.bytes)
    );
}

/// What a refresh brought, package by package.
fn print_changes(old: &Record, new: &Record) {
    for change in new.changes_since(old) {
        println!("  {change}");
    }
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
            errln!("{line}");
        }
        *last = Some(progress.clone());
    }
}
