//! What a caller asks for, and what it gets.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use plimsoll_dockerfile::Platform;
use plimsoll_image::{ImageRecord, Origin, Reference};
use plimsoll_sandbox::{Cancel, ExtraHost, Ulimit};
use plimsoll_source::{Diagnostic, Source};

use crate::{
    error::BuildError,
    exchange::{KeyedStep, StepSource},
    explain::Reason,
    failed_step::OnFailure,
    graph::Graph,
    lazy_context::LazyContext,
    resolve::ResolvedImage,
    secret::Secret,
    settings::{CaBundle, CacheOwner, Net},
    ssh::{KeyFiles, SshAgent},
};

/// One build: a target of a Dockerfile, for one platform.
#[derive(Clone, Debug)]
pub struct BuildRequest {
    /// The build context, a directory.
    pub context: PathBuf,
    /// The Dockerfile's text; its name is shown in messages.
    pub dockerfile: Source,
    /// The text of the file that says what is not part of the context.
    pub ignore: Option<Source>,
    /// The stage to build; the last one without it.
    pub target: Option<String>,
    /// What the image is for; this machine's platform without it.
    pub platform: Option<Platform>,
    /// Values of `--build-arg`; of two with one name the later wins.
    pub build_args: Vec<(String, String)>,
    /// Values of `--build-context`: further contexts by name.
    pub contexts: Vec<(String, NamedContext)>,
    /// Values of `--secret`, which steps ask for by `id`.
    pub secrets: Vec<Secret>,
    /// Values of `--ssh`, which steps ask for by `id`.
    pub ssh: Vec<SshAgent>,
    /// What the files hold that `ssh` names, once a step has wanted it.
    pub key_files: KeyFiles,
    /// Labels of the image beside those of the Dockerfile, which they replace.
    pub labels: Vec<(String, String)>,
    /// The names that the image gets in the store.
    pub tags: Vec<Reference>,
    /// Who gives these names; a person, without it.
    pub origin: Option<Origin>,
    /// Nothing is taken from the cache. Cache mounts keep their content.
    pub no_cache: bool,
    /// Caches from elsewhere, asked in order.
    pub imports: Vec<std::sync::Arc<dyn StepSource>>,
    /// Stages of which nothing is taken from the cache.
    pub no_cache_stages: Vec<String>,
    /// The certificates that steps trust.
    pub ca: CaBundle,
    /// When the context was made, in seconds since 1970: a git context's commit, `Last-Modified` of one behind http.
    /// A local folder has none. It is what `SOURCE_DATE_EPOCH=context` means.
    pub context_time: Option<i64>,
    /// Which time stamps the image has, unless `SOURCE_DATE_EPOCH` is a build argument or a global ARG.
    pub epoch: Epoch,
    /// Values of `--add-host`: further lines of `/etc/hosts` in steps.
    pub hosts: Vec<ExtraHost>,
    /// `--network`: which network RUN has where it does not say so.
    pub network: Net,
    /// Steps may have the host's network (`--allow network.host`).
    pub allow_host_network: bool,
    /// Steps may run without confinement (`--allow security.insecure`).
    pub allow_insecure: bool,
    /// Size of `/dev/shm` in bytes.
    pub shm_size: Option<u64>,
    /// Values of `--ulimit`: limits of every process of a step.
    pub ulimits: Vec<Ulimit>,
    /// How many steps may run at once; the number of processors, at least 4, without it.
    pub parallelism: Option<usize>,
    /// Stops the build from another thread: its steps are killed and what they began is removed.
    pub cancel: Option<Cancel>,
    /// Whom new cache mounts belong to that do not say it themselves.
    pub cache_owner: CacheOwner,
    /// Hears of a RUN that failed, and may enter it.
    pub on_failure: Option<std::sync::Arc<dyn OnFailure>>,
}

