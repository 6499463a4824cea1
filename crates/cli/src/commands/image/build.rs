//! `plimsoll image build`: takes what `docker buildx build` takes.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use plimsoll_build::{
    BuildError, BuildOutcome, BuildRequest, Builder, CaBundle, Epoch, Secret, SecretSource, SshAgent,
    SshKeys, remote::Remotes,
};
use plimsoll_image::{LayerCompression, Reference, Store};
use plimsoll_sandbox::{ExtraHost, Ulimit};

use super::{
    alias::Foreign,
    cache::{self, Export},
    call::{Call, Checks, Method},
    context::{Contexts, absolute},
    output::{self, Output},
    progress::{self, ProgressMode},
    shell,
};
use crate::{error::CommandError, home::home, images::Images, interrupt, policy, render};

/// Build an image from a Dockerfile
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The build context: a directory, a git address (URL#REF:DIRECTORY), the address of a tar or Dockerfile, or `-`
    /// for a tar or Dockerfile on standard input
    #[arg(default_value = ".")]
    pub(super) context: String,
    /// Dockerfile, `-` for standard input [default: CONTEXT/Dockerfile]
    #[arg(short, long, value_name = "FILE")]
    pub(super) file: Option<String>,
    /// Name of the image
    #[arg(short, long = "tag", value_name = "NAME[:TAG]")]
    tags: Vec<String>,
    /// Stage to build [default: the last one]
    #[arg(long, value_name = "STAGE")]
    target: Option<String>,
    /// Build argument; without a value it is taken from the environment
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]")]
    build_args: Vec<String>,
    /// Further context: a directory, a git or http address, `docker-image://NAME`, or `oci-layout://DIR[@DIGEST]`
    #[arg(long = "build-context", value_name = "NAME=WHAT")]
    build_contexts: Vec<String>,
    /// Secret for RUN --mount=type=secret: `id=ID,src=FILE` or `id=ID,env=VARIABLE`
    #[arg(long = "secret", value_name = "SPEC")]
    secrets: Vec<String>,
    /// Label of the image
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<String>,
    /// Line for /etc/hosts of RUN
    #[arg(long = "add-host", value_name = "NAME:ADDRESS")]
    add_hosts: Vec<String>,
    /// Network of RUN
    #[arg(long, value_name = "MODE", default_value = "default", value_parser = ["default", "host", "none"])]
    network: String,
    /// Size of /dev/shm
    #[arg(long, value_name = "BYTES")]
    shm_size: Option<String>,
    /// Resource limit of RUN
    #[arg(long = "ulimit", value_name = "NAME=SOFT[:HARD]")]
    ulimits: Vec<String>,
    /// Grant of a privilege
    #[arg(long, value_name = "WHAT", value_parser = ["security.insecure", "network.host"])]
    allow: Vec<String>,
    /// Platform of the image; only this machine's
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    /// Take nothing from the cache; cache mounts keep their content
    #[arg(long)]
    no_cache: bool,
    /// Certificates that RUN trusts: `auto` (the host's), `off`, or a file
    #[arg(long, value_name = "FILE", default_value = "auto")]
    ca: String,
    /// How progress is shown
    #[arg(long, value_enum, default_value_t = ProgressMode::Auto)]
    progress: ProgressMode,
    /// Show nothing but the image's id
    #[arg(short, long)]
    quiet: bool,
    /// Say of each step why it ran
    #[arg(long)]
    explain: bool,
    /// Where the result goes: `type=oci|docker|tar|local,dest=PATH`; without it, the store
    #[arg(short, long = "output", value_name = "SPEC")]
    outputs: Vec<String>,
    /// Hand the image to the engine
    #[arg(long)]
    load: bool,
    /// Write the image's id into a file
    #[arg(long, value_name = "FILE")]
    iidfile: Option<PathBuf>,
    /// Write what was built into a JSON file
    #[arg(long, value_name = "FILE")]
    metadata_file: Option<PathBuf>,
    /// What to do: `build`, `check`, `outline` or `targets`; with `,format=json` for programs
    #[arg(long, value_name = "METHOD", default_value = "build")]
    call: String,
    /// Shorthand for --call=check
    #[arg(long)]
    check: bool,
    /// Keys for RUN --mount=type=ssh: `default` (the agent of SSH_AUTH_SOCK) or `ID=SOCKET` or `ID=KEY[,KEY]`
    #[arg(long, value_name = "ID[=PATH]")]
    ssh: Vec<String>,
    /// Stages of which nothing is taken from the cache
    #[arg(long, value_name = "STAGE", value_delimiter = ',')]
    no_cache_filter: Vec<String>,
    /// Annotation of the image's manifest
    #[arg(long = "annotation", value_name = "[manifest:]NAME=VALUE")]
    annotations: Vec<String>,
    /// Ask the registry for the images of FROM also when the store has them
    #[arg(long)]
    pull: bool,
    /// Send the image to the registry of each of its names
    #[arg(long)]
    push: bool,
    /// Where the cache is written: `type=local,dest=FOLDER`, `type=registry,ref=NAME`, `type=inline`; `mode=max` for
    /// the steps of all stages
    #[arg(long, value_name = "SPEC")]
    cache_to: Vec<String>,
    /// A cache from elsewhere: `type=local,src=FOLDER`, `type=registry,ref=NAME`
    #[arg(long, value_name = "SPEC")]
    cache_from: Vec<String>,
    /// When a RUN fails: `shell` enters it, with its files, mounts, variables and secrets, on this terminal or with the
    /// commands of standard input; `shell=PROGRAM` with another shell than its own
    #[arg(long, value_name = "shell[=PROGRAM]")]
    on_failure: Option<String>,
    #[command(flatten)]
    foreign: Foreign,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, CommandError> {
    let home = home()?;
    let store = Store::open(home.join("store")).map_err(|error| CommandError::from_error(&error))?;
    let outputs = args.outputs.iter().map(|spec| Output::parse(spec)).collect::<Result<Vec<_>, _>>()?;
    let exports = args.cache_to.iter().map(|spec| Export::parse(spec)).collect::<Result<Vec<_>, _>>()?;
    let mut annotations = annotations(&args.annotations)?;
    let notes = args.foreign.notes()?;
    let call = Call::parse(&args.call, args.check)?;
    let on_failure =
        args.on_failure.as_deref().map(|spec| shell::OnFailureShell::parse(spec, &args)).transpose()?;
    // What was fetched for the contexts stays until the end.
    let (mut request, _contexts) = request(&args, &store, &home)?;
    request.tags.extend(outputs.iter().flat_map(|output| output.names.clone()));
    if call.method != Method::Build {
        return call.run(&request, &store);
    }
    let root = policy::Root::find()?;
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
    let builder = Builder::new(&store, home.join("build")).map_err(failed)?;
    let base = |name: &Reference| images.find(name).ok().map(|found| found.record.config);
    let checks = Checks::of_build(&request, &base);
    if let Some(error) = checks.violation() {
        eprint!("{}", checks.text());
        render::error(&error);
        return Ok(ExitCode::from(1));
    }
    request.cancel = interrupt::cancel_on_interrupt();
    request.on_failure = on_failure.map(|shell| Arc::new(shell) as _);
    let outcome = builder.build(&request, &images, progress.sink());
    interrupt::end_at_once();
    if interrupt::is_interrupted() {
        return Err(interrupt::error());
    }
    let outcome = outcome.map_err(failed)?;
    progress.finish(&outcome);

    if exports.iter().any(Export::is_inline) {
        let text = cache::inline(&store, &outcome.record, &outcome.keys)?;
        annotations.insert(cache::ANNOTATION.to_owned(), text);
    }
    for output in &outputs {
        output.write(&store, &outcome.record, &request.tags, &annotations)?;
    }
    if args.push && !outputs.iter().any(|output| output.push) {
        output::push(&store, &outcome.record, &request.tags, LayerCompression::Keep, &annotations)?;
    }
    for export in &exports {
        export.write(&store, &outcome.keys, &tell)?;
    }
    if args.load || outputs.iter().any(Output::is_engine) {
        output::hand_over(&store, &outcome.record, &request.tags)?;
    }
    if let Some(file) = &args.iidfile {
        output::write_file(file, outcome.record.id.to_string().as_bytes())?;
    }
    if let Some(file) = &args.metadata_file {
        write_metadata(file, &outcome, &request)?;
    }
    if mode != ProgressMode::Quiet {
        checks.warn();
    }
    if outputs.iter().all(|output| !output.is_stdout()) {
        println!("{}", outcome.record.id);
    }
    Ok(ExitCode::SUCCESS)
}

