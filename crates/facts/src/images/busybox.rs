//! BusyBox.

use crate::{Contents, Entrypoint, Image, Role, Software, Source, Variant, fact::known};

const SOURCE: Source = Source::new("docker-library/docs: busybox, content", 2026, 8, 21);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("busybox")],
    entrypoint: known(Entrypoint::PassesOn, SOURCE),
    contents: known(
        &[Contents { variant: Variant::Every, shell: true, has: &["wget", "nc"], lacks: &["curl", "bash"] }],
        SOURCE,
    ),
    ..Software::new("busybox", "BusyBox", Role::Base, SOURCE)
};