impl BuildRequest {
    /// Reads the Dockerfile (`Dockerfile` in the context without a path, see [`find_dockerfile`]) and its ignore file:
    /// `<Dockerfile>.dockerignore`, else `.dockerignore` in the context.
    ///
    /// # Errors
    /// When the context is no directory or a file cannot be read.
    pub fn open(context: &Path, dockerfile: Option<&Path>) -> Result<Self, BuildError> {
        let root =
            context.canonicalize().map_err(|source| BuildError::io("open the context", context, source))?;
        if !root.is_dir() {
            let source = std::io::Error::from(std::io::ErrorKind::NotADirectory);
            return Err(BuildError::io("open the context", context, source));
        }
        let file = find_dockerfile(dockerfile.map_or_else(|| context.join("Dockerfile"), Path::to_owned));
        let text = read_text(&file).map_err(|error| with_names_like_it(error, &file))?;
        let mut own = file.clone().into_os_string();
        own.push(".dockerignore");
        let mut ignore = None;
        for candidate in [PathBuf::from(own), root.join(".dockerignore")] {
            if candidate.is_file() {
                ignore = Some(read_text(&candidate)?);
                break;
            }
        }
        Ok(Self::new(root, text, ignore))
    }

    /// A build of `dockerfile` with everything else at its default.
    pub fn new(context: PathBuf, dockerfile: Source, ignore: Option<Source>) -> Self {
        Self {
            context,
            dockerfile,
            ignore,
            target: None,
            platform: None,
            build_args: Vec::new(),
            contexts: Vec::new(),
            secrets: Vec::new(),
            ssh: Vec::new(),
            key_files: KeyFiles::default(),
            labels: Vec::new(),
            tags: Vec::new(),
            origin: None,
            no_cache: false,
            imports: Vec::new(),
            no_cache_stages: Vec::new(),
            ca: CaBundle::Auto,
            context_time: None,
            epoch: Epoch::Auto,
            hosts: Vec::new(),
            network: Net::Default,
            allow_host_network: false,
            allow_insecure: false,
            shm_size: None,
            ulimits: Vec::new(),
            parallelism: None,
            cancel: None,
            cache_owner: CacheOwner::Root,
            on_failure: None,
        }
    }
}

impl BuildRequest {
    /// The frontend that the build argument `BUILDKIT_SYNTAX` names in place of the Dockerfile's.
    pub fn syntax(&self) -> Option<&str> {
        let found = self.build_args.iter().rev().find(|(name, _)| name == "BUILDKIT_SYNTAX");
        found.map(|(_, value)| value.as_str())
    }

    /// The named context that `name` means, by the name that it was given with. It comes before a stage of that name
    /// and before an image.
    pub fn context_for(&self, name: &str) -> Option<&str> {
        self.contexts_for(name).next().map(|(context, _)| context)
    }

    /// The named contexts that `name` means: several, if they are images for different platforms. As in BuildKit,
    /// `scratch` and `context` never are one.
    pub(crate) fn contexts_for(&self, name: &str) -> impl Iterator<Item = (&str, &NamedContext)> {
        let wanted = Wanted::new(name);
        let free = !["scratch", "context"].iter().any(|kept| name.eq_ignore_ascii_case(kept));
        let contexts = self.contexts.iter().filter(move |_| free);
        let found = contexts.filter(move |(context, _)| wanted == Wanted::new(context));
        found.map(|(context, what)| (context.as_str(), what))
    }
}

/// A name as named contexts are compared: in any case, and in any spelling of an image's name.
#[derive(PartialEq, Eq)]
enum Wanted {
    Image(Reference),
    Other(String),
}

impl Wanted {
    fn new(name: &str) -> Self {
        let lower = name.to_lowercase();
        let reference = Reference::parse(name).or_else(|_| Reference::parse(&lower));
        reference.map_or_else(|_| Self::Other(lower), Self::Image)
    }
}

