//! What a production stack needs and the repository does not say.

use crate::{
    context::Context,
    detect::node::installs,
    model::{
        Address, Bind, Ecosystem, Evidence, Gap, Part, Role, Service, Store, StoreKind, Survey, is_by_itself,
    },
};

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let mut gaps: Vec<Gap> = context.broken.iter().map(Gap::unreadable).collect();
    if survey.services.is_empty() && gaps.is_empty() && survey.gaps.is_empty() {
        let (message, hint) = match context.manifests.first().filter(|_| context.root_manifest().is_none()) {
            None => (
                "nothing was found that can be deployed",
                "known are programs for Node.js and Python, and pages".to_owned(),
            ),
            Some(first) => ("no package.json in its root", format!("survey one project: {}", first.folder)),
        };
        gaps.push(gap("the repository", message, hint, Vec::new()));
    }
    for install in survey.installs.iter().filter(|install| install.ecosystem == Ecosystem::Node) {
        gaps.extend(installs::gaps(install));
    }
    for manifest in &context.manifests {
        gaps.extend(manifest.oddities().into_iter().map(|(span, message)| {
            let place = vec![Evidence::new(&manifest.source, span, message.clone())];
            gap(manifest.source.name(), message, "correct the file", place)
        }));
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
    if service.build.is_none() && service.output.is_some() {
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
    if let Bind::Loopback { address } = &service.bind {
        add(
            &format!("it listens on {} alone: nobody outside of its container reaches it", address.value),
            "listen on 0.0.0.0, or read HOST from the environment",
            address.evidence.clone(),
        );
    }
    for variable in service.environment.iter().filter(|variable| variable.secret) {
        if let Some(default) = &variable.default {
            add(
                &format!("`{}` has a default in the source: `{default}` is no secret", variable.name),
                "end the program where the variable is missing",
                variable.evidence.clone(),
            );
        }
    }
}

fn store_gaps(store: &Store, survey: &Survey, gaps: &mut Vec<Gap>) {
    let label = store.kind.label();
    let uses =
        || survey.services.iter().flat_map(|service| &service.stores).filter(|used| used.store == store.name);
    let found = uses().find_map(|used| used.address.as_ref());
    if let Some(Address::Fixed { host, .. }) = found {
        let (message, hint) = if is_by_itself(host) {
            (
                format!("its client is given no host and takes `{}`", host.value),
                "give it one from a variable, as DB_HOST",
            )
        } else {
            (
                format!("its host `{}` stands in the program", host.value),
                "read the address from one variable, as DATABASE_URL",
            )
        };
        gaps.push(gap(label, message, hint, host.evidence.clone()));
        return;
    }
    if uses().next().is_none() || store.kind == StoreKind::Sqlite {
        return;
    }
    let variable = match found {
        Some(Address::Url { variable, .. }) => Some(variable),
        Some(Address::Parts { variables, .. }) => {
            variables.iter().find(|(part, _)| *part == Part::Password).map(|(_, variable)| variable)
        }
        _ => None,
    };
    if found.is_none() {
        gaps.push(gap(
            label,
            "no variable with its address is read",
            "read the address from one variable, as DATABASE_URL",
            store.evidence.clone(),
        ));
        return;
    }
    let reads_file = uses().all(|used| match &used.address {
        Some(Address::Url { file_variant, .. }) => *file_variant,
        Some(Address::Parts { file_variants, .. }) => {
            variable.is_none_or(|name| file_variants.contains(&name.value))
        }
        _ => true,
    });
    if let Some(variable) = variable.filter(|_| !reads_file) {
        let message = format!(
            "{0} is not read from a file: a launcher has to set it when the program starts",
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
