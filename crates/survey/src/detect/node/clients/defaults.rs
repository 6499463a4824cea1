//! What a client takes where a program gives it no host: a variable that it reads by itself, else its own machine, where
//! no store of a stack runs.

use super::{Call, Client};
use crate::{
    detect::stores::libpq,
    javascript::{Script, values::Program},
    model::{Address, BY_ITSELF, Evidence, Fact, Part, StoreKind, StoreUse, Variable},
};

/// Why a call is evidence of a store.
pub(super) const OPENS: &str = "opens it";

/// The same of a call that certainly gives no host.
pub(super) fn no_host() -> String {
    format!("opens it and gives no host: {BY_ITSELF}")
}

/// Clients of PostgreSQL that look for the variables of libpq where a part is not given; the libraries among them pass
/// their settings on to `pg`.
const LIBPQ: [&str; 9] = [
    "pg",
    "postgres",
    "pg-promise",
    "pg-boss",
    "knex",
    "typeorm",
    "@nestjs/typeorm",
    "@prisma/adapter-pg",
    "drizzle-orm",
];

/// Clients that take their own machine where nothing is said. Others need an address.
const LOCAL: [&str; 10] = [
    "sequelize",
    "@nestjs/sequelize",
    "mysql",
    "mysql2",
    "mariadb",
    "ioredis",
    "redis",
    "@redis/client",
    "bull",
    "amqplib",
];

/// Settings that lead to a host, or may.
const LEADS: [&str; 13] = [
    "host",
    "hostname",
    "server",
    "socket",
    "path",
    "url",
    "uri",
    "connectionString",
    "connection",
    "replication",
    "socketPath",
    "sentinels",
    "redis",
];

/// Whether a call certainly gives no host: without arguments, or with settings that stand there and name none.
pub(super) fn gives_no_host(program: &Program, client: &Client, call: &Call) -> bool {
    let Some(script) = program.modules.get(call.settings).map(|module| &module.script) else { return false };
    match (client.package, &call.arguments[..]) {
        // `forRoot()` and the like take their settings from elsewhere.
        (package, []) => client.argument == 0 && !package.starts_with('@') && !ORMS.contains(&package),
        ("sequelize", [_, _, _, settings]) => names_no_host(script, *settings),
        ("sequelize", [_, _, _]) => true,
        (_, arguments) => arguments.get(client.argument).is_some_and(|&at| {
            inner(script, at).map_or_else(|| names_no_host(script, at), |inner| names_no_host(script, inner))
        }),
    }
}

/// Libraries whose settings may lie in a file of their own.
const ORMS: [&str; 4] = ["typeorm", "knex", "sequelize", "drizzle-orm"];

/// `connection: { … }` among the settings of Knex.
fn inner(script: &Script, open: usize) -> Option<usize> {
    let arguments = if script.is(open, "{") { script.arguments(open) } else { Vec::new() };
    let connection = |at: &&usize| script.is(**at, "connection") && script.is(**at + 1, ":");
    arguments.iter().find(connection).map(|at| at + 2).filter(|&at| script.is(at, "{"))
}

/// An object that stands there whole, with no word of a host.
fn names_no_host(script: &Script, open: usize) -> bool {
    let name = |at: usize| script.string(at).unwrap_or_else(|| script.text(at).to_owned());
    script.is(open, "{")
        && script.close(open).is_some()
        && script.arguments(open).into_iter().all(|at| {
            let key = script.is(at + 1, ":") || script.is(at + 1, ",") || script.is(at + 1, "}");
            key && !script.is(at, "...") && !script.is(at, "[") && !LEADS.contains(&name(at).as_str())
        })
}

/// Adds to a use what its client takes by itself.
pub(super) fn of_client(used: &mut StoreUse, environment: &[Variable]) {
    let package =
        used.evidence.first().and_then(|evidence| evidence.reason.split(' ').next()).unwrap_or_default();
    let hostless = used.evidence.iter().find(|evidence| evidence.reason.ends_with(BY_ITSELF)).cloned();
    let opened = used.evidence.iter().find(|evidence| evidence.reason == OPENS).cloned();
    let is_libpq = used.kind == StoreKind::Postgresql && LIBPQ.contains(&package);
    let local = LOCAL.contains(&package);
    match (&mut used.address, hostless) {
        // `new Pool()`, and settings that cannot be followed.
        (None, hostless) if is_libpq && (hostless.is_some() || package == "pg") => {
            let Some(place) = hostless.or(opened) else { return };
            let (variables, written) = (libpq::missing(&[], &place, environment), Vec::new());
            used.address = Some(Address::Parts { variables, file_variants: Vec::new(), written });
        }
        (None, Some(place)) if local => used.address = Some(Address::fixed(this_machine(place))),
        (Some(Address::Parts { variables, written, .. }), Some(place)) => {
            let known: Vec<Part> = variables.iter().chain(&*written).map(|(part, _)| *part).collect();
            if known.contains(&Part::Host) {
                return;
            }
            if is_libpq {
                variables.extend(libpq::missing(&known, &place, environment));
            } else if local {
                written.push((Part::Host, this_machine(place)));
            }
        }
        _ => {}
    }
}

fn this_machine(place: Evidence) -> Fact<String> {
    Fact::new("localhost".to_owned(), place)
}
