//! What a survey says. The JSON form of these types is the stable output of `plimsoll survey --json`
//! (docs/survey.md).

use plimsoll_source::{Diagnostic, Source, Span};
use serde::Serialize;

/// What a fact rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Path in the repository.
    pub file: String,
    /// Line of the span's first byte, from 1.
    pub line: usize,
    /// Byte offset of the first byte in the file.
    pub start: usize,
    /// Byte offset behind the last byte.
    pub end: usize,
    /// Why this text says so.
    pub reason: String,
}

impl Evidence {
    /// The evidence that the text at `span` gives.
    pub fn new(source: &Source, span: Span, reason: impl Into<String>) -> Self {
        let line = source.line_col(span.start).line;
        Self { file: source.name().to_owned(), line, start: span.start, end: span.end, reason: reason.into() }
    }

    /// The evidence that a file gives by being there.
    pub fn file(path: &str, reason: impl Into<String>) -> Self {
        Self { file: path.to_owned(), line: 1, start: 0, end: 0, reason: reason.into() }
    }
}

/// A value and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact<T> {
    /// The value.
    pub value: T,
    /// What it rests on; at least one.
    pub evidence: Vec<Evidence>,
}

impl<T> Fact<T> {
    /// A fact with one piece of evidence.
    pub fn new(value: T, evidence: Evidence) -> Self {
        Self { value, evidence: vec![evidence] }
    }
}

/// Everything that was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Survey {
    /// The project's name.
    pub name: Option<Fact<String>>,
    /// What installs the dependencies.
    pub package_manager: Option<PackageManager>,
    /// The Node.js versions that the project says it runs on, as written.
    pub node: Option<Fact<String>>,
    /// Configuration in the root that tools inside the workspaces read (tsconfig.base.json, biome.json, ...).
    pub shared_files: Vec<Fact<String>>,
    /// The packages of the repository, sorted by path; the root itself is none.
    pub workspaces: Vec<Workspace>,
    /// What can be deployed, sorted by path.
    pub services: Vec<Service>,
    /// Databases and caches that the services need.
    pub stores: Vec<Store>,
    /// What is missing or could not be read.
    pub gaps: Vec<Gap>,
}

impl Survey {
    /// The service that lives in a folder.
    pub(crate) fn service_mut(&mut self, path: &str) -> Option<&mut Service> {
        self.services.iter_mut().find(|service| service.path == path)
    }
}

/// What installs the dependencies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PackageManager {
    /// `pnpm` or `npm`.
    pub name: String,
    /// The exact version, where the project pins one.
    pub version: Option<String>,
    /// The lock file.
    pub lock_file: Option<Fact<String>>,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

/// One package of the repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Workspace {
    /// The package's name.
    pub name: String,
    /// Its folder.
    pub path: String,
    /// Its scripts, in the order of the file.
    pub scripts: Vec<Fact<String>>,
    /// Names of other workspaces that it depends on, directly.
    pub uses: Vec<Fact<String>>,
    /// Where its build writes, below its folder.
    pub output: Option<Fact<String>>,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

/// How a service is deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceKind {
    /// A Node.js process that listens.
    NodeServer,
    /// Files that a web server hands out; one page that routes by itself.
    StaticSite,
}

