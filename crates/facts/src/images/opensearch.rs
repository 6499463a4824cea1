//! OpenSearch.

use crate::{DataFolder, Image, Port, Role, Software, Source, User, fact::known};

const SOURCE: Source = Source::new("OpenSearch documentation: Docker", 2026, 12, 1);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::made_by(&["opensearchproject"], "opensearch")],
    ports: known(&[Port::http_store(9200), Port::store(9300)], SOURCE),
    user: known(
        User { name: "opensearch", ids: Some((1000, 1000)), alpine: None, starts_as_root: false },
        SOURCE,
    ),
    data: known(&[DataFolder::new(0, "/usr/share/opensearch/data")], SOURCE),
    ..Software::new("opensearch", "OpenSearch", Role::Store, SOURCE)
};
