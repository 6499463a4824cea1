//! Where the image behind a name came from.
//!
//! A name like `alpine:3.20` is everybody's: each project of the machine reads it. Whoever reads one has to know whose
//! word it is that this image has this name. `origins.json` keeps it for each name and image; a name without an entry
//! was given by a person (`--tag`), whose word counts for everybody.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Store, derived, read_json_if_there};
use crate::{Digest, ImageRecord, Reference, StoreError};

/// Who gave an image its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum Origin {
    /// A registry.
    Registry {
        /// The host that was asked in place of the name's own registry.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        mirror: Option<String>,
        /// The digest of the manifest or index that came.
        digest: Digest,
    },
    /// An archive or layout that names its images itself.
    Archive {
        /// The file or folder; `-` is standard input.
        path: PathBuf,
    },
    /// A build whose name stands in a file of a project, such as `image:` beside `build:` in a compose file.
    Project {
        /// The folder of the project whose file gave the name.
        folder: PathBuf,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry { mirror: None, .. } => out.write_str("registry"),
            Self::Registry { mirror: Some(host), .. } => write!(out, "mirror {host}"),
            Self::Archive { path } => write!(out, "archive {}", path.display()),
            Self::Project { folder } => write!(out, "project {}", folder.display()),
        }
    }
}

impl Origin {
    /// Whether a project's name counts in `folder`: the same repository (the nearest folder upwards with `.git`), or
    /// a folder below the project's.
    pub fn is_of(&self, folder: &Path) -> bool {
        match self {
            Self::Project { folder: own } => {
                folder.starts_with(own)
                    || repository(own).is_some_and(|root| repository(folder) == Some(root))
            }
            Self::Registry { .. } | Self::Archive { .. } => false,
        }
    }
}

fn repository(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|at| at.join(".git").exists())
}

/// The origins of each name's images.
type Origins = BTreeMap<Reference, BTreeMap<Digest, Origin>>;

impl Store {
    fn origins(&self) -> Result<Origins, StoreError> {
        // what cannot be read is as good as a person's word: losing the file must not lose the images
        Ok(derived(read_json_if_there(&self.root().join("origins.json")))?.unwrap_or_default())
    }

    /// Changes the origins; the caller holds the lock for writing.
    pub(super) fn change_origins(&self, change: impl FnOnce(&mut Origins)) -> Result<(), StoreError> {
        let before = self.origins()?;
        let mut after = before.clone();
        change(&mut after);
        after.retain(|_, images| !images.is_empty());
        if after == before { Ok(()) } else { self.write_json(&self.root().join("origins.json"), &after) }
    }

    /// Who gave this image the name; `None` for a person.
    pub fn origin(&self, name: &Reference, image: &Digest) -> Result<Option<Origin>, StoreError> {
        Ok(self.origins()?.remove(name).and_then(|mut images| images.remove(image)))
    }

    /// Who gave an image its names, for those that no person gave.
    pub fn origins_of(&self, image: &ImageRecord) -> Result<BTreeMap<Reference, Origin>, StoreError> {
        let all = self.origins()?;
        let own = image.references.iter().filter_map(|name| {
            let origin = all.get(name)?.get(&image.id)?;
            Some((name.clone(), origin.clone()))
        });
        Ok(own.collect())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{Image, ImageConfig};

    fn image(architecture: &str) -> Image {
        let config = ImageConfig { architecture: architecture.to_owned(), ..ImageConfig::default() };
        Image { config, layers: Vec::new() }
    }

    #[test]
    fn a_persons_word_replaces_a_projects() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("store")).unwrap();
        let name = Reference::parse("alpine:3.20").unwrap();
        let names = std::slice::from_ref(&name);
        let project = Origin::Project { folder: dir.path().join("hostile") };
        let built = store.put_image_from(&image("amd64"), names, Some(&project)).unwrap();
        assert_eq!(store.origin(&name, &built.id).unwrap(), Some(project.clone()));
        assert_eq!(store.origins_of(&built).unwrap()[&name], project);
        // the same image under the same name, by a person
        store.put_image(&image("amd64"), names).unwrap();
        assert_eq!(store.origin(&name, &built.id).unwrap(), None);

        store.put_image_from(&image("amd64"), names, Some(&project)).unwrap();
        store.untag(&name).unwrap();
        store.tag(&built.id, &name).unwrap();
        assert_eq!(store.origin(&name, &built.id).unwrap(), None);
    }

    #[test]
    fn a_name_with_a_digest_comes_from_a_registry_alone() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("store")).unwrap();
        let pinned = Reference::parse("alpine").unwrap().with_digest(Some(Digest::of(b"x")));
        let error = store.put_image(&image("amd64"), std::slice::from_ref(&pinned)).unwrap_err();
        assert!(error.to_string().contains("registry alone"), "{error}");
        assert_eq!(store.image(&pinned).unwrap(), None);
    }

    #[test]
    fn a_project_is_its_repository() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(&path).unwrap();
            path
        };
        let of = |path: &str| Origin::Project { folder: at(path) };
        assert!(of("plain").is_of(&at("plain")) && of("plain").is_of(&at("plain/service")));
        assert!(!of("plain/service").is_of(&at("plain")), "a folder below may be a stranger's");
        assert!(!of("plain").is_of(&at("other")) && !of("plain").is_of(&at("plainer")));
        at("one/.git");
        assert!(of("one/deploy").is_of(&at("one/development")));
        at("one/vendored/.git");
        assert!(!of("one/vendored").is_of(&at("one")));
    }
}
