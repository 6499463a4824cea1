//! Eclipse Temurin.

use crate::{Entrypoint, Image, Release, Role, Software, Source, fact::known};

const SOURCE: Source = Source::new("adoptium/containers: Dockerfile of 21 on Ubuntu", 2026, 8, 5);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("eclipse-temurin")],
    entrypoint: known(Entrypoint::PassesOn, SOURCE),
    processes: &["java"],
    releases: known(
        &[
            Release::new("23", 2025, 3, 18),
            Release::new("22", 2024, 9, 17),
            Release::new("21", 2029, 12, 31),
            Release::new("20", 2023, 9, 19),
            Release::new("19", 2023, 3, 31),
            Release::new("18", 2022, 9, 30),
            Release::new("17", 2027, 10, 31),
            Release::new("11", 2027, 10, 31),
            Release::new("16", 2021, 9, 30),
            Release::new("8", 2030, 12, 31),
        ],
        Source::new("endoflife.date: eclipse-temurin, column of security support", 2026, 8, 22),
    ),
    ..Software::new("eclipse-temurin", "Eclipse Temurin", Role::Language, SOURCE)
};
