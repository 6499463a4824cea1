//! The stack to write: what every template may use. All texts in it were checked by [`crate::plan`] against what the
//! formats can take, so that a template needs no escaping.

use serde::Serialize;

/// A production stack: one Node.js server, one static site, their stores.
#[derive(Clone, Debug, Serialize)]
pub struct Stack {
    /// The compose project.
    pub(crate) project: String,
    /// Name of the compose file.
    pub(crate) compose_file: &'static str,
    /// Exact version of pnpm.
    pub(crate) pnpm: String,
    pub(crate) images: Images,
    /// Real names with the recipes that can stand in for them.
    pub(crate) image_map: Vec<MappedImage>,
    /// Files in the root that decide what an install gives.
    pub(crate) install_files: Vec<String>,
    /// Files in the root that the workspaces' tools read.
    pub(crate) config_files: Vec<String>,
    /// Names of folders that builds write.
    pub(crate) outputs: Vec<String>,
    pub(crate) server: Server,
    pub(crate) site: Site,
    pub(crate) migrate: Option<Migrate>,
    pub(crate) postgres: Option<Postgres>,
    pub(crate) redis: Option<Redis>,
    pub(crate) limits: AllLimits,
    /// All limits of what runs at once, as text.
    pub(crate) memory_limits: String,
    pub(crate) budgets: Budgets,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) secret_owners: Vec<SecretOwner>,
}

impl Stack {
    /// Paths of all secret files in the repository.
    pub fn secret_paths(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(|secret| secret.path.as_str())
    }
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Images {
    pub(crate) node: String,
    pub(crate) node_runtime: String,
    pub(crate) nginx: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct MappedImage {
    pub(crate) name: String,
    pub(crate) recipe: &'static str,
}

/// A package.json and its folder.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ManifestFile {
    pub(crate) file: String,
    pub(crate) folder: String,
}

/// A workspace that is built before the service.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Library {
    pub(crate) package: String,
    pub(crate) path: String,
    pub(crate) output: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) package: String,
    pub(crate) framework: String,
    pub(crate) uid: u32,
    pub(crate) manifests: Vec<ManifestFile>,
    pub(crate) libraries: Vec<Library>,
    pub(crate) checks: Vec<String>,
    pub(crate) build: String,
    pub(crate) output: String,
    pub(crate) entry: String,
    pub(crate) port: u16,
    pub(crate) ready: String,
    pub(crate) metrics: Option<String>,
    /// JavaScript that ends with 0 when the server is ready.
    pub(crate) probe: String,
    pub(crate) reads_host: bool,
    pub(crate) reads_port: bool,
    pub(crate) handles_stop: bool,
    pub(crate) heap_megabytes: u32,
    /// Folders that must be readable in the runtime image.
    pub(crate) readable: Vec<String>,
    pub(crate) migrations_folder: Option<String>,
    /// Paths that answer with server-sent events, below /api/.
    pub(crate) streams: Vec<String>,
    pub(crate) environment: Vec<Setting>,
    pub(crate) secrets: Vec<String>,
    pub(crate) depends_on: Vec<Dependency>,
}

/// One variable, its value as YAML.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) value: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) condition: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Site {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) package: String,
    pub(crate) framework: String,
    pub(crate) uid: u32,
    pub(crate) port: u16,
    pub(crate) manifests: Vec<ManifestFile>,
    pub(crate) libraries: Vec<Library>,
    pub(crate) checks: Vec<String>,
    pub(crate) build: String,
    pub(crate) output: String,
    /// URL prefix of files with a hash in their name.
    pub(crate) assets: String,
    pub(crate) config: Option<SiteConfig>,
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

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Migrate {
    pub(crate) entry: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Postgres {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) uid: u32,
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) variable: String,
    pub(crate) shared_buffers: String,
    pub(crate) effective_cache_size: String,
    pub(crate) maintenance_work_mem: String,
    pub(crate) max_connections: u32,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Redis {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) uid: u32,
    pub(crate) maxmemory: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct AllLimits {
    pub(crate) server: LimitTexts,
    pub(crate) site: LimitTexts,
    pub(crate) migrate: LimitTexts,
    pub(crate) postgres: LimitTexts,
    pub(crate) redis: LimitTexts,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct LimitTexts {
    pub(crate) cpus: &'static str,
    pub(crate) memory: String,
    pub(crate) pids: u32,
    pub(crate) reserved_memory: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Budgets {
    pub(crate) memory: &'static str,
    pub(crate) start: &'static str,
    pub(crate) server_image: &'static str,
    pub(crate) site_image: &'static str,
}

/// One file of `secrets/`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Secret {
    pub(crate) name: &'static str,
    pub(crate) path: String,
    #[serde(skip)]
    pub(crate) content: SecretContent,
}

/// What a secret file holds.
#[derive(Clone, Debug)]
pub(crate) enum SecretContent {
    /// 256 bits from the operating system.
    Random,
    /// `postgresql://user:PASSWORD@host:5432/database`, the password from another secret.
    PostgresUrl { password: &'static str, user: String, host: String, database: String },
    /// A Redis configuration whose first line is `requirepass PASSWORD`; 256 bits of its own.
    RedisConf,
    /// `redis://:PASSWORD@host:6379`, the password from a Redis configuration.
    RedisUrl { conf: &'static str, host: String },
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct SecretOwner {
    pub(crate) uid: u32,
    pub(crate) files: Vec<String>,
}
