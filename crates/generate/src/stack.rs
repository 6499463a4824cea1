//! The stack to write: what every template may use. Texts in it have the shape of what they are (checked by
//! [`crate::plan`]) or are escaped by the filters of [`crate::escape`].

use serde::Serialize;

use crate::{policy::ServiceLimits, size};

/// A production stack: images to build, the services that run from them, their stores, one front for each site.
#[derive(Clone, Debug, Serialize)]
pub struct Stack {
    /// The compose project.
    pub(crate) project: String,
    /// Name of the compose file.
    pub(crate) compose_file: &'static str,
    /// One Dockerfile each.
    pub(crate) builds: Vec<Build>,
    /// Services in the order of the compose file.
    pub(crate) units: Vec<Unit>,
    /// Services that publish a port, as text.
    pub(crate) fronts: Vec<FrontPort>,
    /// Some service is behind a front.
    pub(crate) app_network: bool,
    /// Some service uses a store.
    pub(crate) data_network: bool,
    /// Some service calls hosts outside.
    pub(crate) egress_network: bool,
    pub(crate) volumes: Vec<String>,
    /// Real names with the recipes that can stand in for them.
    pub(crate) image_map: Vec<MappedImage>,
    /// Names of folders that builds write.
    pub(crate) outputs: Vec<String>,
    /// Names of documents that are left out of the builds' context.
    pub(crate) documents: &'static [&'static str],
    /// Documents that builds read although documents are left out of their context.
    pub(crate) kept: Vec<String>,
    /// The context of a team's own Dockerfile is the root: what must not reach its image is added to `.dockerignore`.
    pub(crate) root_is_shared: bool,
    /// All limits of what runs at once, as text.
    pub(crate) memory_limits: String,
    pub(crate) budgets: Budgets,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) secret_owners: Vec<SecretOwner>,
    /// What a person answered: id and value.
    pub(crate) answers: Vec<(String, String)>,
    /// Programs of these kinds read their secrets through a small file of ours.
    pub(crate) launchers: Launchers,
    /// Something of it is written in Python.
    pub(crate) python: bool,
    /// The first smoke checks; none where a person has some.
    pub(crate) smoke: Vec<SmokeCheck>,
}

impl Stack {
    /// Paths of all secret files in the repository.
    pub fn secret_paths(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(|secret| secret.path.as_str())
    }
}

/// Which launchers are written.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Launchers {
    /// Secrets for Node.js.
    pub(crate) node: bool,
    /// A heartbeat for processes of Node.js that answer nobody.
    pub(crate) heartbeat: bool,
    /// Secrets for Python.
    pub(crate) python: bool,
    /// Settings that serve the static files of a site of Django.
    pub(crate) static_files: bool,
    /// Takes tools out of an install of npm.
    pub(crate) lean: bool,
}

/// One request of smoke.toml. Without a status, everything below 500 is right.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SmokeCheck {
    pub(crate) name: String,
    pub(crate) request: String,
    /// `service:port`, for what is not published.
    pub(crate) at: Option<String>,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    pub(crate) status: Option<u16>,
    /// Without a status: the answer's is less.
    pub(crate) below: u16,
    /// The answer is a page.
    pub(crate) html: bool,
}

impl SmokeCheck {
    /// A request for a path that may give anything but an error of the server.
    pub(crate) fn get(name: String, path: impl AsRef<str>, at: Option<&str>) -> Self {
        let request = format!("GET {}", path.as_ref());
        Self { name, request, at: at.map(str::to_owned), headers: &[], status: None, below: 500, html: false }
    }

    /// The same, which must give this status.
    pub(crate) fn status(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }
}

/// A service that publishes a port: its variable and its default.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FrontPort {
    pub(crate) name: String,
    pub(crate) variable: String,
    pub(crate) port: u16,
    /// The port of HTTPS, where the front ends TLS; the other one then only redirects to it.
    pub(crate) https: Option<HttpsPort>,
}

/// The published port of HTTPS: its variable, its default, and the port in the container.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct HttpsPort {
    pub(crate) variable: String,
    pub(crate) port: u16,
    pub(crate) inside: u16,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct MappedImage {
    pub(crate) name: String,
    pub(crate) recipe: &'static str,
    /// The recipe is one for this image: another version.
    pub(crate) other: Option<&'static str>,
}

