//! Python: projects, their installs, and the applications in them.

use crate::{
    context::{Context, has_extension, host_name},
    detect::platform::{self, Launch, Platform},
    model::{
        Confidence, Ecosystem, Evidence, Fact, Framework, Gap, Question, Role, Service, Setting, StoreKind,
        Survey,
    },
    python::Module,
    rules,
};

mod aiohttp;
mod alembic;
mod allowed;
mod apps;
mod beside;
mod branches;
mod celery;
mod clients;
mod command;
mod conditions;
pub(crate) mod config_class;
mod debug;
mod demands;
mod dialects;
mod django;
mod environment;
mod facts;
mod flask;
mod gunicorn;
mod health;
mod hosts;
mod install;
mod keys;
mod logs;
mod lost;
mod manifest;
mod media;
mod migrations;
pub(crate) mod mode;
mod own;
mod pages;
mod paths;
mod pins;
mod processes;
mod project;
mod readers;
mod requirement;
mod routes;
mod runtime;
mod settings_class;
mod socketio;
mod sqlite;
mod starlette;
mod static_files;
mod steps;
mod switch;
mod system;
mod templates;
mod urls;
mod uses;
mod uv;

use apps::App;
use django::Site;
use environment::Read;
use project::Project;
pub(crate) use project::is_program;

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let mut broken = Vec::new();
    let platform = platform::read(context);
    let projects = project::all(context, &[], &mut broken);
    survey.gaps.extend(broken.iter().map(Gap::unreadable));
    for project in &projects {
        let before = survey.services.len();
        let sites = django::sites(project);
        for site in &sites {
            django_site(context, &platform, project, site, survey);
        }
        if sites.is_empty()
            && !web(context, &platform, project, survey)
            && !page(context, &platform, project, survey)
        {
            workers(context, &platform, project, survey);
        }
        if sites.is_empty() && survey.services.len() == before {
            survey.gaps.extend(django::without_settings(project, &runtime::subject(&project.folder)));
        }
        survey.gaps.extend(lost::of_project(context, &projects, project, &survey.services[before..]));
        if survey.services.len() > before {
            install::add(context, &platform, project, survey);
        }
    }
    // The manifest in the root names the project.
    if survey.name.is_none() {
        let root = projects.iter().find(|project| project.folder.is_empty());
        survey.name =
            root.and_then(|project| project.manifests.iter().find_map(|manifest| manifest.name.clone()));
    }
    survey.gaps.extend(lost::without_a_list(context, &projects));
    let said = survey.gaps.iter().any(|gap| gap.message.contains("is not in the stack"));
    if survey.services.is_empty() && !said {
        survey.gaps.extend(nothing(&projects));
    }
    unique(survey);
    survey.services.sort_by(|a, b| (&a.path, a.ecosystem).cmp(&(&b.path, b.ecosystem)));
}

/// What is said of Python where nothing that can be deployed was found: never nothing.
fn nothing(projects: &[Project]) -> Option<Gap> {
    let project = projects.first()?;
    let manifest = project
        .manifests
        .iter()
        .find(|manifest| manifest.declares)
        .map(|manifest| manifest.source.name().to_owned());
    let file = manifest.or_else(|| project.file.as_ref().map(|(path, _)| path.clone()))?;
    Some(Gap {
        rule: rules::NOTHING_TO_DEPLOY,
        subject: "the repository".to_owned(),
        message: "a Python project without a web application, a worker or a schedule that is known"
            .to_owned(),
        hint: lost::HINT.to_owned(),
        evidence: vec![Evidence::file(&file, "a project of Python")],
    })
}

/// What the project's own command for the web needs a shell for, or does first.
fn around_the_command(launches: &[&Launch], service: &Service, survey: &mut Survey) {
    let mut add = |rule, message: String, hint: &str, launch: &Launch| {
        let evidence = vec![launch.evidence.clone()];
        survey.gaps.push(Gap {
            rule,
            subject: service.name.clone(),
            message,
            hint: hint.to_owned(),
            evidence,
        });
    };
    for launch in launches.iter().filter(|launch| launch.process == "web" && !launch.weak) {
        let Some(line) = &launch.line else {
            add(
                rules::PROCESS_NOT_RUN,
                format!("its own command needs a shell and is not used: {}", launch.text),
                "write it as one program with its arguments",
                launch,
            );
            continue;
        };
        for words in &line.before {
            let has = |word: &str| words.iter().any(|known| known == word);
            if has("migrate") || has("upgrade") || has("collectstatic") {
                continue;
            }
            add(
                rules::STEP_NOT_RUN,
                format!("`{}` runs before its own command, and nothing does it here", words.join(" ")),
                "write it as a line of its own in the Procfile, or do it when the image is built",
                launch,
            );
        }
    }
}

