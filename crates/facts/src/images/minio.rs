//! MinIO.

use crate::{Image, Port, Role, Software, Source, fact::known};

const SOURCE: Source = Source::new("MinIO documentation: Deploy as a container", 2026, 12, 1);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::made_by(&["minio"], "minio")],
    processes: &["minio"],
    // Others listen on them too: neither tells a store.
    ports: known(&[Port::http(9000), Port::http(9001)], SOURCE),
    ..Software::new("minio", "MinIO", Role::Store, SOURCE)
};
