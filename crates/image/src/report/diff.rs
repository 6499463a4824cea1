//! Two images against each other: files, packages, configuration.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::{Package, PackageKind, packages, waste::same_bytes};
use crate::{ImageRecord, Merged, Store, StoreError, Visible};

/// How a file or a package of the second image differs from the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Only the second image has it.
    Added,
    /// Only the first image has it.
    Removed,
    /// Both have it, differently.
    Changed,
}

/// A file that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Its path in the image.
    pub path: String,
    /// Whether it was added, removed or changed.
    pub change: Change,
    /// What differs in a changed file: `content`, `mode`, `owner`, `type`, `target`.
    pub what: Vec<&'static str>,
    /// Bytes in the first image.
    pub before: u64,
    /// Bytes in the second image.
    pub after: u64,
}

/// A package that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackageChange {
    /// The package manager that it belongs to.
    pub kind: PackageKind,
    /// The name that its package manager gives it.
    pub name: String,
    /// Whether it was added, removed or changed.
    pub change: Change,
    /// Versions in the first image.
    pub before: Vec<String>,
    /// Versions in the second image.
    pub after: Vec<String>,
    /// Bytes in the second image less those in the first.
    pub bytes: i64,
}

/// A part of the configuration that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigChange {
    /// `Cmd`, `Env.PATH`, `Labels.name`, …
    pub key: String,
    /// The value in the first image; null where it has none.
    pub before: Value,
    /// The value in the second image; null where it has none.
    pub after: Value,
}

/// Everything in which two images differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageDiff {
    /// Bytes of all layers, first image and second.
    pub bytes: (u64, u64),
    /// The files that differ, by path.
    pub files: Vec<Changed>,
    /// The packages that differ, by name.
    pub packages: Vec<PackageChange>,
    /// The keys of the configuration that differ.
    pub config: Vec<ConfigChange>,
}

/// Compares two images of a store.
///
/// # Errors
/// When a layer is missing or cannot be read.
pub fn diff(store: &Store, before: &ImageRecord, after: &ImageRecord) -> Result<ImageDiff, StoreError> {
    let old = Merged::read(store, &before.layers)?;
    let new = Merged::read(store, &after.layers)?;
    Ok(ImageDiff {
        bytes: (before.bytes, after.bytes),
        files: files(&old, &new),
        packages: package_changes(&packages(&old), &packages(&new)),
        config: config(before, after),
    })
}

fn files(old: &Merged, new: &Merged) -> Vec<Changed> {
    let (old, new) = (old.visible_files(), new.visible_files());
    let mut both: BTreeMap<&str, (Option<&Visible>, Option<&Visible>)> = BTreeMap::new();
    for file in &old {
        both.entry(&file.path).or_default().0 = Some(file);
    }
    for file in &new {
        both.entry(&file.path).or_default().1 = Some(file);
    }
    both.into_iter()
        .filter_map(|(path, pair)| {
            let (change, what) = match pair {
                (Some(old), Some(new)) => (Change::Changed, differences(old, new)),
                (None, _) => (Change::Added, Vec::new()),
                (_, None) => (Change::Removed, Vec::new()),
            };
            let bytes = |file: Option<&Visible>| file.map_or(0, |file| file.bytes);
            let (before, after) = (bytes(pair.0), bytes(pair.1));
            let differs = change != Change::Changed || !what.is_empty();
            differs.then(|| Changed { path: format!("/{path}"), change, what, before, after })
        })
        .collect()
}

fn differences(old: &Visible, new: &Visible) -> Vec<&'static str> {
    let mut what = Vec::new();
    // the same file of the same layer
    if old.host == new.host {
        return what;
    }
    if old.kind != new.kind {
        what.push("type");
    } else if old.kind == "file" && !same_bytes(&old.host, &new.host) {
        what.push("content");
    } else if old.target != new.target {
        what.push("target");
    }
    if old.mode != new.mode {
        what.push("mode");
    }
    if old.owner != new.owner {
        what.push("owner");
    }
    what
}

type ByName<'a> = BTreeMap<(PackageKind, &'a str), (BTreeSet<&'a str>, u64)>;

fn by_name(packages: &[Package]) -> ByName<'_> {
    let mut named = ByName::new();
    for package in packages {
        let entry = named.entry((package.kind, package.name.as_str())).or_default();
        entry.0.insert(&package.version);
        entry.1 += package.bytes;
    }
    named
}

fn package_changes(old: &[Package], new: &[Package]) -> Vec<PackageChange> {
    let (old, new) = (by_name(old), by_name(new));
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .filter_map(|key| {
            let (before, after) = (old.get(key), new.get(key));
            let change = match (before, after) {
                (Some((before, _)), Some((after, _))) if before == after => return None,
                (Some(_), Some(_)) => Change::Changed,
                (None, _) => Change::Added,
                (_, None) => Change::Removed,
            };
            let versions = |side: Option<&(BTreeSet<&str>, u64)>| {
                side.map(|(versions, _)| versions.iter().map(|&version| version.to_owned()).collect())
            };
            let bytes = |side: Option<&(BTreeSet<&str>, u64)>| {
                i64::try_from(side.map_or(0, |(_, bytes)| *bytes)).unwrap_or(i64::MAX)
            };
            Some(PackageChange {
                kind: key.0,
                name: key.1.to_owned(),
                change,
                before: versions(before).unwrap_or_default(),
                after: versions(after).unwrap_or_default(),
                bytes: bytes(after) - bytes(before),
            })
        })
        .collect()
}

fn config(before: &ImageRecord, after: &ImageRecord) -> Vec<ConfigChange> {
    let (before, after) = (flat(before), flat(after));
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let value = |map: &BTreeMap<String, Value>, key: &str| map.get(key).cloned().unwrap_or(Value::Null);
    keys.into_iter()
        .map(|key| ConfigChange { key: key.clone(), before: value(&before, key), after: value(&after, key) })
        .filter(|change| change.before != change.after)
        .collect()
}

/// The configuration as one level of keys; variables and labels one by one.
fn flat(image: &ImageRecord) -> BTreeMap<String, Value> {
    let mut flat = BTreeMap::new();
    flat.insert("architecture".to_owned(), Value::from(image.config.architecture.clone()));
    flat.insert("os".to_owned(), Value::from(image.config.os.clone()));
    // a configuration that was read can be written
    let config = serde_json::to_value(&image.config.config).unwrap_or_default();
    for (key, value) in config.as_object().into_iter().flatten() {
        match value {
            Value::Array(lines) if key == "Env" => {
                for line in lines.iter().filter_map(Value::as_str) {
                    let (name, value) = line.split_once('=').unwrap_or((line, ""));
                    flat.insert(format!("Env.{name}"), Value::from(value));
                }
            }
            Value::Object(entries) => {
                for (name, value) in entries {
                    flat.insert(format!("{key}.{name}"), value.clone());
                }
            }
            value => {
                flat.insert(key.clone(), value.clone());
            }
        }
    }
    flat
}
