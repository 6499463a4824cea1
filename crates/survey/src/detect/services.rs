//! How a framework in a package's dependencies makes that package a service.

use crate::{
    context::Context,
    manifest::{Dependency, Manifest},
    model::{Evidence, Fact, Framework, Health, Service, ServiceKind, StoreKind, Survey},
};

/// Folders that can hold a service: every workspace, or the root where there are none.
pub(super) fn folders(survey: &Survey) -> Vec<String> {
    if survey.workspaces.is_empty() {
        return vec![String::new()];
    }
    survey.workspaces.iter().map(|workspace| workspace.path.clone()).collect()
}

/// Adds a framework to the service in the manifest's folder, and the service if there is none yet.
pub(super) fn add(
    context: &Context<'_>,
    survey: &mut Survey,
    manifest: &Manifest,
    kind: ServiceKind,
    tool: Framework,
) {
    if let Some(service) = survey.service_mut(&manifest.folder) {
        service.frameworks.push(tool);
        return;
    }
    let Some(workspace) = manifest.name() else { return };
    let name = manifest.folder.rsplit('/').next().filter(|name| !name.is_empty());
    let service = Service {
        name: name.unwrap_or_else(|| context.repository.name()).to_owned(),
        path: manifest.folder.clone(),
        libraries: libraries(survey, &workspace.value),
        workspace: workspace.value,
        kind,
        frameworks: vec![tool],
        build: None,
        checks: Vec::new(),
        output: None,
        start: None,
        entry: None,
        port: None,
        health: Health::default(),
        routes: Vec::new(),
        environment: Vec::new(),
        stores: Vec::new(),
        migration: None,
        stops_gracefully: None,
        runtime_config: None,
    };
    let at = survey.services.partition_point(|other| other.path < service.path);
    survey.services.insert(at, service);
}

/// A server framework: the package that depends on it at run time is a Node.js server.
pub(super) fn add_servers(context: &Context<'_>, survey: &mut Survey, package: &str) {
    for folder in folders(survey) {
        let Some(manifest) = context.manifest(&folder) else { continue };
        let Some(dependency) = manifest.dependency(package) else { continue };
        let tool = framework(manifest, &dependency, "a framework for HTTP servers");
        add(context, survey, manifest, ServiceKind::NodeServer, tool);
    }
}

/// The dependency as a framework.
pub(super) fn framework(manifest: &Manifest, dependency: &Dependency<'_>, reason: &str) -> Framework {
    Framework {
        name: dependency.name.to_owned(),
        version: dependency.range.to_owned(),
        evidence: vec![Evidence::new(&manifest.source, dependency.span, reason)],
    }
}

/// Marks every service that depends on a client library as a user of the store; returns what that rests on.
pub(super) fn users(
    context: &Context<'_>,
    survey: &mut Survey,
    kind: StoreKind,
    clients: &[&str],
) -> Vec<Evidence> {
    let mut all = Vec::new();
    for service in &mut survey.services {
        let Some(manifest) = context.manifest(&service.path) else { continue };
        let Some(dependency) = clients.iter().find_map(|client| manifest.dependency(client)) else {
            continue;
        };
        let reason = format!("{} is a client of {}", dependency.name, kind.label());
        let evidence = Evidence::new(&manifest.source, dependency.span, reason);
        all.push(evidence.clone());
        service.stores.push(Fact::new(kind, evidence));
    }
    all
}

/// The variable from which the services read the address of a store.
pub(super) fn address_variable(survey: &Survey, kind: StoreKind, names: &[&str]) -> Option<Fact<String>> {
    let users =
        survey.services.iter().filter(|service| service.stores.iter().any(|store| store.value == kind));
    let mut variables = users.flat_map(|service| &service.environment);
    let found = variables.find(|variable| names.contains(&variable.name.as_str()))?;
    Some(Fact { value: found.name.clone(), evidence: found.evidence.clone() })
}

/// The workspaces that must be built before `package`, each behind those that it uses itself.
fn libraries(survey: &Survey, package: &str) -> Vec<String> {
    fn visit(survey: &Survey, package: &str, seen: &mut Vec<String>, order: &mut Vec<String>) {
        let Some(workspace) = survey.workspaces.iter().find(|workspace| workspace.name == package) else {
            return;
        };
        for used in &workspace.uses {
            if !seen.contains(&used.value) {
                seen.push(used.value.clone());
                visit(survey, &used.value, seen, order);
                order.push(used.value.clone());
            }
        }
    }
    let (mut seen, mut order) = (vec![package.to_owned()], Vec::new());
    visit(survey, package, &mut seen, &mut order);
    order
}
