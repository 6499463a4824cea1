//! Debian's archive as one index: the suite, its updates and its security updates, each signed and checked.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::PathBuf;

use crate::date;
use crate::error::BaseError;
use crate::fetch::{Fetcher, Wanted, sha256_of};
use crate::index::{Index, Origin, Package};
use crate::mirror::Mirror;
use crate::release::{FileEntry, Release};
use crate::signature::Keyring;

/// Largest `InRelease`: Debian's has 140 kB.
const MAX_RELEASE: u64 = 8 << 20;
/// Largest `Packages`, uncompressed: Debian's has 57 MB.
const MAX_PACKAGES_TEXT: u64 = 512 << 20;

/// What was read, and what there is to say about it.
#[derive(Debug)]
pub(crate) struct Suites {
    pub(crate) index: Index,
    /// The date of the newest index, in seconds since 1970.
    pub(crate) date: i64,
    /// Suites that were read, with the fingerprints that signed them.
    pub(crate) signed_by: BTreeMap<String, Vec<String>>,
    /// What the user should know, such as that no security archive was found.
    pub(crate) notes: Vec<String>,
}

/// A mirror with a cache.
#[derive(Debug)]
pub(crate) struct Archive {
    mirror: Mirror,
    keyring: Keyring,
    indexes: Fetcher,
    packages: Fetcher,
}

impl Archive {
    /// `cache` holds `index/` and `deb/`.
    pub(crate) fn new(mirror: Mirror, cache: &std::path::Path) -> Self {
        Self {
            mirror,
            keyring: Keyring::debian(),
            indexes: Fetcher::new(cache.join("index")),
            packages: Fetcher::new(cache.join("deb")),
        }
    }

    /// Reads the indexes of `suite` (`trixie`), `suite-updates` and `suite-security` for one architecture. A security
    /// archive whose address was only derived may be missing; that is noted. Everything else must be there.
    pub(crate) fn suites(&self, suite: &str, architecture: &str) -> Result<Suites, BaseError> {
        let mut suites =
            Suites { index: Index::default(), date: 0, signed_by: BTreeMap::new(), notes: Vec::new() };
        self.add(&mut suites, suite, Origin::Archive, architecture)?;
        self.add(&mut suites, &format!("{suite}-updates"), Origin::Archive, architecture)?;
        let security = format!("{suite}-security");
        match self.add(&mut suites, &security, Origin::Security, architecture) {
            Err(BaseError::Fetch { missing: true, .. }) if self.mirror.security_is_guess => {
                suites.notes.push(format!(
                    "the mirror has no {security}; security updates come with the next point release"
                ));
            }
            done => done?,
        }
        Ok(suites)
    }

    fn add(
        &self,
        suites: &mut Suites,
        suite: &str,
        origin: Origin,
        architecture: &str,
    ) -> Result<(), BaseError> {
        let file = format!("dists/{suite}/InRelease");
        let bytes = self.indexes.text(&self.address(origin, &file), MAX_RELEASE)?;
        let now = date::now();
        let signed = self.keyring.verify(&file, &bytes, now)?;
        let release = Release::parse(&file, &signed.text, suite, now)?;
        let path = format!("main/binary-{architecture}/Packages");
        let entry = |path: &str| {
            release.file(path).ok_or_else(|| BaseError::Malformed {
                file: file.clone(),
                cause: format!("it does not list {path}"),
            })
        };
        let text = self.packages_text(origin, suite, &path, entry(&path)?, entry(&format!("{path}.xz"))?)?;
        suites.index.add(&format!("dists/{suite}/{path}"), origin, text)?;
        suites.date = suites.date.max(release.date);
        suites.signed_by.insert(suite.to_owned(), signed.signers);
        Ok(())
    }

    /// The uncompressed text, kept in the cache by its own digest: decompressing 57 MB takes longer than fetching it.
    fn packages_text(
        &self,
        origin: Origin,
        suite: &str,
        path: &str,
        plain: &FileEntry,
        compressed: &FileEntry,
    ) -> Result<String, BaseError> {
        let malformed = |cause: String| BaseError::Malformed { file: format!("dists/{suite}/{path}"), cause };
        let cached = self.indexes.path(&plain.sha256);
        if !cached.exists() || sha256_of(&cached)? != plain.sha256 {
            let address = self.address(origin, &format!("dists/{suite}/{path}.xz"));
            let wanted = Wanted { address, size: compressed.size, sha256: compressed.sha256.clone() };
            let files = self.indexes.files(&[wanted], &|_| ())?;
            let [packed] = files.as_slice() else { return Err(malformed("not fetched".to_owned())) };
            let file = fs::File::open(packed).map_err(BaseError::io(packed))?;
            let mut text = Vec::with_capacity(plain.size.min(MAX_PACKAGES_TEXT) as usize);
            liblzma::read::XzDecoder::new(file)
                .take(plain.size.min(MAX_PACKAGES_TEXT) + 1)
                .read_to_end(&mut text)
                .map_err(|error| malformed(error.to_string()))?;
            write_whole(&cached, &text)?;
            if sha256_of(&cached)? != plain.sha256 {
                return Err(BaseError::Checksum {
                    file: format!("dists/{suite}/{path}"),
                    cause: format!("expected {} bytes with sha256 {}", plain.size, plain.sha256),
                });
            }
            // Only the text is read from now on.
            fs::remove_file(packed).map_err(BaseError::io(packed))?;
        }
        fs::read_to_string(&cached).map_err(BaseError::io(&cached))
    }

    /// The files of packages, in the same order.
    pub(crate) fn fetch(
        &self,
        packages: &[Package],
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<PathBuf>, BaseError> {
        let wanted: Vec<_> = packages
            .iter()
            .map(|package| Wanted {
                address: self.address(package.origin, &package.file.path),
                size: package.file.size,
                sha256: package.file.sha256.clone(),
            })
            .collect();
        self.packages.files(&wanted, progress)
    }

    fn address(&self, origin: Origin, path: &str) -> String {
        let root = match origin {
            Origin::Archive => &self.mirror.archive,
            Origin::Security => &self.mirror.security,
        };
        // Epochs are written as %3a in file names, and the escape itself has to be escaped in an address.
        format!("{root}/{}", path.replace('%', "%25").replace('+', "%2B"))
    }
}

/// Writes a file so that nobody ever sees half of it.
pub(crate) fn write_whole(path: &std::path::Path, bytes: &[u8]) -> Result<(), BaseError> {
    let directory = path.parent().unwrap_or(std::path::Path::new("."));
    fs::create_dir_all(directory).map_err(BaseError::io(directory))?;
    let temporary = tempfile::NamedTempFile::new_in(directory).map_err(BaseError::io(directory))?;
    fs::write(temporary.path(), bytes).map_err(BaseError::io(temporary.path()))?;
    temporary
        .persist(path)
        .map_err(|error| BaseError::Io { path: path.to_path_buf(), source: error.error })?;
    Ok(())
}
