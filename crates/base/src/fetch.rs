//! Files of a mirror by HTTP: bounded in size, retried, checked against a digest before anything reads them.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use plimsoll_image::registry::KnownHosts;
use sha2::{Digest, Sha256, Sha512};
use tempfile::NamedTempFile;
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::transport::DefaultConnector;

use crate::error::BaseError;

/// Tries for one file, with growing pauses between them.
const PAUSES: [Duration; 3] = if cfg!(test) {
    [Duration::ZERO; 3]
} else {
    [Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(3)]
};
/// Downloads at a time: enough to hide latency, few enough to be a polite client of one mirror.
const PARALLEL: usize = 10;
/// Certificate bundles of the common distributions, for mirrors that are read by https.
const BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// One file that must be in the cache.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) address: String,
    pub(crate) size: u64,
    /// Lower-case hexadecimal; also the file's name in the cache.
    pub(crate) sha256: String,
}

/// Reads from a mirror into a cache whose files are named by their digest.
#[derive(Debug, Clone)]
pub(crate) struct Fetcher {
    agent: Agent,
    cache: PathBuf,
}

impl Fetcher {
    /// `cache` is made when the first file is put there.
    pub(crate) fn new(cache: PathBuf) -> Self {
        let tls = TlsConfig::builder()
            .root_certs(root_certificates())
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .timeout_connect(Some(Duration::from_secs(15)))
            .timeout_recv_response(Some(Duration::from_secs(30)))
            .timeout_per_read(Some(Duration::from_secs(30)))
            .max_idle_connections_per_host(PARALLEL)
            .user_agent(concat!("plimsoll/", env!("CARGO_PKG_VERSION")))
            .build();
        let agent = Agent::with_parts(config, DefaultConnector::default(), KnownHosts::default());
        Self { agent, cache }
    }

    /// A small file, whole; its content is not known beforehand, so the caller checks its signature.
    pub(crate) fn text(&self, address: &str, limit: u64) -> Result<Vec<u8>, BaseError> {
        self.text_as(address, limit, None)
    }

    /// The same in one of the forms that the server has of it (`Accept`).
    pub(crate) fn text_as(
        &self,
        address: &str,
        limit: u64,
        accept: Option<&str>,
    ) -> Result<Vec<u8>, BaseError> {
        with_retries(|| {
            let mut bytes = Vec::new();
            self.stream(address, limit, accept, &mut bytes)?;
            Ok(bytes)
        })
    }

    /// A file whose size nobody names, by its sha512 digest: from the cache, when it is whole there.
    pub(crate) fn sealed(&self, address: &str, limit: u64, sha512: &str) -> Result<PathBuf, BaseError> {
        let path = self.path(sha512);
        if path.exists() && digest_of::<Sha512>(&path)? == sha512 {
            return Ok(path);
        }
        fs::create_dir_all(&self.cache).map_err(BaseError::io(&self.cache))?;
        with_retries(|| {
            let (temporary, _, digest) = self.download::<Sha512>(address, limit)?;
            if digest != sha512 {
                let cause = format!("expected sha512 {sha512}, got {digest}");
                return Err(BaseError::Checksum { file: address.to_owned(), cause });
            }
            self.keep(temporary, sha512)
        })
    }

