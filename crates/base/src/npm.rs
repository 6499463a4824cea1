//! Packages of the npm registry: programs that Debian has not, such as Node.js 22 and 24.
//!
//! The registry is asked over https for the newest release of a major version; what is fetched must have the sha512 digest that it
//! names (`dist.integrity`). That is less than Debian's signatures give, so a recipe takes from here only what Debian has not.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::read::GzDecoder;
use serde::Deserialize;

use crate::error::BaseError;
use crate::fetch::{Fetcher, hex, sha256_of};
use crate::filter::Filter;
use crate::index::Origin;
use crate::recipes::NpmPackage;
use crate::record::PackageRecord;
use crate::suite::architecture;
use crate::tree::{Attributes, Tree};
use crate::version::Version;

/// The environment variable that names another registry.
pub const REGISTRY_VARIABLE: &str = "PLIMSOLL_NPM_REGISTRY";
/// The registry of npm itself.
const DEFAULT: &str = "https://registry.npmjs.org";
/// Largest document about a package: that of npm itself, with all its releases, has 25 MB.
const MAX_DOCUMENT: u64 = 128 << 20;
/// Largest package file; Node.js has 50 MB.
const MAX_TARBALL: u64 = 512 << 20;
/// Largest package when it is unpacked.
const MAX_UNPACKED: u64 = 2 << 30;
/// Files in one package.
const MAX_ENTRIES: usize = 200_000;
/// Largest `package.json`.
const MAX_MANIFEST: u64 = 1 << 20;
/// What a registry answers to with a document that has only what an installation needs.
const ACCEPT: &str = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8";

/// A registry with a cache.
#[derive(Debug)]
pub(crate) struct Registry {
    address: String,
    fetcher: Fetcher,
}

/// One release, as the registry describes it.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    pub(crate) wanted: NpmPackage,
    pub(crate) name: String,
    pub(crate) version: Version,
    pub(crate) address: String,
    /// Lower-case hexadecimal.
    pub(crate) sha512: String,
}

/// A release whose file is here.
#[derive(Debug, Clone)]
pub(crate) struct Fetched {
    pub(crate) release: Release,
    pub(crate) file: PathBuf,
    pub(crate) sha256: String,
}

#[derive(Deserialize)]
struct Document {
    versions: BTreeMap<String, Described>,
}

#[derive(Deserialize)]
struct Described {
    dist: Dist,
    #[serde(default)]
    deprecated: serde_json::Value,
}

#[derive(Deserialize)]
struct Dist {
    tarball: String,
    #[serde(default)]
    integrity: String,
}

/// What a package says of itself.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Manifest {
    name: String,
    version: String,
    #[serde(default)]
    license: serde_json::Value,
}

impl Manifest {
    /// Its licence as an SPDX expression, when it gives one.
    pub(crate) fn licence(&self) -> Option<&str> {
        self.license.as_str()
    }
}

impl Registry {
    /// The registry of this machine: [`REGISTRY_VARIABLE`], npm's own variable, or npm's own registry. `cache` holds `npm/`.
    pub(crate) fn find(cache: &Path) -> Result<Self, BaseError> {
        let named = [REGISTRY_VARIABLE, "npm_config_registry", "NPM_CONFIG_REGISTRY"]
            .into_iter()
            .filter_map(|name| std::env::var(name).ok())
            .find(|value| !value.trim().is_empty());
        Self::new(named.as_deref().unwrap_or(DEFAULT), cache)
    }

    fn new(address: &str, cache: &Path) -> Result<Self, BaseError> {
        let trimmed = address.trim().trim_end_matches('/');
        if !is_safe(trimmed) {
            return Err(BaseError::RegistryAddress { address: address.to_owned() });
        }
        Ok(Self { address: trimmed.to_owned(), fetcher: Fetcher::new(cache.join("npm")) })
    }

    /// The newest releases of what a recipe wants.
    pub(crate) fn newest(&self, wanted: &[NpmPackage]) -> Result<Vec<Release>, BaseError> {
        wanted.iter().map(|package| self.newest_of(package)).collect()
    }

    fn newest_of(&self, wanted: &NpmPackage) -> Result<Release, BaseError> {
        let name = wanted.full_name();
        let address = format!("{}/{name}", self.address);
        let bytes = self.fetcher.text_as(&address, MAX_DOCUMENT, Some(ACCEPT))?;
        choose(wanted, &address, &bytes)
    }

