//! A service that runs a program: its image, its main process, its further processes and its migrations.

use plimsoll_survey::{Ecosystem, Fact, Manager, Role, Service, StoreKind, Variable};

use super::{
    Made, Passes, below, checked,
    environment::{self, Environment},
    images,
    install::InstalledService,
    names, node, process, python,
    stores::Stores,
    threads,
};
use crate::{
    escape, rules,
    stack::{BaseImage, Build, BuildKind, Dependency, Link, Metrics, ProbeText, Setting, Unit},
};

/// Everything about a program that its image and its services share.
pub(super) struct Program<'a> {
    pub(super) service: &'a Service,
    pub(super) name: String,
    pub(super) port: Option<u16>,
    pub(super) environment: Environment,
    pub(super) probe: Option<ProbeText>,
    /// Folders that it writes and that must survive: `api_uploads:/app/uploads`.
    pub(super) volumes: Vec<String>,
    /// Folders of the image that it writes.
    pub(super) writable: Vec<String>,
    pub(super) tmpfs: Vec<String>,
    /// Files among its own that are links into a volume: the link and what it leads to.
    pub(super) links: Vec<Link>,
}

pub(super) fn plan<'a>(passes: &mut Passes<'a>, service: &'a Service, stores: &Stores) -> Option<Made> {
    let name = names::slug(&service.name);
    let environment = environment::plan(passes, service, stores);
    let port = match service.role {
        Role::Server => Some(service.port.as_ref().map_or_else(|| usual_port(service), |port| port.value)),
        _ => None,
    };
    let mut program = Program {
        service,
        name,
        port,
        environment,
        probe: None,
        volumes: Vec::new(),
        writable: Vec::new(),
        tmpfs: Vec::new(),
        links: Vec::new(),
    };
    let workdir = workdir(passes, service);
    writes(passes, &mut program, &workdir);
    linked(passes, &mut program, &workdir);
    let (build, probe_command) = match service.ecosystem {
        Ecosystem::Python => python::build(passes, &mut program, stores)?,
        _ => node::build(passes, &mut program, stores)?,
    };
    program.probe = probe_command;
    let mut units = Vec::new();
    let mut one_shots = Vec::new();
    one_shots.extend(migrate(passes, &program, stores, &build));
    let kind = if service.role == Role::Server { "server" } else { "process" };
    let mut main = unit(passes, &program, &program.name.clone(), kind, Some(&build));
    main.dockerfile = Some(build.dockerfile.clone());
    main.build_arguments = arguments(&build, service);
    main.single = service.role == Role::Scheduler;
    units.push(main);
    for further in &service.processes {
        let unit = process::plan(passes, &program, further, stores, &build);
        if further.role == Role::OneShot { one_shots.push(unit) } else { units.push(unit) }
    }
    Some(Made { build: Some(build), units, one_shots })
}

pub(super) fn usual_port(service: &Service) -> u16 {
    if service.ecosystem == Ecosystem::Python { 8000 } else { 3000 }
}

/// The folder in which the program runs.
fn workdir(passes: &Passes<'_>, service: &Service) -> String {
    let folder = passes.survey.install_of(service).map_or("", |install| install.folder.as_str());
    match super::relative(&service.path, folder) {
        "" => "/app".to_owned(),
        below => format!("/app/{below}"),
    }
}

/// Volumes for what must survive, and memory for the rest.
pub(super) fn writes(passes: &mut Passes<'_>, program: &mut Program<'_>, workdir: &str) {
    let uid = passes.policy.app_uid;
    for writes in &program.service.writes {
        let path = writes.path.value.trim_start_matches("./").trim_end_matches('/');
        let absolute = if path.starts_with('/') { path.to_owned() } else { below(workdir, path) };
        if !checked::is_path(absolute.trim_start_matches('/')) || absolute == workdir {
            passes.note(
                rules::WRITES_NOT_KEPT,
                &program.service.name.clone(),
                format!("it writes to {path}, which cannot be a volume of its own"),
                "write to a folder that holds nothing else".to_owned(),
                &writes.path.evidence,
            );
            continue;
        }
        if mounted(program, &absolute) {
            continue;
        }
        if writes.keep && MEMORY.contains(&absolute.as_str()) {
            passes.note(
                rules::WRITES_NOT_KEPT,
                &program.service.name.clone(),
                format!("it keeps files in {path}, which is memory: they go with its container"),
                "write them to a folder of its own, as /data".to_owned(),
                &writes.path.evidence,
            );
            continue;
        }
        if writes.keep {
            let volume = volume(program, path);
            program.volumes.push(format!("{volume}:{absolute}"));
            program.writable.push(absolute);
        } else if !absolute.starts_with("/tmp") {
            program.tmpfs.push(format!("{absolute}:uid={uid},gid={uid},mode=0700,size=64m"));
        }
    }
    // Libraries count on it: uploads, caches of compilers, sockets.
    program.tmpfs.push(tmp(passes));
}

