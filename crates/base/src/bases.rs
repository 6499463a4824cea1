//! From a name to an image in the store.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use plimsoll_image::{Image, ImageRecord, LayerId, Store};
use sha2::{Digest as _, Sha256};

use crate::archive::{Archive, Suites};
use crate::assemble::{self, Assembled, Plan, store_error};
use crate::config::{image_config, plain_version, references, tags};
use crate::custom::Custom;
use crate::dependency;
use crate::error::BaseError;
use crate::fetch::hex;
use crate::index::{Origin, Package};
use crate::mirror::Mirror;
use crate::recipes::{self, Recipe, Setup};
use crate::record::{self, FORMAT, OmittedRecord, PackageRecord, Record};
use crate::resolve::{Installed, Request, resolve};
use crate::suite::{Suite, architecture};
use crate::{date, dpkg, npm, sbom};

/// What a base's making is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The archive's indexes are read and checked.
    Index,
    /// Packages are fetched.
    Fetch {
        /// Bytes that are here.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// The layer is made of this many packages.
    Assemble {
        /// Their number.
        packages: usize,
    },
    /// Something that the user should know.
    Note(String),
}

/// A base in the store.
#[derive(Debug, Clone)]
pub struct Made {
    /// The image.
    pub image: ImageRecord,
    /// What it was made of.
    pub record: Record,
    /// Whether it was there already.
    pub cached: bool,
}

/// A base that could be made, or is.
#[derive(Debug, Clone)]
pub struct Listed {
    /// How it is made.
    pub recipe: &'static Recipe,
    /// One sentence for people.
    pub summary: String,
    /// What it became; `None` when it was not made, or its recipe changed since.
    pub made: Option<Made>,
}

/// Makes bases into a store. May be used by several threads at once.
#[derive(Debug)]
pub struct Bases {
    store: Store,
    cache: PathBuf,
    mirror: Option<Mirror>,
    suite: Suite,
    suites: Mutex<Option<Arc<Suites>>>,
    /// Bases that were made anew by this value, so that a refresh makes each once.
    fresh: Mutex<BTreeSet<&'static str>>,
}

impl Bases {
    /// `cache` keeps indexes, packages and records; `mirror` is needed only when something has to be fetched.
    pub fn new(store: &Store, cache: impl Into<PathBuf>, mirror: Option<Mirror>) -> Self {
        Self {
            store: store.clone(),
            cache: cache.into(),
            mirror,
            suite: Suite::default(),
            suites: Mutex::default(),
            fresh: Mutex::default(),
        }
    }

    /// Makes bases of another release of Debian.
    #[must_use]
    pub fn suite(mut self, suite: Suite) -> Self {
        self.suite = suite;
        self
    }

    /// A base of the user's own, made if it is not there or is made of something else. From then on [`Self::make`],
    /// [`Self::refresh`] and [`Self::sbom`] know its name.
    pub fn make_custom(
        &self,
        custom: &Custom,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Made, BaseError> {
        self.make_recipe(custom.recipe()?, progress)
    }

    /// The recipe of a name: ours, or the one that a base of the user's own was made by.
    fn find(&self, name: &str) -> Result<&'static Recipe, BaseError> {
        if let Some(recipe) = recipes::named(name) {
            return Ok(recipe);
        }
        match record::read(&self.cache, &record::file_name(name, self.suite)).and_then(|record| record.custom)
        {
            Some(custom) => custom.recipe(),
            None => Err(BaseError::UnknownBase { name: name.to_owned() }),
        }
    }

    /// The base of this name, made if it is not there. Without network and in a few milliseconds when it is.
    pub fn make(&self, name: &str, progress: &(dyn Fn(Progress) + Sync)) -> Result<Made, BaseError> {
        self.make_recipe(self.find(name)?, progress)
    }

    fn make_recipe(
        &self,
        recipe: &'static Recipe,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Made, BaseError> {
        if let Some(made) = self.made(recipe)? {
            return Ok(made);
        }
        let _lock = self.lock(recipe.name, progress)?;
        // Somebody else may have made it while we waited.
        match self.made(recipe)? {
            Some(made) => Ok(made),
            None => self.make_anew(recipe, false, progress),
        }
    }

