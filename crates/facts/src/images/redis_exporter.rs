//! Redis exporter.

use crate::{Contents, Entrypoint, Image, Port, Role, Software, Source, User, Variant, fact::known};

const SOURCE: Source = Source::new("oliver006/redis_exporter: Dockerfile", 2026, 8, 5);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::made_by(&["oliver006"], "redis_exporter")],
    processes: &[],
    ports: known(&[Port::http(9121)], SOURCE),
    user: known(User { name: "", ids: Some((59000, 59000)), alpine: None, starts_as_root: false }, SOURCE),
    contents: known(
        &[
            Contents { variant: Variant::Alpine, shell: true, has: &["wget"], lacks: &["curl"] },
            Contents { variant: Variant::Every, shell: false, has: &[], lacks: &["curl", "wget"] },
        ],
        SOURCE,
    ),
    entrypoint: known(Entrypoint::Program, SOURCE),
    ..Software::new("redis-exporter", "Redis exporter", Role::Monitor, SOURCE)
};