/// Folders that a container has in memory whatever its program keeps there.
const MEMORY: [&str; 4] = ["/tmp", "/run", "/var/run", "/dev/shm"];

/// Whether a folder is mounted already: written twice, as `uploads` and `./uploads`, it is one.
fn mounted(program: &Program<'_>, absolute: &str) -> bool {
    program.volumes.iter().any(|volume| volume.split_once(':').is_some_and(|(_, at)| at == absolute))
        || program.tmpfs.iter().any(|tmpfs| tmpfs.split(':').next() == Some(absolute))
}

/// The volume of a folder, by the folder's own name; by its whole path where another one has that name.
fn volume(program: &Program<'_>, path: &str) -> String {
    let short = format!("{}_{}", program.name, names::slug(path.rsplit('/').next().unwrap_or(path)));
    let taken = program.volumes.iter().any(|volume| volume.split(':').next() == Some(short.as_str()));
    if taken { format!("{}_{}", program.name, names::slug(path)) } else { short }
}

/// Memory for files that nobody needs for long.
pub(super) fn tmp(passes: &Passes<'_>) -> String {
    let uid = passes.policy.app_uid;
    format!("/tmp:uid={uid},gid={uid},mode=0700,size=64m")
}

/// A file beside the program that it writes is a link into a volume: the folder itself stays read-only.
fn linked(passes: &mut Passes<'_>, program: &mut Program<'_>, workdir: &str) {
    let folder = below(workdir, ".sqlite");
    for file in &program.service.files {
        let path = file.value.trim_start_matches("./");
        let from = if path.starts_with('/') { path.to_owned() } else { below(workdir, path) };
        let name = path.trim_start_matches('/').replace('/', "-");
        if !from.starts_with("/app/") || !checked::is_path(from.trim_start_matches('/')) {
            passes.note(
                rules::WRITES_NOT_KEPT,
                &program.service.name.clone(),
                format!("it writes the file {path}, which cannot lead into a volume"),
                "write to a folder that holds nothing else".to_owned(),
                &file.evidence,
            );
            continue;
        }
        program.links.push(Link { from, to: below(&folder, &name) });
    }
    if !program.links.is_empty() {
        program.volumes.push(format!("{}_sqlite:{folder}", program.name));
        program.writable.push(folder);
    }
}

/// A service of the compose file that runs the program.
pub(super) fn unit(
    passes: &Passes<'_>,
    program: &Program<'_>,
    name: &str,
    kind: &'static str,
    build: Option<&Build>,
) -> Unit {
    let service = program.service;
    let environment = &program.environment;
    let mut networks = Vec::new();
    if kind == "server" {
        networks.push("app");
    }
    if environment.depends_on.iter().any(|dependency| dependency.condition == "service_healthy") {
        networks.push("data");
    }
    if service.calls.iter().any(|call| !environment::stays_inside(passes, service, &call.value)) {
        networks.push("egress");
    }
    if networks.is_empty() {
        networks.push("app");
    }
    let limits =
        if service.ecosystem == Ecosystem::Python { &passes.policy.python } else { &passes.policy.server };
    let command = service.command.as_ref().map_or(&[][..], |command| &command.value);
    let limits = &threads::limits(limits, command);
    let metrics = service.health.metrics.as_ref().filter(|metrics| checked::is_url_path(&metrics.value));
    Unit {
        name: name.to_owned(),
        kind,
        image: image(passes, program),
        dockerfile: None,
        build_arguments: Vec::new(),
        uid: passes.policy.app_uid,
        depends_on: environment.depends_on.clone(),
        networks,
        published: None,
        environment: environment.settings.clone(),
        secrets: environment.secrets.clone(),
        tmpfs: program.tmpfs.clone(),
        volumes: program.volumes.clone(),
        command: None,
        init: init(service),
        metrics: metrics
            .zip(program.port)
            .filter(|_| kind == "server")
            .map(|(metrics, port)| Metrics { port, path: metrics.value.clone() }),
        probe: program.probe.clone(),
        grace: 20,
        single: false,
        limits: limits.clone(),
        store: None,
        of: program.name.clone(),
        language: language(service),
        // The rest is for buffers outside of the heap, code and the health check's own process.
        heap_megabytes: limits.megabytes * 3 / 4,
        node_options: node_options(build, kind),
        own_image: None,
    }
}