/// Something that can be deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Service {
    /// Its name: the folder's.
    pub name: String,
    /// Its folder.
    pub path: String,
    /// Name of the package.
    pub workspace: String,
    /// How it is deployed.
    pub kind: ServiceKind,
    /// What it is written with.
    pub frameworks: Vec<Framework>,
    /// Workspaces that must be built before it, in order, itself not included.
    pub libraries: Vec<String>,
    /// Script that builds it.
    pub build: Option<Fact<String>>,
    /// Scripts that must pass before it may ship: type check, lint, tests.
    pub checks: Vec<Fact<String>>,
    /// Where the build writes, below its folder.
    pub output: Option<Fact<String>>,
    /// Command that starts it.
    pub start: Option<Fact<String>>,
    /// File that Node.js runs, below its folder.
    pub entry: Option<Fact<String>>,
    /// Port it listens on where nothing else is set.
    pub port: Option<Fact<u16>>,
    /// Where it says how it is.
    pub health: Health,
    /// Every HTTP route.
    pub routes: Vec<Route>,
    /// Variables that it reads.
    pub environment: Vec<Variable>,
    /// Stores that it uses.
    pub stores: Vec<Fact<StoreKind>>,
    /// Its migrations.
    pub migration: Option<Migration>,
    /// Where it handles the stop signal itself.
    pub stops_gracefully: Option<Fact<String>>,
    /// Settings that a page reads at run time.
    pub runtime_config: Option<RuntimeConfig>,
}

/// A framework or library that decides how a service is built or run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Framework {
    /// Its package.
    pub name: String,
    /// The version or range, as written.
    pub version: String,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

/// Paths at which a service says how it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// It runs.
    pub live: Option<Fact<String>>,
    /// It and what it needs work.
    pub ready: Option<Fact<String>>,
    /// Metrics in Prometheus' text form.
    pub metrics: Option<Fact<String>>,
}

/// One HTTP route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Route {
    /// Method in capitals.
    pub method: String,
    /// Whole path.
    pub path: String,
    /// Answers with server-sent events.
    pub stream: bool,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

/// A variable that a service reads from its environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// The value without it.
    pub default: Option<String>,
    /// `NAME_FILE` is read too: the name of a file that holds the value.
    pub file_variant: bool,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

/// Schema migrations of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Migration {
    /// The library that applies them at run time.
    pub tool: Framework,
    /// Script that applies them.
    pub script: Option<Fact<String>>,
    /// File that Node.js runs to apply them, below the service's folder, as built.
    pub entry: Option<Fact<String>>,
    /// Folder of the SQL files, below the service's folder.
    pub folder: Option<Fact<String>>,
}

/// A kind of data store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreKind {
    /// PostgreSQL.
    Postgresql,
    /// Redis.
    Redis,
}

impl StoreKind {
    /// Its name as people write it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Postgresql => "PostgreSQL",
            Self::Redis => "Redis",
        }
    }
}

/// A database or cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Store {
    /// What it is.
    pub kind: StoreKind,
    /// Its name in the development compose file, else a usual one.
    pub name: String,
    /// Its version, as the development compose file has it.
    pub version: Option<Fact<String>>,
    /// Database in it.
    pub database: Option<Fact<String>>,
    /// Its user.
    pub user: Option<Fact<String>>,
    /// Variable from which the services read its address.
    pub variable: Option<Fact<String>>,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

/// A script that hands settings to a page at run time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuntimeConfig {
    /// Path under which the page loads it.
    pub path: String,
    /// The global that it sets, as written: `window.__CONFIG__`.
    pub global: String,
    /// Settings in it.
    pub settings: Vec<RuntimeSetting>,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

/// One setting that a page reads at run time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuntimeSetting {
    /// Its key.
    pub key: String,
    /// The development value.
    pub default: String,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

/// Something missing, contradictory or unreadable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The service or file that it concerns.
    pub subject: String,
    /// What is missing.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// Where, as far as there is a place.
    pub evidence: Vec<Evidence>,
}

impl Gap {
    /// A file that could not be read; the rest of the survey goes on.
    pub(crate) fn unreadable(diagnostic: &Diagnostic) -> Self {
        let label = diagnostic.labels.first();
        let evidence = label.map(|label| Evidence::new(&label.source, label.span, label.message.clone()));
        Self {
            subject: label.map_or_else(String::new, |label| label.source.name().to_owned()),
            message: diagnostic.title.clone(),
            hint: diagnostic.hint.clone().unwrap_or_else(|| "correct the file".to_owned()),
            evidence: evidence.into_iter().collect(),
        }
    }
}
