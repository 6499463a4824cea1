//! What is remembered of a base that was made: `made/NAME.json` in the cache, versioned.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use plimsoll_image::{Digest, LayerId};
use serde::{Deserialize, Serialize};

use crate::archive::write_whole;
use crate::custom::Custom;
use crate::error::BaseError;
use crate::index::Origin;
use crate::suite::Suite;
use crate::version::Version;

/// Raised when the meaning of the file, or the way bases are made, changes.
pub(crate) const FORMAT: u32 = 2;

/// A base that was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    pub(crate) format: u32,
    /// Digest over the recipe, its parents, the suite and the architecture.
    pub(crate) key: String,
    /// The base's name: that of its recipe.
    pub name: String,
    /// The version of the package that gives the base its version.
    pub version: String,
    /// Digest of the image's configuration.
    pub image: Digest,
    /// Its names, `plimsoll.local/NAME:TAG`.
    pub references: Vec<String>,
    /// Layers, lowest first; the last is its own.
    pub layers: Vec<LayerId>,
    /// The time stamp of everything that has no older one, in seconds since 1970: the newest file of its packages.
    pub epoch: i64,
    /// Debian's name of the architecture.
    pub architecture: String,
    /// The release of Debian that its packages are from.
    pub suite: String,
    /// Date of the newest index, in seconds since 1970.
    pub index_date: i64,
    /// Packages of all layers, sorted by name.
    pub packages: Vec<PackageRecord>,
    /// What is left out on purpose.
    pub omitted: Vec<OmittedRecord>,
    /// How a base of the user's own is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<Custom>,
}

/// The name of a record's file: bases of the release that recipes are written for have their own name.
pub(crate) fn file_name(name: &str, suite: Suite) -> String {
    if suite == Suite::default() { name.to_owned() } else { format!("{name}@{suite}") }
}

/// The files' names of all records.
pub(crate) fn all(cache: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(cache.join("made")).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter_map(|name| Some(name.strip_suffix(".json")?.to_owned())).collect();
    names.sort();
    names
}

/// A package of a base.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PackageRecord {
    /// The package's name in its archive.
    pub name: String,
    /// The package's version in its archive.
    pub version: Version,
    /// Architecture, or `all`.
    pub architecture: String,
    /// Which archive it came from.
    pub origin: Origin,
    /// Its file's path in that archive; its address in the npm registry.
    pub path: String,
    /// Digest of that file, lower-case hexadecimal.
    pub sha256: String,
    /// The digest by which the npm registry names the file, lower-case hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha512: Option<String>,
    /// Source package, when it has another name.
    pub source: Option<String>,
    /// `Homepage` of the package.
    pub homepage: Option<String>,
    /// Short names of the licences in its copyright file, where that is machine-readable; sorted.
    pub licences: Vec<String>,
    /// `Provides` as written, for bases that stand on this one.
    pub provides: String,
    /// `Conflicts` and `Breaks` as written.
    pub conflicts: String,
    /// Whether the package belongs to a base below.
    pub inherited: bool,
}

/// A package that a recipe leaves out, with the reason.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OmittedRecord {
    /// The package's name in its archive.
    pub package: String,
    /// Why nothing misses it.
    pub reason: String,
}

fn path(cache: &Path, name: &str) -> PathBuf {
    cache.join("made").join(format!("{name}.json"))
}

/// The record of a base; `None` when there is none that this version understands.
pub(crate) fn read(cache: &Path, name: &str) -> Option<Record> {
    let bytes = std::fs::read(path(cache, name)).ok()?;
    serde_json::from_slice(&bytes).ok().filter(|record: &Record| record.format == FORMAT)
}

pub(crate) fn write(cache: &Path, file: &str, record: &Record) -> Result<(), BaseError> {
    let path = path(cache, file);
    let bytes = serde_json::to_vec_pretty(record).map_err(|error| BaseError::Malformed {
        file: path.display().to_string(),
        cause: error.to_string(),
    })?;
    write_whole(&path, &bytes)
}

/// A package that differs between two makings of a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageChange {
    /// The package's name in its archive.
    pub package: String,
    /// Version before; `None` for a package that is new.
    pub before: Option<String>,
    /// Version after; `None` for a package that is gone.
    pub after: Option<String>,
}

impl std::fmt::Display for PackageChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { package, before, after } = self;
        match (before, after) {
            (Some(before), Some(after)) => write!(f, "{package} {before} -> {after}"),
            (Some(before), None) => write!(f, "{package} {before} is gone"),
            (None, Some(after)) => write!(f, "{package} {after} is new"),
            (None, None) => write!(f, "{package}"),
        }
    }
}

impl PackageRecord {
    /// The digest by which its file was asked for.
    pub(crate) fn digest(&self) -> &str {
        self.sha512.as_deref().unwrap_or(&self.sha256)
    }
}

impl Record {
    /// The packages that differ from those of an earlier making, by name.
    pub fn changes_since(&self, old: &Self) -> Vec<PackageChange> {
        let versions = |record: &Self| -> BTreeMap<String, String> {
            record
                .packages
                .iter()
                .map(|package| (package.name.clone(), package.version.to_string()))
                .collect()
        };
        let (before, after) = (versions(old), versions(self));
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        names
            .into_iter()
            .filter(|name| before.get(*name) != after.get(*name))
            .map(|name| PackageChange {
                package: name.clone(),
                before: before.get(name).cloned(),
                after: after.get(name).cloned(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(packages: &[(&str, &str)]) -> Record {
        let packages: Vec<_> = packages
            .iter()
            .map(|(name, version)| {
                serde_json::json!({
                    "name": name, "version": version, "architecture": "amd64", "origin": Origin::Archive, "path": "",
                    "sha256": "", "source": null, "homepage": null, "licences": [], "provides": "", "conflicts": "",
                    "inherited": false,
                })
            })
            .collect();
        serde_json::from_value(serde_json::json!({
            "format": FORMAT, "key": "", "name": "x", "version": "1", "image": Digest::of("x"), "references": [],
            "layers": [], "epoch": 0, "architecture": "amd64", "suite": "trixie", "index_date": 0,
            "packages": packages, "omitted": [],
        }))
        .unwrap()
    }

    #[test]
    fn what_changed_is_told_package_by_package() {
        let old = record(&[("a", "1"), ("b", "1"), ("c", "1:2-3")]);
        let new = record(&[("a", "1"), ("b", "2"), ("d", "4")]);
        let lines: Vec<String> = new.changes_since(&old).iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["b 1 -> 2", "c 1:2-3 is gone", "d 4 is new"]);
        assert_eq!(old.changes_since(&old), []);
    }
}
