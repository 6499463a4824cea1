//! Alertmanager.

use crate::{
    Contents, DataFolder, Entrypoint, Image, Port, Role, Software, Source, User, Variant, fact::known,
};

const SOURCE: Source = Source::new("prometheus/alertmanager: Dockerfile", 2026, 8, 22);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::made_by(&["prom", "prometheus"], "alertmanager")],
    processes: &["alertmanager"],
    ports: known(&[Port::http(9093)], SOURCE),
    user: known(
        User { name: "nobody", ids: Some((65534, 65534)), alpine: None, starts_as_root: false },
        SOURCE,
    ),
    data: known(&[DataFolder::new(0, "/alertmanager")], SOURCE),
    contents: known(
        &[Contents { variant: Variant::Every, shell: true, has: &["wget"], lacks: &["curl"] }],
        SOURCE,
    ),
    entrypoint: known(Entrypoint::Program, SOURCE),
    ..Software::new("alertmanager", "Alertmanager", Role::Monitor, SOURCE)
};
