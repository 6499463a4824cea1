//! What a client of a store takes where a program gives it no host: the variables of libpq, else the machine on which it
//! runs, where no store of a stack is.

use super::{django::Site, project::Project};
use crate::{
    detect::stores::libpq,
    model::{Address, BY_ITSELF, Evidence, Fact, Part, Service, StoreKind},
    python::{Kind, Module},
};

/// Calls that open a store of each kind, and take their own machine without a host.
const OPENERS: [(StoreKind, &[&str]); 3] = [
    (
        StoreKind::Postgresql,
        &[
            "psycopg2.connect",
            "psycopg.connect",
            "psycopg.AsyncConnection.connect",
            "asyncpg.connect",
            "asyncpg.create_pool",
            "aiopg.connect",
            "aiopg.create_pool",
        ],
    ),
    (
        StoreKind::Mysql,
        &[
            "MySQLdb.connect",
            "pymysql.connect",
            "pymysql.connections.Connection",
            "mysql.connector.connect",
            "mariadb.connect",
            "aiomysql.connect",
            "aiomysql.create_pool",
        ],
    ),
    (
        StoreKind::Redis,
        &[
            "redis.Redis",
            "redis.StrictRedis",
            "redis.client.Redis",
            "redis.asyncio.Redis",
            "redis.ConnectionPool",
            "aioredis.Redis",
        ],
    ),
];

/// Parts as a text for libpq names them.
const WORDS: [(Part, &str); 5] = [
    (Part::Host, "host"),
    (Part::Port, "port"),
    (Part::User, "user"),
    (Part::Password, "password"),
    (Part::Database, "dbname"),
];

/// Adds the host that a client takes by itself to the uses of a kind that name none.
pub(super) fn complete(project: &Project, site: Option<&Site>, kind: StoreKind, service: &mut Service) {
    let names_host = |address: &Address| match address {
        Address::Parts { .. } => {
            address.variable(Part::Host).is_some() || address.written(Part::Host).is_some()
        }
        Address::Url { .. } | Address::Fixed { .. } => true,
    };
    let open = |address: &Option<Address>| address.as_ref().is_none_or(|address| !names_host(address));
    if !service.stores.iter().any(|used| used.kind == kind && open(&used.address)) {
        return;
    }
    let Some(call) = hostless(project, site, kind) else { return };
    let environment = &service.environment;
    for used in service.stores.iter_mut().filter(|used| used.kind == kind && open(&used.address)) {
        if kind != StoreKind::Postgresql {
            let here = Fact::new("localhost".to_owned(), call.place.clone());
            match &mut used.address {
                Some(Address::Parts { written, .. }) => written.push((Part::Host, here)),
                _ => used.address = Some(Address::fixed(here)),
            }
            continue;
        }
        let mut address = used.address.take().unwrap_or(Address::Parts {
            variables: Vec::new(),
            file_variants: Vec::new(),
            written: Vec::new(),
        });
        if let Address::Parts { variables, written, .. } = &mut address {
            written.extend(
                call.written
                    .iter()
                    .filter(|(part, _)| variables.iter().all(|(known, _)| known != part))
                    .cloned(),
            );
            let texts = written.iter().map(|(part, _)| *part);
            let read = variables.iter().map(|(part, _)| *part);
            let known: Vec<Part> = call.given.iter().copied().chain(texts).chain(read).collect();
            variables.extend(libpq::missing(&known, &call.place, environment));
        }
        used.address = Some(address);
    }
}

/// A call that opens a store and gives no host.
struct Hostless {
    place: Evidence,
    /// Other parts that it gives.
    given: Vec<Part>,
    /// Those of them that are plain texts.
    written: Vec<(Part, Fact<String>)>,
}

/// The first call that opens a store of the kind, where none of them names a host.
fn hostless(project: &Project, site: Option<&Site>, kind: StoreKind) -> Option<Hostless> {
    if let Some(site) = site {
        return site.modules.iter().find_map(|module| of_django(module, kind));
    }
    let (_, openers) = OPENERS.iter().find(|(known, _)| *known == kind)?;
    let mut first = None;
    for module in &project.modules {
        for at in 0..module.tokens.len() {
            let Some((name, open)) = module.resolved(at) else { continue };
            if !module.is(open, "(") || !openers.contains(&name.as_str()) {
                continue;
            }
            let call = call(module, at, open)?;
            first = first.or(Some(call));
        }
    }
    first
}

