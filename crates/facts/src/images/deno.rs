//! Deno.

use crate::{Image, Release, Role, Software, Source, User, fact::known};

const SOURCE: Source = Source::new("denoland/deno_docker: debian.dockerfile, _entry.sh", 2026, 7, 1);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::made_by(&["denoland"], "deno")],
    processes: &["deno"],
    user: known(User { name: "deno", ids: Some((1993, 1993)), alpine: None, starts_as_root: true }, SOURCE),
    releases: known(
        &[
            Release::new("2.8", 2026, 6, 25),
            Release::new("2.7", 2026, 5, 22),
            Release::new("2.6", 2026, 2, 25),
            Release::new("2.5", 2026, 4, 30),
            Release::new("2.3", 2025, 7, 1),
            Release::new("2.2", 2025, 10, 31),
            Release::new("2.1", 2025, 4, 30),
            Release::new("2.0", 2024, 11, 21),
            Release::new("1", 2024, 10, 9),
        ],
        Source::new("endoflife.date: deno, column of security support", 2026, 8, 22),
    ),
    ..Software::new("deno", "Deno", Role::Language, SOURCE)
};
