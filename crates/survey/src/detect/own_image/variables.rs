//! The variables of a component, as the development compose file and its Dockerfile set them: names and values, but never
//! the value of a secret.

use super::{
    Component, Team,
    addresses::{self, Given},
    stage::Stage,
};
use crate::{
    detect::{platform::PORT, secret},
    model::{Address, Evidence, Fact, Gap, Part, Service, StoreUse, Variable, Writes},
    rules,
};

/// At most so many variables are kept.
const MAX_COUNT: usize = 200;

/// VOLUME of the image: what is written there outlives the container.
pub(super) fn volumes(stage: &Stage) -> Vec<Writes> {
    stage.volumes.iter().map(|path| Writes { path: path.clone(), keep: true }).collect()
}

/// ENV of the image, which the image sets by itself.
pub(super) fn of_image(stage: &Stage) -> Vec<Variable> {
    let open = |name: &str, value: &str| !secret::is_secret(name) && !addresses::holds_password(value);
    let variables = stage.variables.iter().take(MAX_COUNT).map(|(name, fact)| Variable {
        default: Some(fact.value.clone()).filter(|value| open(name, value)),
        ..Variable::named(name, fact.evidence.clone())
    });
    variables.collect()
}

/// Fills in the variables of a service and the stores that they name.
pub(super) fn fill(
    team: &Team<'_>,
    component: &Component<'_>,
    stage: &Stage,
    service: &mut Service,
    gaps: &mut Vec<Gap>,
) {
    let given = given(team, component);
    let of_compose = given.len();
    let mut all = given;
    for (name, fact) in &stage.variables {
        let place = fact.evidence.first();
        if let Some(place) = place.filter(|_| all.iter().all(|known| known.name != *name)) {
            let value = Some(fact.value.clone());
            all.push(Given { name: name.clone(), value, evidence: place.clone() });
        }
    }
    let mut found = addresses::of(&all, &team.started);
    one_way_each(&mut found.uses);
    waited_for(team, component, &mut found.uses);
    for (given, kind) in &found.unknown {
        if found.uses.iter().all(|used| used.kind != *kind) {
            let evidence = vec![given.evidence.clone()];
            found.uses.push(StoreUse { kind: *kind, store: String::new(), address: None, evidence });
        }
    }
    let parts: Vec<String> = addresses::names(&found.uses).map(str::to_owned).collect();
    let unknown: Vec<&str> = found.unknown.iter().map(|(given, _)| given.name.as_str()).collect();
    for (given, kind) in &found.unknown {
        gaps.push(Gap { rule: rules::STORE_ADDRESS_UNKNOWN,
            subject: service.name.clone(),
            message: format!(
                "{} holds the address of {} in a form that is not written: it is taken from the environment of `up`",
                given.name,
                kind.label()
            ),
            hint: "read the address from a URL, as DATABASE_URL, or from a variable for each part".to_owned(),
            evidence: vec![given.evidence.clone()],
        });
    }
    for (at, given) in all.iter().enumerate() {
        let part = parts.contains(&given.name);
        // A key of its own that everybody with the image has.
        let secret = secret::is_own(&given.name, given.value.as_deref(), || false);
        // What the image sets by itself is set again only where the stack has another value.
        if at < of_compose || part || secret || unknown.contains(&given.name.as_str()) {
            service.environment.push(one(given, part, &found.uses));
        }
    }
    service.calls = calls(&service.environment);
    if let Some(image) = &mut service.own_image {
        image.forms = found.forms;
    }
    service.stores = found.uses;
}

/// Variables whose values the stack hands over as secrets.
pub(super) fn secrets(service: &Service) -> Vec<String> {
    let mut names: Vec<String> = service
        .environment
        .iter()
        .filter(|variable| variable.secret)
        .map(|variable| variable.name.clone())
        .collect();
    for address in service.stores.iter().filter_map(|used| used.address.as_ref()) {
        match address {
            Address::Url { variable, .. } => names.push(variable.value.clone()),
            Address::Parts { .. } => {
                names.extend(address.variable(Part::Password).map(|it| it.value.clone()));
            }
            Address::Fixed { .. } => {}
        }
    }
    names.sort();
    names.dedup();
    names
}