/// An image to build.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Build {
    /// Name of the service that it is built for.
    pub(crate) name: String,
    /// The service's folder; empty for the root.
    pub(crate) path: String,
    /// Path of the Dockerfile.
    pub(crate) dockerfile: String,
    /// The Dockerfile needs an ignore file of its own, because `.dockerignore` belongs to people.
    pub(crate) own_ignore: bool,
    /// What it is written with: `Fastify`.
    pub(crate) framework: String,
    pub(crate) uid: u32,
    pub(crate) port: Option<u16>,
    /// Base images by the name of their argument.
    pub(crate) images: Vec<BaseImage>,
    /// The rest, by what is built.
    #[serde(flatten)]
    pub(crate) kind: BuildKind,
}

/// `ARG NODE_IMAGE=node:24-trixie-slim`
#[derive(Clone, Debug, Serialize)]
pub(crate) struct BaseImage {
    pub(crate) argument: &'static str,
    pub(crate) name: String,
}

/// How an image is built; each has a template of its own.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BuildKind {
    /// A program for Node.js.
    Node(NodeBuild),
    /// A program in Python.
    Python(PythonBuild),
    /// Pages that Node.js builds and nginx serves.
    Site(SiteBuild),
    /// Pages as they are, served by nginx.
    Plain(PlainBuild),
    /// nginx in front of servers, without pages.
    Proxy(ProxyBuild),
}

impl BuildKind {
    /// The nginx in the image, if there is one.
    pub(crate) fn nginx(&self) -> Option<&Nginx> {
        match self {
            Self::Site(site) => Some(&site.nginx),
            Self::Plain(plain) => Some(&plain.nginx),
            Self::Proxy(proxy) => Some(&proxy.nginx),
            Self::Node(_) | Self::Python(_) => None,
        }
    }

    /// The same, to be completed.
    pub(crate) fn nginx_mut(&mut self) -> Option<&mut Nginx> {
        match self {
            Self::Site(site) => Some(&mut site.nginx),
            Self::Plain(plain) => Some(&mut plain.nginx),
            Self::Proxy(proxy) => Some(&mut proxy.nginx),
            Self::Node(_) | Self::Python(_) => None,
        }
    }
}

/// What installs the packages of a Node.js build, as commands.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct NodeInstall {
    /// Folder of the install; empty for the root.
    pub(crate) folder: String,
    /// `pnpm workspace in the repository's root`
    pub(crate) what: String,
    /// Package of the manager, with its version: `pnpm@10.34.9`. npm comes with Node.js.
    pub(crate) tool: Option<String>,
    pub(crate) tool_reason: &'static str,
    /// Debian packages that compile native modules.
    pub(crate) compilers: Vec<String>,
    /// Files that decide what an install gives, as in the repository.
    pub(crate) files: Vec<String>,
    pub(crate) manifests: Vec<ManifestFile>,
    /// Further inputs in folders of their own (`patches`, `.yarn/releases`).
    pub(crate) folders: Vec<CopiedFolder>,
    /// Options of the cache mount.
    pub(crate) cache: String,
    pub(crate) cache_reason: &'static str,
    /// pnpm installs.
    pub(crate) pnpm: bool,
    /// Installs everything.
    pub(crate) all: String,
    /// The packages of production are those of all, less the ones for development; else they are installed anew.
    pub(crate) prunes: bool,
    /// Leaves what production needs, in commands.
    pub(crate) production: Vec<String>,
    /// One of these commands reads the manager's cache or a registry.
    pub(crate) asks_manager: bool,
    /// A script of ours takes tools out.
    pub(crate) lean_script: bool,
    /// A package for development alone that the program needs when it runs.
    pub(crate) development: Option<String>,
    /// Why there is more than one version of a package possible, where there is no lock.
    pub(crate) unlocked: bool,
    /// Scripts of the project that the install leaves out, as a command for the time when the sources are there.
    pub(crate) own_script: Option<String>,
}

/// A folder that is copied before the sources.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CopiedFolder {
    pub(crate) from: String,
    pub(crate) to: String,
}

/// A package.json and its folder in the image.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ManifestFile {
    pub(crate) file: String,
    pub(crate) folder: String,
}

/// A package of the repository that a service needs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Library {
    /// Its folder in the repository.
    pub(crate) source: String,
    /// Its folder below /app.
    pub(crate) path: String,
    /// Command that builds it.
    pub(crate) build: Option<String>,
    /// What its build writes; nothing where it is used from its sources.
    pub(crate) output: Option<String>,
}

