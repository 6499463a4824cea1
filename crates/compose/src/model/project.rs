use std::{collections::HashSet, path::PathBuf};

use indexmap::IndexMap;
use serde::{Serialize, Serializer, ser::SerializeMap as _};

use super::{
    Extensions, FileObject, Model, Network, Service, Volume,
    field::{Field, Sorted, in_yaml_form, sorted},
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
    /// The variables that the files were read with; `environment:` of secrets and configs names them.
    pub environment: HostEnvironment,
    /// Values that only the variables of an included project have, by what is made of them: `secrets.KEY`,
    /// `configs.KEY`.
    pub included: HostEnvironment,
    /// Names as docker-compose 1 had them: parts are joined by `_`.
    pub compatibility: bool,
    /// Networks and volumes that no service uses count too.
    pub all_resources: bool,
    pub(crate) tree: Value,
}

/// Variables of the host. Never printed: they hold secrets.
#[derive(Clone, Default)]
pub struct HostEnvironment(pub IndexMap<String, String>);

impl std::fmt::Debug for HostEnvironment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HostEnvironment({} variables)", self.0.len())
    }
}

impl Project {
    /// What stands between the parts of a name that is made here.
    pub fn separator(&self) -> char {
        if self.compatibility { '_' } else { '-' }
    }

    /// The value of the variable that makes a secret or config (`section` is `secrets` or `configs`). Those of an
    /// included project may come from that project's own files of variables.
    pub fn value_of(&self, section: &str, key: &str, variable: &str) -> Option<&str> {
        let included = self.included.0.get(&format!("{section}.{key}"));
        included.or_else(|| self.environment.0.get(variable)).map(String::as_str)
    }

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

    /// The project as a canonical Compose file. Serialisation with serde gives the reference's JSON, which lacks the `x-*`
    /// attributes below the top level and has some empty values more.
    pub fn to_yaml(&self) -> String {
        // Only strings are keys and no writer can fail, so this is always a mapping.
        let data = in_yaml_form(|| serde_json::to_value(self)).unwrap_or_default();
        crate::write::yaml(&data)
    }

    /// [`Self::to_yaml`] as a file that is read as this project again: a dollar sign is one, not the start of a variable.
    pub fn to_file(&self) -> String {
        let mut data = in_yaml_form(|| serde_json::to_value(self)).unwrap_or_default();
        crate::write::double_dollars(&mut data);
        crate::write::yaml(&data)
    }

    /// Keeps only the networks, volumes, secrets, configs and models that an enabled service uses.
    pub fn remove_unused_resources(&mut self) {
        let mut used: [HashSet<String>; 5] = Default::default();
        let [networks, volumes, secrets, configs, models] = &mut used;
        for service in self.services.values() {
            networks.extend(service.networks.keys().cloned());
            models.extend(service.models.keys().cloned());
            volumes.extend(service.volumes.iter().filter_map(|mount| mount.source.clone()));
            secrets.extend(service.secrets.iter().filter_map(|secret| secret.source.clone()));
            let build = service.build.iter().flat_map(|build| &build.secrets);
            secrets.extend(build.filter_map(|secret| secret.source.clone()));
            configs.extend(service.configs.iter().filter_map(|config| config.source.clone()));
        }
        self.networks.retain(|key, _| networks.contains(key));
        self.volumes.retain(|key, _| volumes.contains(key));
        self.secrets.retain(|key, _| secrets.contains(key));
        self.configs.retain(|key, _| configs.contains(key));
        self.models.retain(|key, _| models.contains(key));
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
        if !self.name.is_empty() {
            map.serialize_entry("name", &self.name)?;
        }
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
        let mut keys: Vec<_> = self.extensions.keys().collect();
        keys.sort();
        for key in keys {
            map.serialize_entry(key, &sorted(&self.extensions[key]))?;
        }
        map.end()
    }
}
