//! Which stores a Python service uses, and the variables that say where they are.

use super::{
    celery, clients, dialects, django::Site, environment::Read, hosts, project::Project,
    requirement::Requirement, sqlite, templates,
};
pub(super) use crate::detect::stores::names::scheme;
use crate::{
    detect::stores::{
        names::{self, PARTS},
        written,
    },
    model::{Address, Evidence, Fact, Gap, Part, Question, Service, StoreKind, StoreUse, Variable},
    python::Kind,
    rules,
};

/// Client libraries of each store.
const CLIENTS: [(StoreKind, &[&str]); 5] = [
    (
        StoreKind::Postgresql,
        &["psycopg", "psycopg2", "psycopg2-binary", "psycopg-binary", "asyncpg", "pg8000", "aiopg"],
    ),
    (
        StoreKind::Mysql,
        &["mysqlclient", "pymysql", "mysql-connector-python", "aiomysql", "asyncmy", "mariadb"],
    ),
    (
        StoreKind::Redis,
        &[
            "redis",
            "django-redis",
            "rq",
            "django-rq",
            "channels-redis",
            "arq",
            "aioredis",
            "coredis",
            "flask-redis",
            "fastapi-limiter",
            "django-cacheops",
            "django-redis-cache",
            "django-redis-sessions",
            "celery-redbeat",
            "rq-scheduler",
            "taskiq-redis",
            "saq",
            "redis-om",
            "walrus",
            "huey-redis",
            "asgi-redis",
        ],
    ),
    // `amqp` and `kombu` come with Celery, whatever its broker is: they say nothing.
    (StoreKind::Rabbitmq, &["pika", "aio-pika", "aiormq", "amqpstorm"]),
    (StoreKind::Mongodb, &["pymongo", "motor", "beanie", "mongoengine", "flask-pymongo"]),
];

/// Clients of stores that nothing is generated for.
const OTHERS: [(&str, &str); 12] = [
    ("elasticsearch", "Elasticsearch"),
    ("opensearch-py", "OpenSearch"),
    ("kafka-python", "Kafka"),
    ("confluent-kafka", "Kafka"),
    ("aiokafka", "Kafka"),
    ("pymemcache", "Memcached"),
    ("python-memcached", "Memcached"),
    ("meilisearch", "Meilisearch"),
    ("nats-py", "NATS"),
    ("cassandra-driver", "Cassandra"),
    ("neo4j", "Neo4j"),
    ("qdrant-client", "Qdrant"),
];

/// Whole addresses, by their usual names.
fn url_names(kind: StoreKind) -> &'static [&'static str] {
    match kind {
        StoreKind::Postgresql => &[
            "DATABASE_URL",
            "SQLALCHEMY_DATABASE_URI",
            "SQLALCHEMY_DATABASE_URL",
            "DATABASE_URI",
            "POSTGRES_URL",
            "POSTGRES_DSN",
            "PG_URL",
            "DB_URL",
            "PG_DSN",
            "DATABASE_DSN",
        ],
        StoreKind::Mysql => &[
            "DATABASE_URL",
            "SQLALCHEMY_DATABASE_URI",
            "SQLALCHEMY_DATABASE_URL",
            "DATABASE_URI",
            "MYSQL_URL",
            "DB_URL",
        ],
        StoreKind::Redis => &[
            "REDIS_URL",
            "CELERY_BROKER_URL",
            "BROKER_URL",
            "CACHE_URL",
            "REDIS_CACHE_URL",
            "CELERY_RESULT_BACKEND",
            "RESULT_BACKEND",
            "RQ_REDIS_URL",
            "REDIS_URI",
            "CHANNELS_REDIS_URL",
            "RATELIMIT_STORAGE_URI",
            "REDIS_DSN",
        ],
        StoreKind::Rabbitmq => {
            &["RABBITMQ_URL", "AMQP_URL", "CLOUDAMQP_URL", "RABBIT_URL", "CELERY_BROKER_URL", "BROKER_URL"]
        }
        StoreKind::Mongodb => &["MONGO_URL", "MONGODB_URL", "MONGO_URI", "MONGODB_URI", "MONGO_DSN"],
        StoreKind::Sqlite => &["DATABASE_URL", "SQLALCHEMY_DATABASE_URI", "DATABASE_URI"],
    }
}

