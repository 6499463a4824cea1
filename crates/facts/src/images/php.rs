//! PHP.

use crate::{Entrypoint, Image, Port, Release, Role, Software, Source, User, fact::known};

const SOURCE: Source = Source::new("docker-library/php: Dockerfiles of 8.4", 2026, 7, 30);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("php")],
    entrypoint: known(Entrypoint::PassesOn, SOURCE),
    // Of the variants with PHP-FPM and with Apache.
    ports: known(&[Port::other(9000), Port::http(80)], SOURCE),
    user: known(
        User { name: "www-data", ids: Some((33, 33)), alpine: Some((82, 82)), starts_as_root: true },
        SOURCE,
    ),
    releases: known(
        &[
            Release::new("8.5", 2029, 12, 31),
            Release::new("8.4", 2028, 12, 31),
            Release::new("8.3", 2027, 12, 31),
            Release::new("8.2", 2026, 12, 31),
            Release::new("8.1", 2025, 12, 31),
            Release::new("8.0", 2023, 11, 26),
            Release::new("7.4", 2022, 11, 28),
            Release::new("7.3", 2021, 12, 6),
            Release::new("7.2", 2020, 11, 30),
            Release::new("7.1", 2019, 12, 1),
            Release::new("7.0", 2019, 1, 10),
        ],
        Source::new("endoflife.date: php, column of security support", 2026, 8, 22),
    ),
    ..Software::new("php", "PHP", Role::Language, SOURCE)
};