fn failed(error: BuildError) -> CommandError {
    CommandError::from(error.diagnostics())
}

fn request<'s>(
    args: &Args,
    store: &'s Store,
    home: &Path,
) -> Result<(BuildRequest, Contexts<'s>), CommandError> {
    refuse_other_platforms(args.platform.as_deref())?;
    let secrets = args.secrets.iter().map(|spec| secret(spec)).collect::<Result<Vec<_>, _>>()?;
    let keep_git_dir = args.build_args.iter().any(|argument| argument == "BUILDKIT_CONTEXT_KEEP_GIT_DIR=1");
    let mut contexts = Contexts::new(store, Remotes::new(home.join("build/remote"), &secrets), keep_git_dir);
    let mut request = contexts.open(&args.context, args.file.as_deref())?;
    request.target.clone_from(&args.target);
    for tag in &args.tags {
        request.tags.push(Reference::parse(tag).map_err(|error| CommandError::from_error(&error))?);
    }
    for argument in &args.build_args {
        match argument.split_once('=') {
            Some((name, value)) => request.build_args.push((name.to_owned(), value.to_owned())),
            None => {
                if let Ok(value) = std::env::var(argument) {
                    request.build_args.push((argument.clone(), value));
                }
            }
        }
    }
    for spec in &args.build_contexts {
        request.contexts.push(contexts.named(spec)?);
    }
    request.secrets = secrets;
    for label in &args.labels {
        let (name, value) = label.split_once('=').unwrap_or((label, ""));
        request.labels.push((name.to_owned(), value.to_owned()));
    }
    for host in &args.add_hosts {
        let (name, address) = host.split_once(['=', ':']).ok_or_else(|| {
            CommandError::new(format!("`{host}` is no line for /etc/hosts"), "write --add-host NAME:ADDRESS")
        })?;
        let address = if address == "host-gateway" { "127.0.0.1" } else { address };
        request.hosts.push(ExtraHost { name: name.to_owned(), address: address.to_owned() });
    }
    request.ssh = args.ssh.iter().map(|spec| ssh(spec)).collect::<Result<_, _>>()?;
    request.no_cache_stages.clone_from(&args.no_cache_filter);
    request.no_cache = args.no_cache;
    request.offline = args.network == "none";
    request.allow_insecure = args.allow.iter().any(|grant| grant == "security.insecure");
    request.shm_size = args.shm_size.as_deref().map(bytes).transpose()?;
    request.ulimits = args.ulimits.iter().map(|limit| ulimit(limit)).collect::<Result<_, _>>()?;
    request.ca = match args.ca.as_str() {
        "auto" => CaBundle::Auto,
        "off" => CaBundle::Off,
        file => CaBundle::File(absolute(Path::new(file))?),
    };
    if let Ok(epoch) = std::env::var("SOURCE_DATE_EPOCH") {
        let seconds = epoch.parse().map_err(|_| {
            CommandError::new(
                format!("SOURCE_DATE_EPOCH is `{epoch}`, not a number"),
                "give seconds since 1970, as `git log -1 --format=%ct` prints them",
            )
        })?;
        request.epoch = Epoch::At(seconds);
    }
    Ok((request, contexts))
}