/// No two services or processes have one name.
fn unique(survey: &mut Survey) {
    let mut taken: Vec<String> = survey
        .services
        .iter()
        .filter(|service| service.ecosystem != Ecosystem::Python)
        .map(|service| service.name.clone())
        .collect();
    let free = |taken: &mut Vec<String>, name: &str, other: String| {
        let numbered = (2..1000).map(|number| format!("{name}-{number}"));
        let chosen = [name.to_owned(), other]
            .into_iter()
            .chain(numbered)
            .find(|name| !taken.contains(name))
            .unwrap_or_default();
        taken.push(chosen.clone());
        chosen
    };
    for service in survey.services.iter_mut().filter(|service| service.ecosystem == Ecosystem::Python) {
        let folder = host_name(service.path.rsplit('/').next().unwrap_or_default());
        service.name = free(&mut taken, &service.name, folder);
    }
    for service in survey.services.iter_mut().filter(|service| service.ecosystem == Ecosystem::Python) {
        for process in &mut service.processes {
            process.name = free(&mut taken, &process.name, format!("{}-{}", service.name, process.name));
        }
    }
}

/// A service with nothing but its name.
fn empty(project: &Project, path: &str, role: Role) -> Service {
    let folder = path.rsplit('/').next().filter(|name| {
        // `src` inside of a project names nothing.
        let silent = *name == "src" && path != project.folder && project.name().is_some();
        !name.is_empty() && !silent
    });
    // Never the checkout's folder: it differs from machine to machine.
    let name = folder.or(project.name()).unwrap_or("app");
    let mut service = Service::new(host_name(name), path.to_owned(), Ecosystem::Python, role);
    service.package = project.name().map(str::to_owned);
    service
}

/// Packages whose use makes a framework worth a line, the deciding ones first.
const FRAMEWORKS: [&str; 16] = [
    "django",
    "flask",
    "apiflask",
    "fastapi",
    "litestar",
    "quart",
    "sanic",
    "starlette",
    "falcon",
    "bottle",
    "djangorestframework",
    "channels",
    "celery",
    "sqlalchemy",
    "sqlmodel",
    "gunicorn",
];

fn frameworks(project: &Project, first: &str) -> Vec<Framework> {
    let mut names: Vec<&str> = FRAMEWORKS.to_vec();
    names.sort_by_key(|name| *name != first);
    if !FRAMEWORKS.contains(&first) {
        names.insert(0, first);
    }
    let frameworks = names.iter().filter_map(|name| {
        let requirement = project.needs(&[name])?;
        let version = if requirement.versions.is_empty() {
            "any version".to_owned()
        } else {
            requirement.versions.clone()
        };
        Some(Framework { name: (*name).to_owned(), version, evidence: vec![requirement.evidence.clone()] })
    });
    frameworks.collect()
}

/// An application of Flask, FastAPI or another framework whose object stands in a module.
fn web(context: &Context<'_>, platform: &Platform, project: &Project, survey: &mut Survey) -> bool {
    let apps = apps::find(context, project);
    let Some(app) = &chosen(context, platform, project, &apps) else { return false };
    let mut service = empty(project, &app.root, Role::Server);
    service.frameworks = frameworks(project, app.package);
    let found = routes::find(project);
    let locked = install::locked(context, project);
    let socket_io = socketio::find(project);
    let sockets = command::Sockets { any: !found.websockets.is_empty(), socket_io: socket_io.as_ref() };
    let mut served = command::serve(context, platform, project, &locked, app, &sockets);
    if served.start.is_none() && !own::program(platform, project, app, &mut served, &mut service, survey) {
        ask(&service.name, app, &apps, survey);
    }
    for (message, evidence) in found.gaps {
        let hint = "nothing has to be done for the stack; the list of routes is not whole".to_owned();
        survey.gaps.push(Gap {
            rule: rules::ROUTES_INCOMPLETE,
            subject: service.name.clone(),
            message,
            hint,
            evidence: vec![evidence],
        });
    }
    let health = platform
        .health
        .iter()
        .find(|(folder, _)| *folder == project.folder || *folder == app.root)
        .map(|(_, path)| path);
    service.health = health::of(&found.routes, health);
    service.routes = found.routes;
    service.websockets = found.websockets;
    if let Some(found) = &socket_io {
        one_process(found, &served.command.value, &mut service, survey);
    }
    let of = Of { context, platform, project, site: None, app: Some(app) };
    apply(&of, served, &mut service, survey);
    let mut reads = flask::reads(project, environment::reads(project), &mut service, &mut survey.gaps);
    config_class::choose(context, project, &mut reads, &service.name, &mut survey.questions);
    choose_mode(context, project, &mut reads, &mut service, survey);
    common(&of, &reads, &mut service, survey);
    let files = sqlite::Of { context, project, site: None, app: Some(app) };
    flask::tables(&files, app, &mut service, &mut survey.gaps);
    flask::faults(project, app, &service, &mut survey.gaps);
    allowed::of_middleware(project, &service, &mut survey.gaps);
    survey.services.push(service);
    true
}

