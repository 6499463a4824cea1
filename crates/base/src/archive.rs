//! Debian's archive as one index: the suite, its updates and its security updates, each signed and checked.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::PathBuf;

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
    keyring: &'static Keyring,
    /// Seconds since 1970; what expires is judged by it.
    now: i64,
    indexes: Fetcher,
    packages: Fetcher,
}

impl Archive {
    /// `cache` holds `index/` and `deb/`.
    pub(crate) fn new(mirror: Mirror, cache: &std::path::Path, now: i64) -> Self {
        Self {
            mirror,
            keyring: Keyring::debian(),
            now,
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
        let signed = self.keyring.verify(&file, &bytes, self.now)?;
        let release = Release::parse(&file, &signed.text, suite, self.now)?;
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
            // Its packages are in no index of Debian's; their path is their address.
            Origin::Npm => return path.to_owned(),
        };
        // Epochs are written as %3a in file names, and the escape itself has to be escaped in an address.
        format!("{root}/{}", path.replace('%', "%25").replace('+', "%2B"))
    }
}

/// Writes a file so that nobody ever sees half of it.
pub(crate) fn write_whole(path: &std::path::Path, bytes: &[u8]) -> Result<(), BaseError> {
    let directory = path.parent().unwrap_or(std::path::Path::new("."));
    fs::create_dir_all(directory).map_err(BaseError::io(directory))?;
    plimsoll_disk::replace(path, bytes, plimsoll_disk::PRIVATE).map_err(BaseError::io(path))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const RELEASE: &[u8] = include_bytes!("../tests/data/trixie-updates.InRelease");
    const PACKAGES: &[u8] = include_bytes!("../tests/data/trixie-updates.Packages.xz");
    const RELEASE_PATH: &str = "/debian/dists/trixie-updates/InRelease";
    const PACKAGES_PATH: &str = "/debian/dists/trixie-updates/main/binary-amd64/Packages.xz";
    /// 2026-11-20 12:00 UTC, a day after the index was signed.
    const THEN: i64 = 1_795_176_000;

    /// A mirror on the loopback interface that serves these files, and counts what it is asked for.
    fn serve(files: HashMap<&'static str, Vec<u8>>) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/debian", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let count = requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut line = String::new();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                reader.read_line(&mut line).unwrap();
                let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
                while reader.read_line(&mut line).is_ok_and(|read| read > 2) {}
                count.fetch_add(1, Ordering::SeqCst);
                let (status, body) = match files.get(path.as_str()) {
                    Some(body) => ("200 OK", body.clone()),
                    None => ("404 Not Found", Vec::new()),
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
            }
        });
        (address, requests)
    }

    fn read(address: &str, cache: &std::path::Path, now: i64) -> Result<Suites, BaseError> {
        let archive = Archive::new(Mirror::from_address(address).unwrap(), cache, now);
        let mut suites =
            Suites { index: Index::default(), date: 0, signed_by: BTreeMap::new(), notes: Vec::new() };
        archive.add(&mut suites, "trixie-updates", Origin::Archive, "amd64")?;
        Ok(suites)
    }

    #[test]
    fn a_signed_suite_is_read_and_its_packages_kept() {
        let files = HashMap::from([(RELEASE_PATH, RELEASE.to_vec()), (PACKAGES_PATH, PACKAGES.to_vec())]);
        let (address, requests) = serve(files);
        let cache = tempfile::tempdir().unwrap();
        let suites = read(&address, cache.path(), THEN).unwrap();
        assert_eq!(suites.signed_by["trixie-updates"].len(), 2);
        assert_eq!(suites.date, 1_795_054_374);
        assert_eq!(requests.load(Ordering::SeqCst), 2);
        read(&address, cache.path(), THEN).unwrap();
        assert_eq!(requests.load(Ordering::SeqCst), 3, "only the signed index is asked for again");
    }

    #[test]
    fn another_packages_file_is_refused() {
        let mut packages = PACKAGES.to_vec();
        packages[500] ^= 1;
        let (address, _) =
            serve(HashMap::from([(RELEASE_PATH, RELEASE.to_vec()), (PACKAGES_PATH, packages)]));
        let cache = tempfile::tempdir().unwrap();
        let error = read(&address, cache.path(), THEN).unwrap_err();
        assert!(matches!(error, BaseError::Checksum { .. }), "{error}");
        let longer = [PACKAGES, b"x"].concat();
        let (address, _) = serve(HashMap::from([(RELEASE_PATH, RELEASE.to_vec()), (PACKAGES_PATH, longer)]));
        let error = read(&address, cache.path(), THEN).unwrap_err().to_string();
        assert!(error.contains("larger than 1108 bytes"), "{error}");
        assert!(
            fs::read_dir(cache.path().join("index")).unwrap().next().is_none(),
            "nothing bad stays in the cache"
        );
    }

    #[test]
    fn a_changed_index_and_an_old_one_are_refused() {
        let text = String::from_utf8(RELEASE.to_vec()).unwrap();
        let changed =
            text.replacen("1108 main/binary-amd64/Packages.xz", "1109 main/binary-amd64/Packages.xz", 1);
        assert_ne!(changed, text);
        let (address, requests) = serve(HashMap::from([(RELEASE_PATH, changed.into_bytes())]));
        let cache = tempfile::tempdir().unwrap();
        assert!(matches!(read(&address, cache.path(), THEN), Err(BaseError::Signature { .. })));
        assert_eq!(requests.load(Ordering::SeqCst), 1, "nothing that it names is fetched");
        let (address, _) = serve(HashMap::from([(RELEASE_PATH, RELEASE.to_vec())]));
        let late = read(&address, cache.path(), THEN + 30 * 86_400);
        assert!(matches!(late, Err(BaseError::Expired { .. })));
    }

    #[test]
    fn what_is_not_there_is_not_tried_again() {
        let (address, requests) = serve(HashMap::new());
        let cache = tempfile::tempdir().unwrap();
        let error = read(&address, cache.path(), THEN).unwrap_err();
        assert!(matches!(error, BaseError::Fetch { missing: true, .. }), "{error}");
        assert_eq!(requests.load(Ordering::SeqCst), 1);
    }
}
