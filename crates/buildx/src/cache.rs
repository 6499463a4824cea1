//! `--cache-to` and `--cache-from`: the step index and its layers, in a folder, a registry, or inside the image.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use plimsoll_build::{Key, KeyedStep, Restored, StepSource};
use plimsoll_image::{
    Digest, ImageRecord, LayerCompression, LayerId, Reference, SealOptions, Store, artifact::Artifact,
    manifest::Descriptor, registry::Registry,
};
use plimsoll_source::Failure;
use serde::{Deserialize, Serialize};

use crate::{Outside, sizes::megabytes};

/// The media type of a cache's document.
const KIND: &str = "application/vnd.plimsoll.build.cache.v1+json";
/// The annotation of an image with the cache of its own steps.
pub const ANNOTATION: &str = "org.plimsoll.build.cache.v1";
const VERSION: u32 = 1;
/// zstd's usual level: a cache is written more often than it is read.
const COMPRESSION: LayerCompression = LayerCompression::Zstd(3);

/// The document: which key gave which layer.
#[derive(Debug, Serialize, Deserialize)]
struct Steps {
    version: u32,
    /// In the order of the manifest's layers: what they were sealed with.
    epochs: Vec<Option<i64>>,
    steps: Vec<CachedStep>,
}

#[derive(Debug, Serialize, Deserialize)]
struct CachedStep {
    key: Key,
    /// Number of the layer.
    layer: Option<usize>,
    created: i64,
}

impl Steps {
    /// The steps whose layers are among `layers`.
    fn of(store: &Store, keys: &[KeyedStep], layers: &[LayerId]) -> Result<Self, Failure> {
        let mut epochs = Vec::new();
        for id in layers {
            epochs.push(store.require_layer(id)?.epoch);
        }
        let steps = keys.iter().filter_map(|step| {
            let layer = match &step.layer {
                None => None,
                Some(id) => Some(layers.iter().position(|layer| layer == id)?),
            };
            Some(CachedStep { key: step.key, layer, created: step.created })
        });
        Ok(Self { version: VERSION, epochs, steps: steps.collect() })
    }
}

/// One `--cache-to`.
#[derive(Debug)]
pub struct Export {
    to: Target,
    /// Also the steps whose files are not in the image.
    all: bool,
    ignore_error: bool,
}

#[derive(Debug)]
enum Target {
    Folder(PathBuf),
    Registry(Reference),
    Inline,
}

