//! Loki.

use crate::{DataFolder, Entrypoint, Image, Port, Release, Role, Software, Source, User, fact::known};

const SOURCE: Source = Source::new("grafana/loki: cmd/loki/Dockerfile", 2026, 8, 22);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::made_by(&["grafana"], "loki")],
    processes: &[],
    ports: known(&[Port::http(3100)], SOURCE),
    user: known(
        User { name: "loki", ids: Some((10001, 10001)), alpine: None, starts_as_root: false },
        SOURCE,
    ),
    data: known(&[DataFolder::new(0, "/loki")], SOURCE),
    entrypoint: known(Entrypoint::Program, SOURCE),
    releases: known(
        &[
            Release::new("3.5", 2026, 3, 26),
            Release::new("3.4", 2025, 11, 17),
            Release::new("3.3", 2025, 4, 17),
            Release::new("3.2", 2025, 2, 12),
            Release::new("3.1", 2024, 11, 19),
            Release::new("3.0", 2024, 9, 18),
            Release::new("2.8", 2024, 4, 8),
            Release::new("2.7", 2023, 9, 6),
            Release::new("2.6", 2022, 11, 10),
            Release::new("2.5", 2022, 7, 8),
            Release::new("2.4", 2022, 4, 7),
            Release::new("2.3", 2021, 11, 5),
            Release::new("2.2", 2021, 8, 6),
            Release::new("2.1", 2021, 3, 11),
            Release::new("2.0", 2020, 12, 24),
            Release::new("1.6", 2020, 10, 26),
            Release::new("1.5", 2020, 8, 13),
            Release::new("1.4", 2020, 5, 20),
            Release::new("1.3", 2020, 4, 1),
            Release::new("1.2", 2020, 1, 22),
            Release::new("1.1", 2019, 12, 9),
            Release::new("1.0", 2019, 12, 4),
        ],
        Source::new("endoflife.date: grafana-loki, column of security support", 2026, 8, 22),
    ),
    ..Software::new("loki", "Loki", Role::Monitor, SOURCE)
};
