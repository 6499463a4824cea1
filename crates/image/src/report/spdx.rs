//! The packages of an image as SPDX 2.3 in JSON: what `--sbom` states, and `plimsoll image sbom` prints.

use serde_json::{Value, json};

use super::{Package, PackageKind, packages, packages::text};
use crate::{Digest, ImageRecord, Merged, Store, StoreError, purl};

/// Lists what package managers and language tools left word of: dpkg (also `status.d`), apk, `node_modules`, and
/// Python's `dist-info`. The same image under the same name gives the same bytes.
///
/// # Errors
/// When a layer cannot be read.
pub fn of_image(store: &Store, record: &ImageRecord, name: &str) -> Result<Value, StoreError> {
    let merged = Merged::read(store, &record.layers)?;
    let mut found = packages(&merged);
    found.sort_by(|left, right| {
        let key = |package: &Package| {
            (package.kind, package.name.clone(), package.version.clone(), package.path.clone())
        };
        key(left).cmp(&key(right))
    });
    let release = merged.visible_files();
    let release = release.iter().find(|file| {
        matches!(file.path.as_str(), "usr/lib/os-release" | "etc/os-release") && file.kind == "file"
    });
    let release = release.and_then(|file| text(&file.host)).unwrap_or_default();
    Ok(document(record, name, &found, &Release::read(&release)))
}

/// What an image's `os-release` says.
#[derive(Default)]
struct Release {
    id: String,
    version: String,
}

impl Release {
    fn read(text: &str) -> Self {
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            value.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
        };
        Self { id: field("ID"), version: field("VERSION_ID") }
    }

    /// The namespace of its packages, and the qualifier that says which release.
    fn namespace(&self, default: &str) -> String {
        if self.id.is_empty() { default.to_owned() } else { self.id.clone() }
    }

    fn distro(&self) -> String {
        match (self.id.as_str(), self.version.as_str()) {
            ("", _) => String::new(),
            (id, "") => id.to_owned(),
            (id, version) => format!("{id}-{version}"),
        }
    }
}

fn document(record: &ImageRecord, name: &str, found: &[Package], release: &Release) -> Value {
    let mut packages = vec![json!({
        "SPDXID": "SPDXRef-image",
        "name": name,
        "versionInfo": record.id,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "primaryPackagePurpose": "CONTAINER",
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "checksums": [{ "algorithm": "SHA256", "checksumValue": record.id.hex() }],
    })];
    let mut relationships = vec![relationship("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-image")];
    for package in found {
        let id = id(package);
        relationships.push(relationship("SPDXRef-image", "CONTAINS", &id));
        packages.push(entry(package, &id, release));
    }
    let created = record.config.created.as_deref().unwrap_or("1970-01-01T00:00:00Z");
    json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": format!("urn:plimsoll:image:{}", record.id.hex()),
        "creationInfo": {
            "created": whole_seconds(created),
            "creators": [concat!("Tool: plimsoll-", env!("CARGO_PKG_VERSION"))],
        },
        "packages": packages,
        "relationships": relationships,
    })
}

fn entry(package: &Package, id: &str, release: &Release) -> Value {
    let distro = release.distro();
    let system = [("arch", package.architecture.as_str()), ("distro", distro.as_str())];
    let (name, qualifiers) = match package.kind {
        PackageKind::Deb => (format!("{}/{}", release.namespace("debian"), package.name), &system[..]),
        PackageKind::Apk => (format!("{}/{}", release.namespace("alpine"), package.name), &system[..]),
        PackageKind::Npm => (package.name.clone(), &[][..]),
        // purl: names of PyPI are lower case with hyphens
        PackageKind::Pypi => (package.name.to_lowercase().replace('_', "-"), &[][..]),
    };
    let mut entry = json!({
        "SPDXID": id,
        "name": package.name,
        "versionInfo": package.version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": purl::package(package.kind.name(), &name, &package.version, qualifiers),
        }],
    });
    if !package.path.is_empty() {
        entry["sourceInfo"] = json!(format!("found in {}", package.path));
    }
    // in the package's own words, which need not be an SPDX expression
    if !package.licence.is_empty() {
        entry["licenseComments"] = json!(format!("the package names: {}", package.licence));
    }
    entry
}

