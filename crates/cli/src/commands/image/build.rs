//! `plimsoll image build`: takes what `docker buildx build` takes.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use plimsoll_build::{
    BuildError, BuildOutcome, BuildRequest, Builder, CaBundle, CacheOwner, ImageResolver, Net, Progress,
    remote::Remotes,
};
use plimsoll_dockerfile::{Platform, check_frontend};
use plimsoll_image::{
    Origin, Reference, Store,
    bundle::{Annotated, Annotation, Member},
};
use plimsoll_ops::{
    Failure,
    home::{home, open_store},
    interrupt, policy, storage,
};

pub(crate) use super::flags::Args;

use super::{
    attest::Attest,
    built_in::{self, BuiltIn},
    cache::{self, Export},
    call::{Call, Checks, Method},
    context::{Contexts, absolute},
    mounts::Place,
    output::{self, Output},
    product::{self, Product},
    progress::{self, OfPlatform, ProgressMode},
    proxy, shell,
    task::Task,
    values,
};
use crate::{images::Images, render};

/// Settles what standard error is, before the first line is said.
pub(super) fn begin(args: &Args) {
    if args.progress == ProgressMode::RawJson && !args.quiet {
        super::rawjson::RawJson::begin();
    }
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let home = home()?;
    let store = open_store(&home)?;
    let outputs = outputs(&args)?;
    let build_args = build_args(&args)?;
    let built_in = BuiltIn::read(&build_args)?;
    let mut exports = args.cache_to.iter().map(|spec| Export::parse(spec)).collect::<Result<Vec<_>, _>>()?;
    if built_in.inline_cache && !exports.iter().any(Export::is_inline) {
        exports.push(Export::parse("type=inline")?);
    }
    let mounts_from = places(&args.cache_mounts_from)?;
    let mounts_to = places(&args.cache_mounts_to)?;
    let mut annotations = Vec::new();
    for spec in &args.annotations {
        annotations.extend(values::annotation(spec)?);
    }
    let stated = [args.attest.as_slice(), &built_in.attest].concat();
    let (attest, mut notes) = Attest::parse(args.provenance.as_deref(), args.sbom.as_deref(), &stated)?;
    notes.extend(built_in.notes.iter().cloned());
    notes.extend(built_in::variables(args.metadata_file.is_some()));
    notes.extend(args.foreign.notes()?);
    let call = Call::parse(&args.call, args.check)?;
    let on_failure =
        args.on_failure.as_deref().map(|spec| shell::OnFailureShell::parse(spec, &args)).transpose()?;
    let platforms = platforms(&args.platforms)?;
    let several = built_in.several(platforms.len())?;
    // What was fetched for the contexts stays until the end.
    let (mut request, _contexts) = request(&args, &store, &home, &platforms, build_args, &built_in)?;
    request.platform = platforms.first().cloned();
    for note in check_frontend(&request.dockerfile, request.syntax())? {
        notes.push(format!("note: {}", note.title));
    }
    if call.method != Method::Build {
        return call.run(&request, &store);
    }
    let on_index = |one: &Annotation| matches!(one.on, Annotated::Index | Annotated::IndexDescriptor);
    if !several && attest.is_nothing() && annotations.iter().any(on_index) {
        return Err(Failure::new(
            "an image for one platform without attestations has no index that could be annotated",
            "annotate its manifest: --annotation manifest:NAME=VALUE",
        ));
    }
    for output in &outputs {
        output.check(&request.tags, platforms.len())?;
    }
    if outputs.iter().filter(|output| output.is_stdout()).count() > 1 {
        return Err(Failure::new(
            "two outputs want standard output",
            "give all but one of them a file with dest=",
        ));
    }
    let granted = args.allow.iter().any(|grant| grant == "buildx.local.delete");
    let mut targets = Vec::new();
    for output in &outputs {
        output.check_delete(granted)?;
        notes.extend(output.notes.iter().cloned());
        targets.extend(output.target());
    }
    targets.extend(args.iidfile.iter().chain(&args.metadata_file).map(|path| output::same_name(path)));
    let mut seen = BTreeSet::new();
    if let Some(twice) = targets.iter().find(|target| !seen.insert(*target)) {
        return Err(Failure::new(
            format!("two outputs want to write {}", twice.display()),
            "give each a path of its own",
        ));
    }
    let names = request.tags.clone();
    request.tags.extend(outputs.iter().flat_map(|output| output.names.clone()));
    let root = policy::Root::find()?;
    let budget = storage::Budget::find(&root.policy)?;
    let mode = if args.quiet { ProgressMode::Quiet } else { args.progress };
    let progress = progress::make(mode, args.explain);
    let tell = |line: &str| progress.tell(line);
    for note in &notes {
        tell(note);
    }
    for spec in &args.cache_from {
        request.imports.extend(cache::import(spec, &tell)?);
    }
    let mut images = Images::new(&store, &home, &root.policy, &tell);
    images.fresh = args.pull;
    images.raw_json = mode == ProgressMode::RawJson;
    images.folder = crate::images::project_folder(&request.context);
    let builder = Builder::new(&store, home.join("build"))?;
    let native = request.platform.as_ref().is_none_or(|platform| *platform == host_platform());
    let base = |name: &Reference| {
        // what is for another platform is not fetched for the sake of a check
        let found = if native { images.find(name).ok() } else { images.stored(name).ok().flatten() };
        found.map(|found| found.record.config)
    };
    let checks = Checks::of_build(&request, &base);
    if let Some(error) = checks.violation() {
        if mode == ProgressMode::RawJson {
            checks.warn_in_json();
        } else {
            eprint!("{}", plimsoll_source::printable_output(&checks.text()));
        }
        render::error(&error);
        return Ok(ExitCode::from(1));
    }
    let cache_mounts = builder.cache_mounts();
    let ids = if mounts_from.iter().chain(&mounts_to).any(Place::asks_the_build) {
        builder.cache_mount_ids(&request, &images)?
    } else {
        BTreeSet::new()
    };
    for place in &mounts_from {
        place.read(&cache_mounts, &ids, &tell);
    }
    request.cancel = interrupt::cancel_on_interrupt();
    request.on_failure = on_failure.map(|shell| Arc::new(shell) as _);
    let outcomes = build_all(&builder, &request, &platforms, &images, progress.sink());
    interrupt::end_at_once();
    if interrupt::is_interrupted() {
        return Err(interrupt::error());
    }
    let outcomes = outcomes?;
    progress.finish(&outcomes);
    name_all(&store, &outcomes, &request.tags, None)?;

    let mut members = Vec::new();
    for outcome in &outcomes {
        let statements = attest.statements(&store, &request, &args.no_cache_filter, outcome)?;
        members.push(Member { record: outcome.record.clone(), statements });
        if exports.iter().any(Export::is_inline) {
            annotations.push(Annotation {
                on: Annotated::Manifest,
                platform: Some(product::platform(&outcome.record)),
                name: cache::ANNOTATION.to_owned(),
                value: cache::inline(&store, &outcome.record, &outcome.keys)?,
            });
        }
    }
    let product = Product { members, names, annotations, several, attest };
    let mut written = Vec::new();
    for output in &outputs {
        let task = (mode == ProgressMode::RawJson && output.goes_out())
            .then(|| Task::begin(&format!("exporting to {}", output.place())));
        let done = output.write(&store, &product, task.as_ref());
        if let Some(task) = task {
            let why = done.as_ref().err().and_then(|error| error.diagnostics.first());
            task.end(why.map(|why| why.title.as_str()));
        }
        written.push(done?);
    }
    for place in &mounts_to {
        place.write(&cache_mounts, &ids, &tell)?;
    }
    let keys: Vec<_> = outcomes.iter().flat_map(|outcome| outcome.keys.clone()).collect();
    for export in &exports {
        export.write(&store, &keys, &tell)?;
    }
    let wants_id = args.iidfile.is_some() || args.metadata_file.is_some();
    if written.is_empty() && (wants_id || outcomes.len() == 1) {
        written.push(Output::store().write(&store, &product, None)?);
    }
    let id = product::image_id(&product, &written);
    if let Some(file) = &args.iidfile {
        output::write_file(file, id.to_string().as_bytes())?;
    }
    if let Some(file) = &args.metadata_file {
        product::write_metadata(file, &outcomes, &written)?;
    }
    match mode {
        ProgressMode::Quiet => {}
        ProgressMode::RawJson => checks.warn_in_json(),
        _ => checks.warn(),
    }
    let ran = outcomes.iter().flat_map(|outcome| &outcome.steps).any(|step| step.ran.is_some());
    if let Some(budget) = budget.filter(|_| ran) {
        let built: Vec<_> = outcomes.iter().map(|outcome| outcome.record.id).collect();
        storage::hold(budget, &home, &store, &builder, &built, &progress);
    }
    if outputs.iter().all(|output| !output.is_stdout()) {
        println!("{id}");
    }
    Ok(ExitCode::SUCCESS)
}

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

