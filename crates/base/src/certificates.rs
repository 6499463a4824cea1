//! The bundle of trusted certificates, made without running the package's own tool.

use std::fs;

use crate::error::BaseError;
use crate::tree::{Attributes, Tree};

/// Where the package keeps the certificates, one file each.
const SINGLE: &str = "usr/share/ca-certificates";
const BUNDLE: &str = "etc/ssl/certs/ca-certificates.crt";

/// Joins the certificates of the layer being made, in the order of their names, as `update-ca-certificates` does, and
/// removes the single ones. Nothing happens when there are none.
pub(crate) fn bundle(tree: &mut Tree, mtime: i64) -> Result<(), BaseError> {
    let directory = tree.upper().join(SINGLE).join("mozilla");
    let Ok(entries) = fs::read_dir(&directory) else { return Ok(()) };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "crt"));
    paths.sort();
    let mut bundle = Vec::new();
    for path in paths {
        let pem = fs::read(&path).map_err(BaseError::io(&path))?;
        bundle.extend_from_slice(pem.trim_ascii_end());
        bundle.push(b'\n');
    }
    tree.remove(SINGLE)?;
    tree.file(BUNDLE, Attributes::root(0o644, mtime), &mut bundle.as_slice())
}
