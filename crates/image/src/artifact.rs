//! Artefacts: a manifest whose configuration is a document of ours and whose blobs are layers of the store. A build
//! cache travels as one, in a folder (an OCI layout) or through a registry.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use plimsoll_disk::{Draft, Links, open_regular};

use crate::{
    Digest, Layer, LayerCompression, LayerId, SealOptions, Store, StoreError,
    digest::HashReader,
    error::At as _,
    layer,
    layout::{blob_path, json},
    manifest::{Descriptor, Index, Manifest, media_type},
    store::MAX_JSON,
};

/// A document with layers beside it, kept in a registry as an image is.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    /// The document, which stands where an image has its configuration.
    pub config: Vec<u8>,
    /// Names the document and the layers.
    pub manifest: Manifest,
}

impl Artifact {
    /// An artefact of some layers; `kind` is the media type of its document.
    ///
    /// # Errors
    /// When a layer is not there or cannot be compressed.
    pub fn new(
        store: &Store,
        kind: &str,
        config: Vec<u8>,
        layers: &[LayerId],
        compression: LayerCompression,
    ) -> Result<Self, StoreError> {
        let descriptor = Descriptor::new(kind, store.put_blob(&config)?, config.len() as u64);
        let layers = layers.iter().map(|id| store.compressed_layer(id, compression));
        let mut manifest = Manifest::oci(descriptor, layers.collect::<Result<_, _>>()?);
        manifest.other.insert("artifactType".to_owned(), kind.into());
        Ok(Self { config, manifest })
    }

    /// The media type of the document.
    pub fn kind(&self) -> &str {
        &self.manifest.config.media_type
    }

    /// Writes it as an OCI layout; what else the folder's index names is replaced, blobs that are there stay.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write_dir(&self, store: &Store, dir: &Path) -> Result<Digest, StoreError> {
        let blobs = dir.join("blobs/sha256");
        fs::create_dir_all(&blobs).at("create", &blobs)?;
        let manifest = json(&self.manifest)?;
        let digest = Digest::of(&manifest);
        let mut wanted = vec![digest, self.manifest.config.digest];
        for layer in &self.manifest.layers {
            wanted.push(layer.digest);
            let path = dir.join(blob_path(&layer.digest));
            if fs::metadata(&path).is_ok_and(|meta| meta.len() == layer.size) {
                continue;
            }
            write(dir, &path, |file| {
                io::copy(&mut store.open_blob(&layer.digest)?, file).at("write", &path)
            })?;
        }
        let descriptor = Descriptor::new(media_type::OCI_MANIFEST, digest, manifest.len() as u64);
        let index = json(&Index::oci(vec![descriptor]))?;
        for (path, bytes) in [
            (blob_path(&self.manifest.config.digest), &self.config),
            (blob_path(&digest), &manifest),
            ("oci-layout".to_owned(), &br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
            ("index.json".to_owned(), &index),
        ] {
            let path = dir.join(path);
            write(dir, &path, |file| io::copy(&mut bytes.as_slice(), file).at("write", &path))?;
        }
        // What an earlier export left would only grow the folder.
        for entry in fs::read_dir(&blobs).at("read", &blobs)? {
            let path = entry.at("read", &blobs)?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.len() == 64 && !wanted.iter().any(|digest| digest.hex() == name) {
                fs::remove_file(&path).at("remove", &path)?;
            }
        }
        Ok(digest)
    }

    /// Reads what [`Artifact::write_dir`] wrote; `None` when there is no layout.
    ///
    /// # Errors
    /// When the layout is damaged.
    pub fn read_dir(dir: &Path) -> Result<Option<Self>, StoreError> {
        let index = dir.join("index.json");
        if !index.exists() {
            return Ok(None);
        }
        let parsed: Index = parse(&index, &small(&index)?)?;
        let entry = parsed.manifests.first().ok_or_else(|| StoreError::corrupt(index, "it names nothing"))?;
        let manifest = checked(dir, entry)?;
        let manifest: Manifest = parse(&dir.join(blob_path(&entry.digest)), &manifest)?;
        let config = checked(dir, &manifest.config)?;
        Ok(Some(Self { config, manifest }))
    }

    /// A layer's blob in the folder; its digest is checked by [`Store::restore_layer`].
    ///
    /// # Errors
    /// When it is not there.
    pub fn open_blob(dir: &Path, layer: &Descriptor) -> Result<File, StoreError> {
        let path = dir.join(blob_path(&layer.digest));
        open_regular(&path, Links::Follow).at("open", &path)
    }
}

fn write(
    dir: &Path,
    path: &Path,
    fill: impl FnOnce(&mut Draft) -> Result<u64, StoreError>,
) -> Result<(), StoreError> {
    let mut draft = Draft::of(path, 0o644).at("create a file in", dir)?;
    fill(&mut draft)?;
    draft.set_mode(0o644).at("change the mode of", path)?;
    draft.commit().at("write", path)
}

fn small(path: &Path) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    let read =
        open_regular(path, Links::Follow).and_then(|file| file.take(MAX_JSON + 1).read_to_end(&mut bytes));
    if read.at("read", path)? as u64 > MAX_JSON {
        return Err(StoreError::corrupt(path.to_owned(), "it is too large"));
    }
    Ok(bytes)
}

fn checked(dir: &Path, entry: &Descriptor) -> Result<Vec<u8>, StoreError> {
    let bytes = small(&dir.join(blob_path(&entry.digest)))?;
    let found = Digest::of(&bytes);
    if found != entry.digest {
        let object = "a document of a layout".to_owned();
        return Err(StoreError::DigestMismatch { object, expected: entry.digest, found });
    }
    Ok(bytes)
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|error| StoreError::corrupt(path.to_owned(), error))
}

impl Store {
    /// Makes a layer again that another store sealed: unpacked from its blob and sealed anew, so that it has the
    /// identity that it has there, which an imported layer (known by its tar alone) has not.
    ///
    /// # Errors
    /// When the blob is not what its digest says, or is no layer.
    pub fn restore_layer(
        &self,
        blob: impl Read,
        expected: &Digest,
        options: &SealOptions,
    ) -> Result<Layer, StoreError> {
        let draft = self.begin_layer()?;
        let limits = crate::ImportLimits::default();
        let mut blob = HashReader::new(layer::Bounded::new(blob, limits.bytes));
        {
            let (_, mut tar) = layer::decompress(&mut blob)?;
            layer::unpack(&mut tar, &draft.fs, &limits)?;
            let failed = |source| StoreError::Stream { action: "read an archive", source };
            io::copy(&mut tar, &mut io::sink()).map_err(failed)?;
        }
        let failed = |source| StoreError::Stream { action: "read an archive", source };
        io::copy(&mut blob, &mut io::sink()).map_err(failed)?;
        let (_, found, _) = blob.finish();
        if found != *expected {
            let object = "a layer's blob".to_owned();
            return Err(StoreError::DigestMismatch { object, expected: *expected, found });
        }
        draft.seal(options)
    }
}
