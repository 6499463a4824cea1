//! Images as files: an OCI layout, a `docker save` archive, a root file system.

mod load;
mod rootfs;

use std::{fs, io::Write, path::Path};

pub use load::{load, load_stream};
use plimsoll_disk::Draft;
pub use rootfs::{Rootfs, write_rootfs_dir, write_rootfs_dirs, write_rootfs_tar, write_rootfs_tars};

use crate::{
    Digest, ImageRecord, LayerCompression, Reference, Store, StoreError,
    bundle::{Bundle, Form, Member},
    error::At as _,
    layout::{Layout, Part, write_archive},
    manifest::Descriptor,
};

/// Images in the form of an OCI layout (image-spec `image-layout.md`).
#[derive(Debug)]
pub struct OciLayout {
    store: Store,
    parts: Vec<Part>,
    manifests: Vec<Descriptor>,
}

impl OciLayout {
    /// Plans a layout with some images under their names. Layers are compressed here, if nobody needed them before.
    pub fn new(
        store: &Store,
        images: &[(ImageRecord, Vec<Reference>)],
        compression: LayerCompression,
    ) -> Result<Self, StoreError> {
        Self::of_bundles(store, &bundles(store, images, compression)?, false)
    }

    /// Plans a `docker save` archive, which also is an OCI layout; its layers are plain tars, as every engine reads.
    pub fn docker(store: &Store, images: &[(ImageRecord, Vec<Reference>)]) -> Result<Self, StoreError> {
        Self::of_bundles(store, &bundles(store, images, LayerCompression::None)?, true)
    }

    /// Plans a layout of what builds put out, each under its names. `docker` adds Docker's `manifest.json`, whose
    /// readers want one image for each name.
    pub fn of_bundles(
        store: &Store,
        bundles: &[(Bundle, Vec<Reference>)],
        docker: bool,
    ) -> Result<Self, StoreError> {
        let mut layout = Layout::default();
        for (bundle, names) in bundles {
            layout.add_bundle(bundle, names);
        }
        let manifests = bundles.iter().map(|(bundle, _)| bundle.root().clone()).collect();
        Ok(Self { store: store.clone(), parts: layout.finish(docker)?, manifests })
    }

    /// The manifest (or index) of each image, in order.
    pub fn manifests(&self) -> &[Descriptor] {
        &self.manifests
    }

    /// Writes the layout as a tar, always the same bytes.
    pub fn write_tar(&self, out: impl Write) -> Result<(), StoreError> {
        let _pin = self.store.pin()?;
        write_archive(&self.store, &self.parts, out)?
            .flush()
            .map_err(|source| StoreError::Stream { action: "write an image archive", source })
    }

    /// Writes the layout into a folder, which is made when it is not there. Blobs that are there already stay.
    pub fn write_dir(&self, dir: &Path) -> Result<(), StoreError> {
        let _pin = self.store.pin()?;
        let blobs = dir.join("blobs/sha256");
        fs::create_dir_all(&blobs).at("create", &blobs)?;
        // blobs before the index that names them
        for part in self.parts.iter().rev() {
            let path = dir.join(&part.path);
            if path.starts_with(&blobs) && fs::metadata(&path).is_ok_and(|meta| meta.len() == part.size) {
                continue;
            }
            let mut draft = Draft::of(&path, 0o644).at("create a file in", dir)?;
            part.copy(&self.store, &mut draft)?;
            draft.set_mode(0o644).at("change the mode of", &path)?;
            draft.commit().at("write", &path)?;
        }
        Ok(())
    }
}

fn bundles(
    store: &Store,
    images: &[(ImageRecord, Vec<Reference>)],
    compression: LayerCompression,
) -> Result<Vec<(Bundle, Vec<Reference>)>, StoreError> {
    let form = Form::all(compression);
    let bundle = |(record, names): &(ImageRecord, Vec<Reference>)| {
        let member = Member::plain(record.clone());
        Ok((Bundle::new(store, &[member], names, &form)?, names.clone()))
    };
    images.iter().map(bundle).collect()
}

/// The digest of the manifest that [`OciLayout`] and a push give an image in this form.
pub fn manifest_digest(
    store: &Store,
    record: &ImageRecord,
    compression: LayerCompression,
) -> Result<Digest, StoreError> {
    let layout = OciLayout::new(store, &[(record.clone(), Vec::new())], compression)?;
    Ok(layout.manifests[0].digest)
}
