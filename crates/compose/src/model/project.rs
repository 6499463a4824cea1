use std::path::PathBuf;

use indexmap::IndexMap;
use serde::{Serialize, Serializer, ser::SerializeMap as _};

use super::{
    Extensions, FileObject, Model, Network, Service, Volume,
    field::{Field, Sorted},
};
use crate::value::{Origin, Value};
use plimsoll_source::Diagnostic;

/// A whole application: what all its files say together.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its name: lower-case letters, digits, `-` and `_`. Empty only when validation was skipped.
    pub name: String,
    /// The directory that relative paths start from.
    pub working_dir: PathBuf,
    /// The enabled services by name.
    pub services: IndexMap<String, Service>,
    /// The services that no active profile enables.
    pub disabled_services: IndexMap<String, Service>,
    /// Networks by key.
    pub networks: IndexMap<String, Network>,
    /// Named volumes by key.
    pub volumes: IndexMap<String, Volume>,
    /// Secrets by key.
    pub secrets: IndexMap<String, FileObject>,
    /// Configs by key.
    pub configs: IndexMap<String, FileObject>,
    /// Language models by key.
    pub models: IndexMap<String, Model>,
    /// Top-level `x-*` attributes.
    pub extensions: Extensions,
    /// Active profiles.
    pub profiles: Vec<String>,
    /// The files that were read, in order: given, included, extended from.
    pub files: Vec<String>,
    /// What is odd but no error.
    pub warnings: Vec<Diagnostic>,
    pub(crate) tree: Value,
}

impl Project {
    /// Where the value at a path of keys and list positions was written: `["services", "web", "image"]`. The nearest
    /// enclosing value answers for one that the loader made up.
    pub fn origin(&self, path: &[&str]) -> Option<&Origin> {
        (0..=path.len())
            .rev()
            .filter_map(|length| self.tree.at(&path[..length]))
            .map(|value| &value.origin)
            .find(|origin| origin.place().is_some())
    }

    /// The canonical tree that the project was read from, with an origin on every value.
    pub fn tree(&self) -> &Value {
        &self.tree
    }

    pub(crate) fn read(&mut self, tree: &Value) -> Result<(), Vec<Diagnostic>> {
        let mut errors = Vec::new();
        section(tree, "services", &mut self.services, &mut errors);
        section(tree, "networks", &mut self.networks, &mut errors);
        section(tree, "volumes", &mut self.volumes, &mut errors);
        section(tree, "secrets", &mut self.secrets, &mut errors);
        section(tree, "configs", &mut self.configs, &mut errors);
        section(tree, "models", &mut self.models, &mut errors);
        for (key, value) in tree.as_map().into_iter().flatten() {
            if key.starts_with("x-") {
                self.extensions.insert(key.clone(), value.to_json());
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

fn section<T: Field>(tree: &Value, name: &str, into: &mut IndexMap<String, T>, errors: &mut Vec<Diagnostic>) {
    for (key, value) in tree.get(name).and_then(Value::as_map).into_iter().flatten() {
        match T::read(value) {
            Ok(read) => {
                into.insert(key.clone(), read);
            }
            Err(error) => errors.push(error),
        }
    }
}

impl Serialize for Project {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("services", &Sorted(&self.services))?;
        if !self.networks.is_empty() {
            map.serialize_entry("networks", &Sorted(&self.networks))?;
        }
        if !self.volumes.is_empty() {
            map.serialize_entry("volumes", &Sorted(&self.volumes))?;
        }
        if !self.secrets.is_empty() {
            map.serialize_entry("secrets", &Sorted(&self.secrets))?;
        }
        if !self.configs.is_empty() {
            map.serialize_entry("configs", &Sorted(&self.configs))?;
        }
        if !self.models.is_empty() {
            map.serialize_entry("models", &Sorted(&self.models))?;
        }
        for (key, value) in &self.extensions {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}
