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
    /// Folders in which dependencies are installed, sorted by path. The root of a workspace is one.
    pub installs: Vec<Install>,
    /// Packages inside of the installs' folders, sorted by path; a folder with an install of its own is none.
    pub workspaces: Vec<Workspace>,
    /// What can be deployed, sorted by path.
    pub services: Vec<Service>,
    /// Databases, caches and brokers that the services need.
    pub stores: Vec<Store>,
    /// Which requests belong to which service.
    pub edges: Vec<Edge>,
    /// Files of other platforms (Procfile, fly.toml, a Dockerfile, ...) that were read as evidence.
    pub platform_files: Vec<Fact<String>>,
    /// What is missing or could not be read.
    pub gaps: Vec<Gap>,
    /// What the files leave open, each with the answer that is taken where nobody gives one.
    pub questions: Vec<Question>,
}

impl Survey {
    /// The install of a service: the one in the nearest folder above it of the same ecosystem.
    pub fn install_of(&self, service: &Service) -> Option<&Install> {
        let above = |install: &&Install| {
            install.ecosystem == service.ecosystem && is_below(&service.path, &install.folder)
        };
        self.installs.iter().filter(above).max_by_key(|install| install.folder.len())
    }

    /// A store by its name.
    pub fn store(&self, name: &str) -> Option<&Store> {
        self.stores.iter().find(|store| store.name == name)
    }
}

/// Whether a path is a folder or lies below it; the empty folder is the root.
pub(crate) fn is_below(path: &str, folder: &str) -> bool {
    folder.is_empty()
        || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What a service is written in, and what installs its dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ecosystem {
    /// JavaScript and TypeScript, run by Node.js.
    Node,
    /// Python.
    Python,
    /// Files that are served as they are.
    Plain,
}

/// What installs dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manager {
    /// npm.
    Npm,
    /// pnpm.
    Pnpm,
    /// Yarn 1.
    YarnClassic,
    /// Yarn 2 and later.
    YarnBerry,
    /// Bun, as an installer.
    Bun,
    /// pip with requirements files, or with a pyproject.toml that no other manager locks.
    Pip,
    /// uv.
    Uv,
    /// Poetry.
    Poetry,
    /// PDM.
    Pdm,
    /// Pipenv.
    Pipenv,
}

impl Manager {
    /// Its name as people write it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::YarnClassic => "Yarn 1",
            Self::YarnBerry => "Yarn",
            Self::Bun => "Bun",
            Self::Pip => "pip",
            Self::Uv => "uv",
            Self::Poetry => "Poetry",
            Self::Pdm => "PDM",
            Self::Pipenv => "Pipenv",
        }
    }
}

/// A folder in which dependencies are installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Install {
    /// The folder; empty for the root.
    pub folder: String,
    /// Whose packages it installs.
    pub ecosystem: Ecosystem,
    /// What installs.
    pub manager: Manager,
    /// The manager's exact version, where the project pins one.
    pub version: Option<Fact<String>>,
    /// The lock file, below the folder.
    pub lock_file: Option<Fact<String>>,
    /// Files besides manifests and lock that decide what an install gives, below the folder: `.npmrc`, patches,
    /// `requirements/base.txt`.
    pub inputs: Vec<Fact<String>>,
    /// Configuration in the folder that tools of its packages read (tsconfig.base.json, turbo.json, ...), below it.
    pub shared_files: Vec<Fact<String>>,
    /// The versions of Node.js or Python that the project says it runs on, as written; each source is evidence.
    pub runtime: Option<Fact<String>>,
    /// The version to run on: `24`, `3.13`. The newest supported one that all sources accept.
    pub runtime_version: Option<Fact<String>>,
    /// A script of the project's own that an install would run (`postinstall`, `prepare`): it may need sources.
    pub own_script: Option<Fact<String>>,
    /// Packages that must be compiled at install, with what that takes (`node-gyp`, `psycopg2`).
    pub native: Vec<Fact<String>>,
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
    /// Where its build writes, below its folder; nothing where it is used from its sources.
    pub output: Option<Fact<String>>,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