fn places(specs: &[String]) -> Result<Vec<Place>, Failure> {
    specs.iter().map(|spec| Place::parse(spec)).collect()
}

/// `--output`, `--push` and `--load`.
fn outputs(args: &Args) -> Result<Vec<Output>, Failure> {
    let mut outputs = args.outputs.iter().map(|spec| Output::parse(spec)).collect::<Result<Vec<_>, _>>()?;
    if args.push && !outputs.iter().any(|output| output.push) {
        outputs.push(Output::registry());
    }
    if args.load && !outputs.iter().any(Output::is_engine) {
        outputs.push(Output::engine());
    }
    Ok(outputs)
}

/// `--platform`, else `DOCKER_DEFAULT_PLATFORM`, each once and in order; none is this machine's.
pub(super) fn platforms(given: &[String]) -> Result<Vec<Platform>, Failure> {
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
pub(super) fn host_platform() -> Platform {
    Platform::host().normalised()
}

/// Builds for each platform, for all at once. What they have in common is done once: it has the same keys.
pub(super) fn build_all(
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
pub(super) fn name_all(
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
pub(super) fn build_args(args: &Args) -> Result<Vec<(String, String)>, Failure> {
    let mut found = proxy::build_args()?;
    for argument in &args.build_args {
        match values::pair("--build-arg", argument)? {
            (name, Some(value)) => found.push((name, value)),
            (name, None) => found.extend(std::env::var(&name).ok().map(|value| (name, value))),
        }
    }
    Ok(found)
}

pub(super) fn request<'s>(
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
