//! The stores, fitted to their limits, and the secrets that open them.

use plimsoll_survey::{Address, Gap, Store, StoreKind, Survey};

use super::{checked, problem};
use crate::{
    policy::Policy,
    stack::{Dependency, Postgres, Redis, Secret, SecretContent, Server, Setting},
};

const HEALTHY: &str = "service_healthy";

#[derive(Default)]
pub(super) struct Stores {
    pub(super) postgres: Option<Postgres>,
    pub(super) redis: Option<Redis>,
    pub(super) secrets: Vec<Secret>,
    redis_variable: Option<String>,
}

pub(super) fn plan(survey: &Survey, policy: &Policy, problems: &mut Vec<Gap>) -> Stores {
    let mut stores = Stores::default();
    for store in &survey.stores {
        match store.kind {
            StoreKind::Postgresql => stores.add_postgres(survey, store, policy, problems),
            StoreKind::Redis => stores.add_redis(survey, store, policy, problems),
            _ => None,
        };
    }
    stores
}

/// Whether a secret is for a store itself, not for a client.
pub(super) fn read_by_store(secret: &Secret) -> bool {
    matches!(secret.content, SecretContent::Random | SecretContent::RedisConf)
}

impl Stores {
    fn add_postgres(
        &mut self,
        survey: &Survey,
        store: &Store,
        policy: &Policy,
        problems: &mut Vec<Gap>,
    ) -> Option<()> {
        let name = checked::name("PostgreSQL", &store.name, problems)?;
        let version = store.version.as_ref().map_or("17", |version| &version.value);
        let version = checked::version("PostgreSQL", version, problems)?;
        let fallback = survey.name.as_ref().map_or("app", |name| &name.value);
        let named = |fact: Option<&plimsoll_survey::Fact<String>>| {
            fact.map_or_else(
                || fallback.rsplit('/').next().unwrap_or("app").to_owned(),
                |fact| fact.value.clone(),
            )
        };
        let user = checked::name("PostgreSQL", &named(store.user.as_ref()), problems)?;
        let database = checked::name("PostgreSQL", &named(store.database.as_ref()), problems)?;
        let variable = variable(survey, store, problems)?;
        let limit = policy.postgres.megabytes;
        self.secrets.push(secret("postgres_password", SecretContent::Random));
        self.secrets.push(secret(
            "database_url",
            SecretContent::PostgresUrl {
                password: "postgres_password",
                user: user.clone(),
                host: name.clone(),
                database: database.clone(),
            },
        ));
        self.postgres = Some(Postgres {
            name,
            image: format!("postgres:{version}-trixie"),
            uid: policy.store_uid,
            user,
            database,
            variable,
            shared_buffers: format!("{}MB", limit / 4),
            effective_cache_size: format!("{}MB", limit * 5 / 8),
            maintenance_work_mem: format!("{}MB", limit / 16),
            max_connections: 50,
        });
        Some(())
    }

    fn add_redis(
        &mut self,
        survey: &Survey,
        store: &Store,
        policy: &Policy,
        problems: &mut Vec<Gap>,
    ) -> Option<()> {
        let name = checked::name("Redis", &store.name, problems)?;
        let version = store.version.as_ref().map_or("8", |version| &version.value);
        let version = checked::version("Redis", version, problems)?;
        // Redis gives a tag to every minor version; a major version alone would float.
        let version = if version == "8" { "8.0".to_owned() } else { version };
        self.redis_variable = Some(variable(survey, store, problems)?);
        self.secrets.push(secret("redis_conf", SecretContent::RedisConf));
        let content = SecretContent::RedisUrl { conf: "redis_conf", host: name.clone() };
        self.secrets.push(secret("redis_url", content));
        self.redis = Some(Redis {
            name,
            image: format!("redis:{version}-bookworm"),
            uid: policy.store_uid,
            maxmemory: format!("{}mb", policy.redis.megabytes * 3 / 4),
        });
        Some(())
    }

    /// Gives the server the addresses and the order.
    pub(super) fn connect(&self, server: &mut Server, migrates: bool) {
        if let Some(postgres) = &self.postgres {
            server.depends_on.push(Dependency { name: postgres.name.clone(), condition: HEALTHY });
            connect(server, &postgres.variable, "database_url");
        }
        if let (Some(redis), Some(variable)) = (&self.redis, &self.redis_variable) {
            server.depends_on.push(Dependency { name: redis.name.clone(), condition: HEALTHY });
            connect(server, variable, "redis_url");
        }
        if migrates {
            let condition = "service_completed_successfully";
            server.depends_on.push(Dependency { name: "migrate".to_owned(), condition });
        }
    }
}

fn connect(server: &mut Server, variable: &str, secret: &str) {
    server
        .environment
        .push(Setting { name: format!("{variable}_FILE"), value: format!("/run/secrets/{secret}") });
    server.secrets.push(secret.to_owned());
}

fn secret(name: &'static str, content: SecretContent) -> Secret {
    Secret { name, path: format!("secrets/{name}"), content }
}

/// The variable that takes the address; its file variant must be read, or the password would stand in the environment.
fn variable(survey: &Survey, store: &Store, problems: &mut Vec<Gap>) -> Option<String> {
    let label = store.kind.label();
    let uses = survey.services.iter().flat_map(|service| &service.stores);
    let address = uses.filter(|used| used.store == store.name).find_map(|used| used.address.as_ref());
    let Some(Address::Url { variable, .. }) = address else {
        problems.push(problem(
            label,
            "no variable with its address is read",
            "read the address from one variable",
        ));
        return None;
    };
    let mut readers = survey.services.iter().flat_map(|service| &service.environment);
    if !readers.any(|read| read.name == variable.value && read.file_variant) {
        problems.push(Gap {
            subject: label.to_owned(),
            message: format!(
                "{0}_FILE is not read, and {0} would put the password into the environment",
                variable.value
            ),
            hint: format!("read the address from the file that {}_FILE names", variable.value),
            evidence: variable.evidence.clone(),
        });
    }
    checked::variable(label, &variable.value, problems)
}