/// A program whose framework serves its pages by itself.
fn page(context: &Context<'_>, platform: &Platform, project: &Project, survey: &mut Survey) -> bool {
    let Some(page) = pages::find(project) else { return false };
    let mut service = empty(project, &project.folder, Role::Server);
    service.frameworks = frameworks(project, page.package);
    service.command = Some(Fact::new(page.command, page.evidence.clone()));
    service.port = Some(Fact::new(page.port, page.evidence.clone()));
    service.health.live = Some(Fact::new(page.live.to_owned(), page.evidence.clone()));
    service.websockets.extend(page.websocket.map(|path| Fact::new(path, page.evidence.clone())));
    service.bind = page.bind.unwrap_or_default();
    if page.open_port {
        survey.questions.push(Question {
            id: format!("{}.port", service.name),
            text: "Its program takes its port from elsewhere. On which one does it listen?".to_owned(),
            options: Vec::new(),
            default: Some(page.port.to_string()),
            confidence: Confidence::Open,
            evidence: vec![page.evidence.clone()],
        });
    }
    service.settings.extend(page.settings);
    let of = Of { context, platform, project, site: None, app: None };
    common(&of, &environment::reads(project), &mut service, survey);
    survey.services.push(service);
    true
}

/// A project without a web application: its first process is the main one.
fn workers(context: &Context<'_>, platform: &Platform, project: &Project, survey: &mut Survey) {
    let mut service = empty(project, &project.folder, Role::Worker);
    let of = Of { context, platform, project, site: None, app: None };
    let mut side = Survey::default();
    common(&of, &environment::reads(project), &mut service, &mut side);
    if service.processes.is_empty() || service.processes.iter().all(|process| process.role == Role::OneShot) {
        return;
    }
    let main = service.processes.remove(0);
    service.role = main.role;
    service.frameworks = frameworks(project, "celery");
    service.command = Some(main.command);
    survey.gaps.extend(side.gaps);
    survey.questions.extend(side.questions);
    survey.services.push(service);
}

/// A site of Django.
fn django_site(
    context: &Context<'_>,
    platform: &Platform,
    project: &Project,
    site: &Site,
    survey: &mut Survey,
) {
    let mut service = empty(project, &site.folder, Role::Server);
    service.frameworks = frameworks(project, "django");
    let mut reads = django::reads(site, environment::reads(project));
    choose_mode(context, project, &mut reads, &mut service, survey);
    let found = urls::find(project, site);
    let asked = platform.health.iter().find(|(folder, _)| *folder == site.folder).map(|(_, path)| path);
    service.health = health::of(&found.routes, asked);
    service.routes = found.routes;
    service.websockets = found.websockets;
    if let Some(first) = found.lost.first() {
        survey.gaps.push(Gap {
            rule: rules::ROUTES_INCOMPLETE,
            subject: service.name.clone(),
            message: format!(
                "{} paths are computed or patterns: what is below them is not in the list of routes",
                found.lost.len()
            ),
            hint: "nothing has to be done for the stack; the list of routes is not whole".to_owned(),
            evidence: vec![first.clone()],
        });
    }
    which_settings(site, &service.name, survey);
    let mut gaps = Vec::new();
    django::describe(context, project, site, &reads, &mut service, &mut gaps);
    allowed::of_django(site, &service, &mut gaps);
    survey.gaps.extend(gaps);
    let app = django::app(project, site);
    match &app {
        Some(app) => {
            let locked = install::locked(context, project);
            let sockets = command::Sockets { any: !service.websockets.is_empty(), socket_io: None };
            let served = command::serve(context, platform, project, &locked, app, &sockets);
            let of = Of { context, platform, project, site: Some(site), app: Some(app) };
            apply(&of, served, &mut service, survey);
        }
        None => survey.gaps.push(Gap {
            rule: rules::SERVER_NOT_FOUND,
            subject: service.name.clone(),
            message: "no module with a WSGI or ASGI application".to_owned(),
            hint: "write wsgi.py as `django-admin startproject` does".to_owned(),
            evidence: vec![site.evidence.clone()],
        }),
    }
    let of = Of { context, platform, project, site: Some(site), app: app.as_ref() };
    common(&of, &reads, &mut service, survey);
    survey.services.push(service);
}

