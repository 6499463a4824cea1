//! The one builder of a [`BuildRequest`]: what `image build`, `build` and `up` say, as a request for the builder.

use std::path::{Path, PathBuf};

use plimsoll_build::{
    BuildError, BuildOutcome, BuildRequest, Builder, CaBundle, CacheOwner, Event, ImageResolver, Net,
    Outcome, Progress, graph::Title, remote::Remotes,
};
use plimsoll_dockerfile::Platform;
use plimsoll_image::{Origin, Reference, Store};
use plimsoll_source::Failure;

use crate::{
    built_in::BuiltIn,
    context::{Contexts, absolute},
    flags::Args,
    output, proxy, values,
};

/// No bundle of certificates is larger, in bytes.
const MAX_CERTIFICATES: u64 = 16 << 20;

/// A file that holds certificates: said before anything is built.
fn certificates(file: &Path, contexts: &mut Contexts<'_>) -> Result<PathBuf, Failure> {
    let bytes = plimsoll_disk::read_named(file, MAX_CERTIFICATES).map_err(|error| {
        Failure::new(format!("cannot read {}: {error}", file.display()), "check the path")
    })?;
    let text = String::from_utf8_lossy(&bytes);
    if text.contains("-----BEGIN CERTIFICATE-----") || text.contains("-----BEGIN TRUSTED CERTIFICATE-----") {
        // each step reads it again, and a pipe gives its bytes once
        let is_file = std::fs::metadata(file).is_ok_and(|meta| meta.is_file());
        return if is_file { absolute(file) } else { contexts.spooled("ca.pem", &bytes) };
    }
    Err(Failure::new(
        format!("--ca {}: there is no certificate in it", file.display()),
        "give a file of certificates in PEM form; from DER: openssl x509 -inform der -in CA.cer -out CA.pem",
    ))
}

/// `--platform`, else `DOCKER_DEFAULT_PLATFORM`, each once and in order; none is this machine's.
pub fn platforms(given: &[String]) -> Result<Vec<Platform>, Failure> {
    let default = std::env::var("DOCKER_DEFAULT_PLATFORM").unwrap_or_default();
    let default: Vec<String> = default.split(',').map(str::to_owned).collect();
    let texts = if given.is_empty() { &default } else { given };
    let mut platforms: Vec<Platform> = Vec::new();
    for text in texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
        let platform = match text {
            "local" => host_platform(),
            text => Platform::parse(text)
                .map_err(|error| Failure::new(error.to_string(), "write it like linux/arm64"))?
                .normalised(),
        };
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    Ok(platforms)
}

/// This machine's platform.
pub fn host_platform() -> Platform {
    Platform::host().normalised()
}

