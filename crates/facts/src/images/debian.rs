//! Debian.

use crate::{Contents, Entrypoint, Image, Release, Role, Software, Source, Variant, fact::known};

const SOURCE: Source = Source::new("docker-library/docs: debian, content", 2026, 8, 21);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("debian")],
    entrypoint: known(Entrypoint::PassesOn, SOURCE),
    contents: known(
        &[Contents { variant: Variant::Every, shell: true, has: &["apt-get"], lacks: &["curl", "wget"] }],
        SOURCE,
    ),
    releases: known(
        &[
            Release::new("13", 2028, 8, 9),
            Release::new("12", 2026, 7, 11),
            Release::new("11", 2024, 8, 14),
            Release::new("10", 2022, 9, 10),
            Release::new("9", 2020, 7, 18),
            Release::new("8", 2018, 6, 17),
            Release::new("7", 2016, 4, 25),
        ],
        Source::new("endoflife.date: debian, column of security support", 2026, 8, 22),
    ),
    ..Software::new("debian", "Debian", Role::Base, SOURCE)
};
