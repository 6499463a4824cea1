//! The stores of all services, whatever these are written in: from what the services use and from the development compose
//! file. This phase comes behind the detectors of every ecosystem.

use plimsoll_source::{Source, Span};

use super::compose_file::{self, DevService, File};
use crate::{
    context::{Context, host_name},
    model::{
        Address, Confidence, Evidence, Fact, Gap, Part, Question, Service, Store, StoreKind, StoreRole,
        StoreUse, Survey, is_this_machine,
    },
    rules,
};

mod images;
pub(super) mod libpq;
pub(crate) mod names;
pub(super) mod others;
pub(super) mod written;

/// A store of the development file.
struct Dev<'a> {
    service: &'a DevService,
    kind: StoreKind,
    image: images::Image,
    place: Span,
}

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let file = match compose_file::read(context) {
        Ok(file) => file,
        Err(diagnostic) => {
            survey.gaps.push(Gap::unreadable(&diagnostic));
            None
        }
    };
    let devs = file.as_ref().map(stores_of).unwrap_or_default();
    let mut used = vec![false; devs.len()];
    for service in 0..survey.services.len() {
        for at in 0..survey.services[service].stores.len() {
            assign(survey, (service, at), file.as_ref(), &devs, &mut used);
        }
    }
    for (dev, _) in devs.iter().zip(&used).filter(|(_, used)| !**used) {
        unused(survey, file.as_ref(), dev);
    }
    if let Some(file) = &file {
        others::gaps(file, &devs.iter().map(|dev| dev.service.name.as_str()).collect::<Vec<_>>(), survey);
    }
    apart(survey);
    unique(survey);
    written::logins(survey);
    survey.stores.sort_by_key(|store| store.kind);
}

/// Kinds of stores that the development compose file starts, each with its place.
pub(super) fn in_development(context: &Context<'_>) -> Vec<(StoreKind, Evidence)> {
    let Ok(Some(file)) = compose_file::read(context) else { return Vec::new() };
    let place =
        |dev: &Dev<'_>| Evidence::new(&file.source, dev.place, "the development compose file starts it");
    stores_of(&file).iter().map(|dev| (dev.kind, place(dev))).collect()
}

/// Names of the services of the development file that are stores, each with its kind.
pub(super) fn names_in(file: &File) -> Vec<(String, StoreKind)> {
    stores_of(file).iter().map(|dev| (dev.service.name.clone(), dev.kind)).collect()
}

fn stores_of(file: &File) -> Vec<Dev<'_>> {
    let services = file.services.iter().filter(|service| !service.is_for_tests());
    services
        .filter_map(|service| {
            if let Some((text, span)) = &service.image
                && let Some((kind, image)) = images::store(text)
            {
                return Some(Dev { service, kind, image, place: *span });
            }
            // An image of the team's own: its variables say what it is.
            let named = |name: &str| service.environment.iter().any(|(known, ..)| known == name);
            let kind = match () {
                () if named("POSTGRES_PASSWORD")
                    && (named("POSTGRES_DB") || named("POSTGRES_USER"))
                    && service.command.is_none() =>
                {
                    StoreKind::Postgresql
                }
                () if named("MYSQL_ROOT_PASSWORD") || named("MARIADB_ROOT_PASSWORD") => StoreKind::Mysql,
                () => return None,
            };
            let text = service.image.as_ref().map(|(text, _)| text.clone());
            Some(Dev {
                service,
                kind,
                image: images::Image { version: None, unusual: text },
                place: service.place,
            })
        })
        .collect()
}

