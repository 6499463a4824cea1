//! Images of vendors, and the bases that stand in for them where no registry is in reach.

/// A vendor's image, and the base that honours its contract (entry point, environment, user, paths): `NAME`, or `NAME@SUITE` for
/// another release of Debian than [`crate::Suite::default`]. The base's name is what `[images]` in `plimsoll.toml` takes after `base:`.
pub const STAND_INS: &[(&str, &str)] = &[
    ("debian:trixie-slim", "debian"),
    ("debian:bookworm-slim", "debian@bookworm"),
    ("node:20-trixie-slim", "node"),
    ("node:22-trixie-slim", "node-22"),
    ("node:22-bookworm-slim", "node-22@bookworm"),
    ("node:24-trixie-slim", "node-24"),
    ("node:24-bookworm-slim", "node-24@bookworm"),
    ("gcr.io/distroless/nodejs20-debian12:nonroot", "distroless-node"),
    ("gcr.io/distroless/nodejs22-debian12:nonroot", "distroless-node-22@bookworm"),
    ("gcr.io/distroless/nodejs22-debian13:nonroot", "distroless-node-22"),
    ("gcr.io/distroless/nodejs24-debian12:nonroot", "distroless-node-24@bookworm"),
    ("gcr.io/distroless/nodejs24-debian13:nonroot", "distroless-node-24"),
    ("python:3.11-slim-bookworm", "python@bookworm"),
    ("python:3.13-slim-trixie", "python"),
    ("gcr.io/distroless/python3-debian12:nonroot", "distroless-python@bookworm"),
    ("gcr.io/distroless/python3-debian13:nonroot", "distroless-python"),
    ("nginxinc/nginx-unprivileged:1.27-alpine-slim", "nginx"),
    ("mariadb:11.8", "mariadb"),
    ("postgres:17-trixie", "postgres"),
    ("rabbitmq:4.0", "rabbitmq"),
    ("rabbitmq:4.0-management", "rabbitmq"),
    ("redis:8.0-bookworm", "redis"),
];

/// The base that stands in for a vendor's image, by the image's name as a Dockerfile or a compose file writes it.
pub fn stands_in_for(image: &str) -> Option<&'static str> {
    STAND_INS.iter().find(|(name, _)| *name == image).map(|(_, base)| *base)
}

#[cfg(test)]
mod tests {
    use plimsoll_image::Reference;

    use super::*;
    use crate::Suite;

    #[test]
    fn every_name_is_an_image_and_every_base_is_there() {
        for (at, (image, base)) in STAND_INS.iter().enumerate() {
            let (name, suite) =
                base.split_once('@').map_or((*base, None), |(name, suite)| (name, Some(suite)));
            assert!(super::super::named(name).is_some(), "{base}");
            assert!(
                suite.is_none_or(|suite| Suite::parse(suite).is_some_and(|suite| suite != Suite::default())),
                "{base}"
            );
            assert!(Reference::parse(image).is_ok(), "{image}");
            assert!(STAND_INS[..at].iter().all(|(other, _)| other != image), "{image} twice");
            assert_eq!(stands_in_for(image), Some(*base));
        }
        assert_eq!(stands_in_for("node:99"), None);
    }
}
