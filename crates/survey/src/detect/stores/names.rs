//! What names of variables say of stores, in every language.

use crate::model::{Part, StoreKind};

/// Words that name a kind of store inside of a variable's name.
fn words(kind: StoreKind) -> &'static [&'static str] {
    match kind {
        StoreKind::Postgresql => &["POSTGRES", "POSTGRESQL", "PG", "DATABASE", "DB", "SQL"],
        StoreKind::Mysql => &["MYSQL", "MARIADB", "DATABASE", "DB", "SQL"],
        StoreKind::Redis => &["REDIS", "VALKEY"],
        StoreKind::Rabbitmq => &["RABBITMQ", "RABBIT", "AMQP"],
        StoreKind::Mongodb => &["MONGO", "MONGODB"],
        StoreKind::Sqlite => &[],
    }
}

/// Whether a word in the name of a variable names such a store.
pub fn is_word_of(kind: StoreKind, word: &str) -> bool {
    words(kind).contains(&word)
}

/// Whether a variable holds the whole address of such a store by its name: `NOTES_DATABASE_URL`, `REDIS_DSN`.
pub(in crate::detect) fn is_address(kind: StoreKind, name: &str) -> bool {
    let name =
        name.strip_suffix("_CONNECTION_STRING").map_or_else(|| name.to_owned(), |rest| format!("{rest}_URL"));
    let Some((rest, last)) = name.rsplit_once('_') else { return false };
    // Of tests and of a second way to the same store nothing is known.
    let other = ["TEST", "SHADOW", "DIRECT", "REPLICA", "READ", "ADMIN", "MIGRATION", "MIGRATIONS", "ASYNC"];
    let parts: Vec<&str> = rest.split('_').collect();
    matches!(last, "URL" | "URI" | "DSN" | "ADDRESS")
        && parts.iter().any(|part| is_word_of(kind, part))
        && !parts.iter().any(|part| other.contains(part))
}

/// What the parts of an address are called behind a prefix.
pub(in crate::detect) const PARTS: [(Part, &[&str]); 5] = [
    (Part::Host, &["HOST", "SERVER", "HOSTNAME", "ADDRESS"]),
    (Part::Port, &["PORT"]),
    (Part::User, &["USER", "USERNAME", "DEFAULT_USER"]),
    (Part::Password, &["PASSWORD", "PASS", "PASSWD", "DEFAULT_PASS"]),
    (Part::Database, &["DB", "NAME", "DATABASE", "DBNAME", "DATABASE_NAME", "DB_NAME", "VHOST"]),
];

/// The kind that a URL's scheme names, and the scheme where it is not the usual one.
pub(in crate::detect) fn scheme(default: &str) -> Option<(StoreKind, Option<String>)> {
    let (scheme, _) = default.split_once(':')?;
    let kind = match scheme.split('+').next()? {
        "sqlite" => StoreKind::Sqlite,
        _ => plimsoll_facts::store_of_scheme(scheme)?.store?,
    };
    Some((kind, (!kind.is_usual_scheme(scheme)).then(|| scheme.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_addresses() {
        for name in ["NOTES_DATABASE_URL", "APP_DB_DSN", "PG_CONNECTION_STRING", "POSTGRES_ADDRESS"] {
            assert!(is_address(StoreKind::Postgresql, name), "{name}");
        }
        for name in
            ["TEST_DATABASE_URL", "DATABASE_NAME", "REDIS_URL", "QUEUE_URL", "URL", "SHADOW_DATABASE_URL"]
        {
            assert!(!is_address(StoreKind::Postgresql, name), "{name}");
        }
        assert!(is_address(StoreKind::Redis, "JOBS_REDIS_URL"));
        assert!(is_address(StoreKind::Rabbitmq, "RABBIT_ADDRESS"));
    }
}
