//! CouchDB.

use crate::{DataFolder, Image, Port, Release, Role, Software, Source, fact::known};

const SOURCE: Source = Source::new("docker-library/docs: couchdb, content", 2026, 8, 21);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("couchdb")],
    ports: known(&[Port::http_store(5984)], SOURCE),
    data: known(&[DataFolder::new(0, "/opt/couchdb/data")], SOURCE),
    releases: known(
        &[Release::new("3.3", 2025, 5, 5), Release::new("3.2", 2024, 9, 20)],
        Source::new("endoflife.date: apache-couchdb, column of security support", 2026, 8, 22),
    ),
    ..Software::new("couchdb", "CouchDB", Role::Store, SOURCE)
};