/// Last words of the prefixes under which the parts of an address stand.
pub(super) fn prefixes(kind: StoreKind) -> &'static [&'static str] {
    match kind {
        StoreKind::Postgresql => &["POSTGRES", "POSTGRESQL", "PG", "DB", "DATABASE", "SQL"],
        StoreKind::Mysql => &["MYSQL", "MARIADB", "DB", "DATABASE", "SQL"],
        StoreKind::Redis => &["REDIS"],
        StoreKind::Rabbitmq => &["RABBITMQ", "AMQP", "RABBIT"],
        StoreKind::Mongodb => &["MONGO", "MONGODB"],
        StoreKind::Sqlite => &[],
    }
}

/// Adds what the project uses to its service.
pub(super) fn add(
    of: &sqlite::Of<'_>,
    reads: &[Read],
    service: &mut Service,
    (gaps, questions): (&mut Vec<Gap>, &mut Vec<Question>),
) {
    let (project, site) = (of.project, of.site);
    let engines = site.map(engines).unwrap_or_default();
    for (kind, clients) in CLIENTS {
        let Some(client) = project.needs(clients).or_else(|| bundled(project, kind)) else { continue };
        // A list that was frozen names what other packages brought: a broker's client that nothing imports, beside no
        // address of its kind, is not used.
        if kind == StoreKind::Rabbitmq
            && !project.imports(clients)
            && urls(project, kind, reads, service).is_empty()
            && parts(kind, service).is_empty()
            && templates::find(project, service, kind).is_none()
            && fixed(project, site, kind).is_none()
        {
            continue;
        }
        let evidence = Evidence {
            reason: format!("{} is a client of {}", client.name, kind.label()),
            ..client.evidence.clone()
        };
        let engine = engines.iter().find(|(engine, _)| *engine == kind).map(|(_, evidence)| evidence.clone());
        let evidence: Vec<Evidence> = engine.into_iter().chain([evidence]).collect();
        // A driver that no setting names and no variable leads to is not used.
        let other = matches!(kind, StoreKind::Postgresql | StoreKind::Mysql)
            && engines.iter().any(|(engine, _)| *engine == StoreKind::Sqlite);
        let unnamed = !engines.iter().any(|(engine, _)| *engine == kind);
        if other
            && unnamed
            && urls(project, kind, reads, service).is_empty()
            && parts(kind, service).is_empty()
            && templates::find(project, service, kind).is_none()
        {
            continue;
        }
        add_uses(project, kind, evidence, reads, service);
        for used in service.stores.iter_mut().filter(|used| used.kind == kind && used.address.is_none()) {
            used.address = fixed(project, site, kind);
        }
        hosts::complete(project, site, kind, service);
    }
    dialects::set(project, service);
    celery::add(project, site, reads, service, questions);
    sqlite::add(of, &engines, reads, service, gaps, questions);
    if project.needs(&["celery"]).is_some() {
        sqlite::of_celery(of, service, gaps);
    }
    for (name, label) in OTHERS {
        if let Some(client) = project.needs(&[name]) {
            gaps.push(Gap {
                rule: rules::NOT_GENERATED,
                subject: service.name.clone(),
                message: format!("{name} is a client of {label}: nothing is generated for it yet"),
                hint: "write its service by hand, or give the address of one outside".to_owned(),
                evidence: vec![client.evidence.clone()],
            });
        }
    }
}

/// A client that comes with another package: `dramatiq[redis]`, `aiocache[redis]`, `sqlalchemy[asyncpg]`.
fn bundled(project: &Project, kind: StoreKind) -> Option<&Requirement> {
    let extras: &[&str] = match kind {
        StoreKind::Redis => &["redis", "hiredis"],
        StoreKind::Postgresql => &["asyncpg", "psycopg", "psycopg2", "postgresql", "postgres"],
        StoreKind::Mysql => &["aiomysql", "asyncmy", "pymysql", "mysql"],
        _ => &[],
    };
    // Celery's own broker and results are looked at by themselves.
    let mut others = project.requirements.iter().filter(|requirement| requirement.name != "celery");
    // `sqlalchemy[postgresql-asyncpg]`: a store and its driver.
    let fits = |extra: &str| {
        let store = extra.split(['-', '_']).next().unwrap_or(extra);
        extras.contains(&extra) || (store != extra && extras.contains(&store))
    };
    others.find(|requirement| requirement.extras.iter().any(|extra| fits(extra)))
}