fn refuse_other_platforms(platform: Option<&str>) -> Result<(), CommandError> {
    let Some(text) = platform else { return Ok(()) };
    let host = host_platform();
    let same = plimsoll_dockerfile::Platform::parse(text).is_ok_and(|wanted| wanted.normalised() == host);
    if same {
        return Ok(());
    }
    Err(CommandError::new(
        format!("cannot build for the platform `{text}` on {host}"),
        "build it on a machine of that platform",
    ))
}

/// The only platform that can be built for.
pub(super) fn host_platform() -> plimsoll_dockerfile::Platform {
    plimsoll_dockerfile::Platform::host().normalised()
}

/// `ID`, `ID=SOCKET` or `ID=KEY[,KEY]`.
fn ssh(spec: &str) -> Result<SshAgent, CommandError> {
    let wrong = |why: String| {
        CommandError::new(
            format!("cannot use --ssh {spec}: {why}"),
            "write --ssh default with SSH_AUTH_SOCK set, or --ssh ID=SOCKET or --ssh ID=KEY",
        )
    };
    let (id, paths) = spec.split_once('=').map_or((spec, None), |(id, paths)| (id, Some(paths)));
    let paths: Vec<PathBuf> = match paths {
        Some(paths) => paths.split(',').map(|path| absolute(Path::new(path))).collect::<Result<_, _>>()?,
        None => match std::env::var_os("SSH_AUTH_SOCK") {
            Some(socket) => vec![absolute(Path::new(&socket))?],
            None => return Err(wrong("SSH_AUTH_SOCK is not set".to_owned())),
        },
    };
    let is_socket = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|meta| std::os::unix::fs::FileTypeExt::is_socket(&meta.file_type()))
    };
    let keys = match paths.as_slice() {
        [one] if is_socket(one) => SshKeys::Agent(one.clone()),
        many if many.iter().any(is_socket) => return Err(wrong("one socket, or keys".to_owned())),
        _ => SshKeys::Files(paths),
    };
    Ok(SshAgent { id: id.to_owned(), keys })
}