/// Finds or makes the store of one use.
fn assign(
    survey: &mut Survey,
    (service, at): (usize, usize),
    file: Option<&File>,
    devs: &[Dev<'_>],
    used: &mut [bool],
) {
    let kind = survey.services[service].stores[at].kind;
    let fitting: Vec<usize> = (0..devs.len()).filter(|&dev| devs[dev].kind == kind).collect();
    let host = host_of_image(&survey.services[service], at)
        .or_else(|| host(survey, &survey.services[service].stores[at], &survey.services[service].path, file));
    let named = fitting.iter().copied().find(|&dev| Some(&devs[dev].service.name) == host.as_ref());
    let port = local_port(survey, &survey.services[service].stores[at], &survey.services[service].path);
    let by_port = || {
        let port = port?;
        fitting.iter().copied().find(|&dev| devs[dev].service.published.contains(&port))
    };
    let by_words = || {
        let role = role(&survey.services[service].stores[at])?;
        let says = |dev: usize| words_role(&devs[dev].service.name);
        let same = fitting.iter().copied().find(|&dev| says(dev) == Some(role));
        // `redis` beside `redis-cache` is the one that is no cache.
        let mut silent = fitting.iter().copied().filter(|&dev| says(dev).is_none());
        same.or_else(|| silent.next().filter(|_| silent.next().is_none()))
    };
    let chosen = named.or_else(by_port).or_else(by_words).or(if fitting.len() == 1 {
        fitting.first().copied()
    } else {
        None
    });
    let evidence = survey.services[service].stores[at].evidence.clone();
    let Some(dev) = chosen.or_else(|| fitting.first().copied()) else {
        let name = host.filter(|host| named_by(survey, (service, at), host));
        let name = name.unwrap_or_else(|| kind.service().to_owned());
        add(survey, store(kind, name.clone(), evidence));
        survey.services[service].stores[at].store = name;
        return;
    };
    if chosen.is_none() {
        ask(survey, service, at, &fitting.iter().map(|&dev| &devs[dev]).collect::<Vec<_>>(), file);
    }
    used[dev] = true;
    let mut made = store(kind, devs[dev].service.name.clone(), evidence);
    if let Some(file) = file {
        describe(&mut made, &devs[dev], &file.source);
    }
    survey.services[service].stores[at].store.clone_from(&made.name);
    add(survey, made);
}

/// Whether a host stands in the program, which reaches the store under no other name.
fn named_by(survey: &Survey, (service, at): (usize, usize), host: &str) -> bool {
    let address = survey.services[service].stores[at].address.as_ref();
    let written = address.and_then(|address| address.written(Part::Host));
    written.is_some_and(|written| written.value == host) && host_name(host) == host && !is_this_machine(host)
}

/// Gives uses that came in by an answer their store: the one of the kind that is there, else a new one.
pub(crate) fn complete(survey: &mut Survey) {
    let mut services = std::mem::take(&mut survey.services);
    let open =
        services.iter_mut().flat_map(|service| &mut service.stores).filter(|used| used.store.is_empty());
    for used in open {
        let known = survey.stores.iter().find(|store| store.kind == used.kind);
        used.store = known.map_or_else(|| used.kind.service().to_owned(), |store| store.name.clone());
        if known.is_none() {
            add(survey, store(used.kind, used.store.clone(), used.evidence.clone()));
        }
    }
    survey.services = services;
}

fn store(kind: StoreKind, name: String, evidence: Vec<Evidence>) -> Store {
    let role = match kind {
        StoreKind::Redis | StoreKind::Rabbitmq => StoreRole::Broker,
        _ => StoreRole::Data,
    };
    Store {
        kind,
        name,
        role,
        image: None,
        version: None,
        database: None,
        user: None,
        password: None,
        evidence,
    }
}

fn add(survey: &mut Survey, store: Store) {
    match survey.stores.iter_mut().find(|known| known.name == store.name && known.kind == store.kind) {
        Some(known) => {
            for evidence in store.evidence {
                if !known.evidence.contains(&evidence) {
                    // What the development file says stays behind what the services say.
                    let at = known.evidence.len().saturating_sub(1);
                    known.evidence.insert(at, evidence);
                }
            }
        }
        None => survey.stores.push(store),
    }
}

/// What the development file says of a store.
fn describe(store: &mut Store, dev: &Dev<'_>, source: &Source) {
    store.evidence.push(Evidence::new(source, dev.place, "the development compose file starts it"));
    let fact =
        |text: &String, reason: &str| Fact::new(text.clone(), Evidence::new(source, dev.place, reason));
    store.version = dev.image.version.as_ref().map(|version| fact(version, "the version in development"));
    store.image = dev.image.unusual.as_ref().map(|image| fact(image, "the image in development"));
    let first = |names: &[&str], reason: &str| {
        names.iter().find_map(|name| dev.service.variable(source, name, reason))
    };
    let (users, databases): (&[&str], &[&str]) = match dev.kind {
        StoreKind::Postgresql => {
            (&["POSTGRES_USER", "POSTGRESQL_USERNAME"], &["POSTGRES_DB", "POSTGRESQL_DATABASE"])
        }
        StoreKind::Mysql => (&["MYSQL_USER", "MARIADB_USER"], &["MYSQL_DATABASE", "MARIADB_DATABASE"]),
        StoreKind::Rabbitmq => (&["RABBITMQ_DEFAULT_USER"], &["RABBITMQ_DEFAULT_VHOST"]),
        StoreKind::Mongodb => (
            &["MONGO_INITDB_ROOT_USERNAME", "MONGODB_INITDB_ROOT_USERNAME"],
            &["MONGO_INITDB_DATABASE", "MONGODB_INITDB_DATABASE"],
        ),
        StoreKind::Redis | StoreKind::Sqlite => (&[], &[]),
    };
    store.user = first(users, "the user in development");
    store.database = first(databases, "the database in development");
    if dev.kind == StoreKind::Postgresql && store.database.is_none() {
        // The image's own rule.
        store.database.clone_from(&store.user);
    }
}

/// The host that a service's variable names in development: in the compose file, else by its own default.
fn host(survey: &Survey, used: &StoreUse, path: &str, file: Option<&File>) -> Option<String> {
    let address = used.address.as_ref()?;
    let variable = match address {
        Address::Fixed { host, .. } => return Some(host.value.clone()),
        Address::Url { variable, .. } => variable,
        Address::Parts { .. } => match address.variable(Part::Host).or(address.variable(Part::Authority)) {
            Some(variable) => variable,
            None => return host_of(&address.written(Part::Host)?.value),
        },
    };
    let own = file.into_iter().flat_map(|file| &file.services).filter(|service| {
        service.build.as_deref().is_none_or(|build| build == path || path.is_empty() || build.is_empty())
    });
    let values = own
        .flat_map(|service| &service.environment)
        .filter(|(name, ..)| *name == variable.value)
        .map(|(_, value, _)| value.as_str());
    let service = survey.services.iter().find(|service| service.path == path);
    let default = service
        .and_then(|service| service.environment.iter().find(|known| known.name == variable.value))
        .and_then(|variable| variable.default.as_deref());
    values.chain(default).find_map(host_of)
}

/// The host in a variable of a service with a Dockerfile of its own: several may be built from one folder, each with values
/// of its own.
fn host_of_image(service: &Service, at: usize) -> Option<String> {
    service.own_image.as_ref()?;
    let address = service.stores.get(at)?.address.as_ref()?;
    let variable = match address {
        Address::Url { variable, .. } => variable,
        Address::Parts { .. } => address.variable(Part::Host).or(address.variable(Part::Authority))?,
        Address::Fixed { .. } => return None,
    };
    let known = service.environment.iter().find(|known| known.name == variable.value)?;
    host_of(known.default.as_deref()?)
}

/// The port of the developer's machine at which a service's own default has the store.
fn local_port(survey: &Survey, used: &StoreUse, path: &str) -> Option<u16> {
    let wanted = match used.address.as_ref()? {
        Address::Url { variable, .. } => variable,
        Address::Parts { variables, .. } => &variables.iter().find(|(part, _)| *part == Part::Port)?.1,
        Address::Fixed { .. } => return None,
    };
    let service = survey.services.iter().find(|service| service.path == path)?;
    let variable = service.environment.iter().find(|known| known.name == wanted.value)?;
    let text = variable.default.as_deref()?;
    let Some((_, rest)) = text.split_once("://") else { return text.parse().ok() };
    let host = rest.split(['/', '?']).next()?.rsplit('@').next()?;
    let (host, port) = host.split_once(':')?;
    matches!(host, "localhost" | "127.0.0.1").then(|| port.parse().ok())?
}

/// The host of a URL or of a bare address; nothing for this machine.
fn host_of(text: &str) -> Option<String> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next()?;
    let host = authority.rsplit('@').next()?.split(':').next()?;
    let fits =
        !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    (fits && !matches!(host, "localhost" | "127.0.0.1" | "0.0.0.0")).then(|| host.to_owned())
}

