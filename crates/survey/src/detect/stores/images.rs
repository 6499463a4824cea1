//! What the name of an image says: `postgres:17-alpine`, `pgvector/pgvector:pg17`, `bitnami/postgresql:16`.

use crate::model::StoreKind;

/// What an image says of its store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) version: Option<String>,
    /// The whole name, where it is not the kind's usual image.
    pub(super) unusual: Option<String>,
}

/// Images by the last part of their name: the kind, and whether it is the usual one.
const KNOWN: [(&str, StoreKind, bool); 24] = [
    ("postgres", StoreKind::Postgresql, true),
    ("postgresql", StoreKind::Postgresql, true),
    ("pgvector", StoreKind::Postgresql, false),
    ("postgis", StoreKind::Postgresql, false),
    ("timescaledb", StoreKind::Postgresql, false),
    ("timescaledb-ha", StoreKind::Postgresql, false),
    ("pgvecto-rs", StoreKind::Postgresql, false),
    ("vectorchord-postgres", StoreKind::Postgresql, false),
    ("paradedb", StoreKind::Postgresql, false),
    ("citus", StoreKind::Postgresql, false),
    ("age", StoreKind::Postgresql, false),
    ("mysql", StoreKind::Mysql, true),
    ("mysql-server", StoreKind::Mysql, true),
    ("mariadb", StoreKind::Mysql, false),
    ("percona", StoreKind::Mysql, false),
    ("redis", StoreKind::Redis, true),
    ("redis-stack", StoreKind::Redis, false),
    ("redis-stack-server", StoreKind::Redis, false),
    ("valkey", StoreKind::Redis, false),
    ("keydb", StoreKind::Redis, false),
    ("rabbitmq", StoreKind::Rabbitmq, true),
    ("mongo", StoreKind::Mongodb, true),
    ("mongodb", StoreKind::Mongodb, false),
    ("mongodb-community-server", StoreKind::Mongodb, false),
];

/// The store that an image runs.
pub(super) fn store(image: &str) -> Option<(StoreKind, Image)> {
    let bare = image.split('@').next()?;
    let (path, tag) = match bare.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (bare, None),
    };
    let name = path.rsplit('/').next()?;
    let (_, kind, usual) = KNOWN.iter().find(|(known, ..)| *known == name)?;
    // Another maker's image of the same name has other extensions or another contract (`supabase/postgres`).
    let rest = path
        .split_once('/')
        .map_or(path, |(first, rest)| if first.contains(['.', ':']) { rest } else { path });
    let owner = rest.rsplit_once('/').map_or("", |(owner, _)| owner);
    let own = *usual && matches!(owner, "" | "library");
    let unusual = (!own).then(|| image.to_owned());
    Some((*kind, Image { version: tag.and_then(|tag| version(tag, *kind)), unusual }))
}

/// The store's version in a tag: `17-alpine`, `pg17`, `17-3.5`, `latest-pg16`, `2.17.2-pg16`.
fn version(tag: &str, kind: StoreKind) -> Option<String> {
    let numbered = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_digit() || c == '.')
    };
    if kind == StoreKind::Postgresql
        && let Some(version) =
            tag.split('-').find_map(|part| part.strip_prefix("pg").filter(|rest| numbered(rest)))
    {
        return Some(version.to_owned());
    }
    let first = tag.split('-').next()?;
    numbered(first.trim_start_matches('v')).then(|| first.trim_start_matches('v').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_name_their_store_and_version() {
        let pg = StoreKind::Postgresql;
        let of =
            |image: &str| store(image).map(|(kind, image)| (kind, image.version, image.unusual.is_some()));
        assert_eq!(of("postgres:17-alpine"), Some((pg, Some("17".into()), false)));
        assert_eq!(of("registry:5000/team/postgres"), Some((pg, None, true)));
        assert_eq!(of("postgres:latest"), Some((pg, None, false)));
        assert_eq!(of("pgvector/pgvector:pg17"), Some((pg, Some("17".into()), true)));
        assert_eq!(of("timescale/timescaledb:2.17.2-pg16"), Some((pg, Some("16".into()), true)));
        assert_eq!(of("postgis/postgis:17-3.5"), Some((pg, Some("17".into()), true)));
        assert_eq!(of("supabase/postgres:15.1.0"), Some((pg, Some("15.1.0".into()), true)));
        assert_eq!(
            of("docker.io/library/redis:8.0@sha256:00"),
            Some((StoreKind::Redis, Some("8.0".into()), false))
        );
        assert_eq!(of("mariadb:11.8"), Some((StoreKind::Mysql, Some("11.8".into()), true)));
        assert_eq!(of("my-postgres-exporter:1"), None);
    }
}
