//! Sends an image.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use ureq::{
    Body,
    http::{Method, Response},
};

use super::{
    Progress, Registry, RegistryError,
    transport::{Access, Call, Connection, SizedBody, TRIES, header, pause},
};
use crate::{
    Digest, ImageRecord, LayerCompression, LayerId, Reference, Store, StoreError,
    bundle::{BlobSource, Bundle, BundleBlob, Form, LayerForm, Member},
    layout::json,
    manifest::{Descriptor, Manifest, media_type},
};

/// Larger blobs travel in pieces, so that a broken connection costs one piece.
const PIECE: u64 = 32 << 20;
/// Times that one upload may break.
const MAX_BREAKS: u32 = 10;

/// What a push did; the registry has the image now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The digest by which the registry knows the image.
    pub digest: Digest,
    /// How many blobs the registry lacked and was sent.
    pub sent: usize,
    /// Blobs that the registry had.
    pub known: usize,
    /// Blobs that the registry took from another repository of its own.
    pub mounted: usize,
    /// How many bytes these blobs have.
    pub bytes: u64,
}

impl Registry {
    /// Sends an image under a name; blobs that the registry has do not travel.
    pub fn push(
        &self,
        store: &Store,
        record: &ImageRecord,
        name: &Reference,
        compression: LayerCompression,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Pushed, RegistryError> {
        let _pin = store.pin()?;
        let member = Member::plain(record.clone());
        let bundle = Bundle::new(store, &[member], std::slice::from_ref(name), &Form::all(compression))?;
        self.push_bundle(store, &bundle, name, progress)
    }

    /// Sends what a build put out: blobs, manifests, and last what the name stands for. A name with neither tag nor
    /// digest is only known by the digest.
    pub fn push_bundle(
        &self,
        store: &Store,
        bundle: &Bundle,
        name: &Reference,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Pushed, RegistryError> {
        let _pin = store.pin()?;
        let mut connection = self.connect(name, Access::Push)?;
        let sources = siblings(store, bundle.records(), name)?;
        connection.sources = sources.values().flatten().cloned().collect();
        let root = bundle.root();
        let mut pushed = Pushed { digest: root.digest, sent: 0, known: 0, mounted: 0, bytes: 0 };
        for BundleBlob { descriptor, from } in &bundle.blobs {
            let (blob, from) = match from {
                BlobSource::Layer(id, form) => {
                    let blob = match form {
                        LayerForm::Tar => Blob::Plain(store, *id),
                        LayerForm::Blob => Blob::File(store.blob_path(&descriptor.digest)),
                    };
                    (blob, sources.get(id).map_or(&[][..], Vec::as_slice))
                }
                BlobSource::Known(bytes) => (Blob::Known(store, bytes), &[][..]),
            };
            blob_once(&connection, descriptor, &blob, from, &mut pushed, progress)?;
        }
        for (descriptor, bytes) in &bundle.documents {
            let wanted = match name.tag() {
                Some(tag) if descriptor.digest == root.digest => tag.to_owned(),
                _ => descriptor.digest.to_string(),
            };
            put_document(&connection, &descriptor.media_type, bytes, &wanted, name)?;
        }
        Ok(pushed)
    }
}

pub(super) fn put_manifest(
    connection: &Connection,
    manifest: &Manifest,
    name: &Reference,
) -> Result<Digest, RegistryError> {
    let manifest = json(manifest)?;
    let digest = Digest::of(&manifest);
    let wanted = name.tag().map_or_else(|| digest.to_string(), ToOwned::to_owned);
    put_document(connection, media_type::OCI_MANIFEST, &manifest, &wanted, name)?;
    Ok(digest)
}

/// Stores a manifest or index under a tag or its digest.
fn put_document(
    connection: &Connection,
    kind: &str,
    bytes: &[u8],
    wanted: &str,
    name: &Reference,
) -> Result<(), RegistryError> {
    let object = name.familiar();
    let target = format!("manifests/{wanted}");
    let body =
        || -> io::Result<SizedBody> { Ok((Box::new(io::Cursor::new(bytes.to_vec())), bytes.len() as u64)) };
    let headers = [("content-type", kind)];
    let call = Call { headers: &headers, body: Some(&body), ..Call::new(Method::PUT, &target, &object) };
    let response = connection.send(&call)?;
    if let Some(told) = header(&response, "docker-content-digest")
        && told != Digest::of(bytes).to_string()
    {
        return Err(connection.invalid(&object, format!("it stored the manifest as `{told}`")));
    }
    Ok(())
}

/// Where a blob's bytes are.
pub(super) enum Blob<'a> {
    File(PathBuf),
    /// An uncompressed layer: made again for the transfer and not kept.
    Plain(&'a Store, LayerId),
    /// Bytes that are in memory.
    Known(&'a Store, &'a [u8]),
}

impl Blob<'_> {
    /// A file with the bytes, which goes with the value when it is temporary.
    fn file(&self) -> Result<BlobFile, StoreError> {
        let file = match self {
            Self::File(path) => return Ok(BlobFile::Kept(path.clone())),
            Self::Plain(store, id) => {
                let mut file = store.temporary_file()?;
                store.write_layer_tar(id, &mut file)?;
                file
            }
            Self::Known(store, bytes) => {
                let mut file = store.temporary_file()?;
                let written = file.write_all(bytes);
                written.map_err(|error| StoreError::io("write", file.path(), error))?;
                file
            }
        };
        Ok(BlobFile::Temporary(file.into_temp_path()))
    }
}

enum BlobFile {
    Kept(PathBuf),
    Temporary(tempfile::TempPath),
}

impl BlobFile {
    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(path) => path,
        }
    }
}

