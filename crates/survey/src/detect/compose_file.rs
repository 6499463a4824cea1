//! The development compose file: versions, names and databases of the stores that the services need.

use plimsoll_source::{
    Diagnostic, Source, Span,
    yaml::{self, Expanded, ExpandedKind},
};

use crate::{
    context::Context,
    model::{Evidence, Fact, Gap, Store, StoreKind, Survey},
};

/// In the order in which Compose looks for them.
const FILES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let Some(source) = FILES.iter().find_map(|file| context.repository.source(file)) else { return };
    match read(&source) {
        Ok(Some(root)) => add(&source, &root, survey),
        Ok(None) => {}
        Err(diagnostic) => survey.gaps.push(Gap::unreadable(&diagnostic)),
    }
}

fn read(source: &Source) -> Result<Option<Expanded>, Diagnostic> {
    let limits = yaml::Limits::default();
    let first = yaml::parse(source, &limits)?.into_iter().next();
    first.map(|document| document.expand(&limits)).transpose()
}

fn add(source: &Source, root: &Expanded, survey: &mut Survey) {
    for (name, _, service) in entries(get(root, "services").map(|(_, services)| services)) {
        let Some((key, image)) = get(service, "image") else { continue };
        let Some(text) = scalar(image) else { continue };
        let Some((kind, version)) = store_of(text) else { continue };
        let Some(store) = survey.stores.iter_mut().find(|store| store.kind == kind) else { continue };
        let place = key.to(image.span);
        store.evidence.push(Evidence::new(source, place, "the development compose file starts it"));
        let before = std::mem::replace(&mut store.name, name.clone());
        let uses = survey.services.iter_mut().flat_map(|service| &mut service.stores);
        for used in uses.filter(|used| used.store == before) {
            used.store.clone_from(name);
        }
        store.version = version.map(|version| {
            Fact::new(version.to_owned(), Evidence::new(source, place, "the version in development"))
        });
        if kind == StoreKind::Postgresql {
            add_database(source, service, store);
        }
    }
}

fn add_database(source: &Source, service: &Expanded, store: &mut Store) {
    store.user = variable(source, service, "POSTGRES_USER", "the user in development");
    store.database = variable(source, service, "POSTGRES_DB", "the database in development")
        // The image's own rule.
        .or_else(|| store.user.clone());
}

/// What an image's name says: `postgres:17-alpine`, `docker.io/library/redis:8`, `bitnami/postgresql:16`.
fn store_of(image: &str) -> Option<(StoreKind, Option<&str>)> {
    let (path, tag) = match image.split('@').next()?.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (image, None),
    };
    let kind = match path.rsplit('/').next()? {
        "postgres" | "postgresql" => StoreKind::Postgresql,
        "redis" => StoreKind::Redis,
        _ => return None,
    };
    let version = tag.and_then(|tag| tag.split('-').next());
    let numbered = version.filter(|version| version.starts_with(|c: char| c.is_ascii_digit()));
    Some((kind, numbered))
}

/// A variable of a service's `environment`, in either form; references to the host's environment are no values.
fn variable(source: &Source, service: &Expanded, name: &str, reason: &str) -> Option<Fact<String>> {
    let (_, environment) = get(service, "environment")?;
    let (value, span) = match &environment.kind {
        ExpandedKind::Mapping(_) => {
            let (key, value) = get(environment, name)?;
            (scalar(value)?.to_owned(), key.to(value.span))
        }
        ExpandedKind::Sequence(items) => items.iter().find_map(|item| {
            let value = scalar(item)?.strip_prefix(name)?.strip_prefix('=')?;
            Some((value.to_owned(), item.span))
        })?,
        ExpandedKind::Scalar(_) => return None,
    };
    (!value.contains('$')).then(|| Fact::new(value, Evidence::new(source, span, reason)))
}

fn entries(node: Option<&Expanded>) -> impl Iterator<Item = (&String, Span, &Expanded)> {
    let entries = match node.map(|node| &node.kind) {
        Some(ExpandedKind::Mapping(entries)) => &entries[..],
        _ => &[],
    };
    entries.iter().map(|(key, span, value)| (&key.text, *span, value))
}

fn get<'a>(node: &'a Expanded, key: &str) -> Option<(Span, &'a Expanded)> {
    entries(Some(node)).find(|(name, ..)| *name == key).map(|(_, span, value)| (span, value))
}

fn scalar(node: &Expanded) -> Option<&str> {
    match &node.kind {
        ExpandedKind::Scalar(scalar) => Some(&scalar.text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_name_their_store_and_version() {
        let store = StoreKind::Postgresql;
        assert_eq!(store_of("postgres:17-alpine"), Some((store, Some("17"))));
        assert_eq!(store_of("registry:5000/team/postgres"), Some((store, None)));
        assert_eq!(store_of("postgres:latest"), Some((store, None)));
        assert_eq!(store_of("docker.io/library/redis:8.0@sha256:00"), Some((StoreKind::Redis, Some("8.0"))));
        assert_eq!(store_of("my-postgres-exporter:1"), None);
    }
}
