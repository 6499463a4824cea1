//! The list of a base's packages as SPDX 2.3 in JSON.

use serde_json::{Value, json};

use crate::date;
use crate::index::Origin;
use crate::record::{PackageRecord, Record};

/// Renders a record. The same record gives the same bytes.
pub(crate) fn spdx(record: &Record) -> Value {
    let name = format!("plimsoll.local/{}", record.name);
    let mut packages = vec![json!({
        "SPDXID": "SPDXRef-image",
        "name": name,
        "versionInfo": record.version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "primaryPackagePurpose": "CONTAINER",
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "checksums": [{ "algorithm": "SHA256", "checksumValue": record.image.hex() }],
    })];
    packages.extend(record.packages.iter().map(|package| spdx_package(package, &record.suite)));
    let contains =
        record.packages.iter().map(|package| relationship("SPDXRef-image", "CONTAINS", &id(package)));
    let relationships: Vec<_> =
        std::iter::once(relationship("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-image"))
            .chain(contains)
            .collect();
    let omitted: Vec<_> = record
        .omitted
        .iter()
        .map(|omitted| format!("without {}: {}", omitted.package, omitted.reason))
        .collect();
    let mut document = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": format!("{name}:{}", record.version),
        "documentNamespace": format!("urn:plimsoll:base:{}:{}", record.name, record.image.hex()),
        "creationInfo": {
            "created": date::rfc3339(record.epoch),
            "creators": [concat!("Tool: plimsoll-", env!("CARGO_PKG_VERSION"))],
        },
        "packages": packages,
        "relationships": relationships,
    });
    if !omitted.is_empty() {
        document["comment"] = Value::String(omitted.join("\n"));
    }
    document
}

fn spdx_package(package: &PackageRecord, suite: &str) -> Value {
    if package.origin == Origin::Npm {
        return npm_package(package);
    }
    let source = package.source.as_deref().unwrap_or(&package.name);
    // Debian's short names are not SPDX identifiers, so they are a comment and no declaration.
    let licences = match package.licences.as_slice() {
        [] => "the copyright file is prose: usr/share/doc".to_owned(),
        names => format!("the copyright file names: {}", names.join(", ")),
    };
    json!({
        "SPDXID": id(package),
        "name": package.name,
        "versionInfo": package.version,
        "supplier": "Organization: Debian",
        "downloadLocation": "NOASSERTION",
        "packageFileName": package.path,
        "filesAnalyzed": false,
        "homepage": package.homepage.as_deref().unwrap_or("NOASSERTION"),
        "sourceInfo": format!("built from Debian's source package {source}"),
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "licenseComments": licences,
        "copyrightText": "NOASSERTION",
        "checksums": [{ "algorithm": "SHA256", "checksumValue": package.sha256 }],
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": purl(package, suite),
        }],
    })
}

fn npm_package(package: &PackageRecord) -> Value {
    let licence = package.licences.first().map_or("NOASSERTION", String::as_str);
    let mut checksums = vec![json!({ "algorithm": "SHA256", "checksumValue": package.sha256 })];
    checksums.extend(
        package.sha512.iter().map(|sha512| json!({ "algorithm": "SHA512", "checksumValue": sha512 })),
    );
    json!({
        "SPDXID": id(package),
        "name": package.name,
        "versionInfo": package.version,
        "supplier": "NOASSERTION",
        "downloadLocation": package.path,
        "filesAnalyzed": false,
        "homepage": "NOASSERTION",
        "sourceInfo": "a package of the npm registry, unpacked as it is",
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": licence,
        "copyrightText": "NOASSERTION",
        "checksums": checksums,
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": format!("pkg:npm/{}@{}", package.name, package.version.as_str()),
        }],
    })
}

/// `pkg:deb/debian/NAME@VERSION?arch=…&distro=…` with the characters escaped that the purl specification wants escaped.
fn purl(package: &PackageRecord, suite: &str) -> String {
    let escape = |text: &str| text.replace('%', "%25").replace('+', "%2B").replace(':', "%3A");
    let (name, version) = (escape(&package.name), escape(package.version.as_str()));
    format!("pkg:deb/debian/{name}@{version}?arch={}&distro={suite}", package.architecture)
}

/// SPDX identifiers know letters, digits, dots and hyphens; `+` becomes `-plus` (two names of Debian never meet there).
fn id(package: &PackageRecord) -> String {
    let kind = if package.origin == Origin::Npm { "npm" } else { "deb" };
    format!("SPDXRef-{kind}-{}", package.name.replace('+', "-plus"))
}

fn relationship(from: &str, kind: &str, to: &str) -> Value {
    json!({ "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to })
}
