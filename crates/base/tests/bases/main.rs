//! Makes every base for real and runs each in an engine. Needs root, a Debian mirror and, for the second half, an engine.
//!
//! The harness is our own, because the binary must be able to become the sandbox helper.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

mod engine;
mod made;
mod mariadb;
mod node;
mod python;
mod rabbitmq;

use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use plimsoll_base::{Bases, Made, Mirror, Suite, cache_dir, recipes};
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
        None => {
            for tests in [engine::TESTS, mariadb::TESTS, node::TESTS, python::TESTS, rabbitmq::TESTS] {
                failed += run(tests, &wanted);
            }
        }
    }
    engine::clean_up();
    if let Some(home) = HOME.get() {
        // nobody drops a static: its bases are two gigabytes
        std::fs::remove_dir_all(home.dir.path()).unwrap();
    }
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

/// A home that bases are made in when they are asked for.
struct Home {
    dir: TempDir,
    store: Store,
    made: Mutex<BTreeMap<String, &'static Made>>,
}

/// A folder with the cache of an earlier run, for those who run these tests often: nothing that is in it is fetched again.
const CACHE_VARIABLE: &str = "PLIMSOLL_TEST_BASE_CACHE";

impl Home {
    /// Packages come from `cache` when it has them.
    fn new(cache: Option<&Path>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        if let Some(cache) = cache {
            let to = cache_dir(dir.path());
            std::fs::create_dir_all(&to).unwrap();
            for part in ["deb", "index", "npm"] {
                std::fs::create_dir_all(cache.join(part)).unwrap();
                std::os::unix::fs::symlink(cache.join(part), to.join(part)).unwrap();
            }
        }
        let store = Store::open(dir.path().join("store")).unwrap();
        Self { dir, store, made: Mutex::default() }
    }

    fn cache(&self) -> PathBuf {
        cache_dir(self.dir.path())
    }

    fn bases(&self) -> Bases {
        Bases::new(&self.store, self.cache(), Some(Mirror::find(None).unwrap()))
    }

    /// `NAME` or `NAME@SUITE`, made if it is not there.
    fn base(&self, name: &str) -> &'static Made {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.entry(name.to_owned()).or_insert_with(|| {
            let (recipe, suite) = name.split_once('@').unwrap_or((name, "trixie"));
            let start = Instant::now();
            let made = self.bases().suite(Suite::parse(suite).unwrap()).make(recipe, &|_| ()).unwrap();
            println!("  {name} made in {:.1?}: {:.1} MB", start.elapsed(), made.image.bytes as f64 / 1e6);
            Box::leak(Box::new(made))
        })
    }

    fn all(&self) -> Vec<&'static Made> {
        recipes::ALL.iter().map(|recipe| self.base(recipe.name)).collect()
    }
}

/// The first home, shared by all tests.
static HOME: OnceLock<Home> = OnceLock::new();

fn home() -> &'static Home {
    HOME.get_or_init(|| Home::new(std::env::var_os(CACHE_VARIABLE).map(PathBuf::from).as_deref()))
}

/// What a command prints, with its success.
fn output(command: &mut Command) -> (bool, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), text)
}
