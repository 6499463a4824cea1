//! HAProxy.

use crate::{Contents, Entrypoint, Image, Release, Role, Software, Source, User, Variant, fact::known};

const SOURCE: Source = Source::new("docker-library/haproxy: Dockerfiles of 3.2", 2026, 7, 22);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("haproxy")],
    processes: &["haproxy"],
    user: known(User { name: "haproxy", ids: Some((99, 99)), alpine: None, starts_as_root: false }, SOURCE),
    contents: known(
        &[
            Contents { variant: Variant::Alpine, shell: true, has: &["wget"], lacks: &["curl"] },
            Contents { variant: Variant::Every, shell: true, has: &["socat"], lacks: &["curl", "wget"] },
        ],
        SOURCE,
    ),
    entrypoint: known(Entrypoint::PassesOn, SOURCE),
    stop_signal: known("SIGUSR1", SOURCE),
    releases: known(
        &[
            Release::new("3.4", 2031, 4, 1),
            Release::new("3.3", 2027, 1, 1),
            Release::new("3.2", 2030, 4, 1),
            Release::new("3.1", 2026, 1, 1),
            Release::new("3.0", 2029, 4, 1),
            Release::new("2.9", 2025, 3, 21),
            Release::new("2.8", 2028, 4, 1),
            Release::new("2.7", 2024, 4, 5),
            Release::new("2.6", 2027, 4, 1),
            Release::new("2.5", 2023, 5, 2),
            Release::new("2.4", 2026, 4, 1),
            Release::new("2.3", 2022, 7, 27),
            Release::new("2.2", 2025, 4, 23),
            Release::new("2.1", 2021, 3, 18),
            Release::new("2.0", 2024, 4, 5),
        ],
        Source::new("endoflife.date: haproxy, column of security support", 2026, 8, 22),
    ),
    ..Software::new("haproxy", "HAProxy", Role::Proxy, SOURCE)
};
