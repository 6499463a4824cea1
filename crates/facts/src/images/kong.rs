//! Kong.

use crate::{Entrypoint, Image, Port, Role, Software, Source, fact::known};

const SOURCE: Source = Source::new("Kong/docker-kong: Dockerfile on Ubuntu", 2026, 6, 17);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("kong")],
    ports: known(&[Port::http(8000), Port::http(8443), Port::http(8001), Port::http(8444)], SOURCE),
    health: known(&["kong", "health"], SOURCE),
    entrypoint: known(Entrypoint::PassesOn, SOURCE),
    stop_signal: known("SIGQUIT", SOURCE),
    ..Software::new("kong", "Kong", Role::Proxy, SOURCE)
};
