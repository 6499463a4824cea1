//! Oracle Linux.

use crate::{Entrypoint, Image, Release, Role, Software, Source, fact::known};

const SOURCE: Source = Source::new("docker-library/docs: oraclelinux, content", 2026, 8, 21);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("oraclelinux")],
    entrypoint: known(Entrypoint::PassesOn, SOURCE),
    releases: known(
        &[
            Release::new("9", 2032, 6, 30),
            Release::new("8", 2029, 7, 31),
            Release::new("7", 2024, 12, 31),
            Release::new("6", 2021, 3, 31),
        ],
        Source::new("endoflife.date: oracle-linux, column of security support", 2026, 8, 22),
    ),
    ..Software::new("oraclelinux", "Oracle Linux", Role::Base, SOURCE)
};
