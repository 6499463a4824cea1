//! Distroless: a language's run time without shell and package manager.

use crate::{Role, Software, Source};

const SOURCE: Source =
    Source::new("GoogleContainerTools/distroless: README, Entrypoints and Debug Images", 2026, 8, 21);

/// Whether a variant has a shell: those with `debug` in their tag alone.
pub fn has_shell(tag: &str) -> bool {
    tag.contains("debug")
}

/// Whether an image has no entry point of its own: those without a language.
pub fn passes_on(name: &str) -> bool {
    ["static", "base", "cc"].iter().any(|kind| name.starts_with(kind))
}

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    // Found by its owner: each language and release of Debian has a name of its own.
    images: &[],
    ..Software::new("distroless", "Distroless", Role::Base, SOURCE)
};