/// Where the sources of a service are and go.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sources {
    /// In the repository: `apps/backend`, or `.`.
    pub(crate) from: String,
    /// Below /app: `apps/backend`, or `./`.
    pub(crate) to: String,
    /// The working folder: `/app/apps/backend`, or `/app`.
    pub(crate) workdir: String,
    /// `apps/backend/`, or nothing: before a path below /app.
    pub(crate) prefix: String,
    /// Files of the install's folder that tools of its packages read; nothing where all of it is copied.
    pub(crate) config_files: Vec<String>,
    /// The same in folders that belong to no package.
    pub(crate) config_folders: Vec<ManifestFile>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct NodeBuild {
    pub(crate) install: NodeInstall,
    pub(crate) sources: Sources,
    pub(crate) libraries: Vec<Library>,
    /// Commands that must pass.
    pub(crate) checks: Vec<String>,
    pub(crate) checks_need_build: bool,
    /// Variables that are set while it is built.
    pub(crate) build_settings: Vec<Setting>,
    /// Variables whose values become part of the program.
    pub(crate) inlined: Vec<Setting>,
    /// Commands that build it.
    pub(crate) build: Vec<String>,
    /// The folder in the image that one build leaves for the next.
    pub(crate) cache: Option<String>,
    /// Where the build writes; nothing where the program runs from its sources.
    pub(crate) output: Option<String>,
    /// Of a bundle: what is copied where below /app.
    pub(crate) bundle: Vec<CopiedFolder>,
    /// Further folders beside the output that are read at run time.
    pub(crate) extras: Vec<String>,
    /// Folders among the packages that the build writes, below /app.
    pub(crate) generated: Vec<String>,
    /// Paths below /app that must be readable in the image.
    pub(crate) readable: Vec<String>,
    pub(crate) migrations_folder: Option<String>,
    /// Folders that the program writes, to be made with its owner.
    pub(crate) writable: Vec<String>,
    pub(crate) environment: Vec<Setting>,
    /// The image has no shell; its entrypoint is Node.js.
    pub(crate) distroless: bool,
    /// The image that it runs in has a shell and no Node.js, whose executable is copied into it.
    pub(crate) brings_node: bool,
    /// The way from the working folder to the folder with `node_modules`: `../../`, or nothing.
    #[serde(skip)]
    pub(crate) to_modules: String,
    /// Debian packages that the program needs when it runs.
    pub(crate) system_packages: Vec<String>,
    pub(crate) launcher: bool,
    /// Some process of it writes a heartbeat.
    pub(crate) heartbeat: bool,
    pub(crate) probe: Option<ProbeText>,
    /// Arguments of the image's command.
    pub(crate) command: Vec<String>,
}

/// How the engine asks whether a service works.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ProbeText {
    /// The command, as in `test: ["CMD", …]`.
    pub(crate) command: Vec<String>,
    /// What it asks, as comments, a line each.
    pub(crate) comment: String,
    /// The path that is asked, if any.
    pub(crate) path: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct PythonBuild {
    /// `requirements.txt of pip`
    pub(crate) what: String,
    /// Why it is installed in another way than the usual one, a line each.
    pub(crate) notes: Vec<String>,
    pub(crate) sources: Sources,
    /// Debian packages that compile.
    pub(crate) compilers: Vec<String>,
    /// Installs the manager.
    pub(crate) tool: Option<String>,
    pub(crate) files: Vec<ManifestFile>,
    pub(crate) cache: String,
    /// Commands that install the dependencies, before the sources are there.
    pub(crate) install: Vec<String>,
    /// Commands that install the project itself, with its sources.
    pub(crate) install_project: Vec<String>,
    pub(crate) install_environment: Vec<Setting>,
    pub(crate) unlocked: bool,
    pub(crate) build_settings: Vec<Setting>,
    /// Commands with the sources there: collectstatic, compiled messages.
    pub(crate) build: Vec<String>,
    /// Folders outside of /app that these commands write.
    pub(crate) built: Vec<String>,
    pub(crate) native: bool,
    pub(crate) system_packages: Vec<String>,
    pub(crate) writable: Vec<String>,
    pub(crate) links: Vec<Link>,
    pub(crate) environment: Vec<Setting>,
    /// The module of settings whose static files the launcher has served.
    pub(crate) static_settings: Option<String>,
    pub(crate) launcher: bool,
    pub(crate) probe: Option<ProbeText>,
    pub(crate) command: Vec<String>,
}