fn language(service: &Service) -> &'static str {
    match service.ecosystem {
        Ecosystem::Node => "node",
        Ecosystem::Python => "python",
        Ecosystem::Plain | Ecosystem::Image => "",
    }
}

fn node_options(build: Option<&Build>, kind: &str) -> String {
    let Some(BuildKind::Node(node)) = build.map(|build| &build.kind) else { return String::new() };
    let mut options = String::new();
    if node.launcher {
        options.push_str(" --require /launcher/secrets.cjs");
    }
    if kind == "process" {
        options.push_str(process::HEARTBEAT);
    }
    options
}

pub(super) fn image(passes: &Passes<'_>, program: &Program<'_>) -> String {
    format!("{}-{}:${{RELEASE:-local}}", passes.project, program.name)
}

/// Arguments of the build that a person may set for `up`: values that become part of the program.
pub(super) fn arguments(build: &Build, service: &Service) -> Vec<Setting> {
    let inlined = match &build.kind {
        BuildKind::Node(node) => &node.inlined,
        BuildKind::Site(site) => &site.inlined,
        _ => return Vec::new(),
    };
    inlined
        .iter()
        .map(|setting| {
            let name = &setting.name;
            let needed = |variable: &Variable| {
                variable.name == *name && variable.required && variable.default.is_none()
            };
            if service.inlined.iter().any(needed) {
                return Setting::new(name, format!("${{{name}:?set {name}}}"));
            }
            let value = escape::compose_default(&setting.name, &setting.value);
            Setting::new(&setting.name, value.unwrap_or_else(|| format!("${{{}:-}}", setting.name)))
        })
        .collect()
}

/// What applies the migrations of a service, once for each release.
fn migrate(passes: &mut Passes<'_>, program: &Program<'_>, stores: &Stores, build: &Build) -> Option<Unit> {
    let service = program.service;
    let migration = service.migration.as_ref()?;
    // Prisma has none for MongoDB, and says so itself.
    let of_documents = service.stores.iter().any(|used| used.kind == StoreKind::Mongodb);
    if migration.command.is_none() && migration.tool.name == "prisma" && of_documents {
        return None;
    }
    let Some(command) = &migration.command else {
        passes.note(
            rules::MIGRATIONS_NOT_APPLIED,
            &service.name,
            format!(
                "its migrations ({}) cannot be run in production: nothing applies them",
                migration.tool.name
            ),
            "add a program that applies them, and a script `db:migrate:ci`: \"node dist/migrate.js\""
                .to_owned(),
            &migration.tool.evidence,
        );
        return None;
    };
    let own = format!("{}-migrate", program.name);
    let name = passes.names.take(&["migrate", &own]);
    let whole = service.ecosystem == Ecosystem::Python;
    let mut unit = unit(passes, program, &name, "migrate", Some(build));
    unit.command = Some(process::arguments(&command.value, build));
    unit.depends_on = stores
        .relational(service)
        .into_iter()
        .map(|name| Dependency { name: name.to_owned(), condition: "service_healthy" })
        .collect();
    unit.networks = if unit.depends_on.is_empty() { vec!["app"] } else { vec!["data"] };
    if !whole {
        // What it does not need, it does not get.
        unit.environment.clone_from(&program.environment.for_migrations);
        unit.secrets.clone_from(&program.environment.secrets_for_migrations);
    }
    unit.limits = passes.policy.migrate.clone();
    unit.metrics = None;
    unit.probe = None;
    unit.init = None;
    if !whole {
        unit.tmpfs.retain(|tmpfs| tmpfs.starts_with("/tmp:"));
        // drizzle-kit makes one folder below it, and none above.
        let mut data = Setting::new("XDG_DATA_HOME", "/tmp");
        data.reason = Some("Command lines write what they remember to the home of their user.".to_owned());
        if command.value.iter().any(|word| word.contains("drizzle-kit")) {
            unit.environment.push(data);
        }
    }
    Some(unit)
}

/// The frame of an image: where it is written, what it is built from.
pub(super) fn frame(
    passes: &Passes<'_>,
    program: &Program<'_>,
    images: Vec<BaseImage>,
    kind: BuildKind,
) -> Build {
    let service = program.service;
    let (dockerfile, own_ignore) = passes.dockerfile(&service.path);
    Build {
        name: program.name.clone(),
        path: service.path.clone(),
        dockerfile,
        own_ignore,
        framework: framework(service),
        uid: passes.policy.app_uid,
        port: program.port,
        images,
        kind,
    }
}

