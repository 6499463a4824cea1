//! Neo4j.

use crate::{DataFolder, Image, Port, Role, Software, Source, fact::known};

const SOURCE: Source = Source::new("docker-library/docs: neo4j, content", 2026, 8, 21);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("neo4j")],
    ports: known(&[Port::store(7687), Port::http(7474)], SOURCE),
    data: known(&[DataFolder::new(0, "/data")], SOURCE),
    ..Software::new("neo4j", "Neo4j", Role::Store, SOURCE)
};