pub(super) fn blob_once(
    connection: &Connection,
    descriptor: &Descriptor,
    blob: &Blob<'_>,
    from: &[String],
    pushed: &mut Pushed,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(), RegistryError> {
    let digest = descriptor.digest;
    let object = format!("{}@{digest}", connection.repository);
    match connection.send(&Call::new(Method::HEAD, &format!("blobs/{digest}"), &object)) {
        Ok(_) => {
            pushed.known += 1;
            progress(Progress::Known { digest });
            return Ok(());
        }
        Err(RegistryError::NotFound { .. }) => {}
        Err(error) => return Err(error),
    }
    if from.iter().any(|repository| mount(connection, &digest, repository, &object)) {
        pushed.mounted += 1;
        progress(Progress::Known { digest });
        return Ok(());
    }
    progress(Progress::Started { digest, bytes: descriptor.size });
    let file = blob.file()?;
    Upload { connection, path: file.path(), size: descriptor.size, digest, object: &object }.run()?;
    pushed.sent += 1;
    pushed.bytes += descriptor.size;
    progress(Progress::Finished { digest });
    Ok(())
}

/// Repositories from which one blob may be taken.
const MAX_SOURCES: usize = 2;

/// The other repositories of the same registry that hold a layer, as far as the store's names tell.
fn siblings(
    store: &Store,
    records: &[ImageRecord],
    name: &Reference,
) -> Result<BTreeMap<LayerId, Vec<String>>, StoreError> {
    let mut found: BTreeMap<LayerId, Vec<String>> = BTreeMap::new();
    for image in store.images()? {
        let there =
            |other: &&Reference| other.domain() == name.domain() && other.repository() != name.repository();
        for other in image.references.iter().filter(there) {
            for id in image.layers.iter().filter(|id| records.iter().any(|record| record.layers.contains(id)))
            {
                let repositories = found.entry(*id).or_default();
                if repositories.len() < MAX_SOURCES && !repositories.iter().any(|it| it == other.repository())
                {
                    repositories.push(other.repository().to_owned());
                }
            }
        }
    }
    Ok(found)
}

/// Whether the registry took the blob from another of its repositories (distribution-spec, "Mounting a blob from another
/// repository"). A registry that cannot starts an upload instead, which is given up.
fn mount(connection: &Connection, digest: &Digest, from: &str, object: &str) -> bool {
    let target = format!("blobs/uploads/?mount={digest}&from={from}");
    match connection.send(&Call::new(Method::POST, &target, object)) {
        Ok(response) if response.status().as_u16() == 201 => true,
        Ok(response) => {
            if let Ok(location) = connection.location(&response, object) {
                let _ = connection.send(&Call::new(Method::DELETE, &location, object));
            }
            false
        }
        Err(_) => false,
    }
}

/// A blob on its way (distribution-spec, "Pushing blobs").
struct Upload<'a> {
    connection: &'a Connection,
    path: &'a Path,
    size: u64,
    digest: Digest,
    object: &'a str,
}

