//! Rocky Linux.

use crate::{Entrypoint, Image, Release, Role, Software, Source, fact::known};

const SOURCE: Source = Source::new("docker-library/docs: rockylinux, content", 2026, 8, 21);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("rockylinux")],
    entrypoint: known(Entrypoint::PassesOn, SOURCE),
    releases: known(
        &[Release::new("10", 2035, 5, 31), Release::new("9", 2032, 5, 31), Release::new("8", 2029, 5, 31)],
        Source::new("endoflife.date: rocky-linux, column of security support", 2026, 8, 22),
    ),
    ..Software::new("rockylinux", "Rocky Linux", Role::Base, SOURCE)
};