/// `environment` and `env_file` of the compose file; of two with one name the first counts, as Compose has it.
fn given(team: &Team<'_>, component: &Component<'_>) -> Vec<Given> {
    let (Some(file), Some(dev)) = (team.file, component.dev) else { return Vec::new() };
    let mut given: Vec<Given> = Vec::new();
    let mut add = |name: &str, value: Option<String>, evidence: Evidence| {
        if given.len() < MAX_COUNT && given.iter().all(|known| known.name != name) {
            given.push(Given { name: name.to_owned(), value, evidence });
        }
    };
    for (name, value, span) in &dev.variables {
        add(name, value.clone(), Evidence::new(&file.source, *span, "the development compose file sets it"));
    }
    // The last file counts.
    for (path, _) in dev.env_files.iter().rev() {
        let Some(source) = team.context.repository.source(path) else { continue };
        for (at, line) in source.text().lines().enumerate() {
            let line = line.trim().trim_start_matches("export ");
            let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else {
                continue;
            };
            let value = value.trim().trim_matches(['"', '\'']);
            let evidence = Evidence::new(
                &source,
                source.line_span(at + 1),
                "a file of the development compose file sets it",
            );
            add(name.trim(), Some(value.to_owned()).filter(|value| !value.is_empty()), evidence);
        }
    }
    given
}

/// One variable as the service has it.
fn one(given: &Given, part: bool, uses: &[StoreUse]) -> Variable {
    let name = &given.name;
    let value = given.value.as_deref().filter(|value| !value.contains('$'));
    let mut variable = Variable::named(name, vec![given.evidence.clone()]);
    if part {
        // The address without the password that development has.
        let open = given.value.as_deref().map(addresses::without_login).filter(|text| !text.contains('$'));
        variable.default = open.filter(|text| !secret::is_secret(name) && !addresses::holds_password(text));
    } else if secret::is_own(name, value, || false) {
        variable.secret = true;
    } else if is_of_a_known_store(name, uses) {
        // A whole address holds the password: this one belongs to a store of development.
        variable.default = Some(String::new());
    } else if secret::is_secret(name) || given.value.as_deref().is_some_and(addresses::holds_password) {
        variable.required = given.value.is_some();
    } else {
        variable.default = value.map(str::to_owned);
        // A reference to the host's environment that has to be there.
        variable.required =
            given.value.as_deref().is_some_and(|value| value.contains("${") && value.contains(":?"));
    }
    variable
}

/// A password of a store whose whole address is another variable.
fn is_of_a_known_store(name: &str, uses: &[StoreUse]) -> bool {
    let Some((store, last)) = name.rsplit_once('_') else { return false };
    matches!(last, "PASSWORD" | "PASS" | "PASSWD")
        && uses.iter().any(|used| {
            matches!(used.address, Some(Address::Url { .. }))
                && store.split('_').any(|word| crate::names_store(used.kind, word))
        })
}

/// A bare host beside a whole address leads to the same store, and says nothing of a password.
fn one_way_each(uses: &mut Vec<StoreUse>) {
    let whole: Vec<_> = uses
        .iter()
        .filter(|used| matches!(used.address, Some(Address::Url { .. })))
        .map(|used| used.kind)
        .collect();
    uses.retain(|used| match &used.address {
        Some(Address::Parts { variables, .. }) => {
            let login = variables.iter().any(|(part, _)| matches!(part, Part::User | Part::Password));
            login || !whole.contains(&used.kind)
        }
        _ => true,
    });
}

/// Stores that it waits for and of which no variable says where they are.
fn waited_for(team: &Team<'_>, component: &Component<'_>, uses: &mut Vec<StoreUse>) {
    let (Some(file), Some(dev)) = (team.file, component.dev) else { return };
    for (name, _, span) in &dev.waits_for {
        let Some((_, kind)) = team.started.iter().find(|(store, _)| store == name) else { continue };
        if uses.iter().any(|used| used.kind == *kind) {
            continue;
        }
        let evidence =
            Evidence::new(&file.source, *span, "the development compose file starts it behind this store");
        uses.push(StoreUse { kind: *kind, store: String::new(), address: None, evidence: vec![evidence] });
    }
}

/// Hosts outside that a variable names.
fn calls(variables: &[Variable]) -> Vec<Fact<String>> {
    let mut calls: Vec<Fact<String>> = Vec::new();
    for variable in variables {
        let Some(rest) = variable.default.as_deref().and_then(|text| text.strip_prefix("https://")) else {
            continue;
        };
        let host = rest.split(['/', ':', '?']).next().unwrap_or_default();
        if host.contains('.') && !calls.iter().any(|known| known.value == host) {
            calls.push(Fact { value: host.to_owned(), evidence: variable.evidence.clone() });
        }
    }
    calls
}

/// The number of a variable `PORT`.
pub(super) fn port(service: &Service) -> Option<Fact<u16>> {
    let name = PORT.trim_start_matches('$');
    let in_image = service.own_image.iter().flat_map(|image| &image.variables);
    let variable = service.environment.iter().chain(in_image).find(|variable| variable.name == name)?;
    let number = variable.default.as_deref()?.parse().ok().filter(|number| *number > 0)?;
    Some(Fact { value: number, evidence: variable.evidence.clone() })
}