/// A link in an image, and what it leads to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Link {
    pub(crate) from: String,
    pub(crate) to: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct SiteBuild {
    pub(crate) install: NodeInstall,
    pub(crate) sources: Sources,
    pub(crate) libraries: Vec<Library>,
    pub(crate) checks: Vec<String>,
    pub(crate) checks_need_build: bool,
    pub(crate) build_settings: Vec<Setting>,
    pub(crate) inlined: Vec<Setting>,
    pub(crate) build: Vec<String>,
    /// The folder in the image that one build leaves for the next.
    pub(crate) cache: Option<String>,
    pub(crate) output: String,
    pub(crate) config: Option<SiteConfig>,
    pub(crate) nginx: Nginx,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct PlainBuild {
    /// Folder of the pages in the repository.
    pub(crate) pages: String,
    pub(crate) nginx: Nginx,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ProxyBuild {
    pub(crate) nginx: Nginx,
}

/// One nginx.conf.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Nginx {
    /// Folder of the file in the repository.
    pub(crate) folder: String,
    pub(crate) port: u16,
    /// What it ends TLS with; nothing where a proxy before it does.
    pub(crate) tls: Option<Tls>,
    /// It serves pages of its own.
    pub(crate) pages: bool,
    /// Every path that is no file is the page's business.
    pub(crate) single_page: bool,
    /// URL prefix of files with a hash in their name.
    pub(crate) assets: Option<String>,
    /// Files with a hash in their name lie beside the page and are told by the form of their name.
    pub(crate) hashed_names: bool,
    pub(crate) config: Option<SiteConfig>,
    pub(crate) upstreams: Vec<Upstream>,
    /// Some path takes websockets.
    pub(crate) websockets: bool,
    /// The path at which nginx says that it works.
    pub(crate) health: &'static str,
    /// `1m`
    pub(crate) body_limit: String,
    /// Content-Security-Policy of the pages; nothing where the application makes its pages.
    pub(crate) policy: Option<String>,
    /// What is behind it, for the head of the file.
    pub(crate) title: String,
}

/// How a front ends TLS.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Tls {
    pub(crate) port: u16,
    /// Names of the secrets.
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// A server behind the front.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Upstream {
    pub(crate) name: String,
    pub(crate) port: u16,
    /// Name of the nginx variable, without `$`.
    pub(crate) variable: String,
    pub(crate) locations: Vec<Location>,
    /// Paths that answer with server-sent events.
    pub(crate) streams: Vec<String>,
    /// Paths that take websockets.
    pub(crate) websockets: Vec<String>,
    /// Paths that nobody outside may see, where the whole server is behind the front.
    pub(crate) hidden: Vec<String>,
}

/// Requests that belong to a server.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Location {
    /// `/api/`, or `/`.
    pub(crate) prefix: String,
    /// The path alone, not what is below it.
    pub(crate) exact: bool,
    /// The prefix is taken away.
    pub(crate) strip: bool,
}

/// The script that carries settings to the page.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SiteConfig {
    pub(crate) path: String,
    /// The path as a regular expression.
    pub(crate) path_pattern: String,
    pub(crate) file: String,
    pub(crate) global: String,
    pub(crate) settings: Vec<SiteSetting>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct SiteSetting {
    pub(crate) key: String,
    pub(crate) variable: String,
    pub(crate) default: String,
}

/// One variable. In a compose file the value is YAML, in a Dockerfile it is the text itself.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) value: String,
    /// Why, as a comment above it.
    pub(crate) reason: Option<String>,
}

impl Setting {
    pub(crate) fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into(), reason: None }
    }
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) condition: &'static str,
}

/// A service of the compose file.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Unit {
    pub(crate) name: String,
    /// `front`, `server`, `process`, `migrate`, or the kind of a store: the template's name.
    pub(crate) kind: &'static str,
    pub(crate) image: String,
    /// Path of the Dockerfile, of the service that builds the image.
    pub(crate) dockerfile: Option<String>,
    pub(crate) build_arguments: Vec<Setting>,
    pub(crate) uid: u32,
    pub(crate) depends_on: Vec<Dependency>,
    pub(crate) networks: Vec<&'static str>,
    pub(crate) published: Option<FrontPort>,
    pub(crate) environment: Vec<Setting>,
    pub(crate) secrets: Vec<String>,
    pub(crate) tmpfs: Vec<String>,
    pub(crate) volumes: Vec<String>,
    pub(crate) command: Option<Vec<String>>,
    /// Why a small init is process 1 and passes signals on; nothing where none is needed.
    pub(crate) init: Option<&'static str>,
    pub(crate) metrics: Option<Metrics>,
    pub(crate) probe: Option<ProbeText>,
    /// Seconds until it is killed.
    pub(crate) grace: u32,
    /// There is never more than one of it.
    pub(crate) single: bool,
    pub(crate) limits: ServiceLimits,
    pub(crate) store: Option<StoreTexts>,
    /// The service whose program it runs, where that is another one.
    pub(crate) of: String,
    /// Language of the program: `node`, `python`, or nothing.
    pub(crate) language: &'static str,
    /// Bound of the heap of Node.js, in MiB.
    pub(crate) heap_megabytes: u32,
    /// Options of Node.js besides the heap's.
    pub(crate) node_options: String,
    /// Its image is built from a Dockerfile of the team.
    pub(crate) own_image: Option<OwnImageTexts>,
}

