//! Mosquitto.

use crate::{DataFolder, Entrypoint, Image, Port, Role, Software, Source, User, fact::known};

const SOURCE: Source = Source::new("eclipse-mosquitto/mosquitto: Dockerfiles of 2.0 and 2.1", 2026, 6, 30);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("eclipse-mosquitto"), Image::other("mosquitto")],
    processes: &["mosquitto"],
    ports: known(&[Port::store(1883)], SOURCE),
    user: known(
        User { name: "mosquitto", ids: Some((1883, 1883)), alpine: None, starts_as_root: true },
        SOURCE,
    ),
    data: known(&[DataFolder::new(0, "/mosquitto/data")], SOURCE),
    writable: known(&["/mosquitto/log"], SOURCE),
    entrypoint: known(Entrypoint::PassesOn, SOURCE),
    ..Software::new("mosquitto", "Mosquitto", Role::Store, SOURCE)
};
