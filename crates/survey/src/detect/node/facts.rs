//! The facts of every service: what its program, its libraries included, reads, answers, writes, calls and needs.

use super::{
    children,
    clients::{self, prisma},
    conventions, environment,
    frameworks::nitro,
    port, processes, routes, services, shutdown, sqlite, traffic, uploads,
};
use crate::{
    context::Context,
    detect::platform,
    javascript::{Script, values::Program},
    manifest::Manifest,
    model::{Confidence, Ecosystem, Question, Role, Service, Survey},
};

pub(in crate::detect) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let mut services = std::mem::take(&mut survey.services);
    for service in services.iter_mut().filter(|service| service.ecosystem == Ecosystem::Node) {
        if service.role != Role::Site {
            of_program(context, survey, service);
        }
    }
    survey.services = services;
}

fn of_program(context: &Context<'_>, survey: &mut Survey, service: &mut Service) {
    let program = context.closure(survey, &service.path);
    let manifests = manifests(context, survey, service);
    service.environment = environment::variables(&program);
    conventions::detect(context, &program, &manifests, service);
    let needs = manifests.iter().flat_map(|manifest| manifest.all("dependencies"));
    service.needs = needs.map(|dependency| dependency.name.to_owned()).collect();
    let own_port = service.port.is_some();
    if service.role == Role::Server && !own_port {
        port::detect(&program, service);
    }
    if service.role == Role::Server {
        routes::detect(&program, service);
        asked_by_platform(context, service);
        traffic::detect(&program, service);
    }
    service.stops_gracefully = shutdown::detect(&program).or_else(|| service.stops_gracefully.take());
    service.generated =
        manifests.iter().filter_map(|manifest| prisma::generated(context, manifest)).collect();
    service.spawns = children::detect(&program, &service.path);
    service.writes = traffic::writes(&program, service);
    if service.role == Role::Server {
        uploads::handed_out(&program, service);
    }
    nitro::data(context, &program, &manifests, service);
    service.calls = traffic::calls(&program, &manifests);
    survey.questions.extend(clients::detect(context, &program, &manifests, service));
    survey.gaps.extend(sqlite::detect(context, &program, service));
    traffic::keep_sqlite(service);
    if service.role == Role::Server && service.port.is_none() {
        survey.questions.push(port_question(service, is_never_loaded(&program, service)));
    }
}

/// The path that a platform asks for health, where the program's text shows none.
fn asked_by_platform(context: &Context<'_>, service: &mut Service) {
    if service.health.live.is_some() || service.health.ready.is_some() {
        return;
    }
    let said = &platform::of(context).health;
    let alone = context.manifests.len() == 1;
    let own = said.iter().find(|(folder, _)| *folder == service.path || alone && folder.is_empty());
    // `/` says no more than that it answers.
    service.health.live = own.map(|(_, path)| path.clone()).filter(|path| path.value.len() > 1);
}

/// The manifests of a service and of its libraries.
pub(super) fn manifests<'a>(
    context: &'a Context<'_>,
    survey: &Survey,
    service: &Service,
) -> Vec<&'a Manifest> {
    let libraries = survey.workspaces.iter().filter(|workspace| service.libraries.contains(&workspace.name));
    context
        .manifest(&service.path)
        .into_iter()
        .chain(libraries.filter_map(|workspace| context.manifest(&workspace.path)))
        .collect()
}

/// Whether `node FILE` runs sources of which none loads what the service is said to be written with, and none listens.
fn is_never_loaded(program: &Program, service: &Service) -> bool {
    let command = service.command.as_ref().and_then(|command| command.value.first());
    let by_node = command.is_some_and(|word| word == "node");
    // What is of Node.js itself was found because it is loaded.
    let of_packages = service.frameworks.iter().all(|tool| !tool.name.starts_with("node:"));
    let loads =
        |script: &Script| service.frameworks.iter().any(|tool| processes::imports(script, &tool.name));
    let listens = |script: &Script| {
        (0..script.tokens.len()).any(|at| script.is(at, "listen") && script.is(at + 1, "("))
    };
    by_node
        && of_packages
        && program.scripts().next().is_some()
        && !program.scripts().any(|script| loads(script) || listens(script))
}

fn port_question(service: &Service, never_loaded: bool) -> Question {
    let name = &service.name;
    let text = if never_loaded {
        let tool = service.frameworks.first().map_or("its framework", |tool| tool.name.as_str());
        format!(
            "On which port does {name} listen? {tool} is among its packages, and no source of it loads it."
        )
    } else {
        format!("On which port does {name} listen? Its program does not say.")
    };
    let evidence = service.frameworks.first().map(|tool| tool.evidence.clone()).unwrap_or_default();
    Question {
        id: format!("{}.port", service.name),
        text,
        options: Vec::new(),
        default: (!never_loaded).then(|| "3000".to_owned()),
        confidence: Confidence::Open,
        evidence: service.port_variable.as_ref().map_or(evidence, |variable| variable.evidence.clone()),
    }
}

/// The transitive libraries of a package, with their folders.
pub(crate) fn library_folders(survey: &Survey, package: &str) -> Vec<(String, String)> {
    let names = services::libraries(survey, package);
    let found = survey.workspaces.iter().filter(|workspace| names.contains(&workspace.name));
    found.map(|workspace| (workspace.name.clone(), workspace.path.clone())).collect()
}