/// What the template of a service with a Dockerfile of the team needs. Texts of the compose file are YAML.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct OwnImageTexts {
    pub(crate) context: String,
    /// From the context.
    pub(crate) dockerfile: String,
    pub(crate) target: Option<String>,
    pub(crate) arguments: Vec<Setting>,
    /// The service runs as `uid`, and not as the image says.
    pub(crate) sets_user: bool,
    /// Takes the place of the image's own; its arguments stand behind it.
    pub(crate) entrypoint: Option<Vec<String>>,
    /// Entrypoint or command read the secrets before the program starts.
    pub(crate) reads_secrets: bool,
    /// Its Dockerfile has a HEALTHCHECK.
    pub(crate) has_check: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Metrics {
    pub(crate) port: u16,
    pub(crate) path: String,
}

/// What the templates of the stores need, fitted to their limits. Unused ones are empty.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct StoreTexts {
    pub(crate) user: String,
    pub(crate) database: String,
    /// Name of the secret with its password or configuration.
    pub(crate) secret: String,
    pub(crate) root_secret: String,
    pub(crate) volume: String,
    /// Where the image keeps its data.
    pub(crate) data: String,
    pub(crate) shared_buffers: String,
    pub(crate) effective_cache_size: String,
    pub(crate) maintenance_work_mem: String,
    pub(crate) max_connections: u32,
    pub(crate) buffer_pool: String,
    pub(crate) maxmemory: String,
    pub(crate) watermark: String,
    pub(crate) cache_gigabytes: String,
    /// The program with which a health check asks it.
    pub(crate) shell: &'static str,
    /// The oldest entries may be dropped.
    pub(crate) cache: bool,
    /// The image's own name is not the usual one, and why it is kept.
    pub(crate) kept_image: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Budgets {
    #[serde(serialize_with = "size::in_gigabytes")]
    pub(crate) memory: u64,
    #[serde(serialize_with = "size::in_seconds")]
    pub(crate) start: u32,
    pub(crate) images: Vec<ImageBudget>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ImageBudget {
    pub(crate) name: String,
    #[serde(serialize_with = "size::in_megabytes")]
    pub(crate) size: u64,
}

/// One file of `secrets/`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Secret {
    pub(crate) name: String,
    pub(crate) path: String,
    /// The team puts it there; `init` makes the others.
    pub(crate) of_team: bool,
    /// Who reads it.
    #[serde(skip)]
    pub(crate) reader: Reader,
    #[serde(skip)]
    pub(crate) content: SecretContent,
}

/// Who reads a secret file, by the user that it runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A store.
    Store,
    /// A program with the stack's user.
    Program,
    /// nginx.
    Front,
    /// A program with a user of its image: the uid, or what a shell finds it with.
    Image {
        /// An argument of `chown`.
        uid: String,
    },
}

/// What a secret file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecretContent {
    /// 256 bits from the operating system.
    Random,
    /// The text of another secret.
    Copy { of: String },
    /// `SCHEME://USER:PASSWORD@HOST:PORT/DATABASE`, the password from another secret.
    Url {
        password: String,
        scheme: String,
        user: String,
        host: String,
        port: u16,
        /// With its `/`, and what follows it.
        suffix: String,
    },
    /// A password that stands in the source of a program.
    Written { password: String },
    /// A Redis configuration whose first line is `requirepass PASSWORD`; 256 bits of its own, or what stands in the
    /// source of a program.
    RedisConf { written: Option<String> },
    /// A RabbitMQ configuration with the first user and its password; 256 bits of its own.
    RabbitmqConf { user: String },
    /// A certificate or its key: the team's own, which nobody makes here.
    OfTeam,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct SecretOwner {
    /// An argument of `chown`.
    pub(crate) uid: String,
    pub(crate) files: Vec<String>,
}
