//! Grafana.

use crate::{DataFolder, FileVariables, Image, Port, Release, Role, Software, Source, User, fact::known};

const SOURCE: Source =
    Source::new("Grafana documentation: Configure a Docker image, Run as a user", 2026, 12, 1);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::made_by(&["grafana"], "grafana")],
    processes: &[],
    ports: known(&[Port::http(3000)], SOURCE),
    user: known(User { name: "grafana", ids: Some((472, 0)), alpine: None, starts_as_root: false }, SOURCE),
    data: known(&[DataFolder::new(0, "/var/lib/grafana")], SOURCE),
    file_variables: known(FileVariables::Every { prefix: "GF_", suffix: "__FILE" }, SOURCE),
    releases: known(
        &[
            Release::new("13.1", 2027, 3, 20),
            Release::new("13.0", 2027, 1, 9),
            Release::new("12.4", 2027, 5, 24),
            Release::new("12.3", 2026, 8, 19),
            Release::new("12.2", 2026, 6, 23),
            Release::new("12.1", 2026, 4, 22),
            Release::new("12.0", 2026, 2, 5),
            Release::new("11.6", 2026, 6, 25),
            Release::new("11.5", 2025, 10, 28),
            Release::new("11.4", 2025, 9, 5),
            Release::new("11.3", 2025, 7, 22),
            Release::new("11.2", 2025, 5, 27),
            Release::new("11.1", 2025, 4, 23),
            Release::new("11.0", 2025, 2, 14),
            Release::new("10.4", 2025, 6, 5),
            Release::new("10.3", 2024, 10, 23),
            Release::new("10.2", 2024, 7, 24),
            Release::new("10.1", 2024, 1, 23),
            Release::new("10.0", 2023, 10, 24),
            Release::new("9.5", 2024, 5, 14),
            Release::new("9.4", 2023, 6, 9),
            Release::new("9.3", 2023, 4, 6),
            Release::new("9.2", 2023, 2, 27),
            Release::new("9.1", 2022, 11, 29),
            Release::new("9.0", 2022, 10, 11),
        ],
        Source::new("endoflife.date: grafana, column of security support", 2026, 8, 22),
    ),
    ..Software::new("grafana", "Grafana", Role::Monitor, SOURCE)
};
