//! Caddy.

use crate::{Contents, DataFolder, Image, Port, Role, Software, Source, Variant, fact::known};

const SOURCE: Source = Source::new("caddyserver/caddy-docker: Dockerfile of 2.11 on Alpine", 2026, 3, 5);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("caddy")],
    processes: &["caddy"],
    ports: known(&[Port::http(80), Port::http(443), Port::http(2019)], SOURCE),
    data: known(&[DataFolder::new(2, "/data")], SOURCE),
    writable: known(&["/config"], SOURCE),
    contents: known(&[Contents { variant: Variant::Every, shell: true, has: &["wget"], lacks: &[] }], SOURCE),
    ..Software::new("caddy", "Caddy", Role::Proxy, SOURCE)
};
