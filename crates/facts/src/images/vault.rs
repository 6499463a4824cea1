//! Vault.

use crate::{Image, Port, Release, Role, Software, Source, fact::known};

const SOURCE: Source = Source::new("hashicorp/docker-vault: Dockerfile of 0.X", 2023, 12, 6);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::made_by(&["hashicorp"], "vault")],
    processes: &["vault"],
    ports: known(&[Port::http(8200)], SOURCE),
    releases: known(
        &[
            Release::new("1.21", 2026, 4, 13),
            Release::new("1.20", 2025, 10, 21),
            Release::new("1.19", 2025, 6, 23),
            Release::new("1.18", 2025, 3, 4),
            Release::new("1.17", 2024, 10, 9),
            Release::new("1.16", 2024, 6, 10),
            Release::new("1.15", 2024, 10, 8),
            Release::new("1.14", 2024, 6, 10),
            Release::new("1.13", 2024, 3, 25),
            Release::new("1.12", 2023, 9, 27),
            Release::new("1.11", 2023, 6, 21),
            Release::new("1.10", 2023, 3, 1),
        ],
        Source::new("endoflife.date: hashicorp-vault, column of security support", 2026, 8, 22),
    ),
    ..Software::new("vault", "Vault", Role::Identity, SOURCE)
};
