//! The packages in an image and their bytes: Debian's and npm's.

use std::{
    collections::{BTreeMap, HashMap},
    io::Read as _,
    path::Path,
};

use plimsoll_disk::{Links, open_regular};
use serde::Serialize;

use crate::{Merged, Visible};

/// No list of packages and no `package.json` that is read is larger.
const MAX_TEXT: u64 = 32 << 20;

/// Which package manager brought it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageKind {
    /// dpkg, also the `status.d` of distroless images.
    Deb,
    /// A folder in `node_modules`.
    Npm,
    /// Alpine's apk.
    Apk,
    /// Python's: a `dist-info` or `egg-info` folder.
    Pypi,
}

impl PackageKind {
    /// Its name in package URLs and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Npm => "npm",
            Self::Apk => "apk",
            Self::Pypi => "pypi",
        }
    }
}

/// A package in an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Package {
    /// Which package manager brought it.
    pub kind: PackageKind,
    /// The name that its package manager gives it.
    pub name: String,
    /// The version that its package manager gives it.
    pub version: String,
    /// Bytes of its files that a container sees; for a Debian package without a file list what it says of itself.
    pub bytes: u64,
    /// Where it is; empty for Debian's and Alpine's.
    pub path: String,
    /// The processor that it is for, in its package manager's words; empty where it says none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub architecture: String,
    /// Its licence in its own words; empty where it says none.
    #[serde(skip)]
    pub licence: String,
}

/// The packages that a container sees, largest first.
pub fn packages(merged: &Merged) -> Vec<Package> {
    let files = merged.visible_files();
    let by_path: HashMap<&str, &Visible> = files.iter().map(|file| (file.path.as_str(), file)).collect();
    let mut packages = debian(&files, &by_path);
    packages.extend(apk(&by_path));
    packages.extend(npm(&files));
    packages.extend(python(&files, &by_path));
    packages.sort_by(|left, right| {
        right.bytes.cmp(&left.bytes).then_with(|| (&left.name, &left.path).cmp(&(&right.name, &right.path)))
    });
    packages
}

pub(super) fn text(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    // The image's author chose what stands there.
    open_regular(path, Links::Refuse).ok()?.take(MAX_TEXT).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The paragraphs of a control file as (field, first line of its value).
fn paragraphs(text: &str) -> impl Iterator<Item = BTreeMap<&str, &str>> {
    text.split("\n\n").map(|paragraph| {
        paragraph
            .lines()
            .filter(|line| !line.starts_with([' ', '\t']))
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name, value.trim()))
            .collect()
    })
}

fn debian(files: &[Visible], by_path: &HashMap<&str, &Visible>) -> Vec<Package> {
    let mut packages = Vec::new();
    if let Some(status) = by_path.get("var/lib/dpkg/status").and_then(|file| text(&file.host)) {
        for fields in paragraphs(&status) {
            if !fields.get("Status").is_some_and(|status| status.ends_with(" installed")) {
                continue;
            }
            let architecture = fields.get("Architecture").copied().unwrap_or_default();
            let list = |name: &str| {
                [format!("{name}.list"), format!("{name}:{architecture}.list")]
                    .iter()
                    .find_map(|list| by_path.get(format!("var/lib/dpkg/info/{list}").as_str()))
                    .and_then(|file| text(&file.host))
            };
            packages.extend(package(&fields, list, by_path));
        }
    }
    // distroless: one file for each package, its list of files beside it
    for file in files {
        let Some(name) = file.path.strip_prefix("var/lib/dpkg/status.d/") else { continue };
        if name.ends_with(".md5sums") {
            continue;
        }
        let Some(control) = text(&file.host) else { continue };
        let sums =
            || by_path.get(format!("{}.md5sums", file.path).as_str()).and_then(|file| text(&file.host));
        let list = |_: &str| {
            let sums = sums()?;
            let paths: Vec<&str> =
                sums.lines().filter_map(|line| line.split_once("  ")).map(|(_, path)| path).collect();
            Some(paths.join("\n"))
        };
        packages.extend(paragraphs(&control).filter_map(|fields| package(&fields, list, by_path)));
    }
    packages
}

fn package(
    fields: &BTreeMap<&str, &str>,
    list: impl Fn(&str) -> Option<String>,
    by_path: &HashMap<&str, &Visible>,
) -> Option<Package> {
    let name = fields.get("Package")?;
    let bytes = match list(name) {
        Some(list) => list
            .lines()
            .filter_map(|line| by_path.get(resolve_merged(line.trim_start_matches('/'), by_path).as_str()))
            .map(|file| file.bytes)
            .sum(),
        None => fields.get("Installed-Size").and_then(|size| size.parse::<u64>().ok()).unwrap_or(0) << 10,
    };
    Some(Package {
        kind: PackageKind::Deb,
        name: (*name).to_owned(),
        version: fields.get("Version").copied().unwrap_or_default().to_owned(),
        bytes,
        path: String::new(),
        architecture: fields.get("Architecture").copied().unwrap_or_default().to_owned(),
        licence: String::new(),
    })
}

/// Packages still name `/bin/x` and `/lib/x`, which are in `/usr` since.
fn resolve_merged(path: &str, by_path: &HashMap<&str, &Visible>) -> String {
    if by_path.contains_key(path) { path.to_owned() } else { format!("usr/{path}") }
}

