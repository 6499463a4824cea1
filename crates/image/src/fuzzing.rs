//! What the fuzz targets read with (fuzz/fuzz_targets/image_readers.rs): words of a registry, Docker's configuration, requests
//! to a registry of our own, lists of packages.

use std::{io, path::Path};

use crate::{registry, report, serve};

/// The values of `WWW-Authenticate`: realm, service and scope where tokens are asked for.
pub fn challenge(text: &str) -> Option<Vec<Option<String>>> {
    registry::fuzz_challenge(text)
}

/// The reason in an error document, as it is shown.
pub fn words(body: &[u8]) -> String {
    registry::fuzz_words(body)
}

/// The names of the hosts in a Docker configuration.
pub fn docker_config(text: &[u8]) -> Result<usize, String> {
    registry::fuzz_config(text)
}

/// The requests of one connection to a registry that keeps its things in `root`, and its answers.
pub fn serve(root: &Path, requests: &[u8]) -> io::Result<Vec<u8>> {
    serve::fuzz(root, requests)
}

/// Lists of packages and paths of npm.
pub fn packages(text: &str) {
    report::fuzz(text);
}
