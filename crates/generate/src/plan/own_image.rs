//! A service whose image a Dockerfile of the team builds, as it is: hardened as the other programs are, as far as that is
//! known to hold. What is not known is said.

use std::collections::BTreeMap;

use plimsoll_survey::{OwnImage, Role, Service, Survey};

use super::{
    Made, Passes, checked,
    environment::{self, Environment},
    names,
    server::{self, Program},
    stores::Stores,
};
use crate::{
    escape, rules,
    stack::{OwnImageTexts, Reader, Setting, Unit},
};

/// Where the engine mounts secrets.
const SECRETS: &str = "/run/secrets/";

/// What starts in the container, where it is not what the image says.
#[derive(Default)]
struct Start {
    entrypoint: Option<Vec<String>>,
    command: Option<Vec<String>>,
}

pub(super) fn plan<'a>(passes: &mut Passes<'a>, service: &'a Service, stores: &Stores) -> Option<Made> {
    let image = service.own_image.as_deref()?;
    let (context, dockerfile) = place(passes, service, image)?;
    let mut environment = environment::plan(passes, service, stores);
    let secrets = take_secrets(&mut environment);
    let given = if image.secrets_in_environment { &[][..] } else { &secrets[..] };
    let start = start(passes, service, image, given)?;
    if image.secrets_in_environment {
        environment.settings.extend(secrets.iter().map(|(variable, secret)| demanded(variable, secret)));
        environment.secrets.clear();
    }
    let mut program = Program {
        service,
        name: names::slug(&service.name),
        port: service.port.as_ref().map(|port| port.value),
        environment,
        probe: None,
        volumes: Vec::new(),
        writable: Vec::new(),
        tmpfs: Vec::new(),
        links: Vec::new(),
    };
    server::writes(passes, &mut program, "/");
    program.tmpfs = tmpfs(passes, image, &program.volumes);
    let kind = match service.role {
        Role::Server => "server",
        Role::OneShot => "migrate",
        _ => "process",
    };
    let mut unit = server::unit(passes, &program, &program.name.clone(), kind, None);
    unit.init = init(image);
    unit.single = service.role == Role::Scheduler;
    unit.command = start.command;
    if kind == "migrate" {
        unit.limits = passes.policy.migrate.clone();
    }
    notes(passes, service, image, given, &program.volumes);
    unit.own_image = Some(OwnImageTexts {
        context,
        dockerfile,
        target: image.target.as_ref().map(|target| escape::compose(&target.value)),
        arguments: arguments(image),
        sets_user: !has_own_user(image),
        entrypoint: start.entrypoint,
        reads_secrets: !given.is_empty(),
        has_check: image.healthcheck.is_some(),
    });
    let (units, one_shots) =
        if kind == "migrate" { (Vec::new(), vec![unit]) } else { (vec![unit], Vec::new()) };
    Some(Made { build: None, units, one_shots })
}

/// What others wait for: nobody can wait for the health of an image without a health check.
pub(super) fn conditions(units: &[Unit]) -> BTreeMap<String, &'static str> {
    let unchecked = |unit: &&Unit| unit.own_image.as_ref().is_some_and(|own| !own.has_check);
    units.iter().filter(unchecked).map(|unit| (unit.name.clone(), "service_started")).collect()
}

/// Whether a Dockerfile of the team has the repository's root as its context, and so `.dockerignore` as its own.
pub(super) fn has_root_context(survey: &Survey) -> bool {
    survey
        .services
        .iter()
        .filter_map(|service| service.own_image.as_ref())
        .any(|image| image.context.value.is_empty())
}

/// Who reads the secrets of a service.
pub(super) fn reader(passes: &Passes<'_>, service: &Service) -> Reader {
    let own = |image: &&OwnImage| has_own_user(image) && !image.secrets_in_environment;
    let Some(image) = service.own_image.as_deref().filter(own) else {
        return Reader::Program;
    };
    match uid(image) {
        Some(uid) if uid == passes.policy.app_uid => Reader::Program,
        Some(uid) => Reader::Image { uid: uid.to_string() },
        None => {
            let image = format!("{}-{}:local", passes.project, names::slug(&service.name));
            Reader::Image { uid: format!("\"$(docker run --rm --entrypoint id {image} -u)\"") }
        }
    }
}

/// Whether it runs as its image says.
fn has_own_user(image: &OwnImage) -> bool {
    image.keeps_user || image.is_unprivileged()
}