/// Builds for each platform, for all at once. What they have in common is done once: it has the same keys.
pub fn build_all(
    builder: &Builder,
    request: &BuildRequest,
    platforms: &[Platform],
    images: &dyn ImageResolver,
    sink: &dyn Progress,
) -> Result<Vec<BuildOutcome>, BuildError> {
    if platforms.len() < 2 {
        return Ok(vec![builder.build(request, images, sink)?]);
    }
    let build = |(number, platform): (usize, &Platform)| {
        let one = BuildRequest { platform: Some(platform.clone()), tags: Vec::new(), ..request.clone() };
        let sink = OfPlatform::new(sink, number, platform);
        let built = builder.build(&one, images, &sink);
        if let (Err(_), Some(cancel)) = (&built, &request.cancel) {
            cancel.cancel();
        }
        built
    };
    let results: Vec<_> = if request.on_failure.is_some() {
        // one terminal can enter one step
        platforms.iter().enumerate().map(build).collect()
    } else {
        std::thread::scope(|scope| {
            let running: Vec<_> =
                platforms.iter().enumerate().map(|one| scope.spawn(move || build(one))).collect();
            let joined = running.into_iter().map(std::thread::ScopedJoinHandle::join);
            joined.map(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        })
    };
    let (outcomes, mut errors): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    // the builds that were stopped because of the first failure say nothing new
    errors.sort_by_key(|error| {
        matches!(error, Err(BuildError::Sandbox(plimsoll_sandbox::SandboxError::Cancelled)))
    });
    match errors.into_iter().next() {
        Some(Err(error)) => Err(error),
        _ => outcomes.into_iter().collect(),
    }
}

/// Several images get their names together; without a platform a name means this machine's. `origin` is who gives the
/// names, unless a person does.
pub fn name_all(
    store: &Store,
    outcomes: &[BuildOutcome],
    names: &[Reference],
    origin: Option<&Origin>,
) -> Result<(), Failure> {
    if outcomes.len() < 2 {
        return Ok(());
    }
    let mut sorted: Vec<&BuildOutcome> = outcomes.iter().collect();
    sorted.sort_by_key(|outcome| outcome.platform != host_platform());
    let ids: Vec<_> = sorted.iter().map(|outcome| outcome.record.id).collect();
    let origins =
        origin.map(|origin| ids.iter().map(|id| (*id, origin.clone())).collect()).unwrap_or_default();
    store.tag_platforms_from(&ids, names, &origins).map_err(Failure::from)
}

/// `--build-arg` in order, behind the proxies of Docker's configuration; without a value from the environment.
pub fn build_args(args: &Args) -> Result<Vec<(String, String)>, Failure> {
    let mut found = proxy::build_args()?;
    for argument in &args.build_args {
        match values::pair("--build-arg", argument)? {
            (name, Some(value)) => found.push((name, value)),
            (name, None) => found.extend(std::env::var(&name).ok().map(|value| (name, value))),
        }
    }
    Ok(found)
}

/// What is to be built, with the contexts that were fetched for it: they go when the second value is dropped.
pub fn request<'s>(
    args: &Args,
    store: &'s Store,
    home: &Path,
    platforms: &[Platform],
    build_args: Vec<(String, String)>,
    built_in: &BuiltIn,
) -> Result<(BuildRequest, Contexts<'s>), Failure> {
    let secrets = args.secrets.iter().map(|spec| values::secret(spec)).collect::<Result<Vec<_>, _>>()?;
    let remotes = Remotes::new(home.join("build/remote"), &secrets).telling(store.waiting());
    let mut contexts = Contexts::new(store, remotes, built_in.keep_git_dir);
    contexts.platforms = platforms.to_vec();
    let mut request = contexts.open(&args.context, args.file.as_deref(), args.inline.as_deref())?;
    request.target.clone_from(&args.target);
    for tag in &args.tags {
        let name = Reference::parse(tag).map_err(|error| {
            Failure::new(error.to_string(), "write --tag NAME or --tag NAME:TAG, in lower case")
        })?;
        request.tags.push(output::own_name(name)?);
    }
    request.build_args = build_args;
    for spec in &args.build_contexts {
        let named = contexts.named(spec)?;
        // as in buildx, of two contexts with one name the later counts
        request.contexts.retain(|(name, _)| named.iter().all(|(later, _)| later != name));
        request.contexts.extend(named);
    }
    request.secrets = secrets;
    for label in &args.labels {
        let (name, value) = values::pair("--label", label)?;
        request.labels.push((name, value.unwrap_or_default()));
    }
    request.hosts = args.add_hosts.iter().map(|host| values::host(host)).collect::<Result<_, _>>()?;
    request.ssh = args.ssh.iter().map(|spec| values::ssh(spec)).collect::<Result<_, _>>()?;
    request.no_cache_stages.clone_from(&args.no_cache_filter);
    request.no_cache = args.no_cache;
    request.network = match args.network.as_str() {
        "none" => Net::None,
        "host" => Net::Host,
        _ => Net::Default,
    };
    check_grants(&args.allow)?;
    let granted = |name: &str| args.allow.iter().any(|grant| grant == name);
    request.allow_insecure = granted("security.insecure");
    request.allow_host_network = granted("network.host");
    request.cache_owner = if args.cache_mount_owner == "user" { CacheOwner::User } else { CacheOwner::Root };
    request.shm_size = args.shm_size.as_deref().map(values::bytes).transpose()?;
    request.ulimits = args.ulimits.iter().map(|limit| values::ulimit(limit)).collect::<Result<_, _>>()?;
    request.ca = match args.ca.as_str() {
        "auto" => CaBundle::Auto,
        "off" => CaBundle::Off,
        file => CaBundle::File(certificates(Path::new(file), &mut contexts)?),
    };
    // as buildx: the environment's value is a build argument, unless one is given; an empty one is none
    if !request.build_args.iter().any(|(name, _)| name == "SOURCE_DATE_EPOCH")
        && let Some(epoch) = std::env::var_os("SOURCE_DATE_EPOCH").filter(|epoch| !epoch.is_empty())
    {
        let epoch = epoch.to_string_lossy().into_owned();
        request.build_args.push(("SOURCE_DATE_EPOCH".to_owned(), epoch));
    }
    Ok((request, contexts))
}

/// Refuses grants of what does not exist. Files are read and written where the command line says.
fn check_grants(allowed: &[String]) -> Result<(), Failure> {
    for grant in allowed {
        let name = grant.split('=').next().unwrap_or_default();
        if !matches!(
            name,
            "security.insecure"
                | "network.host"
                | "device"
                | "fs"
                | "fs.read"
                | "fs.write"
                | "buildx.local.delete"
        ) {
            return Err(Failure::new(
                format!("there is no privilege `{grant}`"),
                "write --allow security.insecure or --allow network.host",
            ));
        }
    }
    Ok(())
}

/// The events of one of several builds that are shown together: its steps have numbers of their own, and the
/// platform stands in their titles, as BuildKit writes it.
pub struct OfPlatform<'a> {
    inner: &'a dyn Progress,
    first: usize,
    platform: String,
}

/// No build has more steps.
const STEPS: usize = 1 << 20;

impl<'a> OfPlatform<'a> {
    /// `number` is the build's, from 0.
    pub fn new(inner: &'a dyn Progress, number: usize, platform: &Platform) -> Self {
        Self { inner, first: number * STEPS, platform: platform.to_string() }
    }
}

impl Progress for OfPlatform<'_> {
    fn event(&self, event: &Event<'_>) {
        let first = self.first;
        match event {
            // the others say the same
            Event::Note(_) if first > 0 => {}
            Event::Note(note) => self.inner.event(&Event::Note(note)),
            Event::Started { step, title, inputs } => {
                let inputs: Vec<usize> = inputs.iter().map(|input| first + input).collect();
                let title = Title { platform: Some(self.platform.clone()), ..(*title).clone() };
                self.inner.event(&Event::Started { step: first + step, title: &title, inputs: &inputs });
            }
            Event::Output { step, stream, bytes } => {
                self.inner.event(&Event::Output { step: first + step, stream: *stream, bytes });
            }
            Event::Waiting { step, what } => self.inner.event(&Event::Waiting { step: first + step, what }),
            Event::Fetched { step, transfer } => {
                self.inner.event(&Event::Fetched { step: first + step, transfer });
            }
            Event::Finished { step, outcome, elapsed } => {
                let outcome = match outcome {
                    Outcome::Cached => Outcome::Cached,
                    Outcome::Done(reason) => Outcome::Done(reason),
                    Outcome::Failed => Outcome::Failed,
                    Outcome::Stopped => Outcome::Stopped,
                };
                self.inner.event(&Event::Finished { step: first + step, outcome, elapsed: *elapsed });
            }
        }
    }
}
