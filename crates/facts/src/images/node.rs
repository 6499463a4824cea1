//! Node.js.

use crate::{Contents, Entrypoint, Image, Release, Role, Software, Source, User, Variant, fact::known};

const SOURCE: Source = Source::new("nodejs/docker-node: Dockerfiles of 24", 2026, 8, 19);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("node")],
    entrypoint: known(Entrypoint::PassesOn, SOURCE),
    processes: &["node"],
    user: known(User { name: "node", ids: Some((1000, 1000)), alpine: None, starts_as_root: true }, SOURCE),
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
            Release::new("26", 2029, 4, 30),
            Release::new("25", 2026, 6, 1),
            Release::new("24", 2028, 4, 30),
            Release::new("23", 2025, 6, 1),
            Release::new("22", 2027, 4, 30),
            Release::new("21", 2024, 6, 1),
            Release::new("20", 2026, 4, 30),
            Release::new("19", 2023, 6, 1),
            Release::new("18", 2025, 4, 30),
            Release::new("17", 2022, 6, 1),
            Release::new("16", 2023, 9, 11),
            Release::new("15", 2021, 6, 1),
            Release::new("14", 2023, 4, 30),
            Release::new("13", 2020, 6, 1),
            Release::new("12", 2022, 4, 30),
            Release::new("11", 2019, 6, 30),
            Release::new("10", 2021, 4, 30),
        ],
        Source::new("endoflife.date: nodejs, column of security support", 2026, 8, 22),
    ),
    ..Software::new("node", "Node.js", Role::Language, SOURCE)
};
