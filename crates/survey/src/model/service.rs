//! Something that can be deployed.

use serde::Serialize;

use super::{
    Bind, Ecosystem, Fact, Framework, Health, Migration, OwnImage, Process, Role, Route, RuntimeConfig,
    Setting, Shape, Ships, StoreUse, Variable, Writes,
};

/// Something that can be deployed: a folder that is built once, and the processes that run from what was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Service {
    /// Its name, unique in the survey and fit for a host name.
    pub name: String,
    /// Its folder; empty for the root.
    pub path: String,
    /// What it is written in.
    pub ecosystem: Ecosystem,
    /// The image that the team's own Dockerfile builds, of [`Ecosystem::Image`] alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_image: Option<Box<OwnImage>>,
    /// Name of the package, where there is one.
    pub package: Option<String>,
    /// The packages that it names for when it runs, with those of its libraries.
    #[serde(skip)]
    pub needs: Vec<String>,
    /// What its main process is for.
    pub role: Role,
    /// What it is written with; the first one decides how it is built and run.
    pub frameworks: Vec<Framework>,
    /// Workspaces that it needs, in the order in which they are built, itself not included.
    pub libraries: Vec<String>,
    /// Script that builds it; nothing where it runs from its sources.
    pub build: Option<Fact<String>>,
    /// Commands that take the place of its build script where that one works on a database, in its folder.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub build_steps: Vec<Fact<Vec<String>>>,
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
    /// Of a [`Shape::Bundle`]: what is copied where. Of a program in Python: folders outside of its own that its build
    /// writes, with the same absolute path on both sides.
    pub ships: Vec<Ships>,
    /// What its build keeps for the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_cache: Option<BuildCache>,
    /// Of a site: every path that is no file is the page's own business.
    pub single_page: bool,
    /// Of a site or a server with pages: URL prefix of files with a hash in their name (`/assets/`); `/` where they lie
    /// beside the page, told by their names alone (Angular).
    pub hashed_assets: Option<Fact<String>>,
    /// Packages that production needs and the project does not name, with an exact version (`gunicorn==23.0.0`).
    pub adds: Vec<Fact<String>>,
    /// Of a site of Django whose collected static files nobody serves: its module of settings, which another one with
    /// WhiteNoise is put around.
    pub static_settings: Option<Fact<String>>,
    /// Of a site of Django whose `ALLOWED_HOSTS` stand in the source without localhost: a name that it answers to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_host: Option<Fact<String>>,
    /// A package for development alone that its commands need when they run (`tsx`): the image has all of those.
    pub development_packages: Option<Fact<String>>,
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
    /// Where it takes files of its visitors: the package or the call that reads them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uploads: Option<Fact<String>>,
    /// Variables that it reads when it runs.
    pub environment: Vec<Variable>,
    /// Variables whose value the build writes into what it makes (`VITE_*`, `NEXT_PUBLIC_*`).
    pub inlined: Vec<Variable>,
    /// Variables that must be there while it is built, each with a value that is good for nothing else.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub placeholders: Vec<Setting>,
    /// Variables that its framework needs to be set in a container, whatever the program reads.
    pub settings: Vec<Setting>,
    /// Names of the settings that its migrations read too.
    pub migrations_read: Vec<String>,
    /// Stores that it uses.
    pub stores: Vec<StoreUse>,
    /// Its migrations.
    pub migration: Option<Migration>,
    /// Where it handles the stop signal itself.
    pub stops_gracefully: Option<Fact<String>>,
    /// Folders among the installed packages that its build writes, below its install's folder.
    pub generated: Vec<Fact<String>>,
    /// Packages for development alone that an install for production keeps, since another package has them as an
    /// optional peer, and that nothing of it runs (`prisma`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub idle_tools: Vec<Fact<String>>,
    /// Of the compilers of queries that Prisma has for every database: the database whose one it needs, or nothing where
    /// its generated client has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_compilers: Option<Fact<String>>,
    /// A program that it starts by itself: `sh`, `pg_dump`, `node`.
    pub spawns: Option<Fact<String>>,
    /// Settings that a page reads at run time.
    pub runtime_config: Option<RuntimeConfig>,
    /// Files and folders of its own that it reads when it runs, beside what the build writes: `public`, `views`. Below
    /// its folder.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Fact<String>>,
    /// Folders that it writes while it runs.
    pub writes: Vec<Writes>,
    /// Files among the program's own that it writes and that must outlive the container: a database of `SQLite` beside
    /// it. Below its folder, or absolute.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Fact<String>>,
    /// What it calls outside of the stack: hosts, or packages that call one.
    pub calls: Vec<Fact<String>>,
    /// Of a server: a page of its own, as a template or a file, whose links begin at `/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<Fact<String>>,
    /// Of a server: a file of pages that another service builds, which it sends for `/` or for everything else. Its image
    /// does not have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreign_page: Option<Fact<String>>,
    /// Other hosts that its pages load from, each behind its directive (`style-src https://fonts.example`), and inline
    /// scripts: what a Content-Security-Policy must allow.
    pub page_sources: Vec<Fact<String>>,
    /// Programs and libraries of the system that it needs when it runs (`pg_isready`, `libmagic`): Debian packages.
    pub system_packages: Vec<Fact<String>>,
    /// Further processes from the same build.
    pub processes: Vec<Process>,
}

/// A folder that a build fills and the next one reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BuildCache {
    /// The folder, below the service's own.
    pub folder: Fact<String>,
    /// What in it a build must not find: answers of other services, which may be others today.
    pub forget: Option<String>,
}

impl Service {
    /// Every command that is run from its build: its own, those of its processes, and that of its migrations.
    pub fn commands(&self) -> impl Iterator<Item = &Fact<Vec<String>>> {
        let processes = self.processes.iter().map(|process| &process.command);
        let migration = self.migration.as_ref().and_then(|migration| migration.command.as_ref());
        self.command.iter().chain(processes).chain(migration)
    }

    /// A service of which nothing else is known yet.
    pub(crate) fn new(name: String, path: String, ecosystem: Ecosystem, role: Role) -> Self {
        Self {
            name,
            path,
            ecosystem,
            own_image: None,
            package: None,
            needs: Vec::new(),
            role,
            frameworks: Vec::new(),
            libraries: Vec::new(),
            build: None,
            build_steps: Vec::new(),
            checks: Vec::new(),
            checks_need_build: false,
            output: None,
            build_commands: Vec::new(),
            shape: Shape::default(),
            build_cache: None,
            ships: Vec::new(),
            single_page: false,
            hashed_assets: None,
            adds: Vec::new(),
            static_settings: None,
            allowed_host: None,
            development_packages: None,
            start: None,
            command: None,
            port: None,
            port_variable: None,
            bind: Bind::default(),
            health: Health::default(),
            routes: Vec::new(),
            websockets: Vec::new(),
            body_limit: None,
            uploads: None,
            environment: Vec::new(),
            inlined: Vec::new(),
            placeholders: Vec::new(),
            settings: Vec::new(),
            migrations_read: Vec::new(),
            stores: Vec::new(),
            migration: None,
            stops_gracefully: None,
            generated: Vec::new(),
            idle_tools: Vec::new(),
            query_compilers: None,
            spawns: None,
            runtime_config: None,
            reads: Vec::new(),
            writes: Vec::new(),
            files: Vec::new(),
            calls: Vec::new(),
            page: None,
            foreign_page: None,
            page_sources: Vec::new(),
            system_packages: Vec::new(),
            processes: Vec::new(),
        }
    }
}
