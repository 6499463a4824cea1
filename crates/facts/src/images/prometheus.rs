//! Prometheus.

use crate::{
    Contents, DataFolder, Entrypoint, Image, Port, Release, Role, Software, Source, User, Variant,
    fact::known,
};

const SOURCE: Source = Source::new("prometheus/prometheus: Dockerfile; web.go, /-/healthy", 2026, 8, 21);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::made_by(&["prom", "prometheus"], "prometheus")],
    processes: &["prometheus"],
    ports: known(&[Port::http(9090)], SOURCE),
    user: known(
        User { name: "nobody", ids: Some((65534, 65534)), alpine: None, starts_as_root: false },
        SOURCE,
    ),
    data: known(&[DataFolder::new(0, "/prometheus")], SOURCE),
    health: known(&["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:9090/-/healthy"], SOURCE),
    contents: known(
        &[Contents { variant: Variant::Every, shell: true, has: &["wget"], lacks: &["curl"] }],
        SOURCE,
    ),
    entrypoint: known(Entrypoint::Program, SOURCE),
    releases: known(
        &[
            Release::new("3.14", 2026, 9, 30),
            Release::new("3.13", 2027, 7, 31),
            Release::new("3.12", 2026, 7, 9),
            Release::new("3.11", 2026, 5, 14),
            Release::new("3.10", 2026, 4, 8),
            Release::new("3.9", 2026, 2, 17),
            Release::new("3.8", 2026, 1, 9),
            Release::new("3.7", 2025, 11, 26),
            Release::new("3.6", 2025, 11, 2),
            Release::new("3.5", 2026, 7, 31),
            Release::new("3.4", 2025, 6, 28),
            Release::new("3.3", 2025, 5, 27),
            Release::new("3.2", 2025, 3, 31),
            Release::new("3.1", 2025, 2, 13),
            Release::new("3.0", 2024, 12, 26),
            Release::new("2.55", 2024, 12, 3),
            Release::new("2.54", 2024, 9, 20),
            Release::new("2.53", 2025, 7, 31),
            Release::new("2.52", 2024, 6, 19),
            Release::new("2.51", 2024, 4, 30),
            Release::new("2.50", 2024, 4, 4),
            Release::new("2.49", 2024, 2, 26),
            Release::new("2.48", 2023, 12, 28),
            Release::new("2.47", 2023, 10, 18),
            Release::new("2.46", 2023, 9, 5),
            Release::new("2.45", 2024, 7, 31),
            Release::new("2.44", 2023, 8, 6),
            Release::new("2.43", 2023, 5, 2),
            Release::new("2.42", 2023, 3, 14),
            Release::new("2.41", 2023, 1, 31),
            Release::new("2.40", 2022, 12, 19),
            Release::new("2.39", 2022, 11, 16),
            Release::new("2.38", 2022, 9, 27),
            Release::new("2.37", 2023, 7, 31),
            Release::new("2.36", 2022, 7, 11),
        ],
        Source::new("endoflife.date: prometheus, column of security support", 2026, 8, 22),
    ),
    ..Software::new("prometheus", "Prometheus", Role::Monitor, SOURCE)
};