/// Letters, digits, dots and hyphens, and never the same for two packages.
fn id(package: &Package) -> String {
    let plain = |text: &str| -> String {
        text.chars()
            .map(|ch| if ch.is_ascii_alphanumeric() || ".-".contains(ch) { ch } else { '-' })
            .collect()
    };
    let key = format!("{}\n{}\n{}\n{}", package.name, package.version, package.architecture, package.path);
    format!("SPDXRef-{}-{}-{}", package.kind.name(), plain(&package.name), Digest::of(key).short())
}

fn relationship(from: &str, kind: &str, to: &str) -> Value {
    json!({ "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to })
}

/// SPDX has no fractions of seconds.
fn whole_seconds(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => time.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;
    use crate::{Image, ImageConfig, SealOptions};

    #[test]
    fn every_kind_of_package_is_listed() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("store")).unwrap();
        let draft = store.begin_layer().unwrap();
        let write = |path: &str, text: &str| {
            let path = draft.fs.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("usr/lib/os-release", "ID=debian\nVERSION_ID=\"13\"\n");
        write(
            "var/lib/dpkg/status",
            "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.41-12+deb13u1\n\n\
             Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n",
        );
        write(
            "lib/apk/db/installed",
            "C:Q1x\nP:musl\nV:1.2.5-r9\nA:x86_64\nI:622592\nL:MIT\nF:lib\nR:x\n\nP:zlib\nV:1\n",
        );
        write("app/node_modules/@a/b/package.json", r#"{"name":"@a/b","version":"1.0.0","license":"ISC"}"#);
        let site = "usr/lib/python3/dist-packages";
        write(
            &format!("{site}/Flask_Cors-4.dist-info/METADATA"),
            "Name: Flask_Cors\nVersion: 4.0\nLicense: MIT\n\nText: no\n",
        );
        write(&format!("{site}/Flask_Cors-4.dist-info/RECORD"), "flask_cors/__init__.py,sha256=x,3\n");
        write(&format!("{site}/flask_cors/__init__.py"), "abc");
        let layer = draft.seal(&SealOptions { epoch: Some(1) }).unwrap().id;
        let config =
            ImageConfig { created: Some("2026-01-02T03:04:05.678Z".to_owned()), ..ImageConfig::default() };
        let record = store.put_image(&Image { config, layers: vec![layer] }, &[]).unwrap();
        let sbom = of_image(&store, &record, "app:1").unwrap();
        assert_eq!(sbom, of_image(&store, &record, "app:1").unwrap());
        let found: Vec<&str> = sbom["packages"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|package| package["externalRefs"][0]["referenceLocator"].as_str())
            .collect();
        assert_eq!(
            found,
            [
                "pkg:deb/debian/libc6@2.41-12%2Bdeb13u1?arch=amd64&distro=debian-13",
                "pkg:npm/%40a/b@1.0.0",
                "pkg:apk/debian/musl@1.2.5-r9?arch=x86_64&distro=debian-13",
                "pkg:apk/debian/zlib@1?distro=debian-13",
                "pkg:pypi/flask-cors@4.0",
            ]
        );
        let ids: BTreeSet<&str> = sbom["packages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|package| package["SPDXID"].as_str().unwrap())
            .collect();
        assert_eq!(ids.len(), 6);
        assert_eq!(sbom["relationships"].as_array().unwrap().len(), 6);
        assert_eq!(sbom["creationInfo"]["created"], "2026-01-02T03:04:05Z");
        let python = packages(&Merged::read(&store, &record.layers).unwrap());
        assert_eq!(python.iter().find(|package| package.kind == PackageKind::Pypi).unwrap().bytes, 3);
    }
}