/// What a websocket's process remembers of its clients no other process knows, unless something passes it on.
fn one_process_of_websockets(project: &Project, service: &mut Service) {
    let passes_on =
        |used: &crate::model::StoreUse| matches!(used.kind, StoreKind::Redis | StoreKind::Rabbitmq);
    let known = service.settings.iter().any(|setting| setting.name == "WEB_CONCURRENCY");
    if service.websockets.is_empty() || known || service.stores.iter().any(passes_on) {
        return;
    }
    // A container at the top of a module, or Channels, whose layer without Redis is one process's own.
    let channels = project.needs(&["channels"]).is_some();
    if !channels && !project.modules.iter().any(|module| remembers(module)) {
        return;
    }
    service.settings.push(Setting {
        name: "WEB_CONCURRENCY".to_owned(),
        value: "1".to_owned(),
        reason: "Clients of its websockets are known to the process that they reached: one process knows all of them."
            .to_owned(),
        at_build: false,
    });
}

/// Whether a module has something at its top that is filled while it runs: `clients = set()`, `broker = Broker()`,
/// `self.connections = []`.
fn remembers(module: &Module) -> bool {
    let value = |at: usize| {
        let empty = [("[", "]"), ("{", "}")];
        let literal = empty.iter().any(|(open, close)| module.is(at, open) && module.is(at + 1, close));
        let made = ["set", "list", "dict", "defaultdict", "WeakSet", "deque", "Queue"]
            .iter()
            .any(|name| module.is(at, name) && module.is(at + 1, "("));
        literal || made
    };
    let attribute = |at: usize| module.is(at, "self") && module.is(at + 1, ".");
    module.lines().any(|at| {
        let held = if attribute(at) { module.assigned(at + 2) } else { module.assigned(at) };
        let top = module.tokens[at].indent == 0 && module.text(at).chars().any(char::is_lowercase);
        let name = if attribute(at) { module.text(at + 2) } else { module.text(at) };
        let clients = [
            "client",
            "connection",
            "connected",
            "socket",
            "subscriber",
            "room",
            "user",
            "listener",
            "queue",
        ]
        .iter()
        .any(|word| name.to_lowercase().contains(word));
        (top || attribute(at)) && clients && held.is_some_and(value)
    })
}

/// A client's requests of Socket.IO must meet the process that knows its session.
fn one_process(found: &socketio::SocketIo, command: &[String], service: &mut Service, survey: &mut Survey) {
    service.websockets.push(found.path.clone());
    service.settings.push(Setting {
        name: "WEB_CONCURRENCY".to_owned(),
        value: "1".to_owned(),
        reason: "Socket.IO keeps a client's session in one process: a second one would answer 400 to half of its requests."
            .to_owned(),
        at_build: false,
    });
    let of = |word: &String| matches!(word.as_str(), "-w" | "--workers");
    let given = command.iter().position(of).and_then(|at| command.get(at + 1)).map(String::as_str);
    let joined = command.iter().find_map(|word| word.strip_prefix("--workers=").or(word.strip_prefix("-w")));
    let workers = given.or(joined.filter(|rest| !rest.is_empty()));
    if let Some(number) = workers.and_then(|number| number.parse::<u32>().ok()).filter(|number| *number > 1) {
        survey.gaps.push(Gap {
            rule: rules::ONE_PROCESS,
            subject: service.name.clone(),
            message: format!(
                "its command starts {number} processes, and each client of Socket.IO must meet one"
            ),
            hint: "start one process with threads or an asynchronous worker".to_owned(),
            evidence: found.path.evidence.clone(),
        });
    }
}

/// Takes production's value of the variable that says where a program runs; its migrations run in the same place.
fn choose_mode(
    context: &Context<'_>,
    project: &Project,
    reads: &mut [Read],
    service: &mut Service,
    survey: &mut Survey,
) {
    mode::choose(context, project, reads, &service.name, (&mut survey.questions, &mut survey.gaps));
    for read in reads.iter().filter(|read| read.evidence.reason == mode::REASON) {
        if !service.migrations_read.contains(&read.name) {
            service.migrations_read.push(read.name.clone());
        }
    }
}

