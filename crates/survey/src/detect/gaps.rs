//! What a production stack needs and the repository does not say.

use plimsoll_source::RuleInfo;

use crate::{
    context::{Context, is_javascript},
    detect::{
        node::{installs, procfile},
        platform,
    },
    model::{
        Address, Bind, Ecosystem, Evidence, Gap, Part, Role, Service, Store, StoreKind, Survey, is_below,
        is_by_itself,
    },
    rules,
};

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let mut gaps: Vec<Gap> = context.broken.iter().map(Gap::unreadable).collect();
    gaps.extend(procfile::nobodys(context, survey));
    unserved(context, survey, &mut gaps);
    if survey.services.is_empty() && gaps.is_empty() && survey.gaps.is_empty() {
        gaps.push(nothing(context));
    }
    // How packages are installed matters where something is deployed: it is not the reason where nothing is.
    let installs = survey.installs.iter().filter(|_| !survey.services.is_empty());
    for install in installs.filter(|install| install.ecosystem == Ecosystem::Node) {
        gaps.extend(installs::gaps(install));
    }
    for manifest in &context.manifests {
        gaps.extend(manifest.oddities().into_iter().map(|(span, message)| {
            let place = vec![Evidence::new(&manifest.source, span, message.clone())];
            gap(rules::ODD_MANIFEST, manifest.source.name(), message, "correct the file", place)
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
            rules::UNREAD_FILE,
            path.clone(),
            format!("was not read: {reason}"),
            "facts from this file are missing",
            vec![Evidence::file(&path, reason)],
        ));
    }
    survey.gaps.extend(gaps);
}

/// Why there is nothing to deploy, where nothing else was seen.
fn nothing(context: &Context<'_>) -> Gap {
    let first = context.manifests.first();
    if let Some(first) = first.filter(|_| context.root_manifest().is_none()) {
        let hint = format!("survey one project: {}", first.folder);
        return gap(
            rules::NOTHING_TO_DEPLOY,
            "the repository",
            "no package.json in its root",
            hint,
            Vec::new(),
        );
    }
    if let Some(script) = first.is_none().then(|| listens_alone(context)).flatten() {
        let message =
            format!("{} listens, and no package.json says how it is installed and started", script.file);
        let hint = format!("write a package.json with a script `start`: \"node {}\"", script.file);
        return gap(rules::NOTHING_TO_DEPLOY, "the repository", message, hint, vec![script]);
    }
    let place = first.map(|manifest| Evidence::file(manifest.source.name(), "a package of Node.js"));
    gap(
        rules::NOTHING_TO_DEPLOY,
        "the repository",
        "nothing was found that can be deployed",
        "known are programs for Node.js and Python, and pages",
        place.into_iter().collect(),
    )
}

/// A program for Node.js in the root that opens a port, in a repository without any package.json.
fn listens_alone(context: &Context<'_>) -> Option<Evidence> {
    let scripts = context.repository.files().filter(|path| !path.contains('/') && is_javascript(path));
    scripts.take(50).find_map(|path| {
        let script = context.script(path)?;
        let at = (1..script.tokens.len())
            .find(|&at| script.is(at, "listen") && script.is(at - 1, ".") && script.is(at + 1, "("))?;
        Some(Evidence::new(&script.source, script.span(at, at), "opens a port"))
    })
}

/// A Procfile starts a server that nothing in the stack runs.
fn unserved(context: &Context<'_>, survey: &Survey, gaps: &mut Vec<Gap>) {
    let launches = platform::of(context).launches.iter();
    for launch in launches.filter(|launch| launch.process == "web" && !launch.weak) {
        let served = survey.services.iter().any(|service| {
            let near = is_below(&service.path, &launch.folder) || is_below(&launch.folder, &service.path);
            near && service.role != Role::Site
        });
        let said =
            survey.gaps.iter().any(|gap| gap.evidence.iter().any(|place| place.file == launch.evidence.file));
        let site = launch.text.split_whitespace().any(|word| {
            matches!(word.rsplit('/').next(), Some("nginx" | "start-nginx" | "serve" | "http-server"))
        });
        if !served && !said && !site {
            gaps.push(gap(
                rules::PROCESS_NOT_RUN,
                "the repository",
                format!("`{}` is started for the web, and nothing in the stack runs it", launch.text),
                "write its Dockerfile and its service by hand; both are kept",
                vec![launch.evidence.clone()],
            ));
        }
    }
}

