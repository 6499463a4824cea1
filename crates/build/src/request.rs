//! What a caller asks for, and what it gets.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use plimsoll_dockerfile::Platform;
use plimsoll_image::{Digest, Image, ImageRecord, Origin, Reference, manifest};
use plimsoll_sandbox::{Cancel, ExtraHost, Ulimit};
use plimsoll_source::{Diagnostic, Source};

use crate::{
    error::BuildError,
    exchange::{KeyedStep, StepSource},
    explain::Reason,
    graph::Graph,
    later::Later,
    wreck::OnFailure,
};

/// One build.
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
    /// `--build-arg`, in order.
    pub build_args: Vec<(String, String)>,
    /// Further contexts by name.
    pub contexts: Vec<(String, NamedContext)>,
    /// `--secret`
    pub secrets: Vec<Secret>,
    /// `--ssh`
    pub ssh: Vec<SshAgent>,
    /// What the files hold that `ssh` names, once a step has wanted it.
    pub key_files: KeyFiles,
    /// `--label`, in order.
    pub labels: Vec<(String, String)>,
    /// The image's names.
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
    /// `--add-host`
    pub hosts: Vec<ExtraHost>,
    /// `--network`: which network RUN has where it does not say so.
    pub network: Net,
    /// `--allow network.host`
    pub allow_host_network: bool,
    /// `--allow security.insecure`
    pub allow_insecure: bool,
    /// Size of `/dev/shm` in bytes.
    pub shm_size: Option<u64>,
    /// `--ulimit`
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

/// No Dockerfile is larger.
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
    Later(Later),
    /// An image that is in the store. A name may be given several times, with images for different platforms.
    Image(Box<ResolvedImage>),
    /// The image of this name: where it is needed, it is found as the images of FROM are.
    Reference(Reference),
}

/// A secret and where its value is.
#[derive(Clone)]
pub struct Secret {
    /// Its name.
    pub id: String,
    /// Where it is.
    pub source: SecretSource,
    /// What was read; copies share it.
    value: Arc<OnceLock<Arc<[u8]>>>,
}

/// The largest secret, in bytes, as in BuildKit.
const MAX_SECRET: u64 = 500 << 10;

impl Secret {
    /// A secret that is read when somebody first needs it.
    pub fn new(id: impl Into<String>, source: SecretSource) -> Self {
        Self { id: id.into(), source, value: Arc::default() }
    }

    /// Its value. The source is read once, when a step first needs it: a pipe gives its bytes once, and all steps of a
    /// build see one value. It is kept in memory alone, until the build ends.
    ///
    /// # Errors
    /// With the reason, which does not hold the value.
    pub(crate) fn value(&self) -> Result<Arc<[u8]>, String> {
        static READING: Mutex<()> = Mutex::new(());
        // two steps must not share the bytes of one pipe
        let _reading = READING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = self.value.get() {
            return Ok(value.clone());
        }
        let value: Arc<[u8]> = match &self.source {
            SecretSource::Env(name) => match std::env::var_os(name) {
                Some(value) => value.into_encoded_bytes().into(),
                None => return Err(format!("the variable {name} is not set")),
            },
            SecretSource::File(path) => {
                let told = |error: io::Error| format!("{}: {error}", path.display());
                let mut bytes = Vec::new();
                let file = std::fs::File::open(path).map_err(told)?;
                file.take(MAX_SECRET + 1).read_to_end(&mut bytes).map_err(told)?;
                if bytes.len() as u64 > MAX_SECRET {
                    return Err(format!("{} is larger than 500 KiB", path.display()));
                }
                bytes.into()
            }
        };
        Ok(self.value.get_or_init(|| value).clone())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // never the value
        out.debug_struct("Secret").field("id", &self.id).field("source", &self.source).finish_non_exhaustive()
    }
}

/// Where a secret is.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// A file.
    File(PathBuf),
    /// A variable of our own environment.
    Env(String),
}

/// Keys for `RUN --mount=type=ssh`.
#[derive(Clone, Debug)]
pub struct SshAgent {
    /// Its name; `default` for mounts that name none.
    pub id: String,
    /// Where they are.
    pub keys: SshKeys,
}

/// Where keys for ssh are. No step sees a private key.
#[derive(Clone, Debug)]
pub enum SshKeys {
    /// In the agent with this socket.
    Agent(PathBuf),
    /// In the agent of `SSH_AUTH_SOCK`, which is not set: only a step that wants them fails.
    NoAgent,
    /// In these files, without passphrase.
    Files(Vec<PathBuf>),
}

/// The content of files with keys, each read once, when a step first wants it: a pipe gives its bytes once, and all
/// steps of a build see the same keys. Copies share it. It is kept in memory alone, until the build ends.
#[derive(Clone, Default)]
pub struct KeyFiles(Arc<Mutex<BTreeMap<PathBuf, Arc<[u8]>>>>);

/// No private key is longer, in bytes.
const MAX_KEY: u64 = 64 << 10;

impl KeyFiles {
    /// What a file holds.
    ///
    /// # Errors
    /// With the reason, which does not hold the key.
    pub(crate) fn read(&self, file: &Path) -> io::Result<Arc<[u8]>> {
        // held while it reads: two steps must not share the bytes of one pipe
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = known.get(file) {
            return Ok(key.clone());
        }
        let mut key = Vec::new();
        std::fs::File::open(file)?.take(MAX_KEY + 1).read_to_end(&mut key)?;
        if key.len() as u64 > MAX_KEY {
            return Err(io::Error::other("it is larger than 64 KiB"));
        }
        let key: Arc<[u8]> = key.into();
        known.insert(file.to_owned(), key.clone());
        Ok(key)
    }
}

