//! How a framework in a package's dependencies makes that package a service.

use crate::{
    context::Context,
    manifest::{Dependency, Manifest},
    model::{
        Address, Bind, Ecosystem, Evidence, Fact, Framework, Health, Role, Service, Shape, StoreKind,
        StoreUse, Survey,
    },
};

/// Folders that can hold a service: every workspace, or the root where there are none.
pub(super) fn folders(survey: &Survey) -> Vec<String> {
    if survey.workspaces.is_empty() {
        return vec![String::new()];
    }
    survey.workspaces.iter().map(|workspace| workspace.path.clone()).collect()
}

/// Adds a framework to the service in the manifest's folder, and the service if there is none yet.
pub(super) fn add(survey: &mut Survey, manifest: &Manifest, role: Role, tool: Framework) {
    if let Some(service) = survey.service_mut(&manifest.folder) {
        service.frameworks.push(tool);
        return;
    }
    let Some(workspace) = manifest.name() else { return };
    let folder = manifest.folder.rsplit('/').next().filter(|name| !name.is_empty()).map(str::to_owned);
    let service = Service {
        name: manifest.short_name().or(folder).unwrap_or_else(|| "app".to_owned()),
        path: manifest.folder.clone(),
        ecosystem: Ecosystem::Node,
        libraries: libraries(survey, &workspace.value),
        package: Some(workspace.value),
        role,
        frameworks: vec![tool],
        build: None,
        checks: Vec::new(),
        checks_need_build: false,
        output: None,
        build_commands: Vec::new(),
        shape: Shape::default(),
        ships: Vec::new(),
        single_page: role == Role::Site,
        hashed_assets: None,
        adds: Vec::new(),
        start: None,
        command: None,
        port: None,
        port_variable: None,
        bind: Bind::default(),
        health: Health::default(),
        routes: Vec::new(),
        websockets: Vec::new(),
        body_limit: None,
        environment: Vec::new(),
        inlined: Vec::new(),
        settings: Vec::new(),
        stores: Vec::new(),
        migration: None,
        stops_gracefully: None,
        runtime_config: None,
        writes: Vec::new(),
        calls: Vec::new(),
        page_sources: Vec::new(),
        system_packages: Vec::new(),
        processes: Vec::new(),
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
        add(survey, manifest, Role::Server, tool);
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
    for service in survey.services.iter_mut().filter(|service| service.ecosystem == Ecosystem::Node) {
        let Some(manifest) = context.manifest(&service.path) else { continue };
        let Some(dependency) = clients.iter().find_map(|client| manifest.dependency(client)) else {
            continue;
        };
        let reason = format!("{} is a client of {}", dependency.name, kind.label());
        let evidence = Evidence::new(&manifest.source, dependency.span, reason);
        all.push(evidence.clone());
        service.stores.push(StoreUse { kind, store: String::new(), address: None, evidence: vec![evidence] });
    }
    all
}

/// Finds the variable from which each service reads the address of a store.
pub(super) fn connect(survey: &mut Survey, kind: StoreKind, names: &[&str]) {
    for service in survey.services.iter_mut().filter(|service| service.ecosystem == Ecosystem::Node) {
        let variable = service.environment.iter().find(|variable| names.contains(&variable.name.as_str()));
        let address = variable.map(|variable| Address::Url {
            variable: Fact { value: variable.name.clone(), evidence: variable.evidence.clone() },
            scheme: None,
            suffix: None,
            file_variant: variable.file_variant,
        });
        for used in service.stores.iter_mut().filter(|used| used.kind == kind) {
            used.address.clone_from(&address);
        }
    }
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
