//! ZooKeeper.

use crate::{DataFolder, Image, Port, Release, Role, Software, Source, fact::known};

const SOURCE: Source = Source::new("docker-library/docs: zookeeper, content", 2026, 8, 21);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("zookeeper")],
    ports: known(&[Port::store(2181), Port::other(2888), Port::other(3888), Port::http(8080)], SOURCE),
    data: known(&[DataFolder::new(0, "/data")], SOURCE),
    writable: known(&["/datalog"], SOURCE),
    releases: known(
        &[
            Release::new("3.7", 2024, 1, 19),
            Release::new("3.6", 2022, 12, 30),
            Release::new("3.5", 2022, 6, 1),
            Release::new("3.4", 2020, 6, 1),
        ],
        Source::new("endoflife.date: zookeeper, column of security support", 2026, 8, 22),
    ),
    ..Software::new("zookeeper", "ZooKeeper", Role::Store, SOURCE)
};