/// Asks which settings count where the program decides between several when it runs.
fn which_settings(site: &Site, name: &str, survey: &mut Survey) {
    if site.alternatives.is_empty() {
        return;
    }
    let chosen = &site.settings;
    let others = site.alternatives.iter().map(|(name, _)| name.clone());
    let places = site.alternatives.iter().map(|(_, evidence)| evidence.clone());
    survey.questions.push(Question {
        id: format!("{name}.settings"),
        text: "Its environment decides between several settings. Which are those of production? (Variables that others \
               read are not in the stack.)"
            .to_owned(),
        options: std::iter::once(chosen.value.clone()).chain(others).collect(),
        default: Some(chosen.value.clone()),
        confidence: Confidence::Likely,
        evidence: chosen.evidence.iter().cloned().chain(places).collect(),
    });
}

fn apply(of: &Of<'_>, served: command::Served, service: &mut Service, survey: &mut Survey) {
    let instead = of.project.needs(&["uwsgi", "pyuwsgi"]).filter(|_| served.start.is_none());
    if let Some(uwsgi) = instead {
        survey.gaps.push(instead_of_uwsgi(of, uwsgi, &served, &service.name));
    }
    if let Some(adds) = served.adds {
        if instead.is_none() {
            survey.gaps.push(Gap {
                rule: rules::PRODUCTION_SERVER,
                subject: service.name.clone(),
                message: format!(
                    "no server for production among its packages: {} is added to the image",
                    adds.value
                ),
                hint: "add it to the project's packages to choose its version".to_owned(),
                evidence: adds.evidence.clone(),
            });
        }
        service.adds.push(adds);
    }
    for (name, value) in served.variables {
        let reason = "the project's own command sets it".to_owned();
        service.settings.push(Setting { name, value, reason, at_build: false });
    }
    service.start = served.start;
    service.command = Some(served.command);
    service.port = Some(served.port);
    service.port_variable = served.port_variable;
}

/// uWSGI is a server, and its settings are a language of their own: another one serves the application, and what the
/// settings hand out beside it is named.
fn instead_of_uwsgi(
    of: &Of<'_>,
    uwsgi: &requirement::Requirement,
    served: &command::Served,
    subject: &str,
) -> Gap {
    let other = served.command.value.first().map_or("gunicorn", String::as_str);
    let mut evidence =
        vec![Evidence { reason: "the project's own server".to_owned(), ..uwsgi.evidence.clone() }];
    let ini = |path: &&str| has_extension(path, "ini") && path.contains("uwsgi");
    for path in of.context.repository.under(&of.project.folder).filter(ini).take(5) {
        let Some(source) = of.context.repository.source(path) else { continue };
        let lines = (1..=source.text().lines().count().min(500)).map(|number| source.line_span(number));
        let maps = lines.filter(|span| source.slice(*span).trim_start().starts_with("static-map"));
        let found = maps.map(|span| Evidence::new(&source, span, "uWSGI hands these files out"));
        evidence.extend(found.take(5));
    }
    let maps = if evidence.len() > 1 { ", files that it hands out (static-map) among it" } else { "" };
    Gap { rule: rules::PRODUCTION_SERVER,
        subject: subject.to_owned(),
        message: format!("its server is uWSGI, and {other} serves it here: what uWSGI's settings say is lost{maps}"),
        hint: "write a line `web:` with the server's command in a Procfile; let the front or the program hand files out"
            .to_owned(),
        evidence,
    }
}

/// From whom gunicorn and uvicorn believe `X-Forwarded-*`.
const FORWARDED: &str = "FORWARDED_ALLOW_IPS";

/// What a service is made from.
struct Of<'a> {
    context: &'a Context<'a>,
    platform: &'a Platform,
    project: &'a Project,
    site: Option<&'a Site>,
    app: Option<&'a App>,
}