impl fmt::Debug for KeyFiles {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // never the keys
        out.debug_struct("KeyFiles").finish_non_exhaustive()
    }
}

/// The certificates that steps trust, beside those of their image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CaBundle {
    /// The host's bundle, where it has one that differs from the image's.
    #[default]
    Auto,
    /// This file.
    File(PathBuf),
    /// None.
    Off,
}

/// Which network RUN has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Net {
    /// One of its own, with a way out.
    #[default]
    Default,
    /// None.
    None,
    /// The host's; has to be allowed.
    Host,
}

/// Whom new cache mounts belong to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheOwner {
    /// Root, as in BuildKit.
    #[default]
    Root,
    /// The `USER` of the step.
    User,
}

/// The latest time that anything in the image has (`SOURCE_DATE_EPOCH`), in seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Epoch {
    /// The time of the context's last git commit; the files' own times without git.
    #[default]
    Auto,
    /// This time.
    At(i64),
    /// The files' own times.
    Off,
}

/// An image that a Dockerfile names, in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedImage {
    /// Its configuration and layers.
    pub image: Image,
    /// What it was resolved to, to be shown: a digest or a local name.
    pub shown: String,
    /// The digest of its manifest or index where it came from.
    pub digest: Option<Digest>,
}

/// Finds the images that a Dockerfile names.
pub trait ImageResolver: Sync {
    /// Brings the image for a platform into the store.
    ///
    /// # Errors
    /// With the reason, and what to do.
    fn resolve(&self, name: &Reference, platform: &manifest::Platform)
    -> Result<ResolvedImage, ResolveError>;
}

/// Why an image could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ResolveError {
    /// What went wrong, with the image's name.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl plimsoll_source::Explain for ResolveError {
    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

/// What a build gave.
#[derive(Clone, Debug)]
pub struct BuildOutcome {
    /// The image in the store.
    pub record: ImageRecord,
    /// What was done.
    pub graph: Graph,
    /// What the image is for.
    pub platform: Platform,
    /// The latest time in the image, when there is a limit (`SOURCE_DATE_EPOCH`).
    pub epoch: Option<i64>,
    /// Every step, in the graph's order.
    pub steps: Vec<StepReport>,
    /// The keys of all steps that have one, for an export of the cache.
    pub keys: Vec<KeyedStep>,
    /// The whole time.
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
    /// How long it took.
    pub elapsed: Duration,
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, thread::JoinHandle};

    use super::*;

    /// A pipe in `dir`, and who writes this to it, once.
    fn pipe(dir: &Path, text: &'static [u8]) -> (PathBuf, JoinHandle<()>) {
        let pipe = dir.join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        let to = pipe.clone();
        let writer = std::thread::spawn(move || {
            std::fs::OpenOptions::new().write(true).open(to).unwrap().write_all(text).unwrap();
        });
        (pipe, writer)
    }

    #[test]
    fn secret_from_a_pipe_is_read_once() {
        let dir = tempfile::tempdir().unwrap();
        let (pipe, writer) = pipe(dir.path(), b"sesame\n");
        let secret = Secret::new("token", SecretSource::File(pipe));
        let (first, second) = (secret.clone(), secret.clone());
        std::thread::scope(|scope| {
            let one = scope.spawn(|| first.value().unwrap());
            let other = scope.spawn(|| second.value().unwrap());
            assert_eq!(&*one.join().unwrap(), b"sesame\n");
            assert_eq!(&*other.join().unwrap(), b"sesame\n");
        });
        writer.join().unwrap();
        assert_eq!(&*secret.value().unwrap(), b"sesame\n");
        assert!(!format!("{secret:?}").contains("sesame"));
    }

    #[test]
    fn keys_from_a_pipe_are_read_once() {
        let dir = tempfile::tempdir().unwrap();
        let (pipe, writer) = pipe(dir.path(), b"a key\n");
        let files = KeyFiles::default();
        let (first, second) = (files.clone(), files.clone());
        std::thread::scope(|scope| {
            let one = scope.spawn(|| first.read(&pipe).unwrap());
            let other = scope.spawn(|| second.read(&pipe).unwrap());
            assert_eq!(&*one.join().unwrap(), b"a key\n");
            assert_eq!(&*other.join().unwrap(), b"a key\n");
        });
        writer.join().unwrap();
        assert_eq!(&*files.read(&pipe).unwrap(), b"a key\n");
        assert!(!format!("{files:?}").contains("a key"));
        let long = dir.path().join("long");
        std::fs::write(&long, vec![b'x'; 65 << 10]).unwrap();
        assert!(files.read(&long).unwrap_err().to_string().contains("64 KiB"));
        assert!(files.read(&dir.path().join("none")).is_err());
    }

    #[test]
    fn a_file_that_changes_meanwhile_is_one_value() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        std::fs::write(&file, "first").unwrap();
        let secret = Secret::new("token", SecretSource::File(file.clone()));
        assert_eq!(&*secret.value().unwrap(), b"first");
        std::fs::write(&file, "second").unwrap();
        assert_eq!(&*secret.clone().value().unwrap(), b"first");
        let long = Secret::new("long", SecretSource::File(file.clone()));
        std::fs::write(&file, vec![b'x'; 600 << 10]).unwrap();
        assert!(long.value().unwrap_err().contains("500 KiB"));
    }
}