    /// The same from the archive as it is now. Nothing changes when its packages have not.
    pub fn refresh(&self, name: &str, progress: &(dyn Fn(Progress) + Sync)) -> Result<Made, BaseError> {
        let recipe = self.find(name)?;
        let _lock = self.lock(recipe.name, progress)?;
        if self.fresh.lock().unwrap_or_else(PoisonError::into_inner).contains(recipe.name)
            && let Some(made) = self.made(recipe)?
        {
            return Ok(made);
        }
        self.make_anew(recipe, true, progress)
    }

    /// All recipes with what was made of them.
    pub fn list(&self) -> Result<Vec<Listed>, BaseError> {
        let mut all = recipes::ALL.to_vec();
        for file in record::all(&self.cache) {
            let custom = record::read(&self.cache, &file).and_then(|record| record.custom);
            if let Some(custom) = custom
                && record::file_name(&custom.name, self.suite) == file
            {
                all.push(custom.recipe()?);
            }
        }
        let listed = |recipe: &'static Recipe| {
            Ok(Listed { recipe, summary: self.suite.summary(recipe.summary), made: self.made(recipe)? })
        };
        all.into_iter().map(listed).collect()
    }

    /// Whether [`Self::make`] would find the base made already.
    pub fn is_made(&self, name: &str) -> bool {
        self.find(name).and_then(|recipe| self.made(recipe)).is_ok_and(|made| made.is_some())
    }

    /// The packages of a base that was made, as SPDX 2.3 JSON.
    pub fn sbom(&self, name: &str) -> Result<serde_json::Value, BaseError> {
        let made =
            self.made(self.find(name)?)?.ok_or_else(|| BaseError::NotMade { name: name.to_owned() })?;
        Ok(sbom::spdx(&made.record))
    }

    fn made(&self, recipe: &'static Recipe) -> Result<Option<Made>, BaseError> {
        let Some(record) = record::read(&self.cache, &record::file_name(recipe.name, self.suite)) else {
            return Ok(None);
        };
        if record.key != key(recipe, self.suite) {
            return Ok(None);
        }
        let image = self.store.image_by_id(&record.image).map_err(store_error)?;
        // An image whose names were taken away or pruned is made again from the cache.
        let named = |image: &ImageRecord| {
            references(&record.references).iter().all(|name| image.references.contains(name))
        };
        Ok(image.filter(named).map(|image| Made { image, record, cached: true }))
    }

    fn make_anew(
        &self,
        recipe: &'static Recipe,
        refresh: bool,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Made, BaseError> {
        // Until the image names its layers, nobody prunes them.
        let _pin = self.store.pin().map_err(store_error)?;
        let parent = match recipe.parent {
            Some(parent) if refresh => Some(self.refresh(parent, progress)?),
            Some(parent) => Some(self.make(parent, progress)?),
            None => None,
        };
        let below: &[LayerId] = parent.as_ref().map_or(&[], |parent| &parent.image.layers);
        let suites = &*self.suites(progress)?;
        let packages = packages_of(recipe, parent.as_ref().map(|parent| &parent.record), suites, self.suite)?;
        let releases = self.npm_releases(recipe)?;
        if refresh && let Some(same) = self.unchanged(recipe, below, &packages, &releases)? {
            return Ok(same);
        }
        let npm = self.npm_files(releases, progress)?;
        let archive = self.archive()?;
        let total: u64 = packages.iter().map(|package| package.file.size).sum();
        let done = AtomicU64::new(0);
        let files = archive.fetch(&packages, &|size| {
            let done = done.fetch_add(size, Ordering::Relaxed) + size;
            progress(Progress::Fetch { done, total });
        })?;
        progress(Progress::Assemble { packages: packages.len() + npm.len() });
        let version = version_of(recipe, parent.as_ref().map(|parent| &parent.record), &packages, &npm)?;
        let assembled = assemble::assemble(
            &self.store,
            &Plan {
                recipe,
                packages: &packages,
                files: &files,
                version: &version,
                npm: &npm,
                below,
                epoch: parent.as_ref().map_or(0, |parent| parent.record.epoch),
                sources: &self.apt_sources(suites)?,
                keeps_dpkg: keeps_dpkg(recipe),
                suite: self.suite,
            },
        )?;
        let record = record_of(
            recipe,
            parent.as_ref().map(|parent| &parent.record),
            (&packages, &npm),
            &assembled,
            (version, suites, self.suite),
        )?;
        self.finish(recipe, parent.as_ref(), record, assembled.layer)
    }

    /// The newest releases of what the recipe takes from npm; a recipe that takes nothing asks no registry.
    fn npm_releases(&self, recipe: &Recipe) -> Result<Vec<npm::Release>, BaseError> {
        if recipe.npm.is_empty() {
            return Ok(Vec::new());
        }
        npm::Registry::find(&self.cache)?.newest(recipe.npm)
    }

    fn npm_files(
        &self,
        releases: Vec<npm::Release>,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Vec<npm::Fetched>, BaseError> {
        if releases.is_empty() {
            return Ok(Vec::new());
        }
        for release in &releases {
            progress(Progress::Note(format!("{} {} of npm", release.name, release.version)));
        }
        npm::Registry::find(&self.cache)?.fetch(releases)
    }

    /// The base that is there, when it would be made of the same packages on the same layers again.
    fn unchanged(
        &self,
        recipe: &'static Recipe,
        below: &[LayerId],
        packages: &[Package],
        releases: &[npm::Release],
    ) -> Result<Option<Made>, BaseError> {
        // apt's sources name the mirror, which may be another one now
        if recipe.setup == Setup::Configured && recipe.parent.is_none() {
            return Ok(None);
        }
        let Some(made) = self.made(recipe)? else { return Ok(None) };
        let own = made.record.packages.iter().filter(|package| !package.inherited);
        let before: BTreeSet<&str> = own.map(PackageRecord::digest).collect();
        let now = packages.iter().map(|package| package.file.sha256.as_str());
        let now: BTreeSet<&str> = now.chain(releases.iter().map(|release| release.sha512.as_str())).collect();
        let layers = made.record.layers.split_last().map(|(_, layers)| layers);
        if before != now || layers != Some(below) {
            return Ok(None);
        }
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).insert(recipe.name);
        Ok(Some(made))
    }

    fn finish(
        &self,
        recipe: &'static Recipe,
        parent: Option<&Made>,
        mut record: Record,
        layer: LayerId,
    ) -> Result<Made, BaseError> {
        let mut layers = parent.map_or_else(Vec::new, |parent| parent.image.layers.clone());
        layers.push(layer);
        let config = image_config(recipe, &record, parent);
        let names = references(&record.references);
        let image = self.store.put_image(&Image { config, layers }, &names).map_err(store_error)?;
        record.image = image.id;
        record.layers.clone_from(&image.layers);
        record::write(&self.cache, &record::file_name(recipe.name, self.suite), &record)?;
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).insert(recipe.name);
        Ok(Made { image, record, cached: false })
    }

    fn archive(&self) -> Result<Archive, BaseError> {
        let mirror = self.mirror.clone().ok_or(BaseError::NoMirror)?;
        Ok(Archive::new(mirror, &self.cache, date::now()))
    }

    /// Read once; whoever else needs them meanwhile waits.
    fn suites(&self, progress: &(dyn Fn(Progress) + Sync)) -> Result<Arc<Suites>, BaseError> {
        let mut suites = self.suites.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(suites) = &*suites {
            return Ok(suites.clone());
        }
        progress(Progress::Index);
        let read = Arc::new(self.archive()?.suites(self.suite.name(), architecture())?);
        for note in &read.notes {
            progress(Progress::Note(note.clone()));
        }
        *suites = Some(read.clone());
        Ok(read)
    }

    /// One maker at a time for each base, among threads and processes; released when the file is closed.
    fn lock(&self, name: &str, progress: &(dyn Fn(Progress) + Sync)) -> Result<File, BaseError> {
        let path = self.cache.join("made").join(format!("{}.lock", record::file_name(name, self.suite)));
        let open = || {
            std::fs::create_dir_all(self.cache.join("made"))?;
            let file = File::options().create(true).write(true).truncate(false).open(&path)?;
            plimsoll_disk::lock_telling(&file, true, Duration::ZERO, |maker| {
                progress(Progress::Note(format!("waiting for another maker of it: {maker}")));
            })?;
            Ok(file)
        };
        open().map_err(BaseError::io(&path))
    }

    /// apt inside the base reads the mirror that the base was made from, and of it the suites that were there.
    fn apt_sources(&self, read: &Suites) -> Result<String, BaseError> {
        let mirror = self.mirror.as_ref().ok_or(BaseError::NoMirror)?;
        let source = |address: &str, suites: &str| {
            format!(
                "Types: deb\nURIs: {address}\nSuites: {suites}\nComponents: main\n\
                 Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
            )
        };
        let suite = self.suite;
        let mut sources = source(&mirror.archive, &format!("{suite} {suite}-updates"));
        let security = format!("{suite}-security");
        if read.signed_by.contains_key(&security) {
            sources.push('\n');
            sources.push_str(&source(&mirror.security, &security));
        }
        Ok(sources)
    }
}

