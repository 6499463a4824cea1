//! Ruby.

use crate::{Contents, Entrypoint, Image, Release, Role, Software, Source, Variant, fact::known};

const SOURCE: Source = Source::new("docker-library/ruby: Dockerfiles of 3.4", 2026, 4, 21);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("ruby")],
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
            Release::new("4.0", 2029, 3, 31),
            Release::new("3.4", 2028, 3, 31),
            Release::new("3.3", 2027, 3, 31),
            Release::new("3.2", 2026, 3, 31),
            Release::new("3.1", 2025, 3, 26),
            Release::new("3.0", 2024, 4, 23),
            Release::new("2.7", 2023, 3, 31),
            Release::new("2.6", 2022, 3, 31),
            Release::new("2.5", 2021, 3, 31),
        ],
        Source::new("endoflife.date: ruby, column of security support", 2026, 8, 22),
    ),
    ..Software::new("ruby", "Ruby", Role::Language, SOURCE)
};
