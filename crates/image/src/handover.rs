//! Hands an image to an engine: a tar for `POST /images/load` with only the layers that the engine lacks.
//!
//! The tar is a hybrid: Docker's `manifest.json` for engines with graph drivers, an OCI layout for those with the
//! containerd store. An engine that knows the chain of lower layers does not ask for their bytes. A refusal comes as
//! HTTP 200 with `errorDetail` in the stream; then send [`Handover::full`].

use std::{collections::HashSet, io::Write};

use crate::{
    Digest, ImageRecord, Reference, Store, StoreError,
    layout::{Layout, Part, archive_size, write_archive},
    manifest::{Descriptor, chain_ids, media_type},
    store::LayerBlob,
};

/// The layer chains that an engine has: of each of its images, `RootFS.Layers` of `GET /images/{id}/json`.
#[derive(Debug, Clone, Default)]
pub struct EngineLayers {
    chains: HashSet<Digest>,
}

impl EngineLayers {
    /// An engine that has no layer yet, so that every layer is sent.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes one image of the engine by its diff ids, lowest first.
    pub fn add_image(&mut self, diff_ids: &[Digest]) {
        self.chains.extend(chain_ids(diff_ids));
    }

    /// How many of these layers, from the lowest on, the engine has as one chain.
    pub fn known_prefix(&self, diff_ids: &[Digest]) -> usize {
        chain_ids(diff_ids).iter().take_while(|chain| self.chains.contains(chain)).count()
    }
}

/// A tar ready to be sent.
#[derive(Debug)]
pub struct Handover {
    store: Store,
    parts: Vec<Part>,
    size: u64,
    sent: usize,
    total: usize,
}

impl Handover {
    /// The tar with the layers that the engine lacks. `names` are the tags that the engine gives the image.
    pub fn delta(
        store: &Store,
        record: &ImageRecord,
        names: &[Reference],
        engine: &EngineLayers,
    ) -> Result<Self, StoreError> {
        let known = engine.known_prefix(&record.config.rootfs.diff_ids);
        Self::without(store, record, names, known)
    }

    /// The tar with every layer.
    pub fn full(store: &Store, record: &ImageRecord, names: &[Reference]) -> Result<Self, StoreError> {
        Self::without(store, record, names, 0)
    }

    fn without(
        store: &Store,
        record: &ImageRecord,
        names: &[Reference],
        known: usize,
    ) -> Result<Self, StoreError> {
        let mut layout = Layout::default();
        let mut descriptors = Vec::new();
        let mut files = Vec::new();
        for (index, id) in record.layers.iter().enumerate() {
            let diff = store.diff(id)?;
            let blobs = store.layer_blobs(id)?;
            let original = blobs.iter().find(|blob| blob.original && blob.compression == "gzip");
            let (descriptor, part) = match original {
                // the containerd store knows a pulled layer by the digest it was pulled with
                Some(LayerBlob { digest, bytes, .. }) => {
                    let kind = format!("{}+gzip", media_type::OCI_LAYER);
                    (Descriptor::new(kind, *digest, *bytes), Part::blob(*digest, *bytes))
                }
                // to compress for a socket costs more than it saves; engines before 23 cannot read zstd
                None => (
                    Descriptor::new(media_type::OCI_LAYER, diff.diff_id, diff.bytes),
                    Part::tar(*id, diff.diff_id, diff.bytes),
                ),
            };
            descriptors.push(descriptor);
            if index >= known {
                files.push(part);
            }
        }
        let sent = files.len();
        layout.add_image(record, store.read_blob(&record.id)?, names, descriptors)?;
        for part in files {
            layout.add(part);
        }
        let parts = layout.finish(true)?;
        let size = archive_size(&parts);
        Ok(Self { store: store.clone(), parts, size, sent, total: record.layers.len() })
    }

    /// The exact size of the tar in bytes, for `Content-Length`.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Number of layers in the tar.
    pub fn layers_sent(&self) -> usize {
        self.sent
    }

    /// Number of layers of the image.
    pub fn layers_total(&self) -> usize {
        self.total
    }

    /// Writes the tar as a stream; it can be written again.
    pub fn write(&self, out: impl Write) -> Result<(), StoreError> {
        let _pin = self.store.pin()?;
        write_archive(&self.store, &self.parts, out)?
            .flush()
            .map_err(|source| StoreError::Stream { action: "write an image archive", source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unbroken_chain_is_known() {
        let id = |text: &str| Digest::of(text);
        let mut engine = EngineLayers::new();
        engine.add_image(&[id("base"), id("node"), id("app")]);
        engine.add_image(&[id("other"), id("app")]);
        assert_eq!(engine.known_prefix(&[id("base"), id("node"), id("app2")]), 2);
        assert_eq!(engine.known_prefix(&[id("base"), id("app")]), 1);
        assert_eq!(engine.known_prefix(&[id("node"), id("app")]), 0);
        assert_eq!(engine.known_prefix(&[id("base"), id("node"), id("app")]), 3);
        assert_eq!(EngineLayers::new().known_prefix(&[id("base")]), 0);
    }
}
