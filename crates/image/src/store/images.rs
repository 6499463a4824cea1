//! Images and their names.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{Origin, Store, derived, layers::remove_file, read_json_if_there};
use crate::{Digest, ImageConfig, LayerId, Reference, StoreError, error::At as _};

/// An image to be stored. `config.rootfs` is filled from `layers`.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// How containers of it start, and its history.
    pub config: ImageConfig,
    /// Its layers, lowest first.
    pub layers: Vec<LayerId>,
}

/// An image in the store.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageRecord {
    /// Digest of the configuration's bytes: the image id that an engine shows.
    pub id: Digest,
    /// How containers of it start, and its history.
    pub config: ImageConfig,
    /// Its layers, lowest first.
    pub layers: Vec<LayerId>,
    /// Its names, sorted.
    pub references: Vec<Reference>,
    /// Unpacked size: the sum of its layers' sizes.
    pub bytes: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct ImageFile {
    layers: Vec<LayerId>,
    bytes: u64,
}

type Names = BTreeMap<Reference, Digest>;

impl Store {
    pub(super) fn image_file(&self, id: &Digest) -> PathBuf {
        self.root().join("images").join(format!("{}.json", id.hex()))
    }

    fn names(&self) -> Result<Names, StoreError> {
        Ok(read_json_if_there(&self.root().join("references.json"))?.unwrap_or_default())
    }

    fn write_names(&self, names: &Names) -> Result<(), StoreError> {
        self.write_json(&self.root().join("references.json"), names)
    }

    /// Stores an image under any number of names; a name that another image has moves here. Makes the layers'
    /// diff ids, if nobody needed them before.
    pub fn put_image(&self, image: &Image, names: &[Reference]) -> Result<ImageRecord, StoreError> {
        self.put_image_from(image, names, None)
    }

    /// As [`Store::put_image`], with names that somebody else than a person gave.
    pub fn put_image_from(
        &self,
        image: &Image,
        names: &[Reference],
        origin: Option<&Origin>,
    ) -> Result<ImageRecord, StoreError> {
        let _pin = self.pin()?;
        let mut config = image.config.clone();
        "layers".clone_into(&mut config.rootfs.kind);
        config.rootfs.diff_ids = self.diff_ids(&image.layers)?;
        let bytes =
            serde_json::to_vec(&config).map_err(|error| StoreError::format("image configuration", error))?;
        self.add_image(&bytes, &image.layers, names, origin)
    }

    /// Stores an image whose configuration comes from outside and keeps its bytes, and so its id. The layers must
    /// be those of `rootfs.diff_ids`.
    pub fn put_image_verbatim(
        &self,
        config: &[u8],
        layers: &[LayerId],
        names: &[Reference],
        origin: Option<&Origin>,
    ) -> Result<ImageRecord, StoreError> {
        let _pin = self.pin()?;
        let parsed: ImageConfig = serde_json::from_slice(config)
            .map_err(|error| StoreError::format("image configuration", error))?;
        let found = layers.iter().map(|id| self.diff_id(id)).collect::<Result<Vec<_>, _>>()?;
        if parsed.rootfs.diff_ids != found {
            let reason = "its `rootfs.diff_ids` are not the digests of its layers";
            return Err(StoreError::format("image configuration", reason));
        }
        self.add_image(config, layers, names, origin)
    }

    fn add_image(
        &self,
        config: &[u8],
        layers: &[LayerId],
        names: &[Reference],
        origin: Option<&Origin>,
    ) -> Result<ImageRecord, StoreError> {
        if let Some(pinned) = names.iter().find(|name| name.digest().is_some()) {
            let reason = "a name with a digest is given by a registry alone";
            return Err(StoreError::format(pinned.familiar(), reason));
        }
        let mut bytes = 0;
        for id in layers {
            bytes += self.require_layer(id)?.bytes;
        }
        let _lock = self.write_lock()?;
        let id = self.put_blob(config)?;
        let file = self.image_file(&id);
        if derived(read_json_if_there::<ImageFile>(&file))?.is_none() {
            self.write_json(&file, &ImageFile { layers: layers.to_vec(), bytes })?;
        }
        // before the names: nobody may read a name whose giver is not known yet
        self.change_origins(|origins| {
            for name in names {
                origins.remove(name);
                if let Some(origin) = origin {
                    origins.insert(name.clone(), [(id, origin.clone())].into());
                }
            }
        })?;
        let mut all = self.names()?;
        let before = all.clone();
        all.extend(names.iter().map(|name| (name.clone(), id)));
        if all != before {
            self.write_names(&all)?;
        }
        self.change_others(|others| others.retain(|name, _| !names.contains(name)))?;
        self.record(&id, &all)?.ok_or_else(|| StoreError::NoImage(id.to_string()))
    }

    fn record(&self, id: &Digest, names: &Names) -> Result<Option<ImageRecord>, StoreError> {
        let Some(file) = derived(read_json_if_there::<ImageFile>(&self.image_file(id)))? else {
            return Ok(None);
        };
        let config = serde_json::from_slice(&self.read_blob(id)?)
            .map_err(|error| StoreError::corrupt(self.blob_path(id), error))?;
        let references =
            names.iter().filter(|(_, image)| *image == id).map(|(name, _)| name.clone()).collect();
        Ok(Some(ImageRecord { id: *id, config, layers: file.layers, references, bytes: file.bytes }))
    }

