//! Base images by language and version.

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

/// The image with a shell in which Node.js runs without the package managers that come with it; `None` where its
/// executable needs libraries that this image does not have (libatomic, from Node.js 25 on).
pub(super) fn node_with_shell(major: u32) -> Option<String> {
    (22..25).contains(&major).then(|| "debian:trixie-slim".to_owned())
}

/// The image of a Python program.
pub(super) fn python(version: &str) -> String {
    let suite = if version == "3.11" { "bookworm" } else { "trixie" };
    format!("python:{version}-slim-{suite}")
}

/// The images of a stack that can be made.
///
/// Of a store whose version has no recipe the one of another version is named: better than nothing to try the stack
/// with, and said.
pub(super) fn map(
    stand_ins: &[(&'static str, &'static str)],
    builds: &[Build],
    units: &[Unit],
) -> Vec<MappedImage> {
    let bases = builds.iter().flat_map(|build| &build.images).map(|image| image.name.as_str());
    let used: Vec<&str> = bases.chain(units.iter().map(|unit| unit.image.as_str())).collect();
    let mut mapped: Vec<MappedImage> = stand_ins
        .iter()
        .filter(|(name, _)| used.contains(name))
        .map(|(name, recipe)| MappedImage { name: (*name).to_owned(), recipe, other: None })
        .collect();
    for unit in units.iter().filter(|unit| unit.store.is_some()) {
        let repository = |name: &str| name.split_once(':').map(|(repository, _)| repository.to_owned());
        let known = mapped.iter().any(|image| image.name == unit.image);
        let near = stand_ins.iter().find(|(name, _)| repository(name) == repository(&unit.image));
        if let Some((name, recipe)) = near.filter(|_| !known) {
            mapped.push(MappedImage { name: unit.image.clone(), recipe, other: Some(name) });
        }
    }
    mapped
}
