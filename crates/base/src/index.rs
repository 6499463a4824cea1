//! Package indexes: which packages exist, in which version, and who provides what.
//!
//! The texts are kept whole (57 MB for Debian's main suite) and only names are noted when one is added; a paragraph is taken
//! apart when the resolver asks for it, which is a few hundred times of 69,000.

use std::collections::HashMap;

use crate::control::{self, Paragraph};
use crate::dependency::{self, Atom, Clause};
use crate::error::BaseError;
use crate::release::is_sha256;
use crate::version::Version;

/// Which archive (of a mirror's) a package's file comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The main archive, with its updates suite.
    Archive,
    /// The security archive.
    Security,
    /// The npm registry.
    Npm,
}

/// One package in one version, as the index describes it.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: Version,
    pub(crate) architecture: String,
    pub(crate) priority: String,
    pub(crate) depends: Vec<Clause>,
    pub(crate) conflicts: Vec<Clause>,
    pub(crate) provides: Vec<Atom>,
    pub(crate) origin: Origin,
    pub(crate) file: PackageFile,
}

/// Where the package's file is, and what it must be.
#[derive(Debug, Clone)]
pub(crate) struct PackageFile {
    /// Path below the archive's root.
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) sha256: String,
}

/// Largest package file that is fetched: 1 GiB.
const MAX_PACKAGE_SIZE: u64 = 1 << 30;

#[derive(Debug, Clone, Copy)]
struct ParagraphRange {
    text: u32,
    start: u32,
    end: u32,
}

/// All packages of the suites that were added.
#[derive(Debug, Default)]
pub(crate) struct Index {
    texts: Vec<(String, Origin, String)>,
    by_name: HashMap<String, Vec<ParagraphRange>>,
    by_provided: HashMap<String, Vec<ParagraphRange>>,
    required: Vec<ParagraphRange>,
}

impl Index {
    /// Adds a suite's `Packages` text; `file` names it in messages.
    pub(crate) fn add(&mut self, file: &str, origin: Origin, text: String) -> Result<(), BaseError> {
        let malformed = |cause: String| BaseError::Malformed { file: file.to_owned(), cause };
        if u32::try_from(text.len()).is_err() {
            return Err(malformed("larger than 4 GiB".to_owned()));
        }
        let number = self.texts.len() as u32;
        for (start, paragraph) in control::split(&text) {
            let place =
                ParagraphRange { text: number, start: start as u32, end: (start + paragraph.len()) as u32 };
            let Some(name) = paragraph.strip_prefix("Package: ").and_then(|rest| rest.lines().next()) else {
                return Err(malformed(format!(
                    "byte {start}: a paragraph that does not begin with `Package:`"
                )));
            };
            self.by_name.entry(name.trim_ascii().to_owned()).or_default().push(place);
            if let Some(provides) = raw_field(paragraph, "\nProvides: ") {
                for atom in provides.split(',') {
                    let atom = atom.trim_ascii();
                    let end = atom.find([' ', '(', ':']).unwrap_or(atom.len());
                    self.by_provided.entry(atom[..end].to_owned()).or_default().push(place);
                }
            }
            if paragraph.contains("\nEssential: yes") || paragraph.contains("\nPriority: required") {
                self.required.push(place);
            }
        }
        self.texts.push((file.to_owned(), origin, text));
        Ok(())
    }

    /// All versions of a package, newest first.
    pub(crate) fn named(&self, name: &str) -> Result<Vec<Package>, BaseError> {
        let mut packages = self.read_all(self.by_name.get(name).map_or(&[], Vec::as_slice))?;
        packages.sort_by(|a, b| b.version.cmp(&a.version));
        Ok(packages)
    }

    /// The packages that provide a virtual one, in the order of the index.
    pub(crate) fn providing(&self, name: &str) -> Result<Vec<Package>, BaseError> {
        self.read_all(self.by_provided.get(name).map_or(&[], Vec::as_slice))
    }

    /// Names of the essential and required packages, sorted.
    pub(crate) fn required(&self) -> Result<Vec<String>, BaseError> {
        let mut names: Vec<_> =
            self.read_all(&self.required)?.into_iter().map(|package| package.name).collect();
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn read_all(&self, places: &[ParagraphRange]) -> Result<Vec<Package>, BaseError> {
        places.iter().map(|place| self.read(*place)).collect()
    }

    fn read(&self, place: ParagraphRange) -> Result<Package, BaseError> {
        let (file, origin, text) = &self.texts[place.text as usize];
        let text = &text[place.start as usize..place.end as usize];
        package(text, *origin).map_err(|cause| BaseError::Malformed {
            file: file.clone(),
            cause: format!("{}: {cause}", text.lines().next().unwrap_or_default()),
        })
    }
}

fn raw_field<'a>(paragraph: &'a str, start: &str) -> Option<&'a str> {
    let from = paragraph.find(start)? + start.len();
    paragraph[from..].lines().next()
}