    /// The cached files, fetched where missing, in the order asked for. `progress` hears of every fetched file's size.
    pub(crate) fn files(
        &self,
        wanted: &[Wanted],
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<PathBuf>, BaseError> {
        fs::create_dir_all(&self.cache).map_err(BaseError::io(&self.cache))?;
        let missing: Vec<_> = wanted.iter().filter(|file| !self.has(file)).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(file) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(error) = self.fetch(file) {
                    // The others stop at their next file.
                    next.store(missing.len(), Ordering::Relaxed);
                    return Err(error);
                }
                progress(file.size);
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..PARALLEL.min(missing.len())).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| match worker.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })?;
        Ok(wanted.iter().map(|file| self.path(&file.sha256)).collect())
    }

    /// Where a file of this digest is or would be.
    pub(crate) fn path(&self, sha256: &str) -> PathBuf {
        self.cache.join(sha256)
    }

    /// A file gets its name only after its digest was checked, so the size is enough to know a damaged disk by.
    fn has(&self, file: &Wanted) -> bool {
        fs::metadata(self.path(&file.sha256)).is_ok_and(|metadata| metadata.len() == file.size)
    }

    fn fetch(&self, file: &Wanted) -> Result<(), BaseError> {
        with_retries(|| {
            let (temporary, written, digest) = self.download::<Sha256>(&file.address, file.size)?;
            if written != file.size || digest != file.sha256 {
                let cause = format!(
                    "expected {} bytes with sha256 {}, got {written} with {digest}",
                    file.size, file.sha256
                );
                return Err(BaseError::Checksum { file: file.address.clone(), cause });
            }
            self.keep(temporary, &file.sha256)?;
            Ok(())
        })
    }

    /// What is at an address, in a temporary file beside the cached ones, with its size and digest.
    fn download<D: Digest>(
        &self,
        address: &str,
        limit: u64,
    ) -> Result<(NamedTempFile, u64, String), BaseError> {
        let mut temporary = NamedTempFile::new_in(&self.cache).map_err(BaseError::io(&self.cache))?;
        let mut writer = Hashing { inner: temporary.as_file_mut(), digest: D::new(), written: 0 };
        self.stream(address, limit, None, &mut writer)?;
        let (written, digest) = (writer.written, hex(&writer.digest.finalize()));
        Ok((temporary, written, digest))
    }

    fn keep(&self, temporary: NamedTempFile, digest: &str) -> Result<PathBuf, BaseError> {
        let path = self.path(digest);
        match temporary.persist(&path) {
            Ok(_) => Ok(path),
            Err(error) => Err(BaseError::Io { path, source: error.error }),
        }
    }

    fn stream(
        &self,
        address: &str,
        limit: u64,
        accept: Option<&str>,
        into: &mut dyn Write,
    ) -> Result<(), BaseError> {
        let fail =
            |cause: String, missing: bool| BaseError::Fetch { address: address.to_owned(), cause, missing };
        let request = self.agent.get(address);
        let request = match accept {
            Some(accept) => request.header("Accept", accept),
            None => request,
        };
        let mut response = request.call().map_err(|error| {
            // A host that does not exist does not come into being while we wait.
            let missing = matches!(error, ureq::Error::StatusCode(404 | 410) | ureq::Error::HostNotFound);
            fail(error.to_string(), missing)
        })?;
        let mut body = response.body_mut().with_config().limit(limit.saturating_add(1)).reader();
        copy_bounded(&mut body, into, limit).map_err(|error| fail(error.to_string(), false))
    }
}

fn copy_bounded(from: &mut dyn Read, into: &mut dyn Write, limit: u64) -> io::Result<()> {
    if io::copy(&mut from.take(limit + 1), into)? > limit {
        return Err(io::Error::other(format!("it is larger than {limit} bytes")));
    }
    Ok(())
}

/// What the server says is not there stays so; everything else may be a passing trouble.
fn with_retries<T>(mut attempt: impl FnMut() -> Result<T, BaseError>) -> Result<T, BaseError> {
    for pause in PAUSES {
        match attempt() {
            Err(BaseError::Fetch { missing: false, .. } | BaseError::Checksum { .. }) => {
                std::thread::sleep(pause);
            }
            done => return done,
        }
    }
    attempt()
}

fn root_certificates() -> RootCerts {
    let from_environment = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let mut candidates = from_environment.into_iter().chain(BUNDLES.iter().map(PathBuf::from));
    let certificates = candidates.find_map(|path| fs::read(path).ok()).map(|pem| {
        let certificate = |item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        };
        parse_pem(&pem).filter_map(certificate).collect::<Vec<_>>()
    });
    RootCerts::new_with_certs(&certificates.unwrap_or_default())
}

struct Hashing<'a, D> {
    inner: &'a mut File,
    digest: D,
    written: u64,
}

impl<D: Digest> Write for Hashing<'_, D> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        use std::fmt::Write as _;
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The sha256 of a file of ours, as lower-case hexadecimal.
pub(crate) fn sha256_of(path: &Path) -> Result<String, BaseError> {
    digest_of::<Sha256>(path)
}

fn digest_of<D: Digest>(path: &Path) -> Result<String, BaseError> {
    let mut file = File::open(path).map_err(BaseError::io(path))?;
    let mut digest = D::new();
    let mut buffer = vec![0; 1 << 17];
    loop {
        match file.read(&mut buffer).map_err(BaseError::io(path))? {
            0 => return Ok(hex(&digest.finalize())),
            read => digest.update(&buffer[..read]),
        }
    }
}
