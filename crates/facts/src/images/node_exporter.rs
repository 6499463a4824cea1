//! Node exporter.

use crate::{Contents, Entrypoint, Image, Port, Role, Software, Source, User, Variant, fact::known};

const SOURCE: Source = Source::new("prometheus/node_exporter: Dockerfile", 2026, 8, 8);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::made_by(&["prom", "prometheus"], "node-exporter")],
    processes: &[],
    ports: known(&[Port::http(9100)], SOURCE),
    user: known(
        User { name: "nobody", ids: Some((65534, 65534)), alpine: None, starts_as_root: false },
        SOURCE,
    ),
    contents: known(
        &[Contents { variant: Variant::Every, shell: true, has: &["wget"], lacks: &["curl"] }],
        SOURCE,
    ),
    entrypoint: known(Entrypoint::Program, SOURCE),
    ..Software::new("node-exporter", "Node exporter", Role::Monitor, SOURCE)
};