/// The image's user as a number; nothing where only its own list of users has it.
fn uid(image: &OwnImage) -> Option<u32> {
    let user = image.user.as_ref()?.value.split(':').next()?;
    if user == "root" { Some(0) } else { user.parse().ok() }
}

/// Context and Dockerfile as the compose file has them.
fn place(passes: &mut Passes<'_>, service: &Service, image: &OwnImage) -> Option<(String, String)> {
    let dockerfile = checked::path(&service.name, &image.dockerfile.value, &mut passes.problems)?;
    let context = image.context.value.as_str();
    if context.is_empty() {
        return Some((".".to_owned(), escape::yaml(&dockerfile)));
    }
    let context = checked::path(&service.name, context, &mut passes.problems)?;
    let inside = dockerfile.strip_prefix(&context).and_then(|rest| rest.strip_prefix('/'));
    let dockerfile = match inside {
        Some(inside) => inside.to_owned(),
        // The way up to the root, and down again.
        None => format!("{}{dockerfile}", "../".repeat(context.split('/').count())),
    };
    Some((format!("./{context}"), escape::yaml(&dockerfile)))
}

/// Takes the settings out that name a secret's file: no program in another language is known to read `NAME_FILE`.
fn take_secrets(environment: &mut Environment) -> Vec<(String, String)> {
    let mut taken = Vec::new();
    let known = environment.secrets.clone();
    environment.settings.retain(|setting| {
        let variable = setting.name.strip_suffix("_FILE");
        let secret = setting.value.strip_prefix(SECRETS).filter(|name| known.iter().any(|it| it == name));
        let (Some(variable), Some(secret)) = (variable, secret) else { return true };
        taken.push((variable.to_owned(), secret.to_owned()));
        false
    });
    taken
}

/// The variable with a secret where nothing in the image can read a file.
fn demanded(variable: &str, secret: &str) -> Setting {
    let value = format!("${{{variable}:?set it to the text of secrets/{secret}}}");
    let mut setting = Setting::new(variable, escape::yaml(&value));
    setting.reason = Some("Nothing in the image reads a file, so that `docker inspect` shows it.".to_owned());
    setting
}

/// What starts in the container. With secrets the shell reads them first.
fn start(
    passes: &mut Passes<'_>,
    service: &Service,
    image: &OwnImage,
    secrets: &[(String, String)],
) -> Option<Start> {
    // A person's answer is the whole command.
    let whole = service.command.as_ref().map(|command| command.value.clone());
    if secrets.is_empty() {
        let given = image.given.as_ref().map(|words| words.value.clone());
        let command = if whole.is_some() { None } else { given };
        return Some(Start { entrypoint: whole, command });
    }
    let shell = shell(secrets);
    if let (Some(words), true) = (&whole, image.shell.value) {
        return Some(Start { entrypoint: Some([shell, words.clone()].concat()), command: None });
    }
    match image.runs().filter(|_| image.shell.value) {
        Some(words) if image.entrypoint.is_some() => {
            Some(Start { entrypoint: Some([shell, words].concat()), command: None })
        }
        // The base's own entrypoint starts what it is given.
        Some(words) => Some(Start { entrypoint: None, command: Some([shell, words].concat()) }),
        None => {
            let variables: Vec<&str> = secrets.iter().map(|(variable, _)| variable.as_str()).collect();
            passes.problems.push(super::problem(rules::NO_SECRET_READER,
                &service.name,
                format!("nothing is known in its image that can read {} from files", variables.join(", ")),
                format!(
                    "`--answer {0}.secrets=environment`, or say what it runs: `--answer {0}.command=\"/app/server\"`",
                    service.name
                ),
            ));
            None
        }
    }
}

/// The shell that reads secrets into variables and gives its place to the words behind it.
fn shell(secrets: &[(String, String)]) -> Vec<String> {
    let mut script = String::new();
    for (variable, secret) in secrets {
        script.push_str(&format!("{variable}=\"$(cat {SECRETS}{secret})\"; export {variable}; "));
    }
    script.push_str("exec \"$@\"");
    // The word behind the script is its `$0`.
    ["/bin/sh", "-ec", &script, "sh"].map(str::to_owned).to_vec()
}