fn service_gaps(service: &Service, gaps: &mut Vec<Gap>) {
    let tool = || service.frameworks.first().map(|tool| tool.evidence.clone()).unwrap_or_default();
    let mut add = |rule, message: &str, hint: &str, evidence: Vec<Evidence>| {
        gaps.push(gap(rule, service.name.clone(), message, hint, evidence));
    };
    if service.build.is_none() && service.output.is_some() {
        add(rules::NO_BUILD_SCRIPT, "no build script", "add a script `build` to its package.json", tool());
    }
    if !service.checks.iter().any(|check| check.value.starts_with("test")) {
        add(rules::NO_TESTS, "no tests that a build could run", "add a script `test:ci`", tool());
    }
    if service.role != Role::Server {
        return;
    }
    if service.command.is_none() {
        add(
            rules::NO_START_COMMAND,
            "no start command of the form `node <file>`",
            "add a script `start`: \"node dist/index.js\"",
            tool(),
        );
    }
    if service.port.is_none() {
        add(rules::NO_PORT, "the port is not known", "read PORT from the environment with a default", tool());
    }
    if service.health.live.is_none() {
        add(
            rules::NO_HEALTH_ROUTE,
            "no health route",
            "answer GET /health with 200 while the process works",
            tool(),
        );
    }
    if service.health.ready.is_none() && !service.stores.is_empty() {
        let evidence = service.health.live.as_ref().map_or_else(tool, |live| live.evidence.clone());
        add(
            rules::NO_READY_ROUTE,
            "no readiness route that looks at the stores",
            "answer GET /ready with 503 while a store does not answer",
            evidence,
        );
    }
    if service.stops_gracefully.is_none() {
        add(
            rules::SIGTERM_NOT_HANDLED,
            "SIGTERM is not handled",
            "finish open requests on SIGTERM, then exit with 0",
            tool(),
        );
    }
    if let Bind::Loopback { address } = &service.bind {
        add(
            rules::LOOPBACK_ONLY,
            &format!("it listens on {} alone: nobody outside of its container reaches it", address.value),
            "listen on 0.0.0.0, or read HOST from the environment",
            address.evidence.clone(),
        );
    }
    for variable in service.environment.iter().filter(|variable| variable.secret) {
        if let Some(default) = &variable.default {
            add(
                rules::SECRET_IN_SOURCE,
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
        gaps.push(gap(rules::STORE_ADDRESS_FIXED, label, message, hint, host.evidence.clone()));
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
            rules::STORE_ADDRESS_UNKNOWN,
            label,
            "no variable with its address is read",
            "read the address from one variable, as DATABASE_URL",
            store.evidence.clone(),
        ));
        return;
    }
    // The shell reads the files for what an image of the team runs.
    let programs = survey.services.iter().filter(|service| service.own_image.is_none());
    let mut uses = programs.flat_map(|service| &service.stores).filter(|used| used.store == store.name);
    let reads_file = uses.all(|used| match &used.address {
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
        gaps.push(gap(rules::SECRET_NOT_FROM_FILE, label, message, hint, variable.evidence.clone()));
    }
    if store.version.is_none() {
        gaps.push(gap(
            rules::STORE_VERSION_UNKNOWN,
            label,
            "its version is not known",
            "name the version in the development compose file",
            store.evidence.clone(),
        ));
    }
}

fn gap(
    rule: RuleInfo,
    subject: impl Into<String>,
    message: impl Into<String>,
    hint: impl Into<String>,
    evidence: Vec<Evidence>,
) -> Gap {
    Gap { rule, subject: subject.into(), message: message.into(), hint: hint.into(), evidence }
}
