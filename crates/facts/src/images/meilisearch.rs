//! Meilisearch.

use crate::{Contents, DataFolder, Image, Port, Role, Software, Source, Variant, fact::known};

const SOURCE: Source = Source::new("meilisearch/meilisearch: Dockerfile", 2026, 7, 23);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::made_by(&["getmeili"], "meilisearch")],
    processes: &["meilisearch"],
    ports: known(&[Port::http_store(7700)], SOURCE),
    data: known(&[DataFolder::new(0, "/meili_data")], SOURCE),
    contents: known(
        &[Contents { variant: Variant::Every, shell: true, has: &["curl", "wget"], lacks: &[] }],
        SOURCE,
    ),
    ..Software::new("meilisearch", "Meilisearch", Role::Store, SOURCE)
};
