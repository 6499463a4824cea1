//! Reads images that come as files: `docker save` archives and OCI layouts (as a tar or a folder).

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use crate::{
    Digest, ImageConfig, ImageRecord, LayerId, Reference, Store, StoreError,
    error::At as _,
    layer::{ArchiveReader, MemberKind, decompress},
    layout::DockerManifest,
    manifest::{Descriptor, Index, Manifest, Platform, media_type, platform_of},
    store::{MAX_JSON, Origin},
};

/// No archive has more files.
const MAX_FILES: usize = 100_000;
/// Indexes inside indexes, at most.
const MAX_NESTING: usize = 4;

/// Loads every image for `platform` from an archive (plain, gzip or zstd) or a layout's folder. Names that the file
/// gives are set.
pub fn load(store: &Store, path: &Path, platform: &Platform) -> Result<Vec<ImageRecord>, StoreError> {
    let file = std::path::absolute(path).at("resolve", path)?;
    load_named_by(store, path, platform, Origin::Archive { path: file })
}

fn load_named_by(
    store: &Store,
    path: &Path,
    platform: &Platform,
    origin: Origin,
) -> Result<Vec<ImageRecord>, StoreError> {
    let _pin = store.pin()?;
    let source = path.display().to_string();
    let meta = fs::metadata(path).at("read", path)?;
    let mut files = if meta.is_dir() {
        Files::Folder(path.to_owned())
    } else {
        Files::archive(store, File::open(path).at("open", path)?, &source)?
    };
    // an archive with both is read as a layout, whose blobs have digests to check
    if files.has("index.json") {
        let index: Index = files.json("index.json")?;
        return Loader { store, files: &mut files, platform, source, origin }.layout(&index);
    }
    if files.has("manifest.json") {
        let images: Vec<DockerManifest> = files.json("manifest.json")?;
        return Loader { store, files: &mut files, platform, source, origin }.docker(&images);
    }
    Err(StoreError::format(source, "it has neither `index.json` nor `manifest.json`"))
}

/// As [`load`], from a stream: it is kept in a temporary file meanwhile, because an archive's members are read in
/// another order than they lie.
pub fn load_stream(
    store: &Store,
    mut reader: impl Read,
    platform: &Platform,
) -> Result<Vec<ImageRecord>, StoreError> {
    let _pin = store.pin()?;
    let mut file = store.temporary_file()?;
    io::copy(&mut reader, &mut file)
        .map_err(|source| StoreError::Stream { action: "read an image archive", source })?;
    load_named_by(store, file.path(), platform, Origin::Archive { path: "-".into() })
}

/// Random access to an image's files.
enum Files {
    Folder(std::path::PathBuf),
    Archive { file: File, members: HashMap<String, ArchiveMember> },
}

#[derive(Clone)]
enum ArchiveMember {
    At {
        start: u64,
        size: u64,
    },
    /// Old archives store a layer twice as a link.
    Link(String),
}

