//! Rust.

use crate::{Entrypoint, Image, Role, Software, Source, fact::known};

const SOURCE: Source = Source::new("rust-lang/docker-rust: Dockerfiles of stable", 2026, 4, 3);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("rust")],
    entrypoint: known(Entrypoint::PassesOn, SOURCE),
    ..Software::new("rust", "Rust", Role::Language, SOURCE)
};
