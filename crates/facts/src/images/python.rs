//! Python.

use crate::{Contents, Entrypoint, Image, Release, Role, Software, Source, Variant, fact::known};

const SOURCE: Source = Source::new("docker-library/python: Dockerfiles of 3.13", 2026, 6, 23);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("python")],
    entrypoint: known(Entrypoint::PassesOn, SOURCE),
    contents: known(
        &[
            Contents { variant: Variant::Alpine, shell: true, has: &["wget"], lacks: &["curl"] },
            Contents { variant: Variant::Slim, shell: true, has: &[], lacks: &["curl", "wget"] },
            Contents { variant: Variant::Full, shell: true, has: &["curl", "wget", "git"], lacks: &[] },
        ],
        SOURCE,
    ),
    releases: known(
        &[
            Release::new("3.14", 2030, 10, 31),
            Release::new("3.13", 2029, 10, 31),
            Release::new("3.12", 2028, 10, 31),
            Release::new("3.11", 2027, 10, 31),
            Release::new("3.10", 2026, 10, 31),
            Release::new("3.9", 2025, 10, 31),
            Release::new("3.8", 2024, 10, 7),
            Release::new("3.7", 2023, 6, 27),
            Release::new("3.6", 2021, 12, 23),
        ],
        Source::new("endoflife.date: python, column of security support", 2026, 8, 22),
    ),
    ..Software::new("python", "Python", Role::Language, SOURCE)
};
