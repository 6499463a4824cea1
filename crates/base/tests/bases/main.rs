//! Makes every base for real and runs each in an engine. Needs root, a Debian mirror and, for the second half, an engine.
//!
//! The harness is our own, because the binary must be able to become the sandbox helper.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

mod engine;
mod made;

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::OnceLock;
use std::time::Instant;

use plimsoll_base::{Bases, Made, Mirror, cache_dir, recipes};
use plimsoll_image::Store;
use tempfile::TempDir;

fn main() -> ExitCode {
    plimsoll_sandbox::init_if_requested();
    let filters: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted =
        |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()));
    if let Some(reason) = cannot_make() {
        return skip(&reason);
    }
    let mut failed = run(made::TESTS, &wanted);
    match engine::cannot_run() {
        Some(reason) => failed += usize::from(skip(&reason) != ExitCode::SUCCESS),
        None => failed += run(engine::TESTS, &wanted),
    }
    engine::clean_up();
    println!("{failed} failed");
    ExitCode::from(u8::from(failed > 0))
}

type Test = (&'static str, fn());

fn run(tests: &[Test], wanted: &dyn Fn(&str) -> bool) -> usize {
    let mut failed = 0;
    for (name, test) in tests.iter().filter(|(name, _)| wanted(name)) {
        let start = Instant::now();
        let passed = catch_unwind(test).is_ok();
        println!("test {name} ... {} ({:.1?})", if passed { "ok" } else { "FAILED" }, start.elapsed());
        failed += usize::from(!passed);
    }
    failed
}

fn skip(reason: &str) -> ExitCode {
    eprintln!("skipped: {reason}");
    ExitCode::from(u8::from(std::env::var_os("CI").is_some()))
}

fn cannot_make() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("making bases needs root".to_owned());
    }
    Mirror::find(None).err().map(|error| error.to_string())
}

/// A home with all bases in it.
struct Home {
    dir: TempDir,
    store: Store,
    all: Vec<Made>,
}

impl Home {
    /// Makes bases; packages come from `cache` when it has them.
    fn make(names: &[&str], cache: Option<&Path>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        if let Some(cache) = cache {
            for part in ["deb", "index"] {
                let to = cache_dir(dir.path());
                std::fs::create_dir_all(&to).unwrap();
                let copied = Command::new("cp").arg("-a").arg(cache.join(part)).arg(to).status().unwrap();
                assert!(copied.success());
            }
        }
        let store = Store::open(dir.path().join("store")).unwrap();
        let bases = Bases::new(&store, cache_dir(dir.path()), Some(Mirror::find(None).unwrap()));
        let all = names.iter().map(|name| bases.make(name, &|_| ()).unwrap()).collect();
        Self { dir, store, all }
    }

    fn cache(&self) -> PathBuf {
        cache_dir(self.dir.path())
    }

    fn base(&self, name: &str) -> &Made {
        self.all.iter().find(|made| made.record.name == name).unwrap()
    }
}

fn names() -> Vec<&'static str> {
    recipes::ALL.iter().map(|recipe| recipe.name).collect()
}

/// The first home; made once for all tests.
fn home() -> &'static Home {
    static HOME: OnceLock<Home> = OnceLock::new();
    HOME.get_or_init(|| {
        let start = Instant::now();
        let home = Home::make(&names(), None);
        println!("  all bases, nothing cached: {:.1?}", start.elapsed());
        home
    })
}

/// What a command prints, with its success.
fn output(command: &mut Command) -> (bool, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), text)
}
