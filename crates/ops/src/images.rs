//! Where the images come from that Dockerfiles and compose files name: the store, the engine of this machine, the
//! registry, or, where the registry cannot be reached, the base that `plimsoll.toml` maps the name to.

mod engine;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use plimsoll_base::{Bases, Mirror, Progress, Suite};
use plimsoll_build::{ImageResolver, ResolveError, ResolvedImage};
use plimsoll_buildx::Outside;
use plimsoll_image::{
    Image, ImageRecord, Origin, Reference, Store,
    manifest::Platform,
    registry::{Credentials, Registry, RegistryError},
};
use plimsoll_stack::labels;

use crate::{
    Event, Failure, Pull, Reporter,
    interrupt::AtOnce,
    machine::Machine,
    policy::{Policy, Root, UseMap},
    reporter,
};

/// An image that a name led to.
#[derive(Clone, Debug)]
pub struct Found {
    /// The image in the store.
    pub record: ImageRecord,
    /// The name that says what it really is: never the vendor's for an image of ours.
    pub shown: Reference,
    /// It stands in for software that cannot be had here.
    pub standin: bool,
    /// The digest of its manifest or index in the registry that it was just pulled from.
    pub digest: Option<plimsoll_image::Digest>,
}

/// Finds images by name; each name is looked for once.
pub struct Images<'a> {
    store: &'a Store,
    cache: PathBuf,
    policy: &'a Policy,
    reporter: &'a dyn Reporter,
    /// Also keeps two stages from making one base at the same time.
    found: Mutex<BTreeMap<(Reference, String), Found>>,
    /// Names of the policy's map that something asked for.
    mapped: Arc<Mutex<BTreeSet<String>>>,
    /// The registry is asked also for names that the store has.
    pub fresh: bool,
    /// The project whose files name images: a result of another project has no say in what a name means here. The
    /// current folder's without a word; see [`project_folder`].
    pub folder: PathBuf,
}

impl<'a> Images<'a> {
    /// `reporter` hears whenever something takes a while.
    pub fn new(store: &'a Store, home: &Path, policy: &'a Policy, reporter: &'a dyn Reporter) -> Self {
        Self {
            store,
            cache: plimsoll_base::cache_dir(home),
            policy,
            reporter,
            found: Mutex::default(),
            mapped: Arc::default(),
            fresh: false,
            folder: project_folder(Path::new(".")),
        }
    }

    /// The same for builds that ask the registry also for names that the store has.
    pub fn asking(&self) -> Self {
        Self {
            store: self.store,
            cache: self.cache.clone(),
            policy: self.policy,
            reporter: self.reporter,
            found: Mutex::default(),
            mapped: Arc::clone(&self.mapped),
            fresh: true,
            folder: self.folder.clone(),
        }
    }

    /// Brings the image of this name for this machine into the store.
    pub fn find(&self, name: &Reference) -> Result<Found, ResolveError> {
        self.find_for(name, &Platform::host())
    }

    /// Brings the image of this name for a platform into the store.
    pub fn find_for(&self, name: &Reference, platform: &Platform) -> Result<Found, ResolveError> {
        let wanted = (name.clone(), platform.to_string());
        let mut known = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(&wanted) {
            return Ok(found.clone());
        }
        let at_once = AtOnce::begin();
        let found = self.look(name, platform)?;
        drop(at_once);
        known.insert(wanted, found.clone());
        Ok(found)
    }

    fn look(&self, name: &Reference, platform: &Platform) -> Result<Found, ResolveError> {
        // bases are made for this machine alone
        let recipe = self.recipe(name)?.filter(|_| platform.accepts(&Platform::host()));
        if self.fresh && self.policy.images.when != UseMap::Always {
            match self.pull(name, platform) {
                Ok(found) => return Ok(found),
                Err(error) => self.reporter.line(&format!("{}: not pulled: {error}", name.familiar())),
            }
        }
        match (self.policy.images.when, recipe) {
            (UseMap::Always, Some(recipe)) => self.base(recipe),
            (UseMap::Never, _) | (_, None) => match self.stored_or_engines(name, platform)? {
                Some(found) => Ok(found),
                None => self
                    .pull(name, platform)
                    .map_err(|error| self.with_stranger(name, platform, refused(&error))),
            },
            (UseMap::Auto, Some(recipe)) => {
                if let Some(found) = self.stored_for(name, platform)? {
                    return Ok(found);
                }
                if self.is_made(recipe) {
                    return self.base(recipe);
                }
                match self.pull(name, platform) {
                    Ok(found) => Ok(found),
                    Err(RegistryError::Unreachable { host, .. }) => {
                        self.reporter.line(&format!(
                            "{}: {host} cannot be reached, base {recipe} is used",
                            name.familiar()
                        ));
                        self.base(recipe)
                    }
                    Err(error) => Err(self.with_stranger(name, platform, refused(&error))),
                }
            }
        }
    }

