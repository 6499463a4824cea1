//! Alpine Linux.

use crate::{Contents, Entrypoint, Image, Release, Role, Software, Source, Variant, fact::known};

const SOURCE: Source = Source::new("docker-library/docs: alpine, content", 2026, 8, 21);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("alpine")],
    entrypoint: known(Entrypoint::PassesOn, SOURCE),
    contents: known(
        &[Contents {
            variant: Variant::Every,
            shell: true,
            has: &["apk", "wget", "nc"],
            lacks: &["curl", "bash"],
        }],
        SOURCE,
    ),
    releases: known(
        &[
            Release::new("3.24", 2028, 6, 1),
            Release::new("3.23", 2027, 11, 1),
            Release::new("3.22", 2027, 5, 1),
            Release::new("3.21", 2026, 11, 1),
            Release::new("3.20", 2026, 4, 1),
            Release::new("3.19", 2025, 11, 1),
            Release::new("3.18", 2025, 5, 9),
            Release::new("3.17", 2024, 11, 22),
            Release::new("3.16", 2024, 5, 23),
            Release::new("3.15", 2023, 11, 1),
            Release::new("3.14", 2023, 5, 1),
            Release::new("3.13", 2022, 11, 1),
            Release::new("3.12", 2022, 5, 1),
            Release::new("3.11", 2021, 11, 1),
            Release::new("3.10", 2021, 5, 1),
            Release::new("3.9", 2020, 11, 1),
            Release::new("3.8", 2020, 5, 1),
            Release::new("3.7", 2019, 11, 1),
            Release::new("3.6", 2019, 5, 1),
            Release::new("3.5", 2018, 11, 1),
            Release::new("3.4", 2018, 5, 1),
            Release::new("3.3", 2017, 11, 1),
            Release::new("3.2", 2017, 5, 1),
            Release::new("3.1", 2016, 11, 1),
            Release::new("3.0", 2016, 5, 1),
            Release::new("2.7", 2015, 11, 1),
            Release::new("2.6", 2015, 5, 1),
            Release::new("2.5", 2014, 11, 1),
            Release::new("2.4", 2014, 5, 1),
            Release::new("2.3", 2013, 11, 1),
            Release::new("2.2", 2013, 5, 1),
            Release::new("2.1", 2012, 11, 1),
        ],
        Source::new("endoflife.date: alpine-linux, column of security support", 2026, 8, 22),
    ),
    ..Software::new("alpine", "Alpine Linux", Role::Base, SOURCE)
};
