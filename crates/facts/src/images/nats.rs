//! NATS.

use crate::{Contents, Image, Port, Role, Software, Source, Variant, fact::known};

const SOURCE: Source = Source::new("nats-io/nats-docker: Dockerfiles of 2.12.x", 2026, 8, 12);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("nats")],
    processes: &["nats-server"],
    schemes: &["nats"],
    ports: known(&[Port::store(4222), Port::http(8222), Port::other(6222)], SOURCE),
    contents: known(
        &[
            Contents { variant: Variant::Alpine, shell: true, has: &["wget"], lacks: &[] },
            Contents { variant: Variant::Every, shell: false, has: &[], lacks: &["curl", "wget"] },
        ],
        SOURCE,
    ),
    ..Software::new("nats", "NATS", Role::Store, SOURCE)
};