/// What a service is for, which decides what the stack gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A process that answers requests.
    Server,
    /// Files that a web server hands out.
    Site,
    /// A process that takes work from a queue or a table and listens nowhere.
    Worker,
    /// A process that starts work at times. There is never more than one of it.
    Scheduler,
    /// A process that does its work and ends, before the servers start.
    OneShot,
}

impl Role {
    /// Its name as people write it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Site => "site",
            Self::Worker => "worker",
            Self::Scheduler => "scheduler",
            Self::OneShot => "one-shot",
        }
    }
}

/// Something that can be deployed: a folder that is built once, and the processes that run from what was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Service {
    /// Its name, unique in the survey and fit for a host name.
    pub name: String,
    /// Its folder; empty for the root.
    pub path: String,
    /// What it is written in.
    pub ecosystem: Ecosystem,
    /// Name of the package, where there is one.
    pub package: Option<String>,
    /// What its main process is for.
    pub role: Role,
    /// What it is written with; the first one decides how it is built and run.
    pub frameworks: Vec<Framework>,
    /// Workspaces that it needs, in the order in which they are built, itself not included.
    pub libraries: Vec<String>,
    /// Script that builds it; nothing where it runs from its sources.
    pub build: Option<Fact<String>>,
    /// Scripts that must pass before it may ship: type check, lint, tests.
    pub checks: Vec<Fact<String>>,
    /// Checks that read what the build wrote: they come behind it.
    pub checks_need_build: bool,
    /// Where the build writes, below its folder.
    pub output: Option<Fact<String>>,
    /// Commands that build it where no script does (`python manage.py collectstatic --noinput`), in its folder.
    pub build_commands: Vec<Fact<Vec<String>>>,
    /// What of it is shipped.
    pub shape: Shape,
    /// Of a [`Shape::Bundle`]: what is copied where.
    pub ships: Vec<Ships>,
    /// Of a site: every path that is no file is the page's own business.
    pub single_page: bool,
    /// Of a site or a server with pages: URL prefix of files with a hash in their name (`/assets/`).
    pub hashed_assets: Option<Fact<String>>,
    /// Packages that production needs and the project does not name, with an exact version (`gunicorn==23.0.0`).
    pub adds: Vec<Fact<String>>,
    /// Command that starts it, as written.
    pub start: Option<Fact<String>>,
    /// The program and its arguments, as they run in production in the service's folder: no shell, no package manager
    /// in front of it, no development server.
    pub command: Option<Fact<Vec<String>>>,
    /// Port it listens on where nothing else is set.
    pub port: Option<Fact<u16>>,
    /// Variable that sets the port.
    pub port_variable: Option<Fact<String>>,
    /// Where it listens.
    pub bind: Bind,
    /// Where it says how it is.
    pub health: Health,
    /// Every HTTP route.
    pub routes: Vec<Route>,
    /// Paths at which it takes websockets.
    pub websockets: Vec<Fact<String>>,
    /// Largest request body that it takes, in bytes.
    pub body_limit: Option<Fact<u64>>,
    /// Variables that it reads when it runs.
    pub environment: Vec<Variable>,
    /// Variables whose value the build writes into what it makes (`VITE_*`, `NEXT_PUBLIC_*`).
    pub inlined: Vec<Variable>,
    /// Variables that its framework needs to be set in a container, whatever the program reads.
    pub settings: Vec<Setting>,
    /// Stores that it uses.
    pub stores: Vec<StoreUse>,
    /// Its migrations.
    pub migration: Option<Migration>,
    /// Where it handles the stop signal itself.
    pub stops_gracefully: Option<Fact<String>>,
    /// Settings that a page reads at run time.
    pub runtime_config: Option<RuntimeConfig>,
    /// Folders that it writes while it runs.
    pub writes: Vec<Writes>,
    /// What it calls outside of the stack: hosts, or packages that call one.
    pub calls: Vec<Fact<String>>,
    /// Other hosts that its pages load from, and inline scripts: what a Content-Security-Policy must allow.
    pub page_sources: Vec<Fact<String>>,
    /// Programs and libraries of the system that it needs when it runs (`pg_isready`, `libmagic`): Debian packages.
    pub system_packages: Vec<Fact<String>>,
    /// Further processes from the same build.
    pub processes: Vec<Process>,
}