/// The folder of the innermost npm package that a file belongs to: `…/node_modules/NAME` or `…/node_modules/@SCOPE/NAME`.
pub(super) fn npm_folder(path: &str) -> Option<&str> {
    const MARK: &str = "node_modules/";
    let mut end = path.len();
    loop {
        let at = path[..end].rfind(MARK)?;
        let start = at + MARK.len();
        let whole = at == 0 || path.as_bytes()[at - 1] == b'/';
        let mut parts = path[start..].splitn(3, '/');
        let first = parts.next().unwrap_or_default();
        let name = if first.starts_with('@') {
            match (parts.next(), parts.next()) {
                (Some(second), Some(_)) => first.len() + 1 + second.len(),
                _ => 0,
            }
        } else if parts.next().is_some() {
            first.len()
        } else {
            0
        };
        // `.bin` and `.package-lock.json` are npm's own
        if whole && name > 0 && !first.starts_with('.') {
            return Some(&path[..start + name]);
        }
        end = at;
    }
}

fn npm(files: &[Visible]) -> Vec<Package> {
    let mut folders: BTreeMap<&str, u64> = BTreeMap::new();
    for file in files {
        if let Some(folder) = npm_folder(&file.path) {
            *folders.entry(folder).or_default() += file.bytes;
        }
    }
    files
        .iter()
        .filter_map(|file| {
            let folder = file.path.strip_suffix("/package.json")?;
            let bytes = *folders.get(folder)?;
            let manifest: serde_json::Value = serde_json::from_str(&text(&file.host)?).ok()?;
            let field = |name: &str| manifest.get(name).and_then(serde_json::Value::as_str);
            Some(Package {
                kind: PackageKind::Npm,
                name: field("name")?.to_owned(),
                version: field("version").unwrap_or_default().to_owned(),
                bytes,
                path: format!("/{folder}"),
                architecture: String::new(),
                licence: field("license").unwrap_or_default().to_owned(),
            })
        })
        .collect()
}

/// Alpine's list: paragraphs of `LETTER:value`.
fn apk(by_path: &HashMap<&str, &Visible>) -> Vec<Package> {
    let places = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];
    let file = places.iter().find_map(|place| by_path.get(place));
    let Some(list) = file.and_then(|file| text(&file.host)) else { return Vec::new() };
    let package = |fields: BTreeMap<&str, &str>| {
        let field = |name: &str| fields.get(name).copied().unwrap_or_default().to_owned();
        Some(Package {
            kind: PackageKind::Apk,
            name: (*fields.get("P")?).to_owned(),
            version: field("V"),
            bytes: fields.get("I").and_then(|size| size.parse().ok()).unwrap_or(0),
            path: String::new(),
            architecture: field("A"),
            licence: field("L"),
        })
    };
    // files and folders (F, R, Z) repeat in a paragraph; what is asked for stands once
    paragraphs(&list).filter_map(package).collect()
}

/// Python's packages by their own description beside them.
fn python(files: &[Visible], by_path: &HashMap<&str, &Visible>) -> Vec<Package> {
    let mut packages = Vec::new();
    for file in files {
        let Some((folder, name)) = file.path.rsplit_once('/') else { continue };
        let described = (name == "METADATA" && folder.ends_with(".dist-info"))
            || (name == "PKG-INFO" && folder.ends_with(".egg-info"));
        if !described {
            continue;
        }
        let Some(metadata) = text(&file.host) else { continue };
        let Some(fields) = paragraphs(&metadata).next() else { continue };
        let Some(name) = fields.get("Name") else { continue };
        let place = folder.rsplit_once('/').map_or("", |(place, _)| place);
        let record = by_path.get(format!("{folder}/RECORD").as_str()).and_then(|file| text(&file.host));
        let bytes = match record {
            // `path,sha256=…,size`, relative to the folder that holds the dist-info
            Some(record) => record
                .lines()
                .filter_map(|line| line.split(',').next())
                .filter_map(|path| by_path.get(format!("{place}/{}", path.trim_matches('"')).as_str()))
                .map(|file| file.bytes)
                .sum(),
            None => 0,
        };
        packages.push(Package {
            kind: PackageKind::Pypi,
            name: (*name).to_owned(),
            version: fields.get("Version").copied().unwrap_or_default().to_owned(),
            bytes,
            path: format!("/{place}"),
            architecture: String::new(),
            licence: fields
                .get("License-Expression")
                .or(fields.get("License"))
                .copied()
                .unwrap_or_default()
                .to_owned(),
        });
    }
    packages
}

/// For the fuzz targets.
#[cfg(fuzzing)]
pub(crate) fn fuzz(text: &str) {
    for fields in paragraphs(text) {
        assert!(fields.keys().all(|name| !name.contains(['\n', ':'])));
    }
    for path in text.lines() {
        if let Some(folder) = npm_folder(path) {
            assert!(path.starts_with(folder) && folder.contains("node_modules/"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_belongs_to_the_innermost_package() {
        for (path, folder) in [
            ("app/node_modules/a/lib/x.js", Some("app/node_modules/a")),
            ("app/node_modules/a/node_modules/@s/b/x.js", Some("app/node_modules/a/node_modules/@s/b")),
            ("app/node_modules/.package-lock.json", None),
            ("app/node_modules/a/node_modules/.bin/x", Some("app/node_modules/a")),
            ("node_modules/@s/b", None),
            ("not_node_modules/a/x", None),
            ("src/x.js", None),
        ] {
            assert_eq!(npm_folder(path), folder, "{path}");
        }
    }
}
