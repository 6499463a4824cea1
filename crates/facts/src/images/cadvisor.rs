//! cAdvisor.

use crate::{Image, Port, Role, Software, Source, fact::known};

const SOURCE: Source = Source::new("google/cadvisor: deploy/Dockerfile", 2026, 7, 20);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::made_by(&["google", "cadvisor"], "cadvisor")],
    processes: &[],
    ports: known(&[Port::http(8080)], SOURCE),
    ..Software::new("cadvisor", "cAdvisor", Role::Monitor, SOURCE)
};
