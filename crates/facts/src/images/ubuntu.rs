//! Ubuntu.

use crate::{Contents, Entrypoint, Image, Release, Role, Software, Source, Variant, fact::known};

const SOURCE: Source = Source::new("docker-library/docs: ubuntu, content", 2026, 8, 21);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("ubuntu")],
    entrypoint: known(Entrypoint::PassesOn, SOURCE),
    contents: known(
        &[Contents { variant: Variant::Every, shell: true, has: &["apt-get"], lacks: &["curl", "wget"] }],
        SOURCE,
    ),
    releases: known(
        &[
            Release::new("26.04", 2031, 4, 30),
            Release::new("25.10", 2026, 7, 1),
            Release::new("25.04", 2026, 1, 17),
            Release::new("24.10", 2025, 7, 10),
            Release::new("24.04", 2029, 5, 31),
            Release::new("23.10", 2024, 7, 12),
            Release::new("23.04", 2024, 1, 20),
            Release::new("22.10", 2023, 7, 20),
            Release::new("22.04", 2027, 4, 1),
            Release::new("21.10", 2022, 7, 14),
            Release::new("21.04", 2022, 1, 20),
            Release::new("20.10", 2021, 7, 22),
            Release::new("20.04", 2025, 5, 31),
            Release::new("19.10", 2020, 7, 6),
            Release::new("19.04", 2020, 1, 23),
            Release::new("18.10", 2019, 7, 18),
            Release::new("18.04", 2023, 5, 31),
            Release::new("17.10", 2018, 7, 19),
            Release::new("17.04", 2018, 1, 13),
            Release::new("16.10", 2017, 7, 20),
            Release::new("16.04", 2021, 4, 2),
            Release::new("15.10", 2016, 7, 28),
            Release::new("15.04", 2016, 2, 4),
            Release::new("14.10", 2015, 7, 23),
            Release::new("14.04", 2019, 4, 2),
        ],
        Source::new("endoflife.date: ubuntu, column of security support", 2026, 8, 22),
    ),
    ..Software::new("ubuntu", "Ubuntu", Role::Base, SOURCE)
};