impl Files {
    /// Lists an archive's members; a compressed one is unpacked to a temporary file first.
    fn archive(store: &Store, file: File, source: &str) -> Result<Self, StoreError> {
        let mut copy = store.temporary_file()?.into_file();
        let (compression, mut plain) = decompress(&file)?;
        let failed = |source| StoreError::Stream { action: "read an image archive", source };
        let mut file = if compression == crate::layer::Compression::None {
            drop(plain);
            file.try_clone().map_err(failed)?
        } else {
            let limit = crate::ImportLimits::default().bytes;
            if io::copy(&mut (&mut plain).take(limit), &mut copy).map_err(failed)? == limit {
                return Err(StoreError::format(source, format!("it is larger than {limit} bytes")));
            }
            copy
        };
        file.rewind().map_err(failed)?;
        let mut members = HashMap::new();
        let mut archive = ArchiveReader::new(Counting { reader: io::BufReader::new(&file), bytes: 0 });
        while let Some(member) = archive.next()? {
            if members.len() >= MAX_FILES {
                return Err(StoreError::format(source, format!("more than {MAX_FILES} files")));
            }
            let start = archive.inner().bytes;
            let name = String::from_utf8_lossy(&member.path);
            let name = name.trim_start_matches("./").trim_start_matches('/').to_owned();
            match member.kind {
                MemberKind::File => members.insert(name, ArchiveMember::At { start, size: member.size }),
                MemberKind::Symlink { target } => {
                    let target = String::from_utf8_lossy(&target).into_owned();
                    members.insert(name.clone(), ArchiveMember::Link(beside(&name, &target)))
                }
                MemberKind::HardLink { target } => {
                    members.insert(name, ArchiveMember::Link(String::from_utf8_lossy(&target).into_owned()))
                }
                _ => None,
            };
        }
        Ok(Self::Archive { file, members })
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Self::Folder(dir) => dir.join(name).is_file(),
            Self::Archive { members, .. } => members.contains_key(name),
        }
    }

    fn open(&mut self, name: &str) -> Result<Box<dyn Read + '_>, StoreError> {
        match self {
            Self::Folder(dir) => {
                // names come from documents that nobody vouches for
                if !Path::new(name).components().all(|part| matches!(part, std::path::Component::Normal(_))) {
                    return Err(StoreError::format(name, "it is no path inside the folder"));
                }
                let path = dir.join(name);
                Ok(Box::new(
                    plimsoll_disk::open_regular(&path, plimsoll_disk::Links::Follow).at("open", &path)?,
                ))
            }
            Self::Archive { file, members } => {
                let mut name = name.to_owned();
                for _ in 0..8 {
                    match members.get(&name) {
                        Some(ArchiveMember::At { start, size }) => {
                            file.seek(SeekFrom::Start(*start)).map_err(|source| StoreError::Stream {
                                action: "read an image archive",
                                source,
                            })?;
                            return Ok(Box::new(file.take(*size)));
                        }
                        Some(ArchiveMember::Link(target)) => name.clone_from(target),
                        None => break,
                    }
                }
                Err(StoreError::format(name, "it is not in the archive"))
            }
        }
    }

    fn bytes(&mut self, name: &str) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        self.open(name)?
            .take(MAX_JSON + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| StoreError::Stream { action: "read an image archive", source })?;
        if bytes.len() as u64 > MAX_JSON {
            return Err(StoreError::format(name, "it is too large for a JSON document"));
        }
        Ok(bytes)
    }

    fn json<T: serde::de::DeserializeOwned>(&mut self, name: &str) -> Result<T, StoreError> {
        serde_json::from_slice(&self.bytes(name)?).map_err(|error| StoreError::format(name, error))
    }
}

/// The name that a link in `name`'s folder points at.
fn beside(name: &str, target: &str) -> String {
    let mut parts: Vec<&str> = name.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

struct Loader<'a> {
    store: &'a Store,
    files: &'a mut Files,
    platform: &'a Platform,
    source: String,
    /// Who gives the images their names, which the store keeps with them.
    origin: Origin,
}

