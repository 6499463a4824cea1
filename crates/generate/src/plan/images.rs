//! Base images by language and version, and the recipes that can stand in for them.

use crate::stack::{Build, MappedImage, Unit};

/// Node.js where the survey chose no version.
pub(super) const NODE: u32 = 24;

/// nginx without root.
pub(super) const NGINX: &str = "nginxinc/nginx-unprivileged:1.27-alpine-slim";

/// The image in which a Node.js program is installed and built.
pub(super) fn node(major: u32) -> String {
    format!("node:{major}-trixie-slim")
}

/// The image without a shell in which a Node.js program runs. Native modules need the C library of the image that
/// compiled them, so that both are of one Debian.
pub(super) fn node_runtime(major: u32) -> String {
    let debian = if major < 22 { 12 } else { 13 };
    format!("gcr.io/distroless/nodejs{major}-debian{debian}:nonroot")
}

/// The image of a Python program.
pub(super) fn python(version: &str) -> String {
    let suite = if version == "3.11" { "bookworm" } else { "trixie" };
    format!("python:{version}-slim-{suite}")
}

/// Images that `plimsoll base` can make: name, recipe.
const KNOWN: &[(&str, &str)] = &[
    ("node:20-trixie-slim", "node"),
    ("gcr.io/distroless/nodejs20-debian12:nonroot", "distroless-node"),
    ("node:22-trixie-slim", "node-22"),
    ("gcr.io/distroless/nodejs22-debian13:nonroot", "distroless-node-22"),
    ("node:24-trixie-slim", "node-24"),
    ("gcr.io/distroless/nodejs24-debian13:nonroot", "distroless-node-24"),
    ("python:3.11-slim-bookworm", "python@bookworm"),
    ("python:3.13-slim-trixie", "python"),
    (NGINX, "nginx"),
    ("postgres:17-trixie", "postgres"),
    ("redis:8.0-bookworm", "redis"),
    ("mariadb:11.8", "mariadb"),
    ("rabbitmq:4.0", "rabbitmq"),
];

/// The images of a stack that can be made.
pub(super) fn map(builds: &[Build], units: &[Unit]) -> Vec<MappedImage> {
    let bases = builds.iter().flat_map(|build| &build.images).map(|image| image.name.as_str());
    let used: Vec<&str> = bases.chain(units.iter().map(|unit| unit.image.as_str())).collect();
    KNOWN
        .iter()
        .filter(|(name, _)| used.contains(name))
        .map(|(name, recipe)| MappedImage { name: (*name).to_owned(), recipe })
        .collect()
}
