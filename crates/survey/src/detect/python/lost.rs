//! What uses a framework and is not in the stack: never silently.

use std::collections::BTreeSet;

use super::project::{Project, is_aside, is_program};
use crate::{
    context::Context,
    detect::platform::is_apart,
    model::{Evidence, Gap, Role, Service, is_below},
    python::Module,
    rules,
};

/// What helps where a program was not recognised.
pub(super) const HINT: &str =
    "name its packages in pyproject.toml or requirements.txt, and its processes in a Procfile";

/// Modules that a program which answers requests imports.
const SERVERS: [&str; 14] = [
    "flask",
    "fastapi",
    "django",
    "starlette",
    "litestar",
    "quart",
    "sanic",
    "falcon",
    "bottle",
    "pyramid",
    "cherrypy",
    "tornado.web",
    "aiohttp.web",
    "robyn",
];

/// Modules of what works beside one.
const WORKERS: [&str; 3] = ["celery", "dramatiq", "huey"];

const MAX_FILES: usize = 2000;
const MAX_GAPS: usize = 10;

/// The first line that imports one of these.
fn import(module: &Module, names: &[&'static str]) -> Option<(&'static str, Evidence)> {
    let name = names.iter().find(|name| {
        module.imports.values().filter(|import| import.level == 0).any(|import| {
            let full = match &import.name {
                Some(name) => format!("{}.{name}", import.module),
                None => import.module.clone(),
            };
            full.strip_prefix(**name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    })?;
    let first = name.split('.').next().unwrap_or(name);
    let at = module
        .lines()
        .filter(|&at| module.is(at, "import") || module.is(at, "from"))
        .find(|&at| (at + 1..module.line_end(at)).any(|word| module.is(word, first)))?;
    Some((first, Evidence::new(&module.source, module.span(at, at + 1), format!("imports {first}"))))
}

/// A project with a framework of servers from which no server was made.
pub(super) fn of_project(
    context: &Context<'_>,
    projects: &[Project],
    project: &Project,
    services: &[Service],
) -> Option<Gap> {
    let served = services.iter().any(|service| service.role == Role::Server);
    // A library is served by the program that needs it.
    let library = project.name().is_some_and(|name| {
        let name = super::requirement::normalised(name);
        projects.iter().any(|other| other.folder != project.folder && other.needs(&[&name]).is_some())
    });
    if served || library {
        return None;
    }
    let subject = services
        .first()
        .map_or_else(|| super::runtime::subject(&project.folder), |service| service.name.clone());
    let (package, evidence) = project.modules.iter().find_map(|module| import(module, &SERVERS))?;
    let unread = project
        .file
        .as_ref()
        .and_then(|(path, _)| context.repository.unread().into_iter().find(|(unread, _)| unread == path));
    let (message, hint, evidence) = match unread {
        Some((path, reason)) => (
            format!(
                "{path} cannot be read ({reason}): the program with {package} beside it is not in the stack"
            ),
            "write the file as UTF-8".to_owned(),
            vec![Evidence::file(&path, reason), evidence],
        ),
        None => (
            format!(
                "{package} is imported and no application of it was found: its web server is not in the stack"
            ),
            "write a line `web:` with its server's command in a Procfile".to_owned(),
            vec![evidence],
        ),
    };
    Some(Gap { rule: rules::SERVER_NOT_FOUND, subject, message, hint, evidence })
}

/// Programs that no project has, since nothing lists what they need: one gap for each folder.
pub(super) fn without_a_list(context: &Context<'_>, projects: &[Project]) -> Vec<Gap> {
    let mut said: BTreeSet<String> = BTreeSet::new();
    let mut gaps = Vec::new();
    let apart = |path: &str| {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        is_apart(folder) || is_aside(folder) || projects.iter().any(|project| is_below(path, &project.folder))
    };
    let files = context.repository.files().filter(|path| is_program(path) && !apart(path));
    for path in files.take(MAX_FILES) {
        let top = path.split_once('/').map_or("", |(top, _)| top);
        if gaps.len() == MAX_GAPS || said.contains(top) {
            continue;
        }
        let Some(module) = context.repository.source(path).map(Module::new) else { continue };
        let Some((package, evidence)) = import(&module, &SERVERS).or_else(|| import(&module, &WORKERS))
        else {
            continue;
        };
        said.insert(top.to_owned());
        gaps.push(Gap { rule: rules::SERVER_NOT_FOUND,
            subject: if top.is_empty() { "the repository".to_owned() } else { top.to_owned() },
            message: format!(
                "a Python program with {package}, without a list of the packages that it needs: it is not in the stack"
            ),
            hint: HINT.to_owned(),
            evidence: vec![evidence],
        });
    }
    gaps
}
