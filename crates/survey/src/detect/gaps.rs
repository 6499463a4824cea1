//! What a production stack needs and the repository does not say.

use crate::{
    context::Context,
    model::{Address, Ecosystem, Evidence, Gap, Role, Service, Store, StoreKind, Survey},
};

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let mut gaps: Vec<Gap> = context.broken.iter().map(Gap::unreadable).collect();
    let other = survey.services.iter().any(|service| service.ecosystem != Ecosystem::Node)
        || survey.gaps.iter().any(|gap| gap.subject == "the repository");
    if context.root_manifest().is_none() && gaps.is_empty() && !other {
        let (message, hint) = match context.manifests.first() {
            None => ("no package.json was found", "run it in the root of a Node.js project".to_owned()),
            Some(first) => ("no package.json in its root", format!("survey one project: {}", first.folder)),
        };
        gaps.push(gap("the repository", message, hint, Vec::new()));
    }
    for manager in survey.installs.iter().filter(|install| install.ecosystem == Ecosystem::Node) {
        let name = manager.manager.label();
        if manager.lock_file.is_none() {
            let hint = format!("commit the lock file of {name}");
            gaps.push(gap(
                "the repository",
                "no lock file: two builds may install different packages",
                hint,
                manager.evidence.clone(),
            ));
        }
        if manager.version.is_none() {
            let hint = format!("add \"packageManager\": \"{name}@<version>\" to package.json");
            gaps.push(gap(
                "the repository",
                "the package manager's version is not pinned",
                hint,
                manager.evidence.clone(),
            ));
        }
    }
    for service in survey.services.iter().filter(|service| service.ecosystem == Ecosystem::Node) {
        service_gaps(service, &mut gaps);
    }
    for store in &survey.stores {
        store_gaps(store, survey, &mut gaps);
    }
    for (path, reason) in context.repository.unread() {
        gaps.push(gap(
            path.clone(),
            format!("was not read: {reason}"),
            "facts from this file are missing",
            vec![Evidence::file(&path, reason)],
        ));
    }
    survey.gaps.extend(gaps);
}

fn service_gaps(service: &Service, gaps: &mut Vec<Gap>) {
    let tool = || service.frameworks.first().map(|tool| tool.evidence.clone()).unwrap_or_default();
    let mut add = |message: &str, hint: &str, evidence: Vec<Evidence>| {
        gaps.push(gap(service.name.clone(), message, hint, evidence));
    };
    if service.build.is_none() {
        add("no build script", "add a script `build` to its package.json", tool());
    }
    if !service.checks.iter().any(|check| check.value.starts_with("test")) {
        add("no tests that a build could run", "add a script `test:ci`", tool());
    }
    if service.role != Role::Server {
        return;
    }
    if service.command.is_none() {
        add(
            "no start command of the form `node <file>`",
            "add a script `start`: \"node dist/index.js\"",
            tool(),
        );
    }
    if service.port.is_none() {
        add("the port is not known", "read PORT from the environment with a default", tool());
    }
    if service.health.live.is_none() {
        add("no health route", "answer GET /health with 200 while the process works", tool());
    }
    if service.health.ready.is_none() && !service.stores.is_empty() {
        let evidence = service.health.live.as_ref().map_or_else(tool, |live| live.evidence.clone());
        add(
            "no readiness route that looks at the stores",
            "answer GET /ready with 503 while a store does not answer",
            evidence,
        );
    }
    if service.stops_gracefully.is_none() {
        add("SIGTERM is not handled", "finish open requests on SIGTERM, then exit with 0", tool());
    }
    if !service.environment.iter().any(|variable| variable.name == "HOST") {
        add(
            "the address to listen on cannot be set",
            "read HOST from the environment: a container listens on 0.0.0.0",
            tool(),
        );
    }
}

fn store_gaps(store: &Store, survey: &Survey, gaps: &mut Vec<Gap>) {
    let label = store.kind.label();
    let uses =
        || survey.services.iter().flat_map(|service| &service.stores).filter(|used| used.store == store.name);
    let found = uses().find_map(|used| used.address.as_ref());
    if let Some(Address::Fixed { host }) = found {
        let message = format!("its host `{}` stands in the program", host.value);
        gaps.push(gap(
            label,
            message,
            "read the address from one variable, as DATABASE_URL",
            host.evidence.clone(),
        ));
        return;
    }
    if matches!(found, Some(Address::Parts { .. }))
        || uses().next().is_none()
        || store.kind == StoreKind::Sqlite
    {
        return;
    }
    let Some(Address::Url { variable, .. }) = found else {
        gaps.push(gap(
            label,
            "no variable with its address is read",
            "read the address from one variable, as DATABASE_URL",
            store.evidence.clone(),
        ));
        return;
    };
    let reads_file =
        uses().all(|used| matches!(&used.address, Some(Address::Url { file_variant: true, .. }) | None));
    if !reads_file {
        let message = format!(
            "{0} cannot be read from a file: its password would stand in the environment",
            variable.value
        );
        let hint = format!("read the file that {}_FILE names", variable.value);
        gaps.push(gap(label, message, hint, variable.evidence.clone()));
    }
    if store.version.is_none() {
        gaps.push(gap(
            label,
            "its version is not known",
            "name the version in the development compose file",
            store.evidence.clone(),
        ));
    }
}

fn gap(
    subject: impl Into<String>,
    message: impl Into<String>,
    hint: impl Into<String>,
    evidence: Vec<Evidence>,
) -> Gap {
    Gap { subject: subject.into(), message: message.into(), hint: hint.into(), evidence }
}
