//! nginx.

use crate::{Contents, Entrypoint, Image, Port, Release, Role, Software, Source, User, Variant, fact::known};

const SOURCE: Source = Source::new("nginx/docker-nginx: Dockerfiles of stable", 2026, 4, 14);

/// What both images of nginx have inside.
pub(super) const CONTENTS: &[Contents] = &[
    Contents { variant: Variant::Alpine, shell: true, has: &["wget", "envsubst"], lacks: &[] },
    Contents { variant: Variant::Every, shell: true, has: &["curl", "envsubst"], lacks: &["wget"] },
];

/// Versions with the end of their security support.
pub(super) const RELEASES: &[Release] = &[
    Release::new("1.29", 2026, 5, 13),
    Release::new("1.28", 2026, 4, 14),
    Release::new("1.27", 2025, 6, 24),
    Release::new("1.26", 2025, 4, 23),
    Release::new("1.25", 2024, 5, 29),
    Release::new("1.24", 2024, 4, 23),
    Release::new("1.23", 2023, 5, 23),
    Release::new("1.22", 2023, 4, 11),
    Release::new("1.21", 2022, 6, 21),
    Release::new("1.20", 2022, 5, 24),
    Release::new("1.19", 2021, 5, 25),
    Release::new("1.18", 2021, 4, 20),
];
/// Where [`RELEASES`] are from.
pub(super) const RELEASED: Source =
    Source::new("endoflife.date: nginx, column of security support", 2026, 8, 22);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("nginx")],
    processes: &["nginx"],
    ports: known(&[Port::http(80)], SOURCE),
    user: known(User { name: "nginx", ids: Some((101, 101)), alpine: None, starts_as_root: true }, SOURCE),
    writable: known(&["/var/cache/nginx", "/run"], SOURCE),
    contents: known(CONTENTS, SOURCE),
    entrypoint: known(Entrypoint::PassesOn, SOURCE),
    stop_signal: known("SIGQUIT", SOURCE),
    releases: known(RELEASES, RELEASED),
    ..Software::new("nginx", "nginx", Role::Proxy, SOURCE)
};