/// The fields of `type=…,name=value`, or a plain registry name.
fn fields(option: &str, spec: &str) -> Result<BTreeMap<String, String>, Failure> {
    if !spec.contains('=') {
        return Ok([("type", "registry"), ("ref", spec)].map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }
    spec.split(',')
        .map(|field| {
            let (name, value) = field.split_once('=').ok_or_else(|| {
                Failure::new(format!("{option} {spec}: `{field}` has no value"), usage(option))
            })?;
            Ok((name.trim().to_owned(), value.to_owned()))
        })
        .collect()
}

fn usage(option: &str) -> String {
    let inline = if option == "--cache-to" { " or type=inline" } else { "" };
    let folder = if option == "--cache-to" { "dest" } else { "src" };
    format!("write {option} type=local,{folder}=FOLDER, type=registry,ref=NAME{inline}")
}

impl Export {
    /// Reads `type=…,name=value`, or a plain registry name.
    pub fn parse(spec: &str) -> Result<Self, Failure> {
        let option = "--cache-to";
        let wrong = |why: String| Failure::new(format!("{option} {spec}: {why}"), usage(option));
        let mut fields = fields(option, spec)?;
        let kind = fields.remove("type").unwrap_or_default();
        let mut take = |name: &str| fields.remove(name).ok_or_else(|| wrong(format!("{name}= is missing")));
        let to = match kind.as_str() {
            "local" => Target::Folder(PathBuf::from(take("dest")?)),
            "registry" => Target::Registry(Reference::parse(&take("ref")?)?),
            "inline" => Target::Inline,
            other => return Err(wrong(format!("the type `{other}` is not supported"))),
        };
        let all = match fields.remove("mode").as_deref() {
            None | Some("min") => false,
            Some("max") if kind == "inline" => {
                return Err(wrong("an image holds only its own steps: mode=min".to_owned()));
            }
            Some("max") => true,
            Some(other) => return Err(wrong(format!("no mode is called {other}"))),
        };
        let ignore_error = fields.remove("ignore-error").is_some_and(|value| value == "true");
        // How layers are packed and which manifests are written is ours alone.
        let ignored = [
            "oci-mediatypes",
            "image-manifest",
            "compression",
            "compression-level",
            "force-compression",
            "reset",
        ];
        fields.retain(|name, _| !ignored.contains(&name.as_str()));
        match fields.keys().next() {
            Some(name) => Err(wrong(format!("the field {name} is not known"))),
            None => Ok(Self { to, all, ignore_error }),
        }
    }

    /// Whether the image itself is to hold it.
    pub fn is_inline(&self) -> bool {
        matches!(self.to, Target::Inline)
    }

    /// Writes the cache of a build.
    pub fn write(
        &self,
        store: &Store,
        keys: &[KeyedStep],
        outside: &dyn Outside,
        tell: &dyn Fn(&str),
    ) -> Result<(), Failure> {
        match self.try_write(store, keys, outside, tell) {
            Err(error) if self.ignore_error => {
                for diagnostic in &error.diagnostics {
                    tell(&format!("the cache was not exported: {}", diagnostic.title));
                }
                Ok(())
            }
            done => done,
        }
    }

    fn try_write(
        &self,
        store: &Store,
        keys: &[KeyedStep],
        outside: &dyn Outside,
        tell: &dyn Fn(&str),
    ) -> Result<(), Failure> {
        if self.is_inline() {
            return Ok(());
        }
        let keys: Vec<KeyedStep> = keys.iter().filter(|step| self.all || step.in_image).copied().collect();
        let mut layers: Vec<LayerId> = keys.iter().filter_map(|step| step.layer).collect();
        layers.sort_unstable();
        layers.dedup();
        let steps = Steps::of(store, &keys, &layers)?;
        let document = serde_json::to_vec(&steps)?;
        let artifact = Artifact::new(store, KIND, document, &layers, COMPRESSION)?;
        let bytes: u64 = artifact.manifest.layers.iter().map(|layer| layer.size).sum();
        let said = match &self.to {
            Target::Folder(dir) => {
                artifact.write_dir(store, dir)?;
                dir.display().to_string()
            }
            Target::Registry(name) => {
                let registry = outside.registry(name, false)?;
                registry.push_artifact(store, &artifact, name, &|_| {})?;
                name.familiar()
            }
            Target::Inline => return Ok(()),
        };
        tell(&format!(
            "cache: {} steps, {} layers, {} in {said}",
            steps.steps.len(),
            layers.len(),
            megabytes(bytes)
        ));
        Ok(())
    }
}

/// The annotation that makes an image its own cache.
pub fn inline(store: &Store, record: &ImageRecord, keys: &[KeyedStep]) -> Result<String, Failure> {
    let keys: Vec<KeyedStep> = keys.iter().filter(|step| step.in_image).copied().collect();
    let steps = Steps::of(store, &keys, &record.layers)?;
    serde_json::to_string(&steps).map_err(Failure::from)
}

/// One `--cache-from`. A cache that is not there is none: the first build of a branch has none.
pub fn import(
    spec: &str,
    outside: &'static dyn Outside,
    tell: &dyn Fn(&str),
) -> Result<Option<Arc<dyn StepSource>>, Failure> {
    let option = "--cache-from";
    let wrong = |why: String| Failure::new(format!("{option} {spec}: {why}"), usage(option));
    let mut fields = fields(option, spec)?;
    let kind = fields.remove("type").unwrap_or_default();
    let mut take = |name: &str| fields.remove(name).ok_or_else(|| wrong(format!("{name}= is missing")));
    let (artifact, place) = match kind.as_str() {
        "local" => {
            let dir = PathBuf::from(take("src")?);
            match Artifact::read_dir(&dir)? {
                Some(artifact) => (artifact, CacheStore::Folder(dir)),
                None => {
                    tell(&format!("cache: there is none in {}", dir.display()));
                    return Ok(None);
                }
            }
        }
        "registry" => {
            let name = Reference::parse(&take("ref")?)?;
            let registry = outside.registry(&name, false)?;
            match registry.artifact(&name) {
                Ok(artifact) => (artifact, CacheStore::Registry(Box::new(registry), name)),
                Err(error) => {
                    tell(&format!("cache: {error}"));
                    return Ok(None);
                }
            }
        }
        other => return Err(wrong(format!("the type `{other}` is not supported"))),
    };
    let text = match artifact.manifest.annotations.get(ANNOTATION) {
        Some(text) => text.as_bytes(),
        None if artifact.kind() == KIND => &artifact.config,
        None => {
            tell(&format!("cache: {spec} holds no cache of plimsoll"));
            return Ok(None);
        }
    };
    let steps: Steps = match serde_json::from_slice(text) {
        Ok(steps) => steps,
        Err(error) => {
            tell(&format!("cache: {spec}: {error}"));
            return Ok(None);
        }
    };
    let layers: Vec<(Descriptor, Option<i64>)> =
        artifact.manifest.layers.into_iter().zip(steps.epochs).collect();
    let known = steps.steps.into_iter().map(|step| (step.key, (step.layer, step.created))).collect();
    Ok(Some(Arc::new(Import { outside: Told(outside), place, layers, known, restored: Mutex::default() })))
}

/// A cache that is asked.
#[derive(Debug)]
struct Import {
    outside: Told,
    place: CacheStore,
    layers: Vec<(Descriptor, Option<i64>)>,
    known: HashMap<Key, (Option<usize>, i64)>,
    restored: Mutex<HashMap<Digest, LayerId>>,
}

enum CacheStore {
    Folder(PathBuf),
    Registry(Box<Registry>, Reference),
}

/// Who hears that a layer could not be had.
struct Told(&'static dyn Outside);

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Told")
    }
}

