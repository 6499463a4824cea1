//! The members of an image archive, planned before the first byte is written, so that its exact size is known.
//!
//! One archive can be read as an OCI layout and as Docker's own format: both name the same blobs.

use std::{
    collections::{BTreeMap, HashSet},
    io::{self, Write},
};

use serde::Serialize;

use crate::{
    Digest, ImageRecord, LayerId, Reference, Store, StoreError,
    bundle::{BlobSource, Bundle, BundleBlob, LayerForm},
    layer::{END_SIZE, Member, TarWriter, member_size},
    manifest::{Descriptor, Index, Manifest, media_type, platform_of},
};

/// One file of a layout.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) bytes: Bytes,
}

/// Where a file's bytes come from.
#[derive(Debug, Clone)]
pub(crate) enum Bytes {
    Known(Vec<u8>),
    Blob(Digest),
    /// A layer's uncompressed tar.
    Tar(LayerId),
}

impl Part {
    pub(crate) fn known(path: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { path: path.into(), size: bytes.len() as u64, bytes: Bytes::Known(bytes) }
    }

    pub(crate) fn blob(digest: Digest, size: u64) -> Self {
        Self { path: blob_path(&digest), size, bytes: Bytes::Blob(digest) }
    }

    pub(crate) fn tar(layer: LayerId, diff_id: Digest, size: u64) -> Self {
        Self { path: blob_path(&diff_id), size, bytes: Bytes::Tar(layer) }
    }

    /// Writes the bytes, from memory, from a blob or from a layer's directory.
    pub(crate) fn copy(&self, store: &Store, out: &mut impl Write) -> Result<(), StoreError> {
        let failed = |source| StoreError::Stream { action: "write an image", source };
        match &self.bytes {
            Bytes::Known(bytes) => out.write_all(bytes).map_err(failed),
            Bytes::Blob(digest) => io::copy(&mut store.open_blob(digest)?, out).map(drop).map_err(failed),
            Bytes::Tar(layer) => store.write_layer_tar(layer, out),
        }
    }
}

pub(crate) fn blob_path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// A layout being planned: which files it will hold, before one is written.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    parts: Vec<Part>,
    seen: HashSet<String>,
    index: Vec<Descriptor>,
    docker: Vec<DockerManifest>,
}

/// An entry of Docker's `manifest.json`.
#[derive(Debug, Clone, Serialize, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DockerManifest {
    pub(crate) config: String,
    #[serde(default)]
    pub(crate) repo_tags: Option<Vec<String>>,
    pub(crate) layers: Vec<String>,
}

impl Layout {
    /// Adds a file, unless one of the same path was added before.
    pub(crate) fn add(&mut self, part: Part) {
        if self.seen.insert(part.path.clone()) {
            self.parts.push(part);
        }
    }

    /// Adds an image whose layers travel in the given forms; the layers' own files are added by the caller.
    pub(crate) fn add_image(
        &mut self,
        record: &ImageRecord,
        config: Vec<u8>,
        names: &[Reference],
        layers: Vec<Descriptor>,
    ) -> Result<(), StoreError> {
        let layer_paths = layers.iter().map(|layer| blob_path(&layer.digest)).collect();
        let config_part = Part { path: blob_path(&record.id), ..Part::known("", config) };
        let config_descriptor = Descriptor::new(media_type::OCI_CONFIG, record.id, config_part.size);
        let manifest = json(&Manifest::oci(config_descriptor, layers))?;
        let digest = Digest::of(&manifest);
        let mut descriptor = Descriptor::new(media_type::OCI_MANIFEST, digest, manifest.len() as u64);
        descriptor.platform = Some(platform_of(&record.config));
        self.docker.push(DockerManifest {
            config: config_part.path.clone(),
            repo_tags: Some(tags(names)),
            layers: layer_paths,
        });
        self.add(config_part);
        self.add(Part { path: blob_path(&digest), ..Part::known("", manifest) });
        self.name(&descriptor, names);
        Ok(())
    }

