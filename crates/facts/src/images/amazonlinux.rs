//! Amazon Linux.

use crate::{Entrypoint, Image, Release, Role, Software, Source, fact::known};

const SOURCE: Source = Source::new("docker-library/docs: amazonlinux, content", 2026, 8, 21);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("amazonlinux")],
    entrypoint: known(Entrypoint::PassesOn, SOURCE),
    releases: known(
        &[
            Release::new("2023", 2029, 6, 30),
            Release::new("2", 2026, 6, 30),
            Release::new("2018.03", 2023, 12, 31),
            Release::new("2017.09", 2023, 12, 31),
            Release::new("2017.03", 2023, 12, 31),
            Release::new("2016.09", 2023, 12, 31),
            Release::new("2016.03", 2023, 12, 31),
            Release::new("2015.09", 2023, 12, 31),
            Release::new("2015.03", 2023, 12, 31),
            Release::new("2014.09", 2023, 12, 31),
            Release::new("2014.03", 2023, 12, 31),
            Release::new("2013.09", 2023, 12, 31),
            Release::new("2013.03", 2023, 12, 31),
            Release::new("2012.09", 2023, 12, 31),
            Release::new("2012.03", 2023, 12, 31),
            Release::new("2011.09", 2023, 12, 31),
            Release::new("2010.11", 2023, 12, 31),
        ],
        Source::new("endoflife.date: amazon-linux, column of security support", 2026, 8, 22),
    ),
    ..Software::new("amazonlinux", "Amazon Linux", Role::Base, SOURCE)
};
