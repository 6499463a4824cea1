//! Which databases, caches and brokers a program opens, and how it learns where they are: the arguments of the client's
//! constructor are followed to variables.

mod beside;
mod defaults;
mod file;
mod orm;
pub(super) mod prisma;
mod switch;
mod wrappers;

use std::rc::Rc;

use super::processes;
use crate::{
    context::Context,
    detect::stores::{self, names, written},
    javascript::{
        Script,
        values::{Program, Value},
    },
    manifest::Manifest,
    model::{
        Address, Confidence, Evidence, Fact, Part, Question, Service, Setting, StoreKind, StoreUse, Variable,
    },
};

/// A client library.
struct Client {
    package: &'static str,
    /// `None`: a library for several, the call's settings or the import say which.
    kind: Option<StoreKind>,
    /// Calls that open the store: `new X` and `x`; `default` stands for the name that the import gives.
    calls: &'static [&'static str],
    /// The argument that holds the address.
    argument: usize,
}

const fn client(package: &'static str, kind: StoreKind, calls: &'static [&'static str]) -> Client {
    Client { package, kind: Some(kind), calls, argument: 0 }
}

const fn several(package: &'static str, calls: &'static [&'static str]) -> Client {
    Client { package, kind: None, calls, argument: 0 }
}

const CLIENTS: &[Client] = &[
    client("pg", StoreKind::Postgresql, &["Pool", "Client"]),
    client("pg-promise", StoreKind::Postgresql, &["pgp", "db"]),
    client("postgres", StoreKind::Postgresql, &["default", "postgres"]),
    client("pg-boss", StoreKind::Postgresql, &["PgBoss"]),
    client("@prisma/adapter-pg", StoreKind::Postgresql, &["PrismaPg"]),
    client("@prisma/adapter-mariadb", StoreKind::Mysql, &["PrismaMariaDb"]),
    client("@neondatabase/serverless", StoreKind::Postgresql, &["neon", "Pool"]),
    client("mysql2", StoreKind::Mysql, &["createPool", "createConnection"]),
    client("mysql", StoreKind::Mysql, &["createPool", "createConnection"]),
    client("mariadb", StoreKind::Mysql, &["createPool", "createConnection"]),
    client("ioredis", StoreKind::Redis, &["default", "Redis", "IORedis", "Cluster"]),
    client("redis", StoreKind::Redis, &["createClient", "createClientPool"]),
    client("@redis/client", StoreKind::Redis, &["createClient"]),
    client("koa-redis", StoreKind::Redis, &["default"]),
    client("@keyv/redis", StoreKind::Redis, &["default", "KeyvRedis", "createKeyv"]),
    client("@fastify/redis", StoreKind::Redis, &["register"]),
    client("@fastify/postgres", StoreKind::Postgresql, &["register"]),
    client("@nestjs-modules/ioredis", StoreKind::Redis, &["forRoot", "forRootAsync"]),
    client("@liaoliaots/nestjs-redis", StoreKind::Redis, &["forRoot", "forRootAsync"]),
    Client { package: "bee-queue", kind: Some(StoreKind::Redis), calls: &["default", "Queue"], argument: 1 },
    client("connect-mongo", StoreKind::Mongodb, &["create"]),
    Client {
        package: "bullmq",
        kind: Some(StoreKind::Redis),
        calls: &["Queue", "QueueEvents", "FlowProducer"],
        argument: 1,
    },
    Client { package: "bullmq", kind: Some(StoreKind::Redis), calls: &["Worker"], argument: 2 },
    Client { package: "bull", kind: Some(StoreKind::Redis), calls: &["default", "Queue"], argument: 1 },
    client("@nestjs/bullmq", StoreKind::Redis, &["forRoot", "forRootAsync"]),
    client("amqplib", StoreKind::Rabbitmq, &["connect"]),
    client("amqp-connection-manager", StoreKind::Rabbitmq, &["connect"]),
    client("mongodb", StoreKind::Mongodb, &["MongoClient"]),
    client("mongoose", StoreKind::Mongodb, &["connect", "createConnection"]),
    client("@nestjs/mongoose", StoreKind::Mongodb, &["forRoot", "forRootAsync"]),
    client("better-sqlite3", StoreKind::Sqlite, &["default", "Database"]),
    client("sqlite3", StoreKind::Sqlite, &["Database"]),
    client("@libsql/client", StoreKind::Sqlite, &["createClient"]),
    client("@mikro-orm/postgresql", StoreKind::Postgresql, &["defineConfig", "init"]),
    client("@mikro-orm/mysql", StoreKind::Mysql, &["defineConfig", "init"]),
    client("@mikro-orm/mariadb", StoreKind::Mysql, &["defineConfig", "init"]),
    client("@mikro-orm/mongodb", StoreKind::Mongodb, &["defineConfig", "init"]),
];

/// Libraries that open one of several stores.
const SEVERAL: [Client; 6] = [
    several("knex", &["default", "knex"]),
    several("sequelize", &["Sequelize", "default"]),
    several("typeorm", &["DataSource", "createConnection", "createConnections"]),
    several("@nestjs/typeorm", &["forRoot", "forRootAsync"]),
    several("@nestjs/sequelize", &["forRoot", "forRootAsync"]),
    several("drizzle-orm", &["drizzle"]),
];

/// Usual variables, where the call itself does not lead to one.
const USUAL: [(StoreKind, &[&str]); 6] = [
    (
        StoreKind::Postgresql,
        &["DATABASE_URL", "POSTGRES_URL", "PG_URL", "POSTGRESQL_URL", "DB_URL", "PG_CONNECTION_STRING"],
    ),
    (StoreKind::Mysql, &["DATABASE_URL", "MYSQL_URL", "DB_URL", "MARIADB_URL"]),
    (StoreKind::Redis, &["REDIS_URL", "CACHE_URL", "REDIS_URI", "VALKEY_URL"]),
    (StoreKind::Rabbitmq, &["RABBITMQ_URL", "AMQP_URL", "CLOUDAMQP_URL", "RABBIT_URL"]),
    (StoreKind::Mongodb, &["MONGODB_URI", "MONGO_URL", "MONGO_URI", "MONGODB_URL", "DATABASE_URL"]),
    (StoreKind::Sqlite, &["DATABASE_PATH", "SQLITE_PATH", "DB_PATH", "SQLITE_FILE"]),
];

/// Fills the stores of a service; manifests are its own and those of its libraries.
pub(super) fn detect(
    context: &Context<'_>,
    program: &Program,
    manifests: &[&Manifest],
    service: &mut Service,
) -> Vec<Question> {
    let mut uses: Vec<StoreUse> = Vec::new();
    let mut alone: Vec<(&Client, StoreKind, Evidence)> = Vec::new();
    let orm = orm::Orm::of(context, manifests);
    for manifest in manifests {
        prisma::detect(context, manifest, &mut uses);
    }
    for client in CLIENTS.iter().chain(&SEVERAL) {
        let Some(dependency) = dependency(manifests, client) else { continue };
        let calls = calls(program, client);
        let found: Vec<StoreUse> =
            calls.iter().filter_map(|call| used(program, client, call, &dependency, &orm)).collect();
        for call in calls.iter().filter(|_| client.kind.is_none()) {
            let Some(setting) = dialect_variable(program, client, call, &orm) else { continue };
            if !service.migrations_read.contains(&setting.name) {
                service.migrations_read.push(setting.name.clone());
                service.settings.push(setting);
            }
        }
        if found.is_empty()
            && let Some(kind) = client.kind
        {
            alone.push((client, kind, dependency));
        }
        uses.extend(found);
    }
    wrappers::add(program, manifests, service, &mut uses);
    let mut questions = Vec::new();
    for (client, kind, evidence) in alone {
        let label = format!("{}.{}", service.name, kind.label().to_lowercase());
        if uses.iter().any(|used| used.kind == kind)
            || questions.iter().any(|asked: &Question| asked.id == label)
        {
            continue;
        }
        let variable = usual(kind, &service.environment);
        let asked = variable.is_none().then(|| orm.question(service, client.package, kind, &evidence));
        let needed = asked.as_ref().is_none_or(|question| question.default.as_deref() == Some("yes"));
        questions.extend(asked);
        if needed {
            let address = variable.map(|variable| url(variable, None));
            uses.push(StoreUse { kind, store: String::new(), address, evidence: vec![evidence] });
        }
    }
    let mut merged: Vec<StoreUse> = Vec::new();
    for used in uses {
        merge(&mut merged, used);
    }
    for used in &mut merged {
        complete(used, &service.environment);
        defaults::of_client(used, &service.environment);
    }
    beside::add(program, &mut merged, &service.environment);
    questions.extend(features(context, service, &mut merged));
    service.stores = merged;
    let chooses = switch::setting(program, service);
    if let Some(setting) =
        chooses.filter(|setting| service.settings.iter().all(|known| known.name != setting.name))
    {
        service.migrations_read.push(setting.name.clone());
        service.settings.push(setting);
    }
    questions
}

/// Clients of several stores of which no variable and no text says where one is: a program that looks after the stores of
/// others. Each is a question, and none is taken by itself.
fn features(context: &Context<'_>, service: &Service, uses: &mut Vec<StoreUse>) -> Vec<Question> {
    let started = stores::in_development(context);
    let unknown = |used: &StoreUse| {
        used.address.is_none()
            && used.kind != StoreKind::Sqlite
            && started.iter().all(|(kind, _)| *kind != used.kind)
    };
    let mut kinds: Vec<StoreKind> = uses.iter().filter(|used| unknown(used)).map(|used| used.kind).collect();
    kinds.sort();
    kinds.dedup();
    if kinds.len() < 2 {
        return Vec::new();
    }
    let (open, known): (Vec<StoreUse>, Vec<StoreUse>) =
        std::mem::take(uses).into_iter().partition(|used| unknown(used));
    *uses = known;
    let question = |used: StoreUse| {
        let label = used.kind.label();
        Question {
            id: format!("{}.{}", service.name, label.to_lowercase()),
            text: format!(
                "{} has clients of several stores, and nothing says where its own {label} is. Does it need {label}?",
                service.name
            ),
            options: vec!["no".to_owned(), "yes".to_owned()],
            default: Some("no".to_owned()),
            confidence: Confidence::Open,
            evidence: used.evidence,
        }
    };
    open.into_iter().map(question).collect()
}

fn dependency(manifests: &[&Manifest], client: &Client) -> Option<Evidence> {
    manifests.iter().find_map(|manifest| {
        let dependency = manifest.dependency(client.package)?;
        let what = client.kind.map_or("a database", StoreKind::label);
        Some(Evidence::new(
            &manifest.source,
            dependency.span,
            format!("{} is a client of {what}", dependency.name),
        ))
    })
}

/// One call that opens a store.
struct Call {
    module: usize,
    at: usize,
    /// The module in which its arguments stand.
    settings: usize,
    arguments: Vec<usize>,
}

/// Calls of one client that are followed.
const MAX_CALLS: usize = 20;

fn calls(program: &Program, client: &Client) -> Vec<Call> {
    let mut calls = Vec::new();
    for (module, other) in program.modules.iter().enumerate() {
        let script = &other.script;
        let Some(import) = processes::import_of(script, client.package) else { continue };
        let own = imported_name(script, import);
        // `require("knex")({ … })`
        if client.calls.contains(&"default") && script.is(import + 1, ")") && script.is(import + 2, "(") {
            let arguments = script.arguments(import + 2);
            calls.push(Call { module, at: import + 1, settings: module, arguments });
        }
        for at in 0..script.tokens.len() {
            let named = client.calls.iter().any(|call| {
                script.is(at, call)
                    || *call == "default" && own.is_some_and(|own| script.is(at, script.text(own)))
            });
            let open = script.skip_type_arguments(at + 1);
            let declared = at > 0 && matches!(script.text(at - 1), "function" | "class" | "import");
            if !named || !script.is(open, "(") || declared || calls.len() == MAX_CALLS {
                continue;
            }
            // `app.register(redis, { url })`
            if script.is(at, "register") {
                let arguments = script.arguments(open);
                let plugin = arguments.first().copied().unwrap_or(open);
                let named = own.is_some_and(|own| script.is(plugin, script.text(own)));
                if named || (plugin..import).len() < 4 && plugin < import {
                    let arguments = arguments.into_iter().skip(1).collect();
                    calls.push(Call { module, at, settings: module, arguments });
                }
                continue;
            }
            // `app.connect(…)` of something else: the object has to come from the library.
            if !from_library(script, at, own, client) {
                continue;
            }
            let arguments = script.arguments(open);
            // `forRootAsync({ useFactory: () => ({ … }) })`: the settings are made elsewhere.
            let made = arguments.first().filter(|_| script.is(at, "forRootAsync"));
            let made = made.and_then(|&open| program.asynchronous(module, open));
            let settings = made.unwrap_or((module, usize::MAX));
            let arguments = if made.is_some() { vec![settings.1] } else { arguments };
            calls.push(Call { module, at, settings: settings.0, arguments });
        }
    }
    calls
}

/// The name that `import name from` or `const name = require` gives.
fn imported_name(script: &Script, import: usize) -> Option<usize> {
    if script.is(import - 1, "from") {
        let name = import.checked_sub(2)?;
        return if script.is_word(name) { Some(name) } else { default_beside_names(script, name) };
    }
    // `const name = require("x")`
    let name = import.checked_sub(4)?;
    (script.is(import - 1, "(") && script.is(import - 3, "=") && script.is_word(name)).then_some(name)
}

/// `import name, { other } from`.
fn default_beside_names(script: &Script, close: usize) -> Option<usize> {
    let open = (close.saturating_sub(60)..close).rev().find(|&open| script.close(open) == Some(close))?;
    let name = open.checked_sub(2)?;
    (script.is(open - 1, ",") && script.is_word(name)).then_some(name)
}

fn from_library(script: &Script, at: usize, own: Option<usize>, client: &Client) -> bool {
    if at == 0 || !script.is(at - 1, ".") {
        return true;
    }
    let object = at.checked_sub(2).map_or("", |at| script.text(at));
    own.is_some_and(|own| script.text(own) == object)
        || client.package.starts_with("@nestjs/")
        || client.package.starts_with("@mikro-orm/") && object == "MikroORM"
        || object.to_lowercase().contains(client.package.rsplit('/').next().unwrap_or_default())
}

fn used(
    program: &Program,
    client: &Client,
    call: &Call,
    dependency: &Evidence,
    orm: &orm::Orm,
) -> Option<StoreUse> {
    let script = &program.modules[call.module].script;
    let argument = call.arguments.get(client.argument).copied();
    let kind = match client.kind {
        Some(kind) => kind,
        None => kind_of(program, script, call).or_else(|| orm.kind(client.package))?,
    };
    let address = match (client.package, argument) {
        _ if kind == StoreKind::Sqlite => file::address(program, call),
        ("sequelize", Some(_)) if call.arguments.len() > 2 => sequelize(program, call),
        ("ioredis", Some(first)) if call.arguments.len() > 1 => {
            address(program, call.settings, first).or_else(|| host_and_port(program, call))
        }
        (package, Some(argument)) if package.starts_with("@mikro-orm/") => {
            let found = address(program, call.settings, argument);
            let fixed = found.as_ref().is_none_or(|found| matches!(found, Address::Fixed { .. }));
            if fixed { orm.by_itself().or(found) } else { found }
        }
        (_, Some(argument)) => address(program, call.settings, argument),
        // `createConnection()`: a file of settings says it.
        ("typeorm" | "@nestjs/typeorm", None) => orm.fixed(),
        _ => None,
    };
    // libSQL takes a file as a URL.
    let of_file = client.package == "@libsql/client"
        || processes::import_of(script, "drizzle-orm/libsql").is_some() && client.package == "drizzle-orm";
    let address = match address {
        Some(Address::Url { variable, suffix, file_variant, .. }) if of_file => {
            Some(Address::Url { variable, scheme: Some("file".to_owned()), suffix, file_variant })
        }
        other => other,
    };
    let hostless = kind != StoreKind::Sqlite && defaults::gives_no_host(program, client, call);
    let reason = if hostless { defaults::no_host() } else { defaults::OPENS.to_owned() };
    let place = Evidence::new(&script.source, script.span(call.at, call.at), reason);
    Some(StoreUse { kind, store: String::new(), address, evidence: vec![dependency.clone(), place] })
}

/// The dialect among a call's settings, else the driver in the import's path.
fn kind_of(program: &Program, script: &Rc<Script>, call: &Call) -> Option<StoreKind> {
    let keys = ["client", "type", "dialect"];
    let settings = call.arguments.iter().find_map(|&argument| {
        keys.iter()
            .find_map(|key| program.member(call.settings, argument, key).and_then(|value| value.literal))
    });
    let near = || {
        // `useFactory: () => ({ type: "postgres", … })`
        (call.at..script.tokens.len().min(call.at + 200)).find_map(|at| {
            let key = keys.iter().any(|key| script.is(at, key)) && script.is(at + 1, ":");
            key.then(|| script.string(at + 2)).flatten()
        })
    };
    let driver = || {
        let at = processes::import_of(script, "drizzle-orm")?;
        script.string(at).filter(|text| text.contains('/'))
    };
    dialect(&settings.or_else(near).or_else(driver)?)
}

/// The variable that says which database a library opens, where the driver among the packages is the answer.
fn dialect_variable(program: &Program, client: &Client, call: &Call, orm: &orm::Orm) -> Option<Setting> {
    let value = call.arguments.iter().find_map(|&argument| {
        // A member of what is itself read from a variable is that variable.
        let direct = program.value(call.settings, argument).and_then(|value| value.variable);
        ["client", "type", "dialect"]
            .iter()
            .find_map(|key| program.member(call.settings, argument, key))
            .filter(|value| value.variable.is_some() && value.variable != direct)
    })?;
    let variable = value.variable.filter(|_| value.literal.as_deref().is_none_or(str::is_empty))?;
    // A member of an address, which is a text, is none of its variable's.
    let last = variable.rsplit('_').next().unwrap_or_default();
    if matches!(last, "URL" | "URI" | "DSN" | "ADDRESS" | "HOST" | "PORT" | "USER" | "PASSWORD" | "STRING") {
        return None;
    }
    let name = orm.dialect(client.package)?;
    let reason = "The driver among its packages is for this database.".to_owned();
    Some(Setting { name: variable, value: name.to_owned(), reason, at_build: false })
}

fn dialect(name: &str) -> Option<StoreKind> {
    let name = name.strip_prefix("drizzle-orm/").unwrap_or(name);
    Some(match name {
        "pg" | "postgres" | "postgresql" | "pg-native" | "node-postgres" | "postgres-js" | "neon-http" => {
            StoreKind::Postgresql
        }
        "mysql" | "mysql2" | "mariadb" => StoreKind::Mysql,
        "sqlite" | "sqlite3" | "better-sqlite3" | "libsql" => StoreKind::Sqlite,
        "mongodb" => StoreKind::Mongodb,
        _ => return None,
    })
}

/// Keys under which a URL stands among a client's settings.
const URL_KEYS: [&str; 11] = [
    "mongoUrl",
    "conString",
    "connectionString",
    "url",
    "uri",
    "connectionUri",
    "clientUrl",
    "storage",
    "filename",
    "database_url",
    "connection",
];
/// Settings that hold the address one level deeper.
const INNER: [&str; 5] = ["connection", "socket", "credentials", "redis", "replication"];
/// Keys of the parts.
const PARTS: [(Part, &[&str]); 5] = [
    (Part::Host, &["host", "hostname", "server"]),
    (Part::Port, &["port"]),
    (Part::User, &["user", "username"]),
    (Part::Password, &["password", "pass"]),
    (Part::Database, &["database", "dbName"]),
];

/// What an argument says about the address: a URL, parts, or a host that stands in the program.
fn address(program: &Program, module: usize, at: usize) -> Option<Address> {
    let first = program.value(module, at);
    if let Some(address) = first.as_ref().and_then(as_url) {
        return Some(address);
    }
    // An object has a value too, and none that says a host.
    let mut literal = first.as_ref().and_then(fixed);
    for key in URL_KEYS {
        let value = program.member(module, at, key);
        if let Some(address) = value.as_ref().and_then(as_url) {
            return Some(address);
        }
        literal = literal.or_else(|| value.as_ref().and_then(fixed));
    }
    for inner in INNER {
        for key in ["url", "connectionString", "uri", "filename"] {
            if let Some(address) = program.path(module, at, &[inner, key]).as_ref().and_then(as_url) {
                return Some(address);
            }
        }
    }
    let parts = parts(program, module, at, &[]);
    parts.or_else(|| INNER.iter().find_map(|inner| self::parts(program, module, at, &[inner]))).or(literal)
}

fn as_url(value: &Value) -> Option<Address> {
    let name = value.variable.clone()?;
    let variable = Fact { value: name, evidence: value.evidence.clone() };
    Some(url(variable, value.literal.as_deref()))
}

fn url(variable: Fact<String>, default: Option<&str>) -> Address {
    Address::Url { variable, scheme: None, suffix: default.and_then(suffix), file_variant: false }
}

/// Path and query of a URL that says more than the host.
fn suffix(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let at = rest.find(['/', '?'])?;
    let suffix = &rest[at..];
    (suffix.len() > 1).then(|| suffix.to_owned())
}

fn parts(program: &Program, module: usize, at: usize, above: &[&str]) -> Option<Address> {
    let mut variables = Vec::new();
    let mut written = Vec::new();
    for (part, keys) in PARTS {
        for key in keys {
            let mut path = above.to_vec();
            path.push(key);
            let Some(value) = program.path(module, at, &path) else { continue };
            if let Some(name) = value.variable {
                variables.push((part, Fact { value: name, evidence: value.evidence }));
                break;
            }
            if let Some(text) = value.literal {
                written.push((part, Fact { value: text, evidence: value.evidence }));
                break;
            }
        }
    }
    let has = |wanted: Part| written.iter().position(|(part, _)| *part == wanted);
    if variables.is_empty() {
        if let Some(at) = has(Part::Host) {
            let (_, host) = written.remove(at);
            return Some(Address::Fixed { host, written });
        }
        // A port or a name alone says nothing of a store.
        has(Part::Password)?;
    }
    Some(Address::Parts { variables, file_variants: Vec::new(), written })
}

/// `new Redis(port, host)`.
fn host_and_port(program: &Program, call: &Call) -> Option<Address> {
    let [port, host, ..] = call.arguments[..] else { return None };
    let fact = |value: Value| Some(Fact { value: value.variable?, evidence: value.evidence });
    let variables: Vec<(Part, Fact<String>)> = [(Part::Host, host), (Part::Port, port)]
        .into_iter()
        .filter_map(|(part, at)| Some((part, fact(program.value(call.module, at)?)?)))
        .collect();
    let written = Vec::new();
    (!variables.is_empty()).then_some(Address::Parts { variables, file_variants: Vec::new(), written })
}

/// `new Sequelize(database, user, password, { host, port })`.
fn sequelize(program: &Program, call: &Call) -> Option<Address> {
    let [database, user, password, settings] = call.arguments[..] else { return None };
    let (mut variables, mut written) = (Vec::new(), Vec::new());
    let values = [
        (Part::Host, program.member(call.module, settings, "host")),
        (Part::Port, program.member(call.module, settings, "port")),
        (Part::User, program.value(call.module, user)),
        (Part::Password, program.value(call.module, password)),
        (Part::Database, program.value(call.module, database)),
    ];
    for (part, value) in values.into_iter().filter_map(|(part, value)| Some((part, value?))) {
        let evidence = value.evidence;
        if let Some(value) = value.variable {
            variables.push((part, Fact { value, evidence }));
        } else if let Some(value) = value.literal {
            written.push((part, Fact { value, evidence }));
        }
    }
    if let Some(at) =
        written.iter().position(|(part, _)| *part == Part::Host).filter(|_| variables.is_empty())
    {
        let (_, host) = written.remove(at);
        return Some(Address::Fixed { host, written });
    }
    let known = !variables.is_empty() || !written.is_empty();
    known.then_some(Address::Parts { variables, file_variants: Vec::new(), written })
}

/// `redis://cache:6379` that stands in the program.
fn fixed(value: &Value) -> Option<Address> {
    let url = value.literal.as_ref()?;
    let host = Fact { value: fixed_host(url)?.to_owned(), evidence: value.evidence.clone() };
    Some(Address::Fixed { host, written: written::of_url(url, &value.evidence) })
}

/// The host of a URL.
fn fixed_host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    host.split([':', '/', '?']).next().filter(|host| !host.is_empty())
}

fn usual(kind: StoreKind, environment: &[Variable]) -> Option<Fact<String>> {
    let (_, names) = USUAL.iter().find(|(known, _)| *known == kind)?;
    let listed = names.iter().find_map(|name| environment.iter().find(|variable| variable.name == *name));
    let by_words = || {
        let mut fitting = environment.iter().filter(|variable| names::is_address(kind, &variable.name));
        fitting.next().filter(|_| fitting.next().is_none())
    };
    let variable = listed.or_else(by_words)?;
    Some(Fact { value: variable.name.clone(), evidence: variable.evidence.clone() })
}

/// Two calls with one address are one use.
fn merge(merged: &mut Vec<StoreUse>, used: StoreUse) {
    let key = |used: &StoreUse| match &used.address {
        Some(Address::Url { variable, .. }) => Some(variable.value.clone()),
        Some(Address::Parts { variables, .. }) => {
            variables.first().map(|(_, variable)| variable.value.clone())
        }
        Some(Address::Fixed { host, .. }) => Some(host.value.clone()),
        None => None,
    };
    let same = merged.iter_mut().find(|known| {
        known.kind == used.kind
            && (key(known) == key(&used) || known.address.is_none() || used.address.is_none())
    });
    match same {
        Some(known) => {
            known.address = known.address.take().or(used.address);
            for evidence in used.evidence {
                if !known.evidence.contains(&evidence) {
                    known.evidence.push(evidence);
                }
            }
        }
        None => merged.push(used),
    }
}

/// What the environment adds: the usual variable, and where `NAME_FILE` is read too.
fn complete(used: &mut StoreUse, environment: &[Variable]) {
    if used.address.is_none() {
        used.address = usual(used.kind, environment).map(|variable| url(variable, None));
    }
    let known = |name: &str| environment.iter().find(|variable| variable.name == name);
    match &mut used.address {
        Some(Address::Url { variable, file_variant, suffix: known_suffix, .. }) => {
            let Some(read) = known(&variable.value) else { return };
            *file_variant = read.file_variant;
            if known_suffix.is_none() {
                *known_suffix = read.default.as_deref().and_then(suffix);
            }
            variable.evidence.clone_from(&read.evidence);
        }
        Some(Address::Parts { variables, file_variants, .. }) => {
            let with = variables
                .iter()
                .filter(|(_, variable)| known(&variable.value).is_some_and(|read| read.file_variant));
            *file_variants = with.map(|(_, variable)| variable.value.clone()).collect();
        }
        _ => {}
    }
}