/// Arguments of the build, with their values in development.
fn arguments(image: &OwnImage) -> Vec<Setting> {
    let named = image.arguments.iter().filter(|(name, _)| environment::is_name(name));
    named
        .map(|(name, value)| {
            let default = value.as_ref().map_or("", |value| value.value.as_str());
            let text = escape::compose_default(name, default);
            Setting::new(name, text.unwrap_or_else(|| escape::compose(default)))
        })
        .collect()
}

/// Memory for `/tmp`, with the owner where it is known.
fn tmpfs(passes: &Passes<'_>, image: &OwnImage, volumes: &[String]) -> Vec<String> {
    if volumes.iter().any(|volume| volume.ends_with(":/tmp")) {
        return Vec::new();
    }
    if !has_own_user(image) {
        return vec![server::tmp(passes)];
    }
    vec![match uid(image) {
        Some(uid) => format!("/tmp:uid={uid},gid={uid},mode=0700,size=64m"),
        None => "/tmp:mode=1777,size=64m".to_owned(),
    }]
}

/// Why a small init is process 1: not where the image brings one, which may have to be process 1 itself.
fn init(image: &OwnImage) -> Option<&'static str> {
    let first = image.entrypoint.as_ref().and_then(|words| words.value.first());
    let name = first.and_then(|word| word.rsplit('/').next()).unwrap_or_default();
    let brings = matches!(name, "init" | "tini" | "dumb-init" | "s6-svscan" | "my_init" | "catatonit");
    (!brings).then_some(
        "Whether the program handles SIGTERM is not known, and process 1 ignores what it does not handle: an init passes it on.",
    )
}

/// What is not known of the image.
fn notes(
    passes: &mut Passes<'_>,
    service: &Service,
    image: &OwnImage,
    secrets: &[(String, String)],
    volumes: &[String],
) {
    let name = &service.name;
    let file = &image.dockerfile.value;
    if !has_own_user(image) {
        let uid = passes.policy.app_uid;
        let folders: Vec<&str> =
            volumes.iter().filter_map(|it| it.split_once(':')).map(|(_, path)| path).collect();
        let volumes = match &folders[..] {
            [] => String::new(),
            folders => format!(", and {} is root's unless the Dockerfile gives it away", folders.join(", ")),
        };
        let place = image.user.as_ref().map_or(&image.base.evidence, |user| &user.evidence);
        passes.note(rules::USER_ASSUMED,
            name,
            format!(
                "its Dockerfile names no user but root: it runs as {uid}. Files of its image may belong to root{volumes}"
            ),
            format!("set USER in {file}; `--answer {name}.user=image` keeps the image's user"),
            place,
        );
    }
    passes.note(
        rules::WRITES_UNKNOWN,
        name,
        "where it writes is not known but for VOLUME: all of its image but /tmp is read-only",
        format!("name the folders with VOLUME in {file}"),
        &image.dockerfile.evidence,
    );
    if !secrets.is_empty() {
        let variables: Vec<&str> = secrets.iter().map(|(variable, _)| variable.as_str()).collect();
        passes.note(rules::SHELL_ASSUMED,
            name,
            format!(
                "its image is taken to have /bin/sh, which reads {} from files. They stand in the environment of its process, \
                 and not in what `docker inspect` shows",
                variables.join(", ")
            ),
            "where the program can read them from files itself, change its entrypoint",
            &image.shell.evidence,
        );
    }
    if image.healthcheck.is_none() && service.role != Role::OneShot {
        passes.note(rules::NO_HEALTHCHECK,
            name,
            "readiness is not checked by the engine: its Dockerfile has no HEALTHCHECK, and what waits for it waits for its start",
            format!("add a HEALTHCHECK to {file}"),
            &image.dockerfile.evidence,
        );
    }
    if service.calls.is_empty() {
        passes.note(
            rules::NO_EGRESS,
            name,
            "which hosts outside it calls is not known: it has no way out of the stack",
            format!("`--answer {name}.egress=yes` gives it one"),
            &image.dockerfile.evidence,
        );
    }
    if image.context.value.is_empty() && (passes.taken)(&format!("{file}.dockerignore")) {
        passes.note(
            rules::OWN_DOCKERIGNORE,
            name,
            format!(
                "{file}.dockerignore decides what its build reads, and the build's folder holds the secrets"
            ),
            format!("see that `secrets` and `.plimsoll` stand in {file}.dockerignore"),
            &image.dockerfile.evidence,
        );
    }
}