impl Loader<'_> {
    fn docker(&mut self, images: &[DockerManifest]) -> Result<Vec<ImageRecord>, StoreError> {
        let mut records = Vec::new();
        for image in images {
            let config = self.files.bytes(&image.config)?;
            let names: Vec<Reference> = image
                .repo_tags
                .iter()
                .flatten()
                .flat_map(|tag| Reference::parse(tag))
                .filter(is_tagged)
                .collect();
            let parsed: ImageConfig =
                serde_json::from_slice(&config).map_err(|error| StoreError::format(&image.config, error))?;
            if parsed.rootfs.diff_ids.len() != image.layers.len() {
                return Err(StoreError::format(&self.source, "the numbers of layers and diff ids differ"));
            }
            let mut layers = Vec::new();
            for (diff_id, path) in parsed.rootfs.diff_ids.iter().zip(&image.layers) {
                layers.push(self.layer(diff_id, None, path)?);
            }
            records.push(self.store.put_image_verbatim(&config, &layers, &names, Some(&self.origin))?);
        }
        Ok(records)
    }

    /// The layer with this diff id: from the store, else from the file.
    fn layer(&mut self, diff_id: &Digest, blob: Option<&Digest>, path: &str) -> Result<LayerId, StoreError> {
        if let Some(layer) = self.store.layer_by_diff_id(diff_id)? {
            return Ok(layer.id);
        }
        Ok(self.store.import_layer_expecting(self.files.open(path)?, blob, diff_id)?.id)
    }

    fn layout(&mut self, index: &Index) -> Result<Vec<ImageRecord>, StoreError> {
        let mut records: Vec<ImageRecord> = Vec::new();
        for descriptor in &index.manifests {
            let Some((manifest, config)) = self.choose(descriptor, 0)? else { continue };
            let names = names(descriptor);
            let mut layers = Vec::new();
            let parsed: ImageConfig =
                serde_json::from_slice(&config).map_err(|error| StoreError::format(&self.source, error))?;
            if parsed.rootfs.diff_ids.len() != manifest.layers.len() {
                return Err(StoreError::format(&self.source, "the numbers of layers and diff ids differ"));
            }
            for (diff_id, layer) in parsed.rootfs.diff_ids.iter().zip(&manifest.layers) {
                layers.push(self.layer(
                    diff_id,
                    Some(&layer.digest),
                    &crate::layout::blob_path(&layer.digest),
                )?);
            }
            let record = self.store.put_image_verbatim(&config, &layers, &[], None)?;
            // a name may have an image for another platform from this very layout
            for name in &names {
                self.store.tag_platform(&record, name, &self.origin)?;
            }
            let record = self.store.image_by_id(&record.id)?.unwrap_or(record);
            records.retain(|other| other.id != record.id);
            records.push(record);
        }
        if records.is_empty() {
            let reason = format!("it has no image for {}", self.platform);
            return Err(StoreError::format(&self.source, reason));
        }
        Ok(records)
    }

    /// The image for our platform that a descriptor leads to, with its configuration's bytes.
    fn choose(
        &mut self,
        descriptor: &Descriptor,
        depth: usize,
    ) -> Result<Option<(Manifest, Vec<u8>)>, StoreError> {
        if descriptor.platform.as_ref().is_some_and(|platform| !self.platform.accepts(platform)) {
            return Ok(None);
        }
        let bytes = self.blob(&descriptor.digest)?;
        let failed = |error| StoreError::format(descriptor.digest.to_string(), error);
        if [media_type::OCI_INDEX, media_type::DOCKER_INDEX].contains(&descriptor.media_type.as_str()) {
            if depth >= MAX_NESTING {
                return Err(StoreError::format(&self.source, "too many indexes inside one another"));
            }
            let index: Index = serde_json::from_slice(&bytes).map_err(failed)?;
            for inner in &index.manifests {
                if let Some(found) = self.choose(inner, depth + 1)? {
                    return Ok(Some(found));
                }
            }
            return Ok(None);
        }
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(failed)?;
        if ![media_type::OCI_CONFIG, media_type::DOCKER_CONFIG].contains(&manifest.config.media_type.as_str())
        {
            // an attestation or another artefact, not an image
            return Ok(None);
        }
        let config = self.blob(&manifest.config.digest)?;
        let parsed: ImageConfig = serde_json::from_slice(&config).map_err(failed)?;
        Ok(self.platform.accepts(&platform_of(&parsed)).then_some((manifest, config)))
    }

    fn blob(&mut self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let path = crate::layout::blob_path(digest);
        let bytes = self.files.bytes(&path)?;
        let found = Digest::of(&bytes);
        if found != *digest {
            return Err(StoreError::DigestMismatch { object: path, expected: *digest, found });
        }
        Ok(bytes)
    }
}

/// The names of a layout's entry: containerd's full one, or `ref.name` when it is a full name itself.
fn names(descriptor: &Descriptor) -> Vec<Reference> {
    let full = descriptor.annotations.get("io.containerd.image.name");
    let short = descriptor
        .annotations
        .get("org.opencontainers.image.ref.name")
        .filter(|name| name.contains([':', '/']));
    full.or(short).and_then(|name| Reference::parse(name).ok()).filter(is_tagged).into_iter().collect()
}

/// An archive's word for a digest in a name proves nothing.
fn is_tagged(name: &Reference) -> bool {
    name.digest().is_none()
}

/// Knows how far a stream was read.
struct Counting<R> {
    reader: R,
    bytes: u64,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}