/// Names of the frameworks as people write them.
pub(super) fn framework(service: &Service) -> String {
    let mut names: Vec<String> = Vec::new();
    for tool in &service.frameworks {
        let name = label(&tool.name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    match (&names[..], service.ecosystem) {
        ([], Ecosystem::Python) => "Python".to_owned(),
        ([], _) => "Node.js".to_owned(),
        (names, _) => names.join(" and "),
    }
}

/// A package's name as its makers write it.
fn label(package: &str) -> String {
    let known = match package {
        "fastify" => "Fastify",
        "express" => "Express",
        "react" => "React",
        "vite" => "Vite",
        "vue" => "Vue",
        "svelte" => "Svelte",
        "next" => "Next.js",
        "nuxt" => "Nuxt",
        "astro" => "Astro",
        "koa" => "Koa",
        "hono" => "Hono",
        "@nestjs/core" => "NestJS",
        "@sveltejs/kit" => "SvelteKit",
        "@angular/core" => "Angular",
        "flask" => "Flask",
        "django" => "Django",
        "fastapi" => "FastAPI",
        "starlette" => "Starlette",
        "celery" => "Celery",
        other => other,
    };
    escape::comment(known)
}

/// The place of a Node.js service, or a reason why it has none.
pub(super) fn place<'a>(passes: &mut Passes<'a>, service: &'a Service) -> Option<InstalledService<'a>> {
    let place = InstalledService::new(passes.survey, service);
    if place.is_none() {
        passes.problems.push(super::problem(
            rules::NO_INSTALL,
            &service.name,
            "what installs its packages is not known",
            "add a package.json to its folder or above it",
        ));
    }
    place
}

/// Node.js of an install: the survey's choice, else the newest with long-term support.
pub(super) fn node_major(place: &InstalledService<'_>) -> u32 {
    let chosen = place.install.runtime_version.as_ref().and_then(|version| version.value.parse().ok());
    chosen.unwrap_or(images::NODE)
}

/// The scripts that must pass before an image is made. A project with scripts for CI (`test:ci`, `lint:ci`) means all
/// of them to run without its own machine; others may need a database or a browser, and run where a person says so.
pub(super) fn checks(passes: &mut Passes<'_>, place: &InstalledService<'_>) -> Vec<String> {
    let service = place.service;
    let answered = passes.policy.checks.get(&service.name).cloned();
    let for_ci = service.checks.iter().any(|check| check.value.ends_with(":ci"));
    let chosen: Vec<String> = match answered {
        Some(names) => names,
        None if for_ci => service.checks.iter().map(|check| check.value.clone()).collect(),
        None => {
            if !service.checks.is_empty() {
                let names: Vec<&str> = service.checks.iter().map(|check| check.value.as_str()).collect();
                let all: Vec<_> = service.checks.iter().flat_map(|check| check.evidence.clone()).collect();
                passes.note(
                    rules::CHECKS_NOT_RUN,
                    &service.name,
                    format!("its checks ({}) are not a condition of the image", names.join(", ")),
                    format!("`--answer {}.checks={}` makes them one", service.name, names.join(",")),
                    &all,
                );
            }
            Vec::new()
        }
    };
    chosen.iter().filter(|name| is_script(name)).map(|script| place.run(script)).collect()
}

/// Names of scripts that no option or shell word can be taken for.
pub(super) fn is_script(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    !text.is_empty() && !text.starts_with('-') && text.chars().all(inner)
}

/// The folder in the image that one build leaves for the next.
pub(super) fn build_cache(service: &Service, prefix: &str) -> Option<String> {
    let cache = service.build_cache.as_ref()?;
    checked::is_path(&cache.folder.value).then(|| format!("/app/{prefix}{}", cache.folder.value))
}

/// The command of a build script.
pub(super) fn build_commands(place: &InstalledService<'_>, prefix: &str) -> Vec<String> {
    let service = place.service;
    let mut commands = commands_of_build(place);
    let forget = service.build_cache.as_ref().and_then(|cache| cache.forget.as_ref());
    let cache = build_cache(service, prefix);
    if let (Some(cache), Some(forget), Some(last)) = (cache, forget, commands.last_mut()) {
        *last = format!("rm -rf {cache}/{forget} \\\n    && {last}");
    }
    commands
}

fn commands_of_build(place: &InstalledService<'_>) -> Vec<String> {
    let service = place.service;
    let placeholders: Vec<String> = service
        .placeholders
        .iter()
        .filter(|setting| environment::is_name(&setting.name))
        .map(|setting| format!("{}={}", setting.name, escape::shell(&setting.value)))
        .collect();
    // For the build alone: no stage keeps them.
    let with = |line: String| {
        if placeholders.is_empty() {
            return line;
        }
        format!("export {} \\\n    && {line}", placeholders.join(" \\\n        "))
    };
    if !service.build_steps.is_empty() {
        let inside = |line| match place.folder {
            "" => line,
            // Commands are joined: the folder counts for this one alone.
            folder => format!("(cd {} && {line})", escape::shell(folder)),
        };
        return service.build_steps.iter().map(command_line).map(inside).map(with).collect();
    }
    let script = service.build.as_ref().filter(|script| is_script(&script.value));
    let mut commands: Vec<String> = script.map(|script| place.run(&script.value)).into_iter().collect();
    commands.extend(service.build_commands.iter().map(command_line));
    commands.into_iter().map(with).collect()
}

/// A program and its arguments as a shell's command line.
pub(super) fn command_line(command: &Fact<Vec<String>>) -> String {
    command.value.iter().map(|word| escape::shell(word)).collect::<Vec<_>>().join(" ")
}

/// What the image sets so that it serves by itself, without a compose file: where it listens.
pub(super) fn listens(program: &Program<'_>) -> Vec<Setting> {
    let mut settings: Vec<Setting> =
        program.environment.bind.iter().map(|variable| Setting::new(variable, "0.0.0.0")).collect();
    if program.environment.reads_port {
        let variable = program.service.port_variable.as_ref().map_or("PORT", |variable| &variable.value);
        settings.extend(program.port.map(|port| Setting::new(variable, port.to_string())));
    }
    settings
}

/// Debian packages that the program needs when it runs.
pub(super) fn system_packages(service: &Service) -> Vec<String> {
    let packages = service.system_packages.iter().map(|package| package.value.clone());
    packages.filter(|package| checked::is_debian_package(package)).collect()
}

/// Settings that the survey wants while a service is built.
pub(super) fn settings_at_build(service: &Service) -> Vec<Setting> {
    let set =
        service.settings.iter().filter(|setting| setting.at_build && environment::is_name(&setting.name));
    set.map(|setting| Setting {
        name: setting.name.clone(),
        value: setting.value.clone(),
        reason: Some(setting.reason.clone()).filter(|reason| !reason.is_empty()),
    })
    .collect()
}

/// Settings that are there while a Node.js service is built.
pub(super) fn build_settings(place: &InstalledService<'_>) -> Vec<Setting> {
    let mut settings = settings_at_build(place.service);
    if place.install.manager == Manager::YarnBerry {
        settings.push(Setting {
            name: "YARN_NODE_LINKER".to_owned(),
            value: "node-modules".to_owned(),
            reason: Some(
                "A folder of packages, which every program finds; Plug'n'Play needs a loader in each."
                    .to_owned(),
            ),
        });
        settings.push(Setting::new("YARN_GLOBAL_FOLDER", "/yarn/global"));
    }
    settings
}

/// Variables whose values become part of the program, with their defaults.
pub(super) fn inlined(passes: &mut Passes<'_>, service: &Service) -> Vec<Setting> {
    let mut settings = Vec::new();
    for variable in service.inlined.iter().filter(|variable| environment::is_name(&variable.name)) {
        let default = variable.default.clone().unwrap_or_default();
        if environment::is_local(&default) {
            // The page's own origin: what the front passes on.
            let path = default.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap_or_default();
            passes.note(
                rules::BUILD_VARIABLE,
                &service.name,
                format!(
                    "{} is {default} in development; the built pages get {path:?}, their own origin",
                    variable.name
                ),
                format!("set {} for `plimsoll up` where the pages must ask another host", variable.name),
                &variable.evidence,
            );
            settings.push(Setting::new(&variable.name, path));
        } else {
            settings.push(Setting::new(&variable.name, default));
        }
    }
    settings
}

/// Why a service needs an init before it.
fn init(service: &Service) -> Option<&'static str> {
    if service.spawns.is_some() {
        return Some("It starts other programs: process 1 has to reap what they leave behind.");
    }
    (service.stops_gracefully.is_none() && service.ecosystem == Ecosystem::Node).then_some(
        "The program does not handle SIGTERM, and process 1 ignores what it does not handle: a small init passes it on.",
    )
}