/// `[manifest:]NAME=VALUE`; there is no index that could have one.
fn annotations(specs: &[String]) -> Result<BTreeMap<String, String>, CommandError> {
    specs
        .iter()
        .map(|spec| {
            let wrong = |why: &str| {
                CommandError::new(format!("--annotation {spec}: {why}"), "write --annotation NAME=VALUE")
            };
            let (name, value) = spec.split_once('=').ok_or_else(|| wrong("it has no value"))?;
            let name = match name.split_once(':') {
                Some(("manifest", name)) => name,
                Some(_) => return Err(wrong("only manifests are annotated")),
                None => name,
            };
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}

fn secret(spec: &str) -> Result<Secret, CommandError> {
    let wrong = |why: &str| {
        CommandError::new(
            format!("cannot read the secret `{}`: {why}", spec.split(',').next().unwrap_or_default()),
            "write --secret id=NAME,src=FILE or --secret id=NAME,env=VARIABLE",
        )
    };
    let (mut id, mut file, mut variable, mut kind) = (None, None, None, None);
    for field in spec.split(',') {
        match field.split_once('=') {
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("src" | "source", value)) => file = Some(PathBuf::from(value)),
            Some(("env", value)) => variable = Some(value.to_owned()),
            Some(("type", value @ ("file" | "env"))) => kind = Some(value.to_owned()),
            _ => return Err(wrong("a field is not known")),
        }
    }
    let id = id.ok_or_else(|| wrong("it has no id"))?;
    let source = match (file, variable, kind.as_deref()) {
        (Some(_), Some(_), _) => return Err(wrong("it has both a file and a variable")),
        (Some(name), None, Some("env")) => SecretSource::Env(name.display().to_string()),
        (Some(file), None, _) => SecretSource::File(file),
        (None, Some(variable), _) => SecretSource::Env(variable),
        // As buildx: the id itself is the variable where there is one, else a file.
        (None, None, _) if std::env::var_os(&id).is_some() => SecretSource::Env(id.clone()),
        (None, None, _) => SecretSource::File(PathBuf::from(&id)),
    };
    Ok(Secret { id, source })
}

/// `64m`, `1g`: binary units, as Docker has them here.
fn bytes(text: &str) -> Result<u64, CommandError> {
    let lower = text.to_ascii_lowercase();
    let lower = lower.trim_end_matches('b');
    let (digits, factor) = match lower.as_bytes().last() {
        Some(b'k') => (&lower[..lower.len() - 1], 1 << 10),
        Some(b'm') => (&lower[..lower.len() - 1], 1 << 20),
        Some(b'g') => (&lower[..lower.len() - 1], 1 << 30),
        _ => (lower, 1_u64),
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|count| count.checked_mul(factor))
        .ok_or_else(|| CommandError::new(format!("`{text}` is no size"), "write it like 64m or 1g"))
}

fn ulimit(text: &str) -> Result<Ulimit, CommandError> {
    let parsed = (|| {
        let (name, values) = text.split_once('=')?;
        let (soft, hard) = values.split_once(':').unwrap_or((values, values));
        let number = |text: &str| if text == "-1" { Some(u64::MAX) } else { text.parse().ok() };
        Some(Ulimit { name: name.to_owned(), soft: number(soft)?, hard: number(hard)? })
    })();
    parsed.ok_or_else(|| CommandError::new(format!("`{text}` is no limit"), "write it like nofile=1024:2048"))
}

fn write_metadata(file: &Path, outcome: &BuildOutcome, request: &BuildRequest) -> Result<(), CommandError> {
    let names: Vec<String> = request.tags.iter().map(Reference::canonical).collect();
    let mut metadata = serde_json::json!({
        "containerimage.config.digest": outcome.record.id,
        "plimsoll.steps": outcome.steps.iter().map(|step| serde_json::json!({
            "title": step.title,
            "line": step.line,
            "cached": step.ran.is_none(),
            "reason": step.ran.as_ref().map(ToString::to_string),
            "milliseconds": step.elapsed.as_millis() as u64,
        })).collect::<Vec<_>>(),
    });
    if !names.is_empty() {
        metadata["image.name"] = serde_json::Value::String(names.join(","));
    }
    let text = serde_json::to_vec_pretty(&metadata).map_err(|error| CommandError::from_error(&error))?;
    output::write_file(file, &text)
}
