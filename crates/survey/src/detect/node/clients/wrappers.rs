//! Packages that wrap the client of a store: they open it by themselves, or with a client that comes with them.

use super::{url, usual};
use crate::{
    detect::node::processes,
    javascript::values::Program,
    manifest::Manifest,
    model::{Evidence, Fact, Service, StoreKind, StoreUse},
};

/// Packages, and the variable that a package reads by itself.
const WRAPPERS: &[(&str, StoreKind, Option<&str>)] = &[
    ("redis-connection", StoreKind::Redis, Some("REDISCLOUD_URL")),
    ("connect-redis", StoreKind::Redis, None),
    ("koa-redis", StoreKind::Redis, None),
    ("@socket.io/redis-adapter", StoreKind::Redis, None),
    ("@socket.io/redis-streams-adapter", StoreKind::Redis, None),
    ("@socket.io/redis-emitter", StoreKind::Redis, None),
    ("socket.io-redis", StoreKind::Redis, None),
    ("socket.io-emitter", StoreKind::Redis, None),
    ("rate-limit-redis", StoreKind::Redis, None),
    ("@keyv/redis", StoreKind::Redis, None),
    ("keyv-redis", StoreKind::Redis, None),
    ("@keyv/valkey", StoreKind::Redis, None),
    ("@keyv/postgres", StoreKind::Postgresql, None),
    ("@keyv/mysql", StoreKind::Mysql, None),
    ("cache-manager-redis-store", StoreKind::Redis, None),
    ("cache-manager-redis-yet", StoreKind::Redis, None),
    ("cache-manager-ioredis", StoreKind::Redis, None),
    ("cache-manager-ioredis-yet", StoreKind::Redis, None),
    ("@fastify/redis", StoreKind::Redis, None),
    ("fastify-redis", StoreKind::Redis, None),
    ("@nestjs-modules/ioredis", StoreKind::Redis, None),
    ("@liaoliaots/nestjs-redis", StoreKind::Redis, None),
    ("nestjs-redis", StoreKind::Redis, None),
    ("@nest-lab/throttler-storage-redis", StoreKind::Redis, None),
    ("bee-queue", StoreKind::Redis, None),
    ("kue", StoreKind::Redis, None),
    ("node-resque", StoreKind::Redis, None),
    ("rsmq", StoreKind::Redis, None),
    ("redis-om", StoreKind::Redis, None),
    ("handy-redis", StoreKind::Redis, None),
    ("tedis", StoreKind::Redis, None),
    ("iovalkey", StoreKind::Redis, None),
    ("@valkey/valkey-glide", StoreKind::Redis, None),
    ("connect-pg-simple", StoreKind::Postgresql, Some("DATABASE_URL")),
    ("@fastify/postgres", StoreKind::Postgresql, None),
    ("slonik", StoreKind::Postgresql, None),
    ("massive", StoreKind::Postgresql, None),
    ("graphile-worker", StoreKind::Postgresql, Some("DATABASE_URL")),
    ("postgraphile", StoreKind::Postgresql, Some("DATABASE_URL")),
    ("express-mysql-session", StoreKind::Mysql, None),
    ("@fastify/mysql", StoreKind::Mysql, None),
    ("connect-mongo", StoreKind::Mongodb, None),
    ("connect-mongodb-session", StoreKind::Mongodb, None),
    ("@fastify/mongodb", StoreKind::Mongodb, None),
    ("agenda", StoreKind::Mongodb, None),
    ("monk", StoreKind::Mongodb, None),
    ("@golevelup/nestjs-rabbitmq", StoreKind::Rabbitmq, None),
    ("rascal", StoreKind::Rabbitmq, None),
];

/// Adds a use for each wrapper that the program imports, where nothing else opens a store of its kind.
pub(super) fn add(program: &Program, manifests: &[&Manifest], service: &Service, uses: &mut Vec<StoreUse>) {
    for (package, kind, by_itself) in WRAPPERS {
        let listed = manifests.iter().find_map(|manifest| {
            let dependency = manifest.dependency(package)?;
            let reason = format!("{package} is a client of {}", kind.label());
            Some(Evidence::new(&manifest.source, dependency.span, reason))
        });
        let Some(listed) = listed.filter(|_| !uses.iter().any(|used| used.kind == *kind)) else { continue };
        let import = program.scripts().find_map(|script| {
            let at = processes::import_of(script, package)?;
            Some(Evidence::new(&script.source, script.span(at, at), "opens it"))
        });
        let Some(import) = import else { continue };
        let own = || {
            let name = by_itself.as_ref()?;
            let reason = format!("{package} reads it by itself");
            Some(Fact::new((*name).to_owned(), Evidence { reason, ..import.clone() }))
        };
        let variable = usual(*kind, &service.environment).or_else(own);
        uses.push(StoreUse {
            kind: *kind,
            store: String::new(),
            address: variable.map(|variable| url(variable, None)),
            evidence: vec![listed, import.clone()],
        });
    }
}