    /// The image of this name. A name with a digest is found by name and digest of the image's configuration.
    pub fn image(&self, name: &Reference) -> Result<Option<ImageRecord>, StoreError> {
        let names = self.names()?;
        match names.get(name) {
            Some(id) => self.record(id, &names),
            None => Ok(None),
        }
    }

    /// The image with this id.
    pub fn image_by_id(&self, id: &Digest) -> Result<Option<ImageRecord>, StoreError> {
        self.record(id, &self.names()?)
    }

    /// The image that a person means: a name, an id, or the first digits (at least 4) of an id.
    pub fn find_image(&self, text: &str) -> Result<ImageRecord, StoreError> {
        let names = self.names()?;
        if let Ok(name) = Reference::parse(text)
            && let Some(id) = names.get(&name)
            && let Some(record) = self.record(id, &names)?
        {
            return Ok(record);
        }
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        if digits.len() >= 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let ids = self.image_ids()?;
            let fitting: Vec<_> = ids.iter().filter(|id| id.hex().starts_with(digits)).collect();
            match fitting.as_slice() {
                [] => {}
                [id] => {
                    if let Some(record) = self.record(id, &names)? {
                        return Ok(record);
                    }
                }
                several => {
                    return Err(StoreError::Ambiguous { name: text.to_owned(), count: several.len() });
                }
            }
        }
        Err(StoreError::NoImage(text.to_owned()))
    }

    pub(super) fn image_ids(&self) -> Result<Vec<Digest>, StoreError> {
        let dir = self.root().join("images");
        let mut ids = Vec::new();
        for entry in fs::read_dir(&dir).at("read", &dir)? {
            let name = entry.at("read", &dir)?.file_name();
            let hex = name.to_str().and_then(|name| name.strip_suffix(".json"));
            ids.extend(hex.and_then(|hex| Digest::parse(&format!("sha256:{hex}")).ok()));
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Every image, sorted by its first name, the nameless ones last.
    pub fn images(&self) -> Result<Vec<ImageRecord>, StoreError> {
        let names = self.names()?;
        let mut records = Vec::new();
        for id in self.image_ids()? {
            records.extend(self.record(&id, &names)?);
        }
        records.sort_by(|left, right| {
            let key = |record: &ImageRecord| {
                (record.references.is_empty(), record.references.first().cloned(), record.id)
            };
            key(left).cmp(&key(right))
        });
        Ok(records)
    }

    /// Gives an image one more name.
    pub fn tag(&self, id: &Digest, name: &Reference) -> Result<(), StoreError> {
        let _pin = self.pin()?;
        let _lock = self.write_lock()?;
        self.tag_locked(id, name, &BTreeMap::new())
    }

    /// As [`Store::tag`]; the caller holds the lock for writing.
    pub(super) fn tag_locked(
        &self,
        id: &Digest,
        name: &Reference,
        given: &BTreeMap<Digest, Origin>,
    ) -> Result<(), StoreError> {
        if !self.image_file(id).exists() {
            return Err(StoreError::NoImage(id.to_string()));
        }
        self.change_origins(|origins| drop(origins.insert(name.clone(), given.clone())))?;
        let mut names = self.names()?;
        if names.insert(name.clone(), *id) != Some(*id) {
            self.write_names(&names)?;
        }
        self.change_others(|others| drop(others.remove(name)))
    }

    /// Takes a name away and returns the image that had it. The image stays until [`Store::prune`].
    pub fn untag(&self, name: &Reference) -> Result<Option<Digest>, StoreError> {
        let _lock = self.write_lock()?;
        let mut names = self.names()?;
        let id = names.remove(name);
        if id.is_some() {
            self.write_names(&names)?;
        }
        self.change_others(|others| drop(others.remove(name)))?;
        self.change_origins(|origins| drop(origins.remove(name)))?;
        Ok(id)
    }

    /// Removes an image's record and all its names. Its layers stay until [`Store::prune`].
    pub fn remove_image(&self, id: &Digest) -> Result<(), StoreError> {
        let _lock = self.write_lock()?;
        self.remove_image_locked(id)
    }

    pub(super) fn remove_image_locked(&self, id: &Digest) -> Result<(), StoreError> {
        let mut names = self.names()?;
        let before = names.len();
        names.retain(|_, image| image != id);
        if names.len() != before {
            self.write_names(&names)?;
        }
        self.change_others(|others| {
            others.retain(|name, _| names.contains_key(name));
            for images in others.values_mut() {
                images.retain(|image| image != id);
            }
        })?;
        self.change_origins(|origins| {
            for images in origins.values_mut() {
                images.remove(id);
            }
        })?;
        remove_file(&self.image_file(id))
    }

    /// The images without a name.
    pub(super) fn nameless_images(&self) -> Result<Vec<Digest>, StoreError> {
        let names = self.names()?;
        let further = self.further_images()?;
        let named: std::collections::HashSet<_> = names.values().chain(&further).collect();
        Ok(self.image_ids()?.into_iter().filter(|id| !named.contains(id)).collect())
    }

    pub(super) fn layers_of_image(&self, id: &Digest) -> Result<Vec<LayerId>, StoreError> {
        let file = derived(read_json_if_there::<ImageFile>(&self.image_file(id)))?;
        Ok(file.map(|file| file.layers).unwrap_or_default())
    }
}