/// `psycopg2.connect(dbname=…, user=…)`; nothing where a host, an address or what cannot be seen is given.
fn call(module: &Module, at: usize, open: usize) -> Option<Hostless> {
    let leads = [
        "host",
        "hostaddr",
        "dsn",
        "conninfo",
        "unix_socket",
        "unix_socket_path",
        "url",
        "connection_pool",
        "read_default_file",
        "option_files",
        "service",
    ];
    let (mut given, mut written) = (Vec::new(), Vec::new());
    for argument in module.arguments(open) {
        // `connect("dbname=shop user=shop")`
        let dsn = argument.name.is_none().then(|| text(module, argument.at, argument.end)).flatten();
        if let Some(dsn) = dsn.filter(|dsn| dsn.value.contains('=') && !dsn.value.contains("host")) {
            let evidence = dsn.evidence.first()?;
            let words = words(&dsn.value, evidence);
            given.extend(words.iter().map(|(part, _)| *part));
            written.extend(words);
            continue;
        }
        let name = argument.name.filter(|name| !leads.contains(name))?;
        let part = match name {
            "user" | "username" => Part::User,
            "password" | "passwd" => Part::Password,
            "dbname" | "database" | "db" => Part::Database,
            "port" => Part::Port,
            _ => continue,
        };
        given.push(part);
        written.extend(text(module, argument.at, argument.end).map(|text| (part, text)));
    }
    let place =
        Evidence::new(&module.source, module.span(at, open), format!("it gives no host: {BY_ITSELF}"));
    Some(Hostless { place, given, written })
}

/// One dictionary of Django's `DATABASES`.
#[derive(Default)]
struct Database {
    /// The last word of its engine, and the token of its key.
    engine: Option<(String, usize)>,
    /// Something may say its host.
    host: bool,
    given: Vec<Part>,
    written: Vec<(Part, Fact<String>)>,
}

fn database(module: &Module, open: usize) -> Option<Database> {
    let close = module.close(open).filter(|_| module.is(open, "{"))?;
    let mut found = Database::default();
    let mut at = open + 1;
    while at < close {
        if module.kind(at) == Some(Kind::String) && module.is(at + 1, ":") {
            let value = text(module, at + 2, super::paths::value_end(module, at + 2));
            let part = match module.string(at)?.as_str() {
                "ENGINE" => {
                    let engine = value.as_ref().and_then(|value| value.value.rsplit('.').next());
                    found.engine = engine.map(|engine| (engine.to_owned(), at));
                    None
                }
                "HOST" => {
                    found.host = module.string(at + 2).as_deref() != Some("");
                    None
                }
                "USER" => Some(Part::User),
                "PASSWORD" => Some(Part::Password),
                "NAME" => Some(Part::Database),
                _ => None,
            };
            found.given.extend(part);
            found.written.extend(part.zip(value));
        }
        found.host |= module.is(at, "**");
        at = module.close(at).unwrap_or(at) + 1;
    }
    Some(found)
}

/// `DATABASES` with an engine and no `HOST`, or an empty one.
fn of_django(module: &Module, kind: StoreKind) -> Option<Hostless> {
    let engines: &[&str] = match kind {
        StoreKind::Postgresql => &["postgresql", "postgis", "postgresql_psycopg2"],
        StoreKind::Mysql => &["mysql"],
        _ => return None,
    };
    (0..module.tokens.len()).find_map(|open| {
        let Database { engine, host, given, written } = database(module, open)?;
        let (_, at) = engine.filter(|(engine, _)| !host && engines.contains(&engine.as_str()))?;
        let place = Evidence::new(
            &module.source,
            module.span(at, at),
            format!("the database has no HOST: {BY_ITSELF}"),
        );
        Some(Hostless { place, given, written })
    })
}

/// The plain texts beside a `HOST` that is one.
pub(super) fn beside(module: &Module, host: usize) -> Vec<(Part, Fact<String>)> {
    let open = module.dictionary_around(host, MAX_BESIDE);
    open.and_then(|open| database(module, open)).map(|found| found.written).unwrap_or_default()
}

/// Tokens before a key in which its dictionary opens.
const MAX_BESIDE: usize = 200;

/// `host=db dbname=shop user=shop`: the parts that libpq reads from a text.
pub(super) fn words(text: &str, evidence: &Evidence) -> Vec<(Part, Fact<String>)> {
    let part = |word: &str| {
        let (name, value) = word.split_once('=')?;
        let (part, _) = WORDS.iter().find(|(_, known)| *known == name)?;
        let plain = !value.is_empty() && !value.contains(['{', '}', '%', '\'']);
        plain.then(|| (*part, Fact::new(value.to_owned(), evidence.clone())))
    };
    text.split_whitespace().filter_map(part).collect()
}

/// A plain text that is all of a value.
fn text(module: &Module, at: usize, end: usize) -> Option<Fact<String>> {
    let text = module.string(at).filter(|text| end == at + 1 && !text.is_empty())?;
    Some(Fact::new(text, Evidence::new(&module.source, module.span(at, at), "it stands in the program")))
}
