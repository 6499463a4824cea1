//! Memcached.

use crate::{Contents, Entrypoint, Image, Port, Release, Role, Software, Source, User, Variant, fact::known};

const SOURCE: Source = Source::new("docker-library/memcached: Dockerfiles of 1", 2026, 7, 9);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("memcached")],
    processes: &["memcached"],
    schemes: &["memcached"],
    ports: known(&[Port::store(11211)], SOURCE),
    user: known(
        User { name: "memcache", ids: Some((11211, 11211)), alpine: None, starts_as_root: false },
        SOURCE,
    ),
    contents: known(
        &[
            Contents { variant: Variant::Alpine, shell: true, has: &["nc", "wget"], lacks: &["curl"] },
            Contents { variant: Variant::Every, shell: true, has: &[], lacks: &["curl", "wget", "nc"] },
        ],
        SOURCE,
    ),
    entrypoint: known(Entrypoint::PassesOn, SOURCE),
    releases: known(
        &[Release::new("1.5", 2020, 3, 9), Release::new("1.4", 2017, 7, 21)],
        Source::new("endoflife.date: memcached, column of security support", 2026, 8, 22),
    ),
    ..Software::new("memcached", "Memcached", Role::Store, SOURCE)
};