fn ask(survey: &mut Survey, service: usize, at: usize, devs: &[&Dev<'_>], file: Option<&File>) {
    let owner = &survey.services[service];
    let kind = owner.stores[at].kind;
    let id = format!("{}.{}", owner.name, kind.service());
    if survey.questions.iter().any(|question| question.id == id) {
        return;
    }
    let places = devs.iter().filter_map(|dev| Some(Evidence::new(&file?.source, dev.place, "one of them")));
    survey.questions.push(Question {
        id,
        text: format!("The development file starts several {} servers, and nothing says which one {} uses. Which one is it?", kind.label(), owner.name),
        options: devs.iter().map(|dev| dev.service.name.clone()).collect(),
        default: None,
        confidence: Confidence::Open,
        evidence: owner.stores[at].evidence.iter().cloned().chain(places).collect(),
    });
}

/// A store that the development file starts and no service is known to use.
fn unused(survey: &mut Survey, file: Option<&File>, dev: &Dev<'_>) {
    let Some(file) = file else { return };
    let mut made = store(dev.kind, dev.service.name.clone(), Vec::new());
    describe(&mut made, dev, &file.source);
    let asked = survey.questions.iter().any(|question| question.options.contains(&made.name));
    if !asked {
        survey.gaps.push(Gap {
            rule: rules::UNUSED_STORE,
            subject: made.name.clone(),
            message: format!(
                "the development file starts {}, and no service is known to use it",
                dev.kind.label()
            ),
            hint: "read its address from a variable, or take it out of the development file".to_owned(),
            evidence: made.evidence.clone(),
        });
    }
    add(survey, made);
}

/// Redis as a queue must drop nothing, and as a cache must drop the oldest: what is used as both becomes two.
fn apart(survey: &mut Survey) {
    let names: Vec<String> = survey
        .stores
        .iter()
        .filter(|store| store.kind == StoreKind::Redis)
        .map(|store| store.name.clone())
        .collect();
    for name in names {
        let uses = || {
            survey
                .services
                .iter()
                .flat_map(|service| &service.stores)
                .filter(|used| used.kind == StoreKind::Redis && used.store == name)
        };
        let caches = uses().filter(|used| role(used) == Some(StoreRole::Cache)).count();
        let all = uses().count();
        if caches == 0 {
            continue;
        }
        if caches == all {
            if let Some(store) =
                survey.stores.iter_mut().find(|store| store.name == name && store.kind == StoreKind::Redis)
            {
                store.role = StoreRole::Cache;
            }
            continue;
        }
        split(survey, &name);
    }
}

fn split(survey: &mut Survey, name: &str) {
    let Some(at) =
        survey.stores.iter().position(|store| store.name == name && store.kind == StoreKind::Redis)
    else {
        return;
    };
    let (broker, cache) = (format!("{name}-broker"), format!("{name}-cache"));
    let mut evidence: (Vec<Evidence>, Vec<Evidence>) = (Vec::new(), Vec::new());
    for used in survey
        .services
        .iter_mut()
        .flat_map(|service| &mut service.stores)
        .filter(|used| used.kind == StoreKind::Redis && used.store == name)
    {
        let (target, list) = if role(used) == Some(StoreRole::Cache) {
            (&cache, &mut evidence.1)
        } else {
            (&broker, &mut evidence.0)
        };
        used.store.clone_from(target);
        list.extend(variable_evidence(used));
    }
    let whole = survey.stores.remove(at);
    for (name, role, evidence) in
        [(broker, StoreRole::Broker, evidence.0), (cache, StoreRole::Cache, evidence.1)]
    {
        let evidence = evidence.into_iter().chain(whole.evidence.clone()).collect();
        survey.stores.push(Store { name, role, evidence, ..whole.clone() });
    }
}

fn variable_evidence(used: &StoreUse) -> Vec<Evidence> {
    match &used.address {
        Some(Address::Url { variable, .. }) => variable.evidence.clone(),
        Some(Address::Parts { variables, .. }) => {
            variables.iter().flat_map(|(_, variable)| variable.evidence.clone()).take(1).collect()
        }
        _ => used.evidence.clone(),
    }
}

/// What a variable's name says of the use.
fn role(used: &StoreUse) -> Option<StoreRole> {
    match used.address.as_ref()? {
        Address::Url { variable, .. } => words_role(&variable.value),
        Address::Parts { variables, .. } => {
            let of_host = |part: Part| matches!(part, Part::Host | Part::Authority);
            words_role(&variables.iter().find(|(part, _)| of_host(*part))?.1.value)
        }
        Address::Fixed { .. } => None,
    }
}

fn words_role(name: &str) -> Option<StoreRole> {
    let name = name.to_uppercase();
    let words: Vec<&str> = name.split(['_', '-']).collect();
    let any = |list: &[&str]| words.iter().any(|word| list.contains(word));
    if any(&[
        "BROKER", "CELERY", "QUEUE", "RQ", "RESULT", "JOBS", "TASKS", "SESSION", "BULL", "BULLMQ",
        "CHANNELS", "PUBSUB",
    ]) {
        Some(StoreRole::Broker)
    } else if any(&["CACHE", "CACHES", "CACHING"]) {
        Some(StoreRole::Cache)
    } else {
        None
    }
}

/// A store never has the name of a service, of a process or of another store.
fn unique(survey: &mut Survey) {
    let mut taken: Vec<String> = survey
        .services
        .iter()
        .flat_map(|service| {
            std::iter::once(service.name.clone())
                .chain(service.processes.iter().map(|process| process.name.clone()))
        })
        .collect();
    for at in 0..survey.stores.len() {
        let before = survey.stores[at].name.clone();
        let kind = survey.stores[at].kind;
        let usual = [before.clone(), if kind == StoreKind::Redis { "cache" } else { "db" }.to_owned()];
        let numbered = (1..).map(|number| format!("{before}-{number}"));
        let name = usual
            .into_iter()
            .chain(numbered)
            .find(|name| !taken.contains(name))
            .unwrap_or_else(|| before.clone());
        taken.push(name.clone());
        if name == before {
            continue;
        }
        for used in survey
            .services
            .iter_mut()
            .flat_map(|service| &mut service.stores)
            .filter(|used| used.kind == kind && used.store == before)
        {
            used.store.clone_from(&name);
        }
        survey.stores[at].name = name;
    }
}
