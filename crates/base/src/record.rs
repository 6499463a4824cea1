//! What is remembered of a base that was made: `made/NAME.json` in the cache, versioned.

use std::path::{Path, PathBuf};

use plimsoll_image::{Digest, LayerId};
use serde::{Deserialize, Serialize};

use crate::archive::write_whole;
use crate::error::BaseError;
use crate::index::Origin;
use crate::version::Version;

/// Raised when the meaning of the file, or the way bases are made, changes.
pub(crate) const FORMAT: u32 = 2;

/// A base that was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    pub(crate) format: u32,
    /// Digest over the recipe, its parents, the suite and the architecture.
    pub(crate) key: String,
    /// Its name.
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
    /// The suite.
    pub suite: String,
    /// Date of the newest index, in seconds since 1970.
    pub index_date: i64,
    /// Packages of all layers, sorted by name.
    pub packages: Vec<PackageRecord>,
    /// What is left out on purpose.
    pub omitted: Vec<OmittedRecord>,
}

/// A package of a base.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PackageRecord {
    /// Name.
    pub name: String,
    /// Version.
    pub version: Version,
    /// Architecture, or `all`.
    pub architecture: String,
    /// Which archive it came from.
    pub origin: Origin,
    /// Its file's path in that archive.
    pub path: String,
    /// Digest of that file, lower-case hexadecimal.
    pub sha256: String,
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
    /// Name.
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

pub(crate) fn write(cache: &Path, record: &Record) -> Result<(), BaseError> {
    let path = path(cache, &record.name);
    let bytes = serde_json::to_vec_pretty(record).map_err(|error| BaseError::Malformed {
        file: path.display().to_string(),
        cause: error.to_string(),
    })?;
    write_whole(&path, &bytes)
}