/// What every service of Python has.
fn common(of: &Of<'_>, reads: &[Read], service: &mut Service, survey: &mut Survey) {
    service.environment = environment::variables(reads);
    survey.gaps.extend(debug::by_name(reads, service));
    service.adds.extend(runtime::setuptools(of.project, &install::locked(of.context, of.project)));
    service.system_packages = system::packages(of.project);
    facts::add(of.project, service);
    let files = sqlite::Of { context: of.context, project: of.project, site: of.site, app: of.app };
    uses::add(&files, reads, service, (&mut survey.gaps, &mut survey.questions));
    switch::add(of.project, reads, service);
    one_process_of_websockets(of.project, service);
    logs::add(&files, service);
    keys::add(of.project, service, &mut survey.gaps);
    if let Some(site) = of.site {
        debug::of_django(of.project, site, reads, service);
    }
    let path = service.path.clone();
    let above = of.platform.of(&of.project.folder).filter(|_| of.project.folder != path);
    let launches: Vec<&Launch> = of.platform.of(&path).chain(above).collect();
    around_the_command(&launches, service, survey);
    survey.gaps.extend(migrations::add(of.context, &launches, of.project, of.site, of.app, service));
    survey.gaps.extend(processes::add(of.context, &launches, of.project, service));
    steps::said(of.context, of.platform, of.project, service, survey);
    // The servers that are used end on SIGTERM once the open requests are answered.
    if let Some(command) = &service.command
        && command::server(&command.value).is_some()
    {
        let reason = "the server finishes open requests on SIGTERM".to_owned();
        let evidence =
            command.evidence.iter().map(|evidence| Evidence { reason: reason.clone(), ..evidence.clone() });
        service.stops_gracefully = Some(Fact { value: "SIGTERM".to_owned(), evidence: evidence.collect() });
        // Both believe `X-Forwarded-Proto` from this machine alone; without it redirects behind TLS lead to http.
        let believes = [command::Server::Gunicorn, command::Server::Uvicorn, command::Server::FastApi];
        let own = service.settings.iter().any(|setting| setting.name == FORWARDED)
            || command.value.iter().any(|word| word.starts_with("--forwarded-allow-ips"));
        if !own && command::server(&command.value).is_some_and(|(server, _)| believes.contains(&server)) {
            service.settings.push(Setting {
                name: FORWARDED.to_owned(),
                value: "*".to_owned(),
                reason: "The front is another container, and nobody but it and its like reaches this one."
                    .to_owned(),
                at_build: false,
            });
        }
    }
}

/// The application that the project's own commands name, else the likeliest one.
fn chosen(context: &Context<'_>, platform: &Platform, project: &Project, apps: &[App]) -> Option<App> {
    // Of a script the name of the application counts: its options are those of one machine.
    let launches = platform
        .launches
        .iter()
        .chain(&platform.steps)
        .filter(|launch| crate::model::is_below(&launch.folder, &project.folder));
    let mut targets =
        launches.filter_map(|launch| Some((command::target(&launch.line.as_ref()?.words)?, launch)));
    let named = targets.find_map(|(target, launch)| {
        let (module, object) = target.split_once(':').unwrap_or((target, ""));
        let file = format!("{}.py", module.replace('.', "/"));
        let is_it = |app: &&App| {
            (app.module == module || app.file == file || app.file.ends_with(&format!("/{file}")))
                && (object.is_empty() || object.starts_with(&app.object))
        };
        let known = apps.iter().find(|app| app.module == module && is_it(app)).cloned();
        // As the command imports it: its workers are imported from there, too.
        let imported = || {
            let mut app = apps.iter().find(is_it)?.clone();
            module.clone_into(&mut app.module);
            if let Some(root) = app.file.strip_suffix(&file) {
                app.root = root.trim_end_matches('/').to_owned();
            }
            Some(app)
        };
        known.or_else(imported).or_else(|| apps::served(context, project, (module, object), launch))
    });
    named.or_else(|| apps.first().cloned())
}

/// Asks which application is meant where several stand beside one another.
fn ask(name: &str, app: &App, apps: &[App], survey: &mut Survey) {
    let depth = |app: &App| app.module.matches('.').count();
    let others: Vec<&App> = apps
        .iter()
        .filter(|other| {
            other.file != app.file
                && depth(other) == depth(app)
                && other.file.ends_with("__init__.py") == app.file.ends_with("__init__.py")
        })
        .collect();
    if others.is_empty() {
        return;
    }
    let all: Vec<&App> = std::iter::once(app).chain(others).collect();
    survey.questions.push(Question {
        id: format!("{name}.app"),
        text: "Several modules hold an application. Which one is served?".to_owned(),
        options: all.iter().map(|app| app.target()).collect(),
        default: Some(app.target()),
        confidence: Confidence::Likely,
        evidence: all.iter().map(|app| app.evidence.clone()).collect(),
    });
}