fn packages_of(
    recipe: &Recipe,
    parent: Option<&Record>,
    suites: &Suites,
    suite: Suite,
) -> Result<Vec<Package>, BaseError> {
    let mut wanted: Vec<_> = recipe.packages.iter().map(|name| (*name).to_owned()).collect();
    if recipe.setup == Setup::Configured && recipe.parent.is_none() {
        wanted.extend(suites.index.required()?);
        wanted.extend(suite.installer_packages().iter().map(|&name| name.to_owned()));
    }
    let omitted: Vec<_> = recipe.omitted.iter().map(|omitted| omitted.package).collect();
    let of_debian = |package: &&PackageRecord| package.origin != Origin::Npm;
    let installed = parent
        .map_or_else(Vec::new, |parent| parent.packages.iter().filter(of_debian).map(installed).collect());
    resolve(&suites.index, Request { by: recipe.name, wanted, omitted: &omitted, installed })
}

/// The version of the package that gives the base its own, without what Debian adds to it.
fn version_of(
    recipe: &Recipe,
    parent: Option<&Record>,
    packages: &[Package],
    npm: &[npm::Fetched],
) -> Result<String, BaseError> {
    let giver = recipe.version_giver();
    let below = parent.into_iter().flat_map(|parent| &parent.packages);
    let versions = packages
        .iter()
        .map(|package| (&package.name, &package.version))
        .chain(npm.iter().map(|package| (&package.release.name, &package.release.version)))
        .chain(below.map(|package| (&package.name, &package.version)));
    let found = versions.into_iter().find(|(name, _)| **name == giver);
    found
        .map(|(_, version)| plain_version(version))
        .ok_or_else(|| BaseError::Unsatisfied { wanted: giver, by: recipe.name.to_owned() })
}