impl Service {
    /// A service of which nothing else is known yet.
    pub(crate) fn new(name: String, path: String, ecosystem: Ecosystem, role: Role) -> Self {
        Self {
            name,
            path,
            ecosystem,
            package: None,
            role,
            frameworks: Vec::new(),
            libraries: Vec::new(),
            build: None,
            checks: Vec::new(),
            checks_need_build: false,
            output: None,
            build_commands: Vec::new(),
            shape: Shape::default(),
            ships: Vec::new(),
            single_page: false,
            hashed_assets: None,
            adds: Vec::new(),
            start: None,
            command: None,
            port: None,
            port_variable: None,
            bind: Bind::default(),
            health: Health::default(),
            routes: Vec::new(),
            websockets: Vec::new(),
            body_limit: None,
            environment: Vec::new(),
            inlined: Vec::new(),
            settings: Vec::new(),
            stores: Vec::new(),
            migration: None,
            stops_gracefully: None,
            runtime_config: None,
            writes: Vec::new(),
            calls: Vec::new(),
            page_sources: Vec::new(),
            system_packages: Vec::new(),
            processes: Vec::new(),
        }
    }
}

/// What of a built service is shipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// The folder with its production dependencies; the build's output replaces what it was built from.
    #[default]
    Package,
    /// The output alone, which holds its dependencies (Nuxt, Next.js standalone).
    Bundle,
    /// The output as files for a web server.
    Files,
}

/// One copy from the build into the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ships {
    /// Folder or file below the service's folder, as built.
    pub from: String,
    /// Where it goes, below the install's folder; empty is that folder itself.
    pub to: String,
}

/// Where a server listens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "bind")]
pub enum Bind {
    /// On every address, or nothing says otherwise.
    #[default]
    Any,
    /// On the address that a variable or an argument gives, which the stack sets.
    Set {
        /// The variable.
        variable: Fact<String>,
    },
    /// On the loopback address alone: nobody outside of its container reaches it.
    Loopback {
        /// The address as written.
        address: Fact<String>,
    },
}

/// A variable with its value, and why it is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Why, as a sentence for the generated file.
    pub reason: String,
    /// It is set while the service is built, and not when it runs.
    pub at_build: bool,
}

/// A folder that a service writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Writes {
    /// The folder, below the service's, or absolute.
    pub path: Fact<String>,
    /// Whether what is written must outlive the container.
    pub keep: bool,
}

/// A process that runs from a service's build beside its main process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Process {
    /// Its name, unique in the survey.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// The program and its arguments.
    pub command: Fact<Vec<String>>,
    /// How it says that it works.
    pub probe: Probe,
    /// Seconds that it may need to finish its work when it is stopped.
    pub grace: Option<u32>,
}

/// How a process that answers no requests says that it works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "probe")]
pub enum Probe {
    /// A command that ends with 0 while it works.
    Command {
        /// The program and its arguments.
        command: Vec<String>,
    },
    /// A file that is written again and again.
    FileAge {
        /// Absolute path.
        path: String,
        /// Seconds after which it is too old.
        seconds: u32,
    },
    /// The process is there, and the engine restarts it when it ends; more cannot be asked.
    Process,
}

/// Which requests belong to which service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// Service whose pages send them, where one is known.
    pub from: Option<String>,
    /// Service that answers them.
    pub to: String,
    /// Path prefix, with `/` at its beginning.
    pub prefix: String,
    /// The prefix is taken away before the service sees the path.
    pub strip: bool,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

/// How sure a default answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// There is evidence for the default.
    Likely,
    /// The files do not say; the default is a convention.
    Open,
}