    /// The files of releases, fetched where they are not here.
    pub(crate) fn fetch(&self, releases: Vec<Release>) -> Result<Vec<Fetched>, BaseError> {
        let fetch = |release: Release| {
            let file = self.fetcher.sealed(&release.address, MAX_TARBALL, &release.sha512)?;
            let sha256 = sha256_of(&file)?;
            Ok(Fetched { release, file, sha256 })
        };
        releases.into_iter().map(fetch).collect()
    }
}

/// Nothing but TLS says who the registry is; on the machine itself nobody stands between.
fn is_safe(address: &str) -> bool {
    let host = |rest: &str| rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned();
    let plain = !address.contains(['?', '#', ' ', '@']);
    if let Some(rest) = address.strip_prefix("https://") {
        return plain && !host(rest).is_empty();
    }
    let Some(rest) = address.strip_prefix("http://") else { return false };
    let host = host(rest);
    let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
    plain && matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

/// The newest release of the major version that is wanted. One that was withdrawn (deprecated) counts only when there is no other.
fn choose(wanted: &NpmPackage, address: &str, document: &[u8]) -> Result<Release, BaseError> {
    let malformed = |cause: String| BaseError::Malformed { file: address.to_owned(), cause };
    let name = wanted.full_name();
    let document: Document =
        serde_json::from_slice(document).map_err(|error| malformed(error.to_string()))?;
    let numbers = |version: &str| -> Option<[u64; 3]> {
        let parts: Vec<u64> = version.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
        parts.try_into().ok()
    };
    let is_withdrawn = |release: &Described| release.deprecated.as_str().is_some_and(|text| !text.is_empty());
    let newest = document
        .versions
        .iter()
        .filter_map(|(version, release)| Some((numbers(version)?, version, release)))
        .filter(|(numbers, ..)| numbers[0] == wanted.major)
        .max_by_key(|(numbers, _, release)| (!is_withdrawn(release), *numbers));
    let Some((_, version, release)) = newest else {
        return Err(BaseError::NoRelease { package: name, major: wanted.major });
    };
    let sha512 = sha512_of(&release.dist.integrity)
        .ok_or_else(|| malformed(format!("{name} {version} has no sha512 digest")))?;
    let version = Version::parse(version).ok_or_else(|| malformed(format!("`{version}` is no version")))?;
    Ok(Release { wanted: *wanted, name, version, address: release.dist.tarball.clone(), sha512 })
}

/// The sha512 digest of a subresource integrity (`sha512-BASE64`, perhaps beside others), as lower-case hexadecimal.
fn sha512_of(integrity: &str) -> Option<String> {
    let digest = integrity.split_ascii_whitespace().find_map(|one| one.strip_prefix("sha512-"))?;
    let bytes = BASE64_STANDARD.decode(digest).ok()?;
    (bytes.len() == 64).then(|| hex(&bytes))
}

impl Fetched {
    /// What a base's record says of it, with its licences.
    pub(crate) fn record(&self, licences: Vec<String>) -> PackageRecord {
        let Self { release, sha256, .. } = self;
        PackageRecord {
            name: release.name.clone(),
            version: release.version.clone(),
            architecture: if release.name == release.wanted.name { "all" } else { architecture() }.to_owned(),
            origin: Origin::Npm,
            path: release.address.clone(),
            sha256: sha256.clone(),
            sha512: Some(release.sha512.clone()),
            source: None,
            homepage: None,
            licences,
            provides: String::new(),
            conflicts: String::new(),
            inherited: false,
        }
    }

    /// Puts the package's files where its recipe wants them, and reads what it says of itself.
    pub(crate) fn unpack(&self, tree: &mut Tree, filter: &Filter) -> Result<Manifest, BaseError> {
        let malformed = |cause: String| BaseError::Malformed { file: self.release.address.clone(), cause };
        let broken = |error: std::io::Error| malformed(error.to_string());
        let file = File::open(&self.file).map_err(BaseError::io(&self.file))?;
        let mut archive = tar::Archive::new(GzDecoder::new(file).take(MAX_UNPACKED));
        let mut manifest = None;
        for (at, entry) in archive.entries().map_err(broken)?.enumerate() {
            let mut entry = entry.map_err(broken)?;
            if at == MAX_ENTRIES {
                return Err(malformed("too many files".to_owned()));
            }
            let header = entry.header();
            let kind = header.entry_type();
            if kind.is_dir() || kind.is_pax_global_extensions() {
                continue;
            }
            let path = String::from_utf8(entry.path_bytes().into_owned())
                .map_err(|error| malformed(format!("a path that is not UTF-8: {error}")))?;
            if !kind.is_file() {
                return Err(malformed(format!("{path}: a package of npm has files only")));
            }
            let path =
                inner(&path).ok_or_else(|| malformed(format!("a path that leaves the package: `{path}`")))?;
            // npm unpacks files with these modes, whatever the archive says
            let mode = if header.mode().map_err(broken)? & 0o111 == 0 { 0o644 } else { 0o755 };
            let mtime = i64::try_from(header.mtime().map_err(broken)?).unwrap_or(0);
            if path == "package.json" {
                let mut text = Vec::new();
                (&mut entry).take(MAX_MANIFEST).read_to_end(&mut text).map_err(broken)?;
                let read = serde_json::from_slice(&text);
                manifest = Some(read.map_err(|error| malformed(format!("package.json: {error}")))?);
                if let Some(place) = self.release.wanted.place(&path) {
                    tree.file(&place, Attributes::root(mode, mtime), &mut text.as_slice())?;
                }
                continue;
            }
            if let Some(place) = self.release.wanted.place(&path).filter(|place| filter.keeps(place)) {
                tree.file(&place, Attributes::root(mode, mtime), &mut entry)?;
                if self.release.wanted.stripped.contains(&place.as_str()) {
                    tree.strip(&place)?;
                }
            }
        }
        let manifest: Manifest = manifest.ok_or_else(|| malformed("no package.json".to_owned()))?;
        // The digest ties the file to the registry's answer; this ties what the file says of itself to it.
        if manifest.name != self.release.name || manifest.version != self.release.version.as_str() {
            let cause = format!("it says that it is {} {}", manifest.name, manifest.version);
            return Err(malformed(cause));
        }
        Ok(manifest)
    }
}

/// A path without the folder that every package is packed in (`package/`); `None` when it leads out of it.
fn inner(path: &str) -> Option<String> {
    let mut parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    parts.next()?;
    let rest: Vec<_> = parts.collect();
    (!rest.is_empty() && !rest.contains(&"..") && path.len() <= 4096).then(|| rest.join("/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOOL: NpmPackage = NpmPackage {
        name: "tool",
        major: 2,
        places: &[
            ("bin/tool", "usr/local/bin/tool"),
            ("lib/", "opt/tool/lib/"),
            ("package.json", "opt/tool/package.json"),
        ],
        stripped: &[],
    };
    const DIGEST: &str =
        "z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==";

    fn document(versions: &[(&str, &str)]) -> Vec<u8> {
        let release = |extra: &str| {
            format!(
                r#"{{"dist":{{"tarball":"https://x/t.tgz","integrity":"sha1-x sha512-{DIGEST}"}}{extra}}}"#
            )
        };
        let versions: Vec<_> =
            versions.iter().map(|(version, extra)| format!("\"{version}\":{}", release(extra))).collect();
        format!("{{\"versions\":{{{}}}}}", versions.join(",")).into_bytes()
    }

    fn chosen(versions: &[(&str, &str)]) -> Result<String, String> {
        choose(&TOOL, "https://x/tool", &document(versions))
            .map(|release| release.version.as_str().to_owned())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_newest_release_of_the_major_version() {
        let many = [("1.9.0", ""), ("2.9.1", ""), ("2.10.0", ""), ("2.11.0-rc.1", ""), ("3.0.0", "")];
        assert_eq!(chosen(&many).as_deref(), Ok("2.10.0"));
        let withdrawn = [("2.9.1", ""), ("2.10.0", ",\"deprecated\":\"broken\"")];
        assert_eq!(chosen(&withdrawn).as_deref(), Ok("2.9.1"));
        assert_eq!(chosen(&withdrawn[1..]).as_deref(), Ok("2.10.0"));
        assert_eq!(chosen(&many[..1]).unwrap_err(), "the npm registry has no release 2 of tool");
        let bare = br#"{"versions":{"2.0.0":{"dist":{"tarball":"https://x/t.tgz"}}}}"#;
        let error = choose(&TOOL, "https://x/tool", bare).unwrap_err().to_string();
        assert!(error.contains("no sha512 digest"), "{error}");
    }

    #[test]
    fn only_a_registry_that_proves_who_it_is() {
        for good in [
            "https://registry.npmjs.org",
            "https://npm.example:8443/path",
            "http://127.0.0.1:4873",
            "http://[::1]:80",
        ] {
            assert!(is_safe(good), "{good}");
        }
        for bad in [
            "http://registry.npmjs.org",
            "http://127.0.0.1.example",
            "http://localhost@evil",
            "ftp://x",
            "https://",
            "",
        ] {
            assert!(!is_safe(bad), "{bad}");
        }
    }

    /// A package file with these paths, each with its mode, type and text.
    fn tarball(files: &[(&str, u32, tar::EntryType, &str)]) -> Fetched {
        let mut builder =
            tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for (path, mode, kind, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(*mode);
            header.set_size(text.len() as u64);
            // Written byte for byte: the crate's own setter refuses what a hostile archive would hold.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            builder.append(&header, text.as_bytes()).unwrap();
        }
        let bytes = builder.into_inner().unwrap().finish().unwrap();
        let (_, file) = tempfile::NamedTempFile::new().unwrap().keep().unwrap();
        std::fs::write(&file, bytes).unwrap();
        let release = choose(&TOOL, "https://x/tool", &document(&[("2.0.0", "")])).unwrap();
        Fetched { release, file, sha256: String::new() }
    }

    fn unpacked(
        files: &[(&str, u32, tar::EntryType, &str)],
    ) -> (tempfile::TempDir, Result<Manifest, BaseError>) {
        let root = tempfile::tempdir().unwrap();
        let fetched = tarball(files);
        let mut tree = Tree::new(root.path().to_path_buf(), Vec::new());
        let manifest = fetched.unpack(&mut tree, &Filter::new(&["opt/tool/lib/docs/*"]));
        std::fs::remove_file(&fetched.file).unwrap();
        (root, manifest)
    }

    const MANIFEST: &str = r#"{"name":"tool","version":"2.0.0","license":"MIT"}"#;

    #[test]
    fn files_go_where_the_recipe_wants_them() {
        use std::os::unix::fs::PermissionsExt;
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let file = tar::EntryType::Regular;
        let (root, manifest) = unpacked(&[
            ("package/package.json", 0o600, file, MANIFEST),
            ("package/bin/tool", 0o4711, file, "#!"),
            ("package/lib/a.js", 0o666, file, "a"),
            ("package/lib/docs/b.md", 0o644, file, "b"),
            ("package/README.md", 0o644, file, "c"),
        ]);
        assert_eq!(manifest.unwrap().licence(), Some("MIT"));
        let mode = |path: &str| {
            std::fs::metadata(root.path().join(path)).ok().map(|found| found.permissions().mode() & 0o7777)
        };
        assert_eq!(mode("usr/local/bin/tool"), Some(0o755));
        assert_eq!(mode("opt/tool/lib/a.js"), Some(0o644));
        assert_eq!(mode("opt/tool/package.json"), Some(0o644));
        assert_eq!((mode("opt/tool/lib/docs/b.md"), mode("README.md")), (None, None));
    }

    #[test]
    fn a_package_is_what_it_was_asked_for_and_stays_inside() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let file = tar::EntryType::Regular;
        let other = r#"{"name":"other","version":"2.0.0"}"#;
        for (files, cause) in [
            (vec![("package/package.json", 0o644, file, other)], "it says that it is other 2.0.0"),
            (vec![("package/bin/tool", 0o755, file, "x")], "no package.json"),
            (vec![("package/lib/../../../x", 0o644, file, "x")], "leaves the package"),
            (vec![("package/lib/x", 0o777, tar::EntryType::Symlink, "")], "files only"),
        ] {
            let error = unpacked(&files).1.unwrap_err().to_string();
            assert!(error.contains(cause), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_document_is_an_error_or_a_release(text in ".{0,200}", version in "[0-9a-z.+-]{0,12}") {
            let _ = choose(&TOOL, "https://x/tool", text.as_bytes());
            let _ = choose(&TOOL, "https://x/tool", &document(&[(&version, "")]));
            let _ = sha512_of(&text);
        }

        #[test]
        fn an_inner_path_never_leads_out(path in "(package|\\.|\\.\\.|/|a|//){0,8}") {
            if let Some(inner) = inner(&path) {
                prop_assert!(!inner.starts_with('/') && !inner.split('/').any(|part| part == ".." || part.is_empty()));
            }
        }
    }
}
