//! What the name of an image says: `postgres:17-alpine`, `pgvector/pgvector:pg17`, `bitnami/postgresql:16`.

use plimsoll_facts::{ImageName, of_image};

use crate::model::StoreKind;

/// What an image says of its store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) version: Option<String>,
    /// The whole name, where it is not the kind's usual image.
    pub(super) unusual: Option<String>,
}

/// The store that an image runs.
pub(super) fn store(image: &str) -> Option<(StoreKind, Image)> {
    let found = of_image(image)?;
    let kind = found.store()?;
    // Another maker's image of the same name has other extensions or another contract (`supabase/postgres`).
    let usual = found.own && kind.software().is_some_and(|usual| usual.id == found.software.id);
    let tag = ImageName::read(image).tag();
    // The version of an extension may come first: `2.17.2-pg16`.
    let version = (kind == StoreKind::Postgresql).then(|| tag.version_behind("pg")).flatten().or(tag.version);
    let unusual = (!usual).then(|| image.to_owned());
    Some((kind, Image { version: version.map(str::to_owned), unusual }))
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
        assert_eq!(of("apache/age:PG16"), Some((pg, None, true)));
        // Not everybody's `age` is a database.
        assert_eq!(of("team/age:1"), None);
        assert_eq!(of("my-postgres-exporter:1"), None);
    }
}