    /// Why the image that the store has under this name may not stand for it here: others gave it the name.
    ///
    /// What a registry sent counts as long as the machine still asks it; what a person named or loaded counts; what
    /// the files of a project name counts in that project.
    fn stranger(&self, name: &Reference, record: &ImageRecord) -> Result<Option<String>, ResolveError> {
        let why = match self.store.origin(name, &record.id).map_err(|error| plain(&error))? {
            None | Some(Origin::Archive { .. } | Origin::Registry { mirror: None, .. }) => return Ok(None),
            Some(Origin::Registry { mirror: Some(host), .. }) => {
                let registry = registry().map_err(|error| refused(&error))?;
                if registry.mirrors_of(name.domain()).contains(&host) {
                    return Ok(None);
                }
                format!("came from {host}, which is no mirror of {} on this machine", name.domain())
            }
            Some(origin @ Origin::Project { .. }) if origin.is_of(&self.folder) => return Ok(None),
            Some(Origin::Project { folder }) => {
                format!("was built by the project in {}, whose names count there alone", folder.display())
            }
        };
        Ok(Some(format!("{} in the store {why}", name.familiar())))
    }

    /// Adds to an error that the store has an image of this name which was not used.
    fn with_stranger(&self, name: &Reference, platform: &Platform, error: ResolveError) -> ResolveError {
        let stored = self.store.image_for(name, platform).ok().flatten();
        match stored.and_then(|record| self.stranger(name, &record).ok().flatten()) {
            Some(why) => ResolveError {
                message: format!("{}; {why}", error.message),
                hint: Some(format!(
                    "give the name yourself, which counts everywhere: plimsoll image build --tag {} FOLDER",
                    name.familiar()
                )),
            },
            None => error,
        }
    }

    /// What the policy wants instead of this name for a service that is run and not built: `None` means the image
    /// that the name stands for.
    pub fn substitute(&self, name: &Reference) -> Result<Option<Found>, ResolveError> {
        let Some(recipe) = self.recipe(name)? else { return Ok(None) };
        let use_base = match self.policy.images.when {
            UseMap::Never => false,
            UseMap::Always => true,
            UseMap::Auto => self.is_made(recipe) || self.is_out_of_reach(name, recipe)?,
        };
        if use_base { self.base(recipe).map(Some) } else { Ok(None) }
    }

    /// A base that was made because the registry was out of reach goes on being used: no look at the network in a
    /// run that changes nothing.
    fn is_made(&self, recipe: &str) -> bool {
        let (name, suite) = of_suite(recipe);
        suite.is_some_and(|suite| Bases::new(self.store, &self.cache, None).suite(suite).is_made(name))
    }

