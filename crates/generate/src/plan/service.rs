//! The two services: what each needs to be built, started and asked for its health.

use plimsoll_survey::{Fact, Gap, RuntimeConfig, Service, Survey, Variable};

use super::{checked, problem};
use crate::{
    policy::Policy,
    stack::{Library, ManifestFile, Server, Setting, Site, SiteConfig, SiteSetting},
};

/// nginx listens here: a port below 1024 would need a privilege on some engines.
const SITE_PORT: u16 = 8080;

pub(super) fn server(
    survey: &Survey,
    service: &Service,
    policy: &Policy,
    problems: &mut Vec<Gap>,
) -> Option<Server> {
    let subject = service.name.as_str();
    let text = |fact: Option<&Fact<String>>, missing: &str, hint: &str, problems: &mut Vec<Gap>| {
        if fact.is_none() {
            problems.push(problem(subject, missing, hint));
        }
        fact.map(|fact| fact.value.clone())
    };
    let build = text(service.build.as_ref(), "no build script", "add a script `build`", problems);
    let output = text(service.output.as_ref(), "where its build writes is not known", "set outDir", problems);
    let entry = text(
        service
            .command
            .as_ref()
            .and_then(|command| Some(Fact { value: command.value.get(1)?.clone(), evidence: Vec::new() }))
            .as_ref(),
        "no start command",
        "add a script `start`: \"node <file>\"",
        problems,
    );
    let health = service.health.ready.as_ref().or(service.health.live.as_ref());
    let ready = text(health, "no health route", "answer GET /health", problems);
    if service.port.is_none() {
        problems.push(problem(subject, "the port is not known", "read PORT with a default"));
    }
    if !service.routes.iter().any(|route| route.path.starts_with("/api/")) {
        let hint = "serve what the pages need under /api/: nginx passes on nothing else";
        problems.push(problem(subject, "no route under /api/", hint));
    }
    let port = service.port.as_ref()?.value;
    let ready = checked::url_path(subject, &ready?, problems)?;
    let output = checked::path(subject, &output?, problems)?;
    let path = checked::path(subject, &service.path, problems)?;
    let folder = service.migration.as_ref().and_then(|migration| migration.folder.as_ref());
    let migrations_folder = folder.and_then(|folder| checked::path(subject, &folder.value, problems));
    let libraries = libraries(survey, service, problems)?;

    let mut readable = vec![format!("{path}/{output}")];
    readable.extend(migrations_folder.as_ref().map(|folder| format!("{path}/{folder}")));
    readable.extend(libraries.iter().map(|library| format!("{}/{}", library.path, library.output)));

    Some(Server {
        name: checked::name(subject, subject, problems)?,
        package: checked::package(subject, service.package.as_deref().unwrap_or_default(), problems)?,
        framework: framework(service),
        uid: policy.app_uid,
        manifests: manifests(&path, &libraries),
        libraries,
        checks: checks(service, problems),
        build: checked::script(subject, &build?, problems)?,
        entry: checked::path(subject, &entry?, problems)?,
        probe: format!(
            "fetch('http://127.0.0.1:{port}{ready}',{{signal:AbortSignal.timeout(8000)}})\
             .then(async r=>{{if(!r.ok)console.log(r.status,(await r.text()).slice(0,300));\
             process.exit(r.ok?0:1)}},e=>{{console.log(String(e.cause||e));process.exit(1)}})"
        ),
        port,
        ready,
        metrics: service
            .health
            .metrics
            .as_ref()
            .and_then(|metrics| checked::url_path(subject, &metrics.value, problems)),
        reads_host: reads(service, "HOST"),
        reads_port: reads(service, "PORT"),
        handles_stop: service.stops_gracefully.is_some(),
        // The rest is for buffers outside of the heap, code and the health check's own process.
        heap_megabytes: policy.server.megabytes * 3 / 4,
        readable,
        migrations_folder,
        streams: streams(service, problems),
        environment: environment(service, port, problems),
        secrets: Vec::new(),
        depends_on: Vec::new(),
        output,
        path,
    })
}

pub(super) fn site(
    survey: &Survey,
    service: &Service,
    policy: &Policy,
    problems: &mut Vec<Gap>,
) -> Option<Site> {
    let subject = service.name.as_str();
    if service.build.is_none() {
        problems.push(problem(subject, "no build script", "add a script `build`"));
    }
    let path = checked::path(subject, &service.path, problems)?;
    let libraries = libraries(survey, service, problems)?;
    Some(Site {
        name: checked::name(subject, subject, problems)?,
        package: checked::package(subject, service.package.as_deref().unwrap_or_default(), problems)?,
        framework: framework(service),
        uid: policy.nginx_uid,
        port: SITE_PORT,
        manifests: manifests(&path, &libraries),
        libraries,
        checks: checks(service, problems),
        build: checked::script(subject, &service.build.as_ref()?.value, problems)?,
        output: checked::path(subject, &service.output.as_ref()?.value, problems)?,
        assets: "/assets/".to_owned(),
        config: service.runtime_config.as_ref().and_then(|config| site_config(subject, config, problems)),
        path,
    })
}

