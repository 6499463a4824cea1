//! Artefacts in a registry.

use std::io::Read as _;

use super::{
    Document, Progress, Registry, RegistryError, get_document,
    pull::Download,
    push::{Blob, Pushed, blob_once, put_manifest},
    transport::Access,
    wanted,
};
use crate::{
    Digest, Layer, Reference, SealOptions, Store, artifact::Artifact, manifest::Descriptor, store::MAX_JSON,
};

impl Registry {
    /// Sends an artefact whose blobs are in the store; blobs that the registry has do not travel.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses it.
    pub fn push_artifact(
        &self,
        store: &Store,
        artifact: &Artifact,
        name: &Reference,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Pushed, RegistryError> {
        let _pin = store.pin()?;
        let connection = self.connect(name, Access::Push)?;
        let config = &artifact.manifest.config;
        let mut pushed = Pushed { digest: config.digest, sent: 0, known: 0, mounted: 0, bytes: 0 };
        for descriptor in artifact.manifest.layers.iter().chain([config]) {
            let blob = Blob::File(store.blob_path(&descriptor.digest));
            blob_once(&connection, descriptor, &blob, &[], &mut pushed, progress)?;
        }
        pushed.digest = put_manifest(&connection, &artifact.manifest, name)?;
        Ok(pushed)
    }

    /// Gets the manifest and the document of an artefact, or of an image. An index is none.
    ///
    /// # Errors
    /// When it is not there, or is an index.
    pub fn artifact(&self, name: &Reference) -> Result<Artifact, RegistryError> {
        let connection = self.connect(name, Access::Pull)?;
        let (document, _) = get_document(&connection, &wanted(name), name.digest())?;
        let Document::Manifest(manifest) = document else {
            return Err(connection.invalid(&name.familiar(), "it is an index"));
        };
        if manifest.config.size > MAX_JSON {
            return Err(connection.invalid(&name.familiar(), "its document is too large"));
        }
        let mut config = Vec::new();
        let mut download = Download::new(&connection, &manifest.config);
        let read = download.read_to_end(&mut config);
        if let Some(error) = download.failure.take() {
            return Err(error);
        }
        read.map_err(|error| connection.unreachable(&error))?;
        if Digest::of(&config) != manifest.config.digest {
            return Err(connection.invalid(&name.familiar(), "its document has another digest"));
        }
        Ok(Artifact { config, manifest: *manifest })
    }

    /// Gets a layer of an artefact or image and seals it, see [`Store::restore_layer`].
    ///
    /// # Errors
    /// When it cannot be had, or is not what its digest says.
    pub fn restore_layer(
        &self,
        store: &Store,
        name: &Reference,
        layer: &Descriptor,
        options: &SealOptions,
    ) -> Result<Layer, RegistryError> {
        let connection = self.connect(name, Access::Pull)?;
        let mut download = Download::new(&connection, layer);
        let restored = store.restore_layer(&mut download, &layer.digest, options);
        match download.failure {
            Some(error) => Err(error),
            None => Ok(restored?),
        }
    }
}