fn record_of(
    recipe: &Recipe,
    parent: Option<&Record>,
    (packages, npm): (&[Package], &[npm::Fetched]),
    assembled: &Assembled,
    (version, suites, suite): (String, &Suites, Suite),
) -> Result<Record, BaseError> {
    let mut list: Vec<_> = parent.map_or_else(Vec::new, |parent| parent.packages.clone());
    for package in &mut list {
        package.inherited = true;
    }
    for (package, entry) in packages.iter().zip(&assembled.entries) {
        list.push(package_record(package, entry)?);
    }
    for (package, licences) in npm.iter().zip(&assembled.npm_licences) {
        list.push(package.record(licences.clone()));
    }
    list.sort_by(|a, b| a.name.cmp(&b.name));
    let mut omitted: Vec<_> = parent.map_or_else(Vec::new, |parent| parent.omitted.clone());
    for one in recipe.omitted {
        if omitted.iter().all(|other| other.package != one.package) {
            omitted.push(OmittedRecord { package: one.package.to_owned(), reason: one.reason.to_owned() });
        }
    }
    Ok(Record {
        format: FORMAT,
        key: key(recipe, suite),
        name: recipe.name.to_owned(),
        references: tags(recipe, &version, suite)
            .into_iter()
            .map(|tag| format!("plimsoll.local/{}:{tag}", recipe.name))
            .collect(),
        version,
        image: plimsoll_image::Digest::of(b""),
        layers: Vec::new(),
        epoch: assembled.epoch,
        architecture: architecture().to_owned(),
        suite: suite.name().to_owned(),
        index_date: suites.date,
        packages: list,
        omitted,
        custom: custom_of(recipe),
    })
}