/// Names of the frameworks as people write them.
fn framework(service: &Service) -> String {
    let names = service.frameworks.iter().map(|tool| match tool.name.as_str() {
        "fastify" => "Fastify",
        "express" => "Express",
        "react" => "React",
        "vite" => "Vite",
        _ => "JavaScript",
    });
    names.collect::<Vec<_>>().join(" and ")
}

fn libraries(survey: &Survey, service: &Service, problems: &mut Vec<Gap>) -> Option<Vec<Library>> {
    let mut libraries = Vec::new();
    for name in &service.libraries {
        let workspace = survey.workspaces.iter().find(|workspace| workspace.name == *name)?;
        let Some(output) = &workspace.output else {
            problems.push(problem(
                name,
                "where its build writes is not known",
                "set outDir in its tsconfig.json",
            ));
            continue;
        };
        libraries.push(Library {
            package: checked::package(name, name, problems)?,
            path: checked::path(name, &workspace.path, problems)?,
            output: checked::path(name, &output.value, problems)?,
        });
    }
    Some(libraries)
}

fn manifests(path: &str, libraries: &[Library]) -> Vec<ManifestFile> {
    let folders = libraries.iter().map(|library| library.path.as_str()).chain([path]);
    folders
        .map(|folder| ManifestFile { file: format!("{folder}/package.json"), folder: folder.to_owned() })
        .collect()
}

fn checks(service: &Service, problems: &mut Vec<Gap>) -> Vec<String> {
    let checks = service.checks.iter();
    checks.filter_map(|check| checked::script(&service.name, &check.value, problems)).collect()
}

fn reads(service: &Service, name: &str) -> bool {
    service.environment.iter().any(|variable| variable.name == name)
}

/// Event streams that can be reached through the site.
fn streams(service: &Service, problems: &mut Vec<Gap>) -> Vec<String> {
    let routes = service.routes.iter().filter(|route| route.stream && route.path.starts_with("/api/"));
    routes.filter_map(|route| checked::url_path(&service.name, &route.path, problems)).collect()
}

/// What the server reads, without its secrets: fixed where the stack decides, else from the environment of `up`.
fn environment(service: &Service, port: u16, problems: &mut Vec<Gap>) -> Vec<Setting> {
    let mut settings = Vec::new();
    for variable in &service.environment {
        let value = match variable.name.as_str() {
            "NODE_ENV" | "NODE_OPTIONS" => continue,
            "HOST" => Some("0.0.0.0".to_owned()),
            "PORT" => Some(format!("\"{port}\"")),
            // The address of a store: a secret, added with the store.
            _ if variable.file_variant => continue,
            _ => from_outside(&service.name, variable, problems),
        };
        let Some(name) = checked::variable(&service.name, &variable.name, problems) else { continue };
        settings.extend(value.map(|value| Setting { name, value }));
    }
    settings
}

fn from_outside(subject: &str, variable: &Variable, problems: &mut Vec<Gap>) -> Option<String> {
    let name = &variable.name;
    match &variable.default {
        Some(default) => Some(format!("${{{name}:-{}}}", checked::value(subject, default, problems)?)),
        // Started without it, the service would fail later and less clearly.
        None => Some(format!("${{{name}:?set {name}}}")),
    }
}

fn site_config(subject: &str, config: &RuntimeConfig, problems: &mut Vec<Gap>) -> Option<SiteConfig> {
    let path = checked::url_path(subject, &config.path, problems)?;
    let settings = config
        .settings
        .iter()
        .map(|setting| {
            Some(SiteSetting {
                key: checked::global(subject, &setting.key, problems)?,
                variable: checked::variable(subject, &variable_name(&setting.key), problems)?,
                default: checked::value(subject, &setting.default, problems)?,
            })
        })
        .collect::<Option<Vec<_>>>()?;
    Some(SiteConfig {
        file: path.rsplit('/').next().unwrap_or_default().to_owned(),
        path_pattern: path.replace('.', "\\."),
        path,
        global: checked::global(subject, &config.global, problems)?,
        settings,
    })
}

/// `apiBaseUrl` -> `API_BASE_URL`
fn variable_name(key: &str) -> String {
    let mut name = String::new();
    for c in key.chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}
