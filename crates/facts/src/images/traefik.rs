//! Traefik.

use crate::{Image, Port, Release, Role, Software, Source, fact::known};

const SOURCE: Source =
    Source::new("traefik/traefik-library-image: Dockerfile of v3.6 on Alpine", 2026, 8, 19);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("traefik")],
    processes: &["traefik"],
    ports: known(&[Port::http(80)], SOURCE),
    releases: known(
        &[
            Release::new("3.6", 2026, 8, 16),
            Release::new("3.5", 2025, 11, 7),
            Release::new("3.4", 2025, 7, 23),
            Release::new("3.3", 2025, 5, 5),
            Release::new("3.2", 2025, 1, 6),
            Release::new("3.1", 2024, 10, 28),
            Release::new("3.0", 2024, 7, 15),
            Release::new("2.11", 2026, 2, 1),
            Release::new("2.10", 2024, 2, 12),
            Release::new("2.9", 2023, 4, 24),
            Release::new("2.8", 2022, 10, 3),
            Release::new("2.7", 2022, 6, 29),
            Release::new("2.6", 2022, 5, 24),
            Release::new("2.5", 2022, 1, 24),
            Release::new("2.4", 2021, 8, 17),
            Release::new("2.3", 2021, 1, 19),
            Release::new("2.2", 2020, 9, 23),
            Release::new("2.1", 2020, 3, 25),
            Release::new("2.0", 2019, 12, 11),
        ],
        Source::new("endoflife.date: traefik, column of security support", 2026, 8, 22),
    ),
    ..Software::new("traefik", "Traefik", Role::Proxy, SOURCE)
};
