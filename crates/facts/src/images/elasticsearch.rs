//! Elasticsearch.

use crate::{DataFolder, Image, Port, Release, Role, Software, Source, User, fact::known};

const SOURCE: Source =
    Source::new("Elasticsearch Guide: Install with Docker, Important settings", 2026, 12, 1);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::made_by(&["", "elasticsearch"], "elasticsearch")],
    ports: known(&[Port::http_store(9200), Port::store(9300)], SOURCE),
    user: known(
        User { name: "elasticsearch", ids: Some((1000, 0)), alpine: None, starts_as_root: false },
        SOURCE,
    ),
    data: known(&[DataFolder::new(0, "/usr/share/elasticsearch/data")], SOURCE),
    releases: known(
        &[
            Release::new("9.3", 2026, 8, 4),
            Release::new("9.2", 2026, 5, 5),
            Release::new("9.1", 2026, 2, 3),
            Release::new("8.19", 2027, 7, 15),
            Release::new("8.18", 2025, 10, 21),
            Release::new("9.0", 2025, 10, 23),
            Release::new("8.17", 2025, 8, 12),
            Release::new("8.16", 2025, 4, 15),
            Release::new("7", 2026, 1, 15),
            Release::new("6", 2022, 2, 10),
        ],
        Source::new("endoflife.date: elasticsearch, column of security support", 2026, 8, 22),
    ),
    ..Software::new("elasticsearch", "Elasticsearch", Role::Store, SOURCE)
};