/// The Dockerfile at `path`. As in BuildKit, one that is called `Dockerfile` may be called `dockerfile`, if only that is
/// there.
pub fn find_dockerfile(path: PathBuf) -> PathBuf {
    if path.file_name().is_none_or(|name| name != "Dockerfile") || path.symlink_metadata().is_ok() {
        return path;
    }
    let small = path.with_file_name("dockerfile");
    if small.symlink_metadata().is_ok() { small } else { path }
}

/// Names what lies about a Dockerfile that is not there and looks like one.
fn with_names_like_it(error: BuildError, path: &Path) -> BuildError {
    let missing =
        matches!(&error, BuildError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound);
    let Some(folder) = path.parent().filter(|_| missing) else { return error };
    let mut found = Vec::new();
    for prefix in ["", "docker", "build", ".docker", "deploy"] {
        for entry in std::fs::read_dir(folder.join(prefix)).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let small = name.to_ascii_lowercase();
            let alike = ["dockerfile", "containerfile"]
                .iter()
                .any(|known| small.starts_with(known) || small.ends_with(&format!(".{known}")));
            if alike && !small.ends_with(".dockerignore") && entry.path().is_file() {
                found.push(Path::new(prefix).join(name).display().to_string());
            }
        }
    }
    found.sort();
    found.truncate(10);
    let title = error.diagnostics().swap_remove(0).title;
    let hint = if found.is_empty() {
        "write a Dockerfile, or name one with -f".to_owned()
    } else {
        format!("there is {}: name it with -f", found.join(", "))
    };
    Diagnostic::error(title).hint(hint).into()
}

/// The largest Dockerfile that is read, in bytes.
pub(crate) const MAX_TEXT: u64 = 16 << 20;

fn read_text(path: &Path) -> Result<Source, BuildError> {
    let error = |source| BuildError::io("read", path, source);
    let bytes = plimsoll_disk::read_named(path, MAX_TEXT).map_err(error)?;
    Ok(Source::new(path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()))
}

/// What a named context is.
#[derive(Clone, Debug)]
pub enum NamedContext {
    /// A directory of the host.
    Directory(PathBuf),
    /// A directory that is fetched when something needs it.
    Lazy(LazyContext),
    /// An image that is in the store. A name may be given several times, with images for different platforms.
    Image(Box<ResolvedImage>),
    /// The image of this name: where it is needed, it is found as the images of FROM are.
    Reference(Reference),
}

/// The latest time that anything in the image has (`SOURCE_DATE_EPOCH`), in seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Epoch {
    /// The time of the context's last git commit; the files' own times without git.
    #[default]
    Auto,
    /// This time, in seconds since 1970.
    At(i64),
    /// No limit: the files keep their own times.
    Off,
}

/// The image that a build made, and what was done for it.
#[derive(Clone, Debug)]
pub struct BuildOutcome {
    /// The image in the store.
    pub record: ImageRecord,
    /// The steps, with everything expanded.
    pub graph: Graph,
    /// What the image is for.
    pub platform: Platform,
    /// The latest time in the image, when there is a limit (`SOURCE_DATE_EPOCH`).
    pub epoch: Option<i64>,
    /// Every step, in the graph's order.
    pub steps: Vec<StepReport>,
    /// The keys of all steps that have one, for an export of the cache.
    pub keys: Vec<KeyedStep>,
    /// How long the build took, from the Dockerfile to the image.
    pub elapsed: Duration,
    /// Where the steps' full output is, if any step ran.
    pub logs: Option<PathBuf>,
}

/// One step of a build.
#[derive(Clone, Debug)]
pub struct StepReport {
    /// `[build 3/7] RUN pnpm build`
    pub title: String,
    /// Line of the Dockerfile, from 1.
    pub line: Option<usize>,
    /// Why it ran; `None` when it came from the cache.
    pub ran: Option<Reason>,
    /// How long the step took, the look into the cache included.
    pub elapsed: Duration,
}
