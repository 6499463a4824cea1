//! Fedora.

use crate::{Entrypoint, Image, Release, Role, Software, Source, fact::known};

const SOURCE: Source = Source::new("docker-library/docs: fedora, content", 2026, 8, 21);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("fedora")],
    entrypoint: known(Entrypoint::PassesOn, SOURCE),
    releases: known(
        &[
            Release::new("44", 2027, 6, 2),
            Release::new("43", 2026, 12, 9),
            Release::new("42", 2026, 5, 27),
            Release::new("41", 2025, 12, 15),
            Release::new("40", 2025, 5, 13),
            Release::new("39", 2024, 11, 26),
            Release::new("38", 2024, 5, 21),
            Release::new("37", 2023, 12, 5),
            Release::new("36", 2023, 5, 16),
            Release::new("35", 2022, 12, 13),
            Release::new("34", 2022, 6, 7),
        ],
        Source::new("endoflife.date: fedora, column of security support", 2026, 8, 22),
    ),
    ..Software::new("fedora", "Fedora", Role::Base, SOURCE)
};