/// One use for each variable that leads to a store of the kind.
pub(super) fn add_uses(
    project: &Project,
    kind: StoreKind,
    evidence: Vec<Evidence>,
    reads: &[Read],
    service: &mut Service,
) {
    let mut addresses = urls(project, kind, reads, service);
    // A variable with the right name is worth nothing where the program puts its address together and never looks at it.
    let built = templates::find(project, service, kind);
    if built.is_some() {
        addresses.retain(|address| is_looked_at(project, address));
    }
    if addresses.is_empty() {
        addresses.extend(built.filter(|_| kind != StoreKind::Redis));
    }
    if addresses.is_empty() {
        addresses.extend(parts(kind, service));
    } else if kind == StoreKind::Redis {
        let others = parts(kind, service).into_iter().filter(|other| is_apart(other, &addresses));
        addresses.extend(others.collect::<Vec<_>>());
    }
    let each = if addresses.is_empty() { vec![None] } else { addresses.into_iter().map(Some).collect() };
    for address in each {
        service.stores.push(StoreUse { kind, store: String::new(), address, evidence: evidence.clone() });
    }
}

/// Variables that hold a whole address of the kind.
fn urls(project: &Project, kind: StoreKind, reads: &[Read], service: &Service) -> Vec<Address> {
    let mut found: Vec<(usize, Address)> = Vec::new();
    let led = if kind == StoreKind::Redis { clients::of_redis(project, service) } else { Vec::new() };
    for variable in &service.environment {
        let by_default = variable.default.as_deref().and_then(scheme);
        let usual = url_names(kind).iter().position(|name| *name == variable.name);
        let fits = match &by_default {
            Some((StoreKind::Sqlite, _)) => usual.is_some() && kind != StoreKind::Sqlite,
            Some((other, _)) => *other == kind,
            // Two kinds of brokers share their variables' names.
            None => {
                (usual.is_some() || names::is_address(kind, &variable.name) || led.contains(&variable.name))
                    && variable.default.as_deref().unwrap_or_default().is_empty()
                    && !is_part(&variable.name)
                    && !(kind == StoreKind::Rabbitmq && variable.name.contains("BROKER"))
            }
        };
        if !fits || service.stores.iter().any(|used| uses(used, &variable.name)) {
            continue;
        }
        let suffix = variable
            .default
            .as_deref()
            .filter(|_| by_default.as_ref().is_some_and(|(found, _)| *found == kind))
            .and_then(suffix);
        let file_variant =
            variable.file_variant || reads.iter().any(|read| read.name == variable.name && read.file_variant);
        let fact = Fact { value: variable.name.clone(), evidence: variable.evidence.clone() };
        let wanted = by_default.filter(|(found, _)| *found == kind).and_then(|(_, scheme)| scheme);
        found.push((
            usual.unwrap_or(usize::MAX),
            Address::Url { variable: fact, scheme: wanted, suffix, file_variant },
        ));
    }
    found.sort_by_key(|(rank, _)| *rank);
    // One database is one address; a queue and a cache may have one each.
    let most = if kind == StoreKind::Redis { 4 } else { 1 };
    let asynchronous = service.environment.iter().find(|variable| {
        let words: Vec<&str> = variable.name.split('_').collect();
        words.contains(&"ASYNC")
            && words.iter().any(|word| matches!(*word, "DATABASE" | "DB" | "POSTGRES" | "PG"))
            && matches!(words.last(), Some(&("URL" | "URI" | "DSN")))
    });
    // The same database for an asynchronous driver.
    let second =
        asynchronous.filter(|_| kind == StoreKind::Postgresql && !found.is_empty()).map(|variable| {
            Address::Url {
                variable: Fact { value: variable.name.clone(), evidence: variable.evidence.clone() },
                scheme: None,
                suffix: None,
                file_variant: variable.file_variant,
            }
        });
    found.into_iter().take(most).map(|(_, address)| address).chain(second).collect()
}

/// Whether a variable holds a part of an address by its name: a whole address in it would stand inside of another one.
fn is_part(name: &str) -> bool {
    let last = name.rsplit('_').next().unwrap_or(name);
    matches!(
        last,
        "HOST"
            | "HOSTNAME"
            | "HOSTS"
            | "ADDR"
            | "PORT"
            | "USER"
            | "USERNAME"
            | "PASSWORD"
            | "PASSWD"
            | "PASS"
            | "DB"
    )
}