impl Upload<'_> {
    fn run(&self) -> Result<(), RegistryError> {
        if self.size <= PIECE {
            return self.whole();
        }
        match self.pieces() {
            // some registries take no pieces
            Err(RegistryError::Status { status: 400..=499, .. } | RegistryError::NotFound { .. }) => {
                self.whole()
            }
            done => done,
        }
    }

    fn begin(&self) -> Result<String, RegistryError> {
        let response = self.connection.send(&Call::new(Method::POST, "blobs/uploads/", self.object))?;
        self.connection.location(&response, self.object)
    }

    fn slice(&self, start: u64, length: u64) -> io::Result<SizedBody> {
        let mut file = File::open(self.path)?;
        file.seek(SeekFrom::Start(start))?;
        Ok((Box::new(file.take(length)), length))
    }

    /// Everything in one request. A broken one leaves no usable upload, so each try begins anew.
    fn whole(&self) -> Result<(), RegistryError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.begin().and_then(|location| self.put(&location, 0)) {
                Err(error) if tries < TRIES && is_broken(&error) => pause(tries, None),
                done => return done,
            }
        }
    }

    fn put(&self, location: &str, start: u64) -> Result<(), RegistryError> {
        let separator = if location.contains('?') { '&' } else { '?' };
        let target = format!("{location}{separator}digest={}", self.digest);
        self.send_bytes(Method::PUT, &target, start, self.size - start).map(drop)
    }

    fn send_bytes(
        &self,
        method: Method,
        target: &str,
        start: u64,
        length: u64,
    ) -> Result<Response<Body>, RegistryError> {
        let body = || self.slice(start, length);
        let range = format!("{start}-{}", (start + length).saturating_sub(1));
        let headers = [("content-type", "application/octet-stream"), ("content-range", range.as_str())];
        let headers = if method == Method::PATCH { &headers[..] } else { &headers[..1] };
        let call = Call { headers, body: Some(&body), once: true, ..Call::new(method, target, self.object) };
        self.connection.send(&call)
    }

    /// Piece by piece; after a break the registry says how far it got, or that it forgot the upload.
    fn pieces(&self) -> Result<(), RegistryError> {
        let mut location = self.begin()?;
        let mut offset = 0;
        let mut breaks = 0;
        while offset < self.size {
            let length = PIECE.min(self.size - offset);
            match self.send_bytes(Method::PATCH, &location, offset, length) {
                Ok(response) => {
                    location = self.connection.location(&response, self.object)?;
                    offset += length;
                }
                Err(error) if breaks < MAX_BREAKS && is_broken(&error) => {
                    breaks += 1;
                    pause(breaks, None);
                    (location, offset) = match self.arrived(&location)? {
                        Some(state) => state,
                        None => (self.begin()?, 0),
                    };
                }
                Err(error) => return Err(error),
            }
        }
        self.put(&location, self.size)
    }

    /// Where to go on, and from which byte. `None` when the upload is lost: Docker's own registry keeps none whose
    /// last piece broke.
    fn arrived(&self, location: &str) -> Result<Option<(String, u64)>, RegistryError> {
        let response = match self.connection.send(&Call::new(Method::GET, location, self.object)) {
            Ok(response) => response,
            Err(RegistryError::NotFound { .. } | RegistryError::Status { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        // `0-N` names the last byte that arrived; an upload without any says `0-0`
        let last = header(&response, "range").and_then(|range| range.split('-').nth(1)?.parse::<u64>().ok());
        let offset = last.map_or(0, |last| if last == 0 { 0 } else { last + 1 });
        if offset > self.size {
            return Err(self.connection.invalid(self.object, "it has more bytes than we sent"));
        }
        Ok(Some((self.connection.location(&response, self.object)?, offset)))
    }
}

/// Can the same upload work when it begins anew?
fn is_broken(error: &RegistryError) -> bool {
    match error {
        RegistryError::Unreachable { .. } | RegistryError::NotFound { .. } => true,
        RegistryError::Status { status, .. } => matches!(status, 408 | 416 | 429 | 500..),
        _ => false,
    }
}
