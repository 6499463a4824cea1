//! The certificates of `--ca`, which a step sees and no layer holds.

use std::{
    fs,
    path::{Path, PathBuf},
};

use plimsoll_disk::{Links, read_text};
use plimsoll_sandbox::{Mount, MountKind, Process};

use super::{error::RunError, surroundings::Surroundings};
use crate::{select::digest_one, settings::CaBundle, snapshot::Snapshot, tree::Tree};

/// Where the certificates of `--ca` are seen by a step.
const CA_TARGET: &str = "/run/plimsoll/ca-certificates.crt";
/// Variables that tell programs about certificates.
const CA_VARIABLES: [&str; 6] = [
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
];
/// Where hosts and images keep their certificates.
const CA_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Shows the certificates of `--ca` to the step; they enter neither a layer nor a key.
pub(super) fn certificates(
    step: &mut Process,
    parent: &Snapshot,
    surroundings: &Surroundings<'_>,
) -> Result<(), RunError> {
    let bundle = match surroundings.ca {
        CaBundle::Off => return Ok(()),
        CaBundle::File(path) => with_those_of_image(path, parent, surroundings)?,
        CaBundle::Auto => {
            let Some(host) = CA_BUNDLES.iter().map(Path::new).find(|path| path.is_file()) else {
                return Ok(());
            };
            if same_bundle(host, parent, surroundings) {
                return Ok(());
            }
            host.to_owned()
        }
    };
    step.mounts
        .push(Mount { target: CA_TARGET.into(), kind: MountKind::Bind { source: bundle, read_only: true } });
    for name in CA_VARIABLES {
        if !step.env.iter().any(|(known, _)| known == name) {
            step.env.push((name.to_owned(), CA_TARGET.to_owned()));
        }
    }
    Ok(())
}

/// Most of the variables name the only bundle that a program reads, and the certificates of one company are not all that
/// a step needs: those of the image come first. The file is made once for each two that it consists of.
fn with_those_of_image(
    file: &Path,
    parent: &Snapshot,
    surroundings: &Surroundings<'_>,
) -> Result<PathBuf, RunError> {
    let failed = |source| RunError::Ca { path: file.to_owned(), source };
    let own = read_text(file, 16 << 20, Links::Follow).map_err(failed)?;
    let of_image =
        CA_BUNDLES.iter().map(|path| parent.text(path)).find(|text| !text.is_empty()).unwrap_or_default();
    let both = [of_image.trim_end(), own.trim_end()].into_iter().filter(|text| !text.is_empty());
    let text: String = both.flat_map(|text| [text, "\n"]).collect();
    let folder = surroundings.cache_mounts.with_file_name("ca");
    let path = folder.join(format!("{}.crt", blake3::hash(text.as_bytes()).to_hex()));
    if !path.exists() {
        fs::create_dir_all(&folder).map_err(failed)?;
        plimsoll_disk::replace(&path, text.as_bytes(), plimsoll_disk::USUAL).map_err(failed)?;
    }
    Ok(path)
}

fn same_bundle(host: &Path, parent: &Snapshot, surroundings: &Surroundings<'_>) -> bool {
    let cache = surroundings.caches.stat;
    let digest = |tree: &Tree, path: &Path| {
        let node = tree.lookup(path, true).ok()??;
        digest_one(&node, cache).ok()
    };
    let ours = digest(&Tree::directory(PathBuf::from("/"), None), host);
    let tree = parent.tree();
    let theirs = CA_BUNDLES.iter().find_map(|path| digest(&tree, Path::new(path)));
    ours.is_some() && ours == theirs
}