pub(super) fn uses(used: &StoreUse, name: &str) -> bool {
    matches!(&used.address, Some(Address::Url { variable, .. }) if variable.value == name)
}

/// Path and query of a URL: `/1`, `/app?sslmode=disable`.
pub(super) fn suffix(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let at = rest.find('/')?;
    (rest.len() > at + 1).then(|| rest[at..].to_owned())
}

/// A host that stands in the program: in a URL, as Django's `HOST`, or as Redis' `host=`.
fn fixed(project: &Project, site: Option<&Site>, kind: StoreKind) -> Option<Address> {
    let modules = site.map_or(&project.modules, |site| &site.modules);

    modules.iter().find_map(|module| {
        (0..module.tokens.len()).find_map(|at| {
            let text = if module.kind(at) == Some(Kind::String) {
                module.string(at)
            } else {
                module.format(at).map(str::to_owned)
            };
            let text = text
                .filter(|_| module.kind(at) == Some(Kind::String) || module.kind(at) == Some(Kind::Format));
            let here = |at: usize| {
                Evidence::new(&module.source, module.span(at, at), "the host stands in the program")
            };
            let (value, at, written) = match text {
                Some(text) if scheme(&text).is_some_and(|(found, _)| found == kind) => {
                    (url_host(&text)?, at, written::of_url(&text, &[here(at)]))
                }
                Some(text) if kind == StoreKind::Postgresql && text.contains("host=") => {
                    let mut words = hosts::words(&text, &here(at));
                    let host = words.iter().position(|(part, _)| *part == Part::Host)?;
                    (words.remove(host).1.value, at, words)
                }
                Some(text) if text == "HOST" && site.is_some() && module.is(at + 1, ":") => {
                    (module.string(at + 2)?, at + 2, hosts::beside(module, at))
                }
                None if kind == StoreKind::Redis
                    && module.is(at, "host")
                    && module.is(at + 1, "=")
                    && at > 1
                    && matches!(module.text(at - 2), "Redis" | "StrictRedis") =>
                {
                    (module.string(at + 2)?, at + 2, Vec::new())
                }
                _ => return None,
            };
            (!value.is_empty()).then(|| Address::Fixed { host: Fact::new(value, here(at)), written })
        })
    })
}

fn url_host(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let host = rest.split('/').next()?.rsplit('@').next()?.split(':').next()?;
    let fits =
        !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    fits.then(|| host.to_owned())
}

/// The variables by part, and those whose `NAME_FILE` is read too.
type Parts = (Vec<(Part, Fact<String>)>, Vec<String>);

/// Variables for the parts of an address under one prefix: `DB_HOST`, `DB_PASSWORD`. A queue and a cache may have a Redis
/// each.
fn parts(kind: StoreKind, service: &Service) -> Vec<Address> {
    let several = kind == StoreKind::Redis;
    let mut seen: Vec<&str> = Vec::new();
    let mut found: Vec<Parts> = Vec::new();
    for variable in &service.environment {
        let Some(prefix) = PARTS[..4]
            .iter()
            .flat_map(|(_, names)| *names)
            .find_map(|word| variable.name.strip_suffix(word)?.strip_suffix('_'))
        else {
            continue;
        };
        let mut words = prefix.rsplit('_').take(if several { usize::MAX } else { 1 });
        if !words.any(|word| prefixes(kind).contains(&word)) || seen.contains(&prefix) {
            continue;
        }
        seen.push(prefix);
        found.push(under(service, prefix));
    }
    let has_host = |parts: &Parts| parts.0.iter().any(|(part, _)| *part == Part::Host);
    if several && found.iter().filter(|parts| has_host(parts)).count() > 1 {
        found.retain(has_host);
        found.truncate(4);
        return found
            .into_iter()
            .map(|(variables, file_variants)| Address::Parts {
                variables,
                file_variants,
                written: Vec::new(),
            })
            .collect();
    }
    // Of prefixes with as many parts the first one counts.
    let best =
        found.into_iter().reduce(|best, other| if other.0.len() > best.0.len() { other } else { best });
    best.map(|best| completed(kind, service, best)).into_iter().collect()
}