impl std::fmt::Debug for CacheStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(dir) => write!(f, "{}", dir.display()),
            Self::Registry(_, name) => write!(f, "{}", name.familiar()),
        }
    }
}

impl Import {
    fn layer(&self, number: usize, store: &Store) -> Result<LayerId, String> {
        let (descriptor, epoch) = self.layers.get(number).ok_or("a step names no layer of the cache")?;
        let mut restored = self.restored.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = restored.get(&descriptor.digest) {
            return Ok(*id);
        }
        let options = SealOptions { epoch: *epoch };
        let layer = match &self.place {
            CacheStore::Folder(dir) => Artifact::open_blob(dir, descriptor)
                .and_then(|blob| store.restore_layer(blob, &descriptor.digest, &options))
                .map_err(|error| error.to_string())?,
            CacheStore::Registry(registry, name) => registry
                .restore_layer(store, name, descriptor, &options)
                .map_err(|error| error.to_string())?,
        };
        restored.insert(descriptor.digest, layer.id);
        Ok(layer.id)
    }
}

impl StepSource for Import {
    fn find(&self, key: &Key, store: &Store) -> Option<Restored> {
        let (layer, created) = *self.known.get(key)?;
        let layer = match layer.map(|number| self.layer(number, store)).transpose() {
            Ok(layer) => layer,
            Err(error) => {
                let place = &self.place;
                self.outside
                    .0
                    .note(&format!("cache: a layer of {place:?} cannot be had, its step runs: {error}"));
                return None;
            }
        };
        Some(Restored { layer, created })
    }
}
