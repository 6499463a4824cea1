//! nginx that starts as a user of its own.

use super::nginx;
use crate::{Entrypoint, Image, Port, Role, Software, Source, User, fact::known};

const SOURCE: Source = Source::new("nginx/docker-nginx-unprivileged: Dockerfiles of stable", 2026, 7, 15);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::made_by(&["nginxinc", "nginx"], "nginx-unprivileged")],
    ports: known(&[Port::http(8080)], SOURCE),
    user: known(User { name: "nginx", ids: Some((101, 101)), alpine: None, starts_as_root: false }, SOURCE),
    // Its temporary files and its process id lie there.
    writable: known(&["/tmp"], SOURCE),
    contents: known(nginx::CONTENTS, SOURCE),
    entrypoint: known(Entrypoint::PassesOn, SOURCE),
    stop_signal: known("SIGQUIT", SOURCE),
    releases: known(nginx::RELEASES, nginx::RELEASED),
    ..Software::new("nginx-unprivileged", "nginx", Role::Proxy, SOURCE)
};
