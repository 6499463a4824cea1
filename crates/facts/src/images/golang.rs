//! Go.

use crate::{Entrypoint, Image, Release, Role, Software, Source, fact::known};

const SOURCE: Source = Source::new("docker-library/golang: Dockerfiles of 1.27", 2026, 8, 19);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("golang")],
    entrypoint: known(Entrypoint::PassesOn, SOURCE),
    releases: known(
        &[
            Release::new("1.25", 2026, 8, 19),
            Release::new("1.24", 2026, 2, 10),
            Release::new("1.23", 2025, 8, 12),
            Release::new("1.22", 2025, 2, 11),
            Release::new("1.21", 2024, 8, 13),
            Release::new("1.20", 2024, 2, 6),
            Release::new("1.19", 2023, 9, 6),
            Release::new("1.18", 2023, 2, 1),
        ],
        Source::new("endoflife.date: go, column of security support", 2026, 8, 22),
    ),
    ..Software::new("golang", "Go", Role::Language, SOURCE)
};
