//! Gets an image.

use std::{
    collections::VecDeque,
    io::{self, Read},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use ureq::{BodyReader, http::Method};

use super::{
    Document, Progress, Registry, RegistryError, get_document,
    transport::{Call, Connection, TRIES, header, pause},
    wanted,
};
use crate::{
    Digest, ImageConfig, ImageRecord, LayerId, Reference, Store, StoreError,
    manifest::{Descriptor, Index, Manifest, Platform, media_type, platform_of},
    store::{MAX_JSON, Origin},
};

/// Layers that travel at the same time.
const PARALLEL: usize = 3;
/// Times that one transfer may be taken up again in all.
const MAX_RESUMES: u32 = 40;

/// A pulled image, in the store.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// The image in the store.
    pub record: ImageRecord,
    /// The digest that the name has in the registry: of an index, if there is one.
    pub digest: Digest,
    /// The digest of this platform's manifest.
    pub manifest: Digest,
}

impl Registry {
    /// Gets an image for a platform and stores it under its name. Layers that the store has do not travel.
    pub fn pull(
        &self,
        store: &Store,
        name: &Reference,
        platform: &Platform,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Pulled, RegistryError> {
        let _pin = store.pin()?;
        self.with_sources(name, |connection, mirror| {
            pull_from((connection, mirror), store, name, platform, progress)
        })
    }
}

fn pull_from(
    (connection, mirror): (&Connection, Option<&str>),
    store: &Store,
    name: &Reference,
    platform: &Platform,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Pulled, RegistryError> {
    let (document, digest) = get_document(connection, &wanted(name), name.digest())?;
    let (manifest, manifest_digest) = match document {
        Document::Manifest(manifest) => (manifest, digest),
        Document::Index(index) => {
            let chosen = choose(&index, name, platform)?;
            match get_document(connection, &chosen.to_string(), Some(&chosen))? {
                (Document::Manifest(manifest), digest) => (manifest, digest),
                _ => return Err(connection.invalid(&name.familiar(), "an index inside an index")),
            }
        }
    };
    let config = config(connection, &manifest, name)?;
    let parsed: ImageConfig =
        serde_json::from_slice(&config).map_err(|error| connection.invalid(&name.familiar(), error))?;
    let found = platform_of(&parsed);
    if !platform.accepts(&found) {
        return Err(no_platform(name, platform, &[found]));
    }
    if parsed.rootfs.diff_ids.len() != manifest.layers.len() {
        return Err(connection.invalid(&name.familiar(), "the numbers of layers and diff ids differ"));
    }
    let layers = layers(connection, store, &manifest, &parsed, progress)?;
    let record = store.put_image_verbatim(&config, &layers, &[], None)?;
    let origin = Origin::Registry { mirror: mirror.map(ToOwned::to_owned), digest };
    store.tag_platform(&record, name, &origin)?;
    let record = store.image_by_id(&record.id)?.unwrap_or(record);
    Ok(Pulled { record, digest, manifest: manifest_digest })
}

fn choose(index: &Index, name: &Reference, platform: &Platform) -> Result<Digest, RegistryError> {
    let platforms: Vec<Platform> =
        index.manifests.iter().filter_map(|entry| entry.platform.clone()).collect();
    let fitting = |entry: &&Descriptor| entry.platform.as_ref().is_some_and(|found| platform.accepts(found));
    match index.manifests.iter().find(fitting) {
        Some(entry) => Ok(entry.digest),
        None => Err(no_platform(name, platform, &platforms)),
    }
}

fn no_platform(name: &Reference, platform: &Platform, available: &[Platform]) -> RegistryError {
    let mut available: Vec<String> = available.iter().take(20).map(ToString::to_string).collect();
    // attestations are listed as images for nothing
    available.retain(|platform| platform != "unknown/unknown");
    RegistryError::NoPlatform {
        image: name.familiar(),
        platform: platform.to_string(),
        available: if available.is_empty() { "none".to_owned() } else { available.join(", ") },
    }
}

fn config(connection: &Connection, manifest: &Manifest, name: &Reference) -> Result<Vec<u8>, RegistryError> {
    let descriptor = &manifest.config;
    if ![media_type::OCI_CONFIG, media_type::DOCKER_CONFIG].contains(&descriptor.media_type.as_str()) {
        let reason = format!("it is no image but `{}`", descriptor.media_type);
        return Err(connection.invalid(&name.familiar(), reason));
    }
    if descriptor.size > MAX_JSON {
        return Err(connection.invalid(&name.familiar(), "its configuration is too large"));
    }
    let mut bytes = Vec::new();
    let mut download = Download::new(connection, descriptor);
    let read = download.read_to_end(&mut bytes);
    if let Some(error) = download.failure.take() {
        return Err(error);
    }
    read.map_err(|error| connection.unreachable(&error))?;
    let found = Digest::of(&bytes);
    if found != descriptor.digest {
        return Err(RegistryError::DigestMismatch {
            host: connection.host.clone(),
            object: "image configuration".to_owned(),
            expected: descriptor.digest,
            found,
        });
    }
    Ok(bytes)
}

/// Gets what the store lacks, a few layers at a time.
fn layers(
    connection: &Connection,
    store: &Store,
    manifest: &Manifest,
    config: &ImageConfig,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Vec<LayerId>, RegistryError> {
    let jobs: Vec<(&Digest, &Descriptor)> = config.rootfs.diff_ids.iter().zip(&manifest.layers).collect();
    let mut seen = std::collections::HashSet::new();
    let queue: VecDeque<_> = jobs.iter().filter(|(diff_id, _)| seen.insert(**diff_id)).copied().collect();
    let queue = Mutex::new(queue);
    let work = || -> Result<(), RegistryError> {
        loop {
            let job = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((diff_id, descriptor)) = job else { return Ok(()) };
            if let Err(error) = layer(connection, store, diff_id, descriptor, progress) {
                // the others stop after their layer
                queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
                return Err(error);
            }
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..PARALLEL.min(jobs.len())).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    let layer = |diff_id: &Digest| {
        let layer = store.layer_by_diff_id(diff_id)?;
        layer.map(|layer| layer.id).ok_or(StoreError::NoBlob(*diff_id))
    };
    Ok(config.rootfs.diff_ids.iter().map(layer).collect::<Result<_, _>>()?)
}

fn layer(
    connection: &Connection,
    store: &Store,
    diff_id: &Digest,
    descriptor: &Descriptor,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(), RegistryError> {
    let digest = descriptor.digest;
    if store.layer_by_diff_id(diff_id)?.is_some() {
        progress(Progress::Known { digest });
        return Ok(());
    }
    progress(Progress::Started { digest, bytes: descriptor.size });
    let mut download = Download::new(connection, descriptor);
    let mut counted = Counted { inner: &mut download, digest, told: Instant::now(), progress };
    let imported = store.import_layer_expecting(&mut counted, Some(&digest), diff_id);
    if let Some(error) = download.failure {
        return Err(error);
    }
    imported?;
    progress(Progress::Finished { digest });
    Ok(())
}

/// Between two words about how much of a blob is here.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// Tells how much of a download is here.
struct Counted<'a, 'd> {
    inner: &'a mut Download<'d>,
    digest: Digest,
    told: Instant,
    progress: &'a (dyn Fn(Progress) + Sync),
}

impl Read for Counted<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if self.told.elapsed() >= TELL_EVERY {
            self.told = Instant::now();
            (self.progress)(Progress::Moved { digest: self.digest, bytes: self.inner.offset });
        }
        Ok(read)
    }
}

/// A blob as a stream that is taken up again where it broke.
pub(super) struct Download<'a> {
    connection: &'a Connection,
    descriptor: &'a Descriptor,
    target: String,
    object: String,
    body: Option<BodyReader<'static>>,
    offset: u64,
    /// Tries since the last byte, and in all.
    tries: u32,
    resumes: u32,
    /// Why the stream ended, in the registry's terms.
    pub(super) failure: Option<RegistryError>,
}

impl<'a> Download<'a> {
    pub(super) fn new(connection: &'a Connection, descriptor: &'a Descriptor) -> Self {
        Self {
            connection,
            descriptor,
            target: format!("blobs/{}", descriptor.digest),
            object: format!("{}@{}", connection.repository, descriptor.digest),
            body: None,
            offset: 0,
            tries: 0,
            resumes: 0,
            failure: None,
        }
    }

    fn open(&mut self) -> Result<BodyReader<'static>, RegistryError> {
        let range = format!("bytes={}-", self.offset);
        let headers = [("range", range.as_str())];
        let call = Call {
            headers: if self.offset > 0 { &headers } else { &[] },
            ..Call::new(Method::GET, &self.target, &self.object)
        };
        let response = self.connection.send(&call)?;
        let resumed = response.status().as_u16() == 206
            && header(&response, "content-range")
                .is_some_and(|range| range.starts_with(&format!("bytes {}-", self.offset)));
        // a registry may send one byte too many, which is then seen as one
        let limit = self.descriptor.size + 1;
        let mut body = response.into_body().into_with_config().limit(limit).reader();
        if !resumed && self.offset > 0 {
            // it sends all of it again
            io::copy(&mut (&mut body).take(self.offset), &mut io::sink())
                .map_err(|error| self.connection.unreachable(&error))?;
        }
        Ok(body)
    }

    fn failed(&mut self, error: RegistryError) -> io::Error {
        let text = error.to_string();
        self.failure = Some(error);
        io::Error::other(text)
    }
}

impl Read for Download<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.descriptor.size - self.offset;
        if left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        loop {
            let mut body = match self.body.take() {
                Some(body) => body,
                None => match self.open() {
                    Ok(body) => body,
                    Err(error) => return Err(self.failed(error)),
                },
            };
            let reason = match body.read(&mut buffer[..most]) {
                Ok(0) => "the connection ended early".to_owned(),
                Ok(read) => {
                    self.offset += read as u64;
                    self.tries = 0;
                    self.body = Some(body);
                    return Ok(read);
                }
                Err(error) => error.to_string(),
            };
            self.tries += 1;
            self.resumes += 1;
            if self.tries >= TRIES || self.resumes >= MAX_RESUMES {
                let error = self.connection.unreachable(&reason);
                return Err(self.failed(error));
            }
            pause(self.tries, None);
        }
    }
}