/// Something that the files leave open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Question {
    /// `SUBJECT.FIELD`, as `--answer` takes it: `api.port`.
    pub id: String,
    /// The question.
    pub text: String,
    /// What can be answered; empty where any value of the field's kind can.
    pub options: Vec<String>,
    /// What is taken where nobody answers; `None` where there has to be an answer.
    pub default: Option<String>,
    /// How sure the default is.
    pub confidence: Confidence,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
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
    /// The program ends, throws or refuses its configuration without it.
    pub required: bool,
    /// Its value must not be known to others: a key or a password, by its name and its use.
    pub secret: bool,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

/// Schema migrations of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Migration {
    /// What applies them.
    pub tool: Framework,
    /// Script that applies them.
    pub script: Option<Fact<String>>,
    /// The program and its arguments that apply them in production, in the service's folder as it is shipped.
    pub command: Option<Fact<Vec<String>>>,
    /// Folder of the migrations, below the service's folder.
    pub folder: Option<Fact<String>>,
    /// Further files and folders that applying them reads (`alembic.ini`, `prisma`), below the service's folder.
    pub files: Vec<Fact<String>>,
}

/// A kind of data store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreKind {
    /// PostgreSQL.
    Postgresql,
    /// MySQL or MariaDB.
    Mysql,
    /// Redis or Valkey.
    Redis,
    /// `RabbitMQ`.
    Rabbitmq,
    /// A file of `SQLite` on a volume of the service that opens it.
    Sqlite,
    /// MongoDB.
    Mongodb,
}

impl StoreKind {
    /// Its name as people write it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Postgresql => "PostgreSQL",
            Self::Mysql => "MySQL",
            Self::Redis => "Redis",
            Self::Rabbitmq => "RabbitMQ",
            Self::Sqlite => "SQLite",
            Self::Mongodb => "MongoDB",
        }
    }
}

/// What a store is used for; it decides what must survive and what may be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreRole {
    /// Data that exists nowhere else.
    Data,
    /// Messages and jobs: nothing may be dropped.
    Broker,
    /// Copies of data that exist elsewhere: the oldest may be dropped.
    Cache,
}

/// A database, cache or broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Store {
    /// What it is.
    pub kind: StoreKind,
    /// Its name in the development compose file, else a usual one; unique among stores and services.
    pub name: String,
    /// What it is used for.
    pub role: StoreRole,
    /// Its image in the development compose file, where it is not the usual one (`pgvector/pgvector:pg17`).
    pub image: Option<Fact<String>>,
    /// Its version, as the development compose file has it.
    pub version: Option<Fact<String>>,
    /// Database in it.
    pub database: Option<Fact<String>>,
    /// Its user.
    pub user: Option<Fact<String>>,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

/// A service's use of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoreUse {
    /// What it is.
    pub kind: StoreKind,
    /// Name of the [`Store`]; empty until the stores are known.
    pub store: String,
    /// How the service learns where it is; nothing where no variable was found.
    pub address: Option<Address>,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

/// How a service learns where a store is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "form")]
pub enum Address {
    /// One variable holds a URL.
    Url {
        /// The variable.
        variable: Fact<String>,
        /// The URL's scheme, where the library wants another one than the usual: `postgresql+psycopg`.
        scheme: Option<String>,
        /// Its path and query, where the program's own default has them: `/1`, `/app?schema=public`.
        suffix: Option<String>,
        /// `NAME_FILE` is read too.
        file_variant: bool,
    },
    /// A variable for each part. A part without a variable stands in the program.
    Parts {
        /// Variables by part.
        variables: Vec<(Part, Fact<String>)>,
        /// The parts' variables whose `NAME_FILE` is read too.
        file_variants: Vec<String>,
    },
    /// The address stands in the program.
    Fixed {
        /// Its host.
        host: Fact<String>,
    },
}

/// A part of a store's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Host name.
    Host,
    /// Port.
    Port,
    /// User.
    User,
    /// Password.
    Password,
    /// Database, virtual host, number of the database.
    Database,
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
