//! Variables that a build needs: some frameworks load the server's modules while they build, and these refuse to be
//! without what the program needs when it runs.

use std::collections::BTreeSet;

use crate::{
    context::{Context, join},
    javascript::{
        Script,
        values::{environment_read, is_variable},
    },
    model::{Address, Ecosystem, Evidence, Gap, Service, Setting, StoreKind, Survey},
    rules,
};

/// Frameworks whose builds load the modules of the server: to read their settings, or to make pages.
const LOADING: [&str; 3] = ["next", "@sveltejs/kit", "astro"];

/// Variables that turn a check of the environment off.
const SWITCHES: [&str; 2] = ["SKIP_ENV_VALIDATION", "SKIP_ENV_CHECK"];

/// Variables that are never missing, or that a build must not have.
const NEVER: [&str; 5] = ["NODE_ENV", "NODE_OPTIONS", "CI", "NEXT_RUNTIME", "NEXT_PHASE"];

/// Variables of one build.
const MAX_PLACEHOLDERS: usize = 100;

/// Files of variables that Git has and that no image gets.
const COMMITTED: [&str; 2] = [".env", ".env.production"];

pub(in crate::detect) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let mut services = std::mem::take(&mut survey.services);
    let of_node = services.iter_mut().filter(|service| {
        let first = service.frameworks.first().map_or("", |tool| tool.name.as_str());
        service.ecosystem == Ecosystem::Node && LOADING.contains(&first)
    });
    for service in of_node {
        let asserted = asserted(context, survey, service);
        survey.gaps.extend(placeholders(service, &asserted));
        survey.gaps.extend(COMMITTED.iter().filter_map(|file| committed(context, service, file)));
    }
    survey.services = services;
}

/// `process.env.NAME!`: the program says that it is never missing.
pub(super) fn is_asserted(script: &Script, last: usize) -> bool {
    script.is(last + 1, "!") && !script.is(last + 2, "=")
}

fn asserted(context: &Context<'_>, survey: &Survey, service: &Service) -> BTreeSet<String> {
    let program = context.closure(survey, &service.path);
    let mut names = BTreeSet::new();
    for script in program.scripts() {
        let reads = (0..script.tokens.len()).filter_map(|at| environment_read(script, at));
        names.extend(reads.filter(|(_, last)| is_asserted(script, *last)).map(|(name, _)| name));
    }
    names
}

/// Gives a build what the program needs and what no default stands in for.
fn placeholders(service: &mut Service, asserted: &BTreeSet<String>) -> Option<Gap> {
    let own = |name: &str| {
        NEVER.contains(&name)
            || service.port_variable.as_ref().is_some_and(|port| port.value == name)
            || service.settings.iter().any(|setting| setting.name == name)
    };
    let mut found: Vec<Setting> = Vec::new();
    let mut evidence: Vec<Evidence> = Vec::new();
    for variable in &service.environment {
        let name = variable.name.as_str();
        let switch = SWITCHES.contains(&name);
        let needed = variable.default.is_none() && (variable.required || asserted.contains(name));
        if !(needed || switch) || own(name) || found.len() == MAX_PLACEHOLDERS {
            continue;
        }
        let value = if switch { "1".to_owned() } else { value(name, store(service, name)) };
        let reason = "the build loads what needs it".to_owned();
        found.push(Setting { name: name.to_owned(), value, reason, at_build: true });
        evidence.extend(variable.evidence.first().cloned());
    }
    let names: Vec<&str> = found.iter().map(|setting| setting.name.as_str()).collect();
    let gap = (!names.is_empty()).then(|| Gap { rule: rules::BUILD_PLACEHOLDERS,
        subject: service.name.clone(),
        message: format!(
            "its build loads modules that need {}: placeholders stand in for them while the image is built, and for \
             nothing else",
            names.join(", ")
        ),
        hint: "a page that is made by the build and asks a store or another host then has no answer: let it be made on \
               request"
            .to_owned(),
        evidence,
    });
    service.placeholders = found;
    gap
}

/// The store whose address the variable holds.
fn store(service: &Service, name: &str) -> Option<StoreKind> {
    service.stores.iter().find_map(|used| match &used.address {
        Some(Address::Url { variable, .. }) if variable.value == name => Some(used.kind),
        _ => None,
    })
}

/// A value that checks of its form take, and that leads nowhere.
fn value(name: &str, store: Option<StoreKind>) -> String {
    let has = |words: &[&str]| name.split('_').any(|part| words.contains(&part));
    let text = match store {
        Some(StoreKind::Sqlite) => "file:/tmp/build.db",
        Some(kind) => {
            let login = if kind.is_relational() { "build:build@" } else { "" };
            let path = if kind.is_relational() || kind == StoreKind::Mongodb { "/build" } else { "" };
            return format!("{}://{login}localhost:{}{path}", kind.scheme(), kind.port());
        }
        None if has(&["URL", "URI", "ENDPOINT", "ORIGIN"]) => "http://localhost",
        None if has(&["EMAIL"]) => "build@example.com",
        None if has(&["PORT"]) => "1",
        None if has(&["HOST", "HOSTNAME", "DOMAIN"]) => "localhost",
        None => "placeholder-while-the-image-is-built",
    };
    text.to_owned()
}

/// A file of variables that Git has: it may hold secrets, so that no image gets it.
fn committed(context: &Context<'_>, service: &Service, file: &str) -> Option<Gap> {
    let path = join(&service.path, file);
    let source = context.repository.source(&path)?;
    let mut evidence = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for (at, line) in source.text().lines().enumerate() {
        let Some((name, _)) = line.trim().trim_start_matches("export ").split_once('=') else { continue };
        let name = name.trim();
        let read = service.environment.iter().any(|variable| variable.name == name);
        if is_variable(name) && read && !names.contains(&name) && names.len() < MAX_PLACEHOLDERS {
            names.push(name);
            evidence.push(Evidence::new(&source, source.line_span(at + 1), "a value of it"));
        }
    }
    (!names.is_empty()).then(|| Gap { rule: rules::ENV_FILE_LEFT_OUT,
        subject: service.name.clone(),
        message: format!(
            "{path} is a part of the repository, and no image gets it, since it may hold secrets: {} come from the \
             environment of `up` alone",
            names.join(", ")
        ),
        hint: "set those that the program needs for `plimsoll up`".to_owned(),
        evidence,
    })
}
