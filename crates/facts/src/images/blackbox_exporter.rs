//! Blackbox exporter.

use crate::{Contents, Entrypoint, Image, Port, Role, Software, Source, Variant, fact::known};

const SOURCE: Source = Source::new("prometheus/blackbox_exporter: Dockerfile", 2026, 7, 24);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::made_by(&["prom", "prometheus"], "blackbox-exporter")],
    processes: &[],
    ports: known(&[Port::http(9115)], SOURCE),
    contents: known(
        &[Contents { variant: Variant::Every, shell: true, has: &["wget"], lacks: &["curl"] }],
        SOURCE,
    ),
    entrypoint: known(Entrypoint::Program, SOURCE),
    ..Software::new("blackbox-exporter", "Blackbox exporter", Role::Monitor, SOURCE)
};
