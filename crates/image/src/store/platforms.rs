//! Names that stand for images of several platforms.
//!
//! `references.json` says which image a name means when nobody asks for a platform; `platforms.json` which others
//! the name has besides. A name that is set anew loses them: they belong to what it meant before.

use std::collections::BTreeMap;

use super::{ImageRecord, Origin, Store, read_json_if_there};
use crate::{
    Digest, Reference, StoreError,
    manifest::{Platform, platform_of},
};

/// The further images of each name.
type Others = BTreeMap<Reference, Vec<Digest>>;

impl Store {
    fn others(&self) -> Result<Others, StoreError> {
        Ok(read_json_if_there(&self.root().join("platforms.json"))?.unwrap_or_default())
    }

    /// Changes the further images; the caller holds the lock for writing.
    pub(super) fn change_others(&self, change: impl FnOnce(&mut Others)) -> Result<(), StoreError> {
        let before = self.others()?;
        let mut after = before.clone();
        change(&mut after);
        after.retain(|_, images| !images.is_empty());
        if after == before { Ok(()) } else { self.write_json(&self.root().join("platforms.json"), &after) }
    }

    /// The images that names stand for besides the first.
    pub(super) fn further_images(&self) -> Result<Vec<Digest>, StoreError> {
        Ok(self.others()?.into_values().flatten().collect())
    }

    /// Every image of a name, one for each platform; the one that the name means without a platform comes first.
    pub fn images_of(&self, name: &Reference) -> Result<Vec<ImageRecord>, StoreError> {
        let mut records: Vec<ImageRecord> = self.image(name)?.into_iter().collect();
        for id in self.others()?.remove(name).unwrap_or_default() {
            records.extend(self.image_by_id(&id)?);
        }
        Ok(records)
    }

    /// The image of a name for a platform.
    pub fn image_for(
        &self,
        name: &Reference,
        platform: &Platform,
    ) -> Result<Option<ImageRecord>, StoreError> {
        let fits = |record: &ImageRecord| platform.accepts(&platform_of(&record.config));
        match self.image(name)? {
            Some(record) if fits(&record) => Ok(Some(record)),
            None => Ok(None),
            Some(_) => Ok(self.images_of(name)?.into_iter().find(fits)),
        }
    }

    /// Gives names to several images for different platforms at once. The first is what a name means without a
    /// platform.
    pub fn tag_platforms(&self, images: &[Digest], names: &[Reference]) -> Result<(), StoreError> {
        self.tag_platforms_from(images, names, &BTreeMap::new())
    }

    /// As [`Store::tag_platforms`], with who gave the images the names, for those that no person named.
    pub fn tag_platforms_from(
        &self,
        images: &[Digest],
        names: &[Reference],
        origins: &BTreeMap<Digest, Origin>,
    ) -> Result<(), StoreError> {
        let Some((first, others)) = images.split_first() else { return Ok(()) };
        let _pin = self.pin()?;
        let _lock = self.write_lock()?;
        for name in names {
            self.tag_locked(first, name, origins)?;
        }
        self.change_others(|all| {
            for name in names {
                all.insert(name.clone(), others.to_vec());
            }
        })
    }

    /// Gives an image one more name, which keeps its images for other platforms, each with who gave it the name.
    pub fn tag_platform(
        &self,
        image: &ImageRecord,
        name: &Reference,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        let own = platform_of(&image.config);
        let mut images = vec![image.id];
        let mut origins = vec![(image.id, origin.clone())];
        for other in self.images_of(name)? {
            if platform_of(&other.config) != own && other.id != image.id {
                images.push(other.id);
                origins.extend(self.origin(name, &other.id)?.map(|origin| (other.id, origin)));
            }
        }
        self.tag_platforms_from(&images, std::slice::from_ref(name), &origins.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Image, ImageConfig, PruneOptions};

    fn image(store: &Store, architecture: &str, names: &[Reference]) -> ImageRecord {
        let config = ImageConfig { architecture: architecture.to_owned(), ..ImageConfig::default() };
        store.put_image(&Image { config, layers: Vec::new() }, names).unwrap()
    }

    #[test]
    fn a_name_may_have_an_image_for_each_platform() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("store")).unwrap();
        let name = Reference::parse("app:1").unwrap();
        let names = std::slice::from_ref(&name);
        let (amd, arm) = (image(&store, "amd64", &[]), image(&store, "arm64", &[]));
        store.tag_platforms(&[amd.id, arm.id], names).unwrap();
        let of = |architecture: &str| {
            let platform = Platform::new("linux", architecture, None);
            store.image_for(&name, &platform).unwrap().map(|record| record.id)
        };
        assert_eq!((of("amd64"), of("arm64"), of("s390x")), (Some(amd.id), Some(arm.id), None));
        assert_eq!(store.image(&name).unwrap().unwrap().id, amd.id);
        let kept = store.prune(&PruneOptions { nameless_images: true, ..PruneOptions::default() }).unwrap();
        assert_eq!(kept.images, [], "a further image is not nameless");

        // one more platform joins, and the same platform replaces
        let s390x = image(&store, "s390x", &[]);
        let registry = Origin::Registry { mirror: None, digest: s390x.id };
        store.tag_platform(&s390x, &name, &registry).unwrap();
        assert_eq!(store.origin(&name, &s390x.id).unwrap(), Some(registry));
        assert_eq!((of("amd64"), of("arm64"), of("s390x")), (Some(amd.id), Some(arm.id), Some(s390x.id)));
        store.remove_image(&arm.id).unwrap();
        assert_eq!((of("arm64"), of("amd64")), (None, Some(amd.id)));

        // a name that means something else now has nothing of before
        image(&store, "amd64", names);
        assert_eq!(of("s390x"), None);
        let gone = store.prune(&PruneOptions { nameless_images: true, ..PruneOptions::default() }).unwrap();
        assert!(gone.images.contains(&s390x.id));
    }
}