fn under(service: &Service, prefix: &str) -> Parts {
    let (mut variables, mut files) = (Vec::new(), Vec::new());
    for (part, names) in &PARTS {
        let part_of = service
            .environment
            .iter()
            .find(|other| names.iter().any(|name| other.name == format!("{prefix}_{name}")));
        if let Some(other) = part_of {
            variables.push((*part, Fact { value: other.name.clone(), evidence: other.evidence.clone() }));
            files.extend(other.file_variant.then(|| other.name.clone()));
        }
    }
    (variables, files)
}

/// One part may have another beginning: `DB_HOST` beside `POSTGRES_USER`, `PGHOST`.
fn completed(kind: StoreKind, service: &Service, (mut variables, mut file_variants): Parts) -> Address {
    for (part, names) in &PARTS {
        if variables.iter().any(|(known, _)| known == part) {
            continue;
        }
        let of_kind = |other: &&Variable| {
            names.iter().any(|name| {
                let prefix = other.name.strip_suffix(name).map(|prefix| prefix.trim_end_matches('_'));
                prefix.is_some_and(|prefix| prefixes(kind).contains(&prefix))
            })
        };
        if let Some(other) = service.environment.iter().find(of_kind) {
            variables.push((*part, Fact { value: other.name.clone(), evidence: other.evidence.clone() }));
            file_variants.extend(other.file_variant.then(|| other.name.clone()));
        }
    }
    Address::Parts { variables, file_variants, written: Vec::new() }
}

/// Whether the parts are those of a Redis that no whole address leads to: `REDIS_QUEUE_HOST` beside `REDIS_CACHE_URL`.
fn is_apart(parts: &Address, addresses: &[Address]) -> bool {
    let Address::Parts { variables, .. } = parts else { return false };
    let Some((_, host)) = variables.iter().find(|(part, _)| *part == Part::Host) else { return false };
    let prefix = host.value.rsplit_once('_').map_or("", |(prefix, _)| prefix);
    !addresses.iter().any(|address| {
        matches!(address, Address::Url { variable, .. } if variable.value.starts_with(prefix) || variable.value == "REDIS_URL")
    })
}

/// Whether the name that a variable's value is given is looked at anywhere.
fn is_looked_at(project: &Project, address: &Address) -> bool {
    let Address::Url { variable, .. } = address else { return true };
    variable.evidence.iter().take(20).any(|place| {
        let Some(module) = project.module(&place.file) else { return true };
        let Some(at) = (0..module.tokens.len()).find(|&at| module.tokens[at].span.start >= place.start)
        else {
            return true;
        };
        let line = (0..=at).rev().find(|&at| module.tokens[at].first).unwrap_or(at);
        let Some(value) = module.assigned(line) else { return true };
        // The value of a default is looked at with the address around it.
        let simple = (value..module.line_end(line)).all(|at| module.kind(at) != Some(Kind::Format));
        let name = module.text(line);
        !simple
            || project.modules.iter().any(|other| {
                (0..other.tokens.len()).any(|at| {
                    let itself = other.source.name() == place.file && at == line;
                    let named = other.is(at, name)
                        || (other.kind(at) == Some(Kind::String)
                            && other.string(at).as_deref() == Some(name)
                            && !(other.source.name() == place.file
                                && at >= line
                                && at < module.line_end(line)));
                    named && !itself
                })
            })
    })
}

/// The stores that Django's `DATABASES` name by their engines.
fn engines(site: &Site) -> Vec<(StoreKind, Evidence)> {
    let mut found = Vec::new();
    for module in &site.modules {
        for at in 0..module.tokens.len() {
            if module.kind(at) != Some(Kind::String) {
                continue;
            }
            let Some(text) = module.string(at).filter(|text| text.contains("db.backends.")) else { continue };
            let kind = match text.rsplit("db.backends.").next().unwrap_or_default() {
                "postgresql" | "postgis" | "postgresql_psycopg2" => StoreKind::Postgresql,
                "mysql" => StoreKind::Mysql,
                "sqlite3" | "spatialite" => StoreKind::Sqlite,
                _ => continue,
            };
            found
                .push((kind, Evidence::new(&module.source, module.span(at, at), "the engine of a database")));
        }
    }
    found
}