/// What the user asked for, of a recipe that is none of ours.
fn custom_of(recipe: &Recipe) -> Option<Custom> {
    let own = recipes::named(recipe.name).is_none();
    let packages = recipe.packages.iter().map(|&name| name.to_owned()).collect();
    let from = recipe.parent?.to_owned();
    own.then(|| Custom { name: recipe.name.to_owned(), from, packages })
}

/// Everything that decides how a base is made, but for what the archive holds.
fn key(recipe: &Recipe, suite: Suite) -> String {
    let mut digest = Sha256::new();
    let mut next = Some(recipe);
    digest.update(format!("{FORMAT}\n{suite}\n{}\n{:?}\n", architecture(), crate::filter::Filter::new(&[])));
    while let Some(recipe) = next {
        digest.update(format!("{recipe:?}\n"));
        next = recipe.parent.and_then(recipes::named);
    }
    hex(&digest.finalize())
}

fn keeps_dpkg(recipe: &Recipe) -> bool {
    recipe.setup == Setup::Configured || recipe.parent.and_then(recipes::named).is_some_and(keeps_dpkg)
}

fn installed(package: &PackageRecord) -> Installed {
    let clauses = |text: &str| dependency::parse(text).unwrap_or_default();
    Installed {
        name: package.name.clone(),
        version: package.version.clone(),
        provides: clauses(&package.provides).into_iter().flat_map(|clause| clause.alternatives).collect(),
        conflicts: clauses(&package.conflicts),
    }
}

fn package_record(package: &Package, entry: &dpkg::Entry) -> Result<PackageRecord, BaseError> {
    let malformed = |cause: String| BaseError::Malformed { file: package.file.path.clone(), cause };
    let paragraph = entry.control.paragraph().map_err(malformed)?;
    let field = |name: &str| paragraph.get(name).map(str::to_owned);
    let conflicts: Vec<_> =
        ["Conflicts", "Breaks"].into_iter().filter_map(|name| paragraph.get(name)).collect();
    Ok(PackageRecord {
        name: package.name.clone(),
        version: package.version.clone(),
        architecture: package.architecture.clone(),
        origin: package.origin,
        path: package.file.path.clone(),
        sha256: package.file.sha256.clone(),
        sha512: None,
        // `Source: name (version)` when the versions differ.
        source: field("Source").and_then(|source| source.split(' ').next().map(str::to_owned)),
        homepage: field("Homepage"),
        licences: entry.licences.clone(),
        provides: field("Provides").unwrap_or_default(),
        conflicts: conflicts.join(", "),
        inherited: false,
    })
}

/// The cache below a home directory.
pub fn cache_dir(home: &Path) -> PathBuf {
    home.join("base")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_follows_the_parent() {
        let debian = recipes::named("debian").unwrap();
        let node = recipes::named("node").unwrap();
        let key = |recipe: &Recipe| super::key(recipe, Suite::Trixie);
        assert_ne!(key(debian), key(node));
        assert_eq!(key(node), key(node));
        assert_ne!(key(node), super::key(node, Suite::Bookworm));
        let orphan = Recipe { parent: None, ..*node };
        assert_ne!(key(&orphan), key(node));
    }
}