fn package(text: &str, origin: Origin) -> Result<Package, String> {
    let paragraph = Paragraph::parse(text).map_err(|error| error.to_string())?;
    let field = |name: &str| paragraph.get(name).ok_or_else(|| format!("no field `{name}`"));
    let clauses = |name: &str| {
        dependency::parse(paragraph.get(name).unwrap_or_default())
            .map_err(|part| format!("`{name}` holds `{part}`"))
    };
    let name = field("Package")?;
    if !dependency::is_package_name(name) {
        return Err("not a package name".to_owned());
    }
    let sha256 = field("SHA256")?;
    let size = field("Size")?.parse().ok().filter(|size| *size <= MAX_PACKAGE_SIZE);
    let path = field("Filename")?;
    if !is_sha256(sha256) || !is_archive_path(path) {
        return Err("its file has no proper name or digest".to_owned());
    }
    let mut depends = clauses("Pre-Depends")?;
    depends.extend(clauses("Depends")?);
    let mut conflicts = clauses("Conflicts")?;
    conflicts.extend(clauses("Breaks")?);
    Ok(Package {
        name: name.to_owned(),
        version: Version::parse(field("Version")?).ok_or("`Version` is no version")?,
        architecture: field("Architecture")?.to_owned(),
        priority: paragraph.get("Priority").unwrap_or("optional").to_owned(),
        depends,
        conflicts,
        provides: clauses("Provides")?.into_iter().flat_map(|clause| clause.alternatives).collect(),
        origin,
        file: PackageFile {
            path: path.to_owned(),
            size: size.ok_or("`Size` is no size")?,
            sha256: sha256.to_owned(),
        },
    })
}

/// A relative path without `..` that can stand in an address as it is.
fn is_archive_path(path: &str) -> bool {
    path.len() <= 512
        && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._~/:%".contains(&byte))
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An index from short descriptions: `name version; Field: value; ...`.
    pub(crate) fn index(packages: &[&str]) -> Index {
        let mut text = String::new();
        for line in packages {
            let (head, fields) = line.split_once(';').unwrap_or((line, ""));
            let (name, version) = head.trim().split_once(' ').unwrap();
            text.push_str(&format!("Package: {name}\nVersion: {version}\nArchitecture: amd64\n"));
            for field in fields.split(';').filter(|field| !field.trim().is_empty()) {
                text.push_str(&format!("{}\n", field.trim()));
            }
            text.push_str(&format!(
                "Filename: pool/{name}_{version}.deb\nSize: 1\nSHA256: {}\n\n",
                "0".repeat(64)
            ));
        }
        let mut index = Index::default();
        index.add("Packages", Origin::Archive, text).unwrap();
        index
    }

    #[test]
    fn newest_version_first_over_all_suites() {
        let mut index = index(&["libx 1.9"]);
        let security =
            "Package: libx\nVersion: 1.10\nArchitecture: amd64\nFilename: pool/libx.deb\nSize: 3\nSHA256: ";
        index.add("security", Origin::Security, format!("{security}{}\n", "a".repeat(64))).unwrap();
        let found = index.named("libx").unwrap();
        assert_eq!(found.iter().map(|p| p.version.as_str()).collect::<Vec<_>>(), ["1.10", "1.9"]);
        assert_eq!(found[0].origin, Origin::Security);
        assert!(index.named("liby").unwrap().is_empty());
    }

    #[test]
    fn required_and_provided() {
        let index = index(&[
            "zz 1; Priority: required",
            "aa 1; Essential: yes",
            "mawk 1; Provides: awk, nawk (= 2)",
            "bb 1; Priority: optional",
        ]);
        assert_eq!(index.required().unwrap(), ["aa", "zz"]);
        assert_eq!(index.providing("awk").unwrap()[0].name, "mawk");
        assert_eq!(index.providing("nawk").unwrap()[0].name, "mawk");
    }

    #[test]
    fn refuses_paths_that_leave_the_archive() {
        let mut index = Index::default();
        let text = format!(
            "Package: evil\nVersion: 1\nArchitecture: all\nFilename: pool/../../x\nSize: 1\nSHA256: {}\n",
            "0".repeat(64)
        );
        index.add("Packages", Origin::Archive, text).unwrap();
        let error = index.named("evil").unwrap_err().to_string();
        assert_eq!(error, "Packages: Package: evil: its file has no proper name or digest");
    }
}