    /// Adds what a build put out, under its names.
    pub(crate) fn add_bundle(&mut self, bundle: &Bundle, names: &[Reference]) {
        for (config, layers) in &bundle.images {
            self.docker.push(DockerManifest {
                config: blob_path(&config.digest),
                repo_tags: Some(tags(names)),
                layers: layers.iter().map(|layer| blob_path(&layer.digest)).collect(),
            });
        }
        for (descriptor, bytes) in &bundle.documents {
            self.add(Part { path: blob_path(&descriptor.digest), ..Part::known("", bytes.clone()) });
        }
        for BundleBlob { descriptor, from } in &bundle.blobs {
            self.add(match from {
                BlobSource::Known(bytes) => {
                    Part { path: blob_path(&descriptor.digest), ..Part::known("", bytes.clone()) }
                }
                BlobSource::Layer(id, LayerForm::Tar) => Part::tar(*id, descriptor.digest, descriptor.size),
                BlobSource::Layer(_, LayerForm::Blob) => Part::blob(descriptor.digest, descriptor.size),
            });
        }
        self.name(bundle.root(), names);
    }

    /// An entry of `index.json` for each name, or one without.
    fn name(&mut self, descriptor: &Descriptor, names: &[Reference]) {
        if names.is_empty() {
            self.index.push(descriptor.clone());
        }
        for name in names {
            let mut named = descriptor.clone();
            named.annotations.extend(annotations(name));
            self.index.push(named);
        }
    }

    /// All files, the small ones that describe the others first. `docker` adds Docker's `manifest.json`.
    pub(crate) fn finish(self, docker: bool) -> Result<Vec<Part>, StoreError> {
        let mut parts = vec![
            Part::known("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
            Part::known("index.json", json(&Index::oci(self.index))?),
        ];
        if docker {
            parts.push(Part::known("manifest.json", json(&self.docker)?));
        }
        parts.extend(self.parts);
        Ok(parts)
    }
}

/// The names that can be tags: one by digest alone cannot.
fn tags(names: &[Reference]) -> Vec<String> {
    names.iter().filter(|name| name.tag().is_some()).map(|name| name.with_digest(None).familiar()).collect()
}

/// What containerd (`io.containerd.image.name`) and other readers of layouts (`ref.name`) take as the image's name.
fn annotations(name: &Reference) -> BTreeMap<String, String> {
    let mut annotations = BTreeMap::from([("io.containerd.image.name".to_owned(), name.canonical())]);
    if let Some(tag) = name.tag() {
        annotations.insert("org.opencontainers.image.ref.name".to_owned(), tag.to_owned());
    }
    annotations
}

pub(crate) fn json(value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|error| StoreError::format("image document", error))
}

const DIRECTORIES: [&str; 2] = ["blobs/", "blobs/sha256/"];

/// Size in bytes of the archive that [`write_archive`] writes.
pub(crate) fn archive_size(parts: &[Part]) -> u64 {
    let directories: u64 =
        DIRECTORIES.iter().map(|path| member_size(&Member::directory(path.as_bytes(), 0))).sum();
    let files: u64 =
        parts.iter().map(|part| member_size(&Member::file(part.path.as_bytes(), part.size, 0))).sum();
    directories + files + END_SIZE
}

/// Writes the files as a tar, always the same bytes.
pub(crate) fn write_archive<W: Write>(store: &Store, parts: &[Part], out: W) -> Result<W, StoreError> {
    let failed = |source| StoreError::Stream { action: "write an image archive", source };
    let mut tar = TarWriter::new(out);
    for path in DIRECTORIES {
        tar.header(&Member::directory(path.as_bytes(), 0)).map_err(failed)?;
    }
    for part in parts {
        tar.header(&Member::file(part.path.as_bytes(), part.size, 0)).map_err(failed)?;
        let mut counted = Counted { out: tar.inner(), bytes: 0 };
        part.copy(store, &mut counted)?;
        if counted.bytes != part.size {
            let reason = format!("it has {} bytes, expected {}", counted.bytes, part.size);
            return Err(StoreError::format(&part.path, reason));
        }
        tar.pad(part.size).map_err(failed)?;
    }
    tar.finish().map_err(failed)
}

struct Counted<'a, W> {
    out: &'a mut W,
    bytes: u64,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.out.write(buffer)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