    fn is_out_of_reach(&self, name: &Reference, recipe: &str) -> Result<bool, ResolveError> {
        let registry = registry().map_err(|error| refused(&error))?;
        match registry.resolve(name) {
            Err(RegistryError::Unreachable { host, .. }) => {
                self.reporter
                    .line(&format!("{}: {host} cannot be reached, base {recipe} is used", name.familiar()));
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// The recipe that the policy maps the name to.
    fn recipe(&self, name: &Reference) -> Result<Option<&str>, ResolveError> {
        for (written, target) in &self.policy.images.map {
            let real = Reference::parse(written).map_err(|error| ResolveError {
                message: format!("[images] in plimsoll.toml: {error}"),
                hint: Some("write the name as the Dockerfile or the compose file does".to_owned()),
            })?;
            if real == *name {
                self.mapped.lock().unwrap_or_else(PoisonError::into_inner).insert(written.clone());
                let recipe = target.strip_prefix("base:").ok_or_else(|| ResolveError {
                    message: format!("[images] in plimsoll.toml maps `{}` to `{target}`", name.familiar()),
                    hint: Some("write `base:NAME`; `plimsoll base ls` lists the names".to_owned()),
                })?;
                return Ok(Some(recipe));
            }
        }
        Ok(None)
    }

    /// Names of the policy's map that nothing has asked for yet.
    pub fn unmapped(&self) -> Vec<&str> {
        let mapped = self.mapped.lock().unwrap_or_else(PoisonError::into_inner);
        self.policy.images.map.keys().filter(|name| !mapped.contains(*name)).map(String::as_str).collect()
    }

    /// The image of this name in the store, where `plimsoll image build` or `load` put it.
    pub fn stored(&self, name: &Reference) -> Result<Option<Found>, ResolveError> {
        let record = self.store.image(name).map_err(|error| plain(&error))?;
        self.unless_strange(record, name)
    }

    fn unless_strange(
        &self,
        record: Option<ImageRecord>,
        name: &Reference,
    ) -> Result<Option<Found>, ResolveError> {
        let Some(record) = record else { return Ok(None) };
        if let Some(why) = self.stranger(name, &record)? {
            self.reporter.line(&format!("note: {why}: it is not used"));
            return Ok(None);
        }
        Ok(Some(found(record, name.clone())))
    }

    fn stored_for(&self, name: &Reference, platform: &Platform) -> Result<Option<Found>, ResolveError> {
        let record = self.store.image_for(name, platform).map_err(|error| plain(&error))?;
        self.unless_strange(record, name)
    }

    /// Without a look at a registry: the store's, else the engine's. A name that was never meant for a registry is not
    /// asked for there.
    fn stored_or_engines(
        &self,
        name: &Reference,
        platform: &Platform,
    ) -> Result<Option<Found>, ResolveError> {
        if let Some(found) = self.stored_for(name, platform)? {
            return Ok(Some(found));
        }
        let record = engine::find(self.store, name, platform, self.reporter)
            .map_err(|message| ResolveError { message, hint: None })?;
        Ok(record.map(|record| found(record, name.clone())))
    }

    fn pull(&self, name: &Reference, platform: &Platform) -> Result<Found, RegistryError> {
        let registry = registry()?;
        if let Some(note) = self.policy.mirrors_note() {
            self.reporter.line(note);
        }
        self.reporter.line(&format!("{}: looking for it in {}", name.familiar(), name.domain()));
        let (image, platform_name) = (name.familiar(), platform.to_string());
        let tell = |event: Pull<'_>| {
            self.reporter.report(Event::Pull { image: &image, platform: &platform_name, event });
        };
        tell(Pull::Begun);
        let pulled = registry.pull(self.store, name, platform, &|progress| tell(Pull::Moved(&progress)));
        tell(Pull::Ended(pulled.as_ref().err().map(ToString::to_string).as_deref()));
        let pulled = pulled?;
        Ok(Found { digest: Some(pulled.digest), ..found(pulled.record, name.clone()) })
    }

    fn base(&self, recipe: &str) -> Result<Found, ResolveError> {
        // without a mirror a base that is made already is still found
        let mirror = Mirror::find(self.policy.base.mirror.as_deref());
        let without = mirror.as_ref().err().map(|error| plain(error));
        let (name, suite) = of_suite(recipe);
        let suite = suite.ok_or_else(|| ResolveError {
            message: format!("`base:{recipe}` names no release of Debian"),
            hint: Some("write base:NAME, base:NAME@trixie or base:NAME@bookworm".to_owned()),
        })?;
        let bases = Bases::new(self.store, &self.cache, mirror.ok()).suite(suite);
        let made = bases.make(name, &|progress| self.base_progress(recipe, &progress));
        let made = made.map_err(|error| without.unwrap_or_else(|| plain(&error)))?;
        let shown = made.image.references.iter().find(|name| name.domain() == "plimsoll.local");
        let shown = shown.or(made.image.references.first()).cloned().ok_or_else(|| ResolveError {
            message: format!("base `{recipe}` has no name in the store"),
            hint: Some(format!("make it again: plimsoll base make {recipe}")),
        })?;
        Ok(found(made.image, shown))
    }

    fn base_progress(&self, recipe: &str, progress: &Progress) {
        match progress {
            Progress::Index => {
                self.reporter.line(&format!("base {recipe}: reading the archive's signed index"));
            }
            Progress::Fetch { done: 0, total } => {
                self.reporter.line(&format!("base {recipe}: fetching {} MB of packages", total / 1_000_000));
            }
            Progress::Fetch { .. } => {}
            Progress::Assemble { packages } => {
                self.reporter.line(&format!("base {recipe}: putting {packages} packages together"));
            }
            Progress::Note(note) => self.reporter.line(&format!("base {recipe}: {note}")),
        }
    }
}

/// The project's folder as the kernel names it; a link to a folder is no other project.
pub fn project_folder(folder: &Path) -> PathBuf {
    folder.canonicalize().or_else(|_| std::path::absolute(folder)).unwrap_or_else(|_| folder.to_owned())
}

/// A client with Docker's credentials and the mirrors of the machine's configuration, then those of its engine.
pub fn registry() -> Result<Registry, RegistryError> {
    #[derive(Default, serde::Deserialize)]
    #[serde(rename_all = "kebab-case", default)]
    struct Daemon {
        registry_mirrors: Vec<String>,
    }
    let mut registry = Registry::new(Credentials::from_docker_config()?);
    for (domain, mirrors) in &Machine::find()?.mirrors {
        registry = mirrors.iter().fold(registry, |registry, mirror| registry.mirror(domain, mirror));
    }
    // an engine without the file, or with one that it alone understands, has no mirrors
    let daemon: Daemon = std::fs::read("/etc/docker/daemon.json")
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default();
    Ok(daemon.registry_mirrors.iter().fold(registry, |registry, mirror| registry.mirror("docker.io", mirror)))
}

/// As [`registry`], for the registry of this name; over plain HTTP only where it was asked for.
pub fn registry_of(name: &Reference, insecure: bool) -> Result<Registry, Failure> {
    if let Some(note) = Root::find()?.policy.mirrors_note() {
        reporter().report(Event::Note(note));
    }
    let registry = registry()?;
    Ok(if insecure { registry.allow_http(name.domain()) } else { registry })
}

/// This machine, as builds need it.
pub struct Surroundings;

impl Outside for Surroundings {
    fn registry(&self, name: &Reference, insecure: bool) -> Result<Registry, Failure> {
        registry_of(name, insecure)
    }

    fn note(&self, line: &str) {
        reporter().report(Event::Note(line));
    }
}

impl ImageResolver for Images<'_> {
    fn resolve(&self, name: &Reference, platform: &Platform) -> Result<ResolvedImage, ResolveError> {
        let found = self.find_for(name, platform)?;
        let digest = Some(found.digest.unwrap_or(found.record.id));
        let image = Image { config: found.record.config, layers: found.record.layers };
        Ok(ResolvedImage { image, shown: found.shown.familiar(), digest })
    }
}

/// `NAME[@SUITE]`
fn of_suite(recipe: &str) -> (&str, Option<Suite>) {
    match recipe.split_once('@') {
        Some((name, suite)) => (name, Suite::parse(suite)),
        None => (recipe, Some(Suite::default())),
    }
}

fn found(record: ImageRecord, shown: Reference) -> Found {
    let standin = record.config.config.labels.get(labels::STANDIN).is_some_and(|value| value == "true");
    Found { record, shown, standin, digest: None }
}

fn refused(error: &RegistryError) -> ResolveError {
    let hint = match error {
        RegistryError::Unreachable { .. } => {
            "check the network and the name, bring the image here (docker save NAME | plimsoll image load), or map the name to a base under [images] in plimsoll.toml"
        }
        RegistryError::Refused { .. } => "log in with `docker login`; its configuration is used here too",
        _ => "check the name and the tag",
    };
    ResolveError { hint: Some(hint.to_owned()), ..plain(error) }
}

fn plain(error: &dyn std::error::Error) -> ResolveError {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    ResolveError { message, hint: None }
}
