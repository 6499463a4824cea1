//! nginx exporter.

use crate::{Contents, Entrypoint, Image, Port, Role, Software, Source, User, Variant, fact::known};

const SOURCE: Source = Source::new("nginx/nginx-prometheus-exporter: Dockerfile, README", 2026, 8, 14);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::made_by(&["nginx"], "nginx-prometheus-exporter")],
    processes: &[],
    ports: known(&[Port::http(9113)], SOURCE),
    user: known(User { name: "", ids: Some((1001, 1001)), alpine: None, starts_as_root: false }, SOURCE),
    contents: known(
        &[Contents { variant: Variant::Every, shell: false, has: &[], lacks: &["curl", "wget"] }],
        SOURCE,
    ),
    entrypoint: known(Entrypoint::Program, SOURCE),
    ..Software::new("nginx-exporter", "nginx exporter", Role::Monitor, SOURCE)
};
