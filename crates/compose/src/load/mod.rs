//! The pipeline from files to a [`Project`].
//!
//! For each file: read, replace variables, include, apply `!reset` and `!override`, extend, merge into what the files
//! before said, make lists unique, check against the specification, write short syntaxes out. Then, once: defaults,
//! further checks, paths, normalisation, profiles, variables of `env_file`, consistency.

mod environment;
mod extends;
mod include;
mod lenient;
mod normalise;
mod profiles;
mod project_name;

use std::path::Path as FilePath;

use lenient::Cuts;
pub use lenient::{Lenient, load_lenient};

use indexmap::IndexMap;
use plimsoll_source::{Diagnostic, Source};

use crate::{
    attributes, canonical, consistency, defaults, marks, merge,
    model::Project,
    options::{LoadOptions, ReadFiles},
    path::Path,
    paths, schema,
    substitute::{self, Gathered},
    unique,
    value::{Kind, Map, Origin, Value},
};

/// Reads the files of `options` into one project.
///
/// Other files that they name (`extends`, `include`, `env_file`, `label_file`) are read through `fs`. Returns every
/// fault of the first stage that found any, each with its place.
pub fn load(options: &LoadOptions, fs: &dyn ReadFiles) -> Result<Project, Vec<Diagnostic>> {
    load_without(options, fs, &Cuts::default())
}

/// The same, of files without some of their entries.
fn load_without(options: &LoadOptions, fs: &dyn ReadFiles, cuts: &Cuts) -> Result<Project, Vec<Diagnostic>> {
    let mut loader = Loader::new(options, fs, cuts);
    let (name, mut tree) = loader.project_tree()?;
    if options.normalize {
        normalise::normalise(&mut tree, &name, &loader.env);
    }
    let enabled = profiles::enabled(&tree, options)?;
    let alone = |name: &String| options.no_deps && !options.services.contains(name);
    if options.resolve_environment {
        let mut read = enabled.clone();
        read.retain(|name| !alone(name));
        environment::resolve(&mut tree, &read, options, &loader.env, fs)?;
    }
    let mut project = Project {
        name,
        working_dir: options.working_dir.clone(),
        services: IndexMap::new(),
        disabled_services: IndexMap::new(),
        networks: IndexMap::new(),
        volumes: IndexMap::new(),
        secrets: IndexMap::new(),
        configs: IndexMap::new(),
        models: IndexMap::new(),
        extensions: IndexMap::new(),
        profiles: options.profiles.clone(),
        files: loader.files,
        warnings: loader.gathered.warnings,
        environment: crate::model::HostEnvironment(loader.env),
        included: crate::model::HostEnvironment(loader.values),
        compatibility: options.compatibility,
        all_resources: options.all_resources,
        tree: Value::new(Kind::Null, &Origin::default()),
    };
    project.read(&tree)?;
    project.tree = tree;
    let (services, disabled) =
        std::mem::take(&mut project.services).into_iter().partition(|(name, _)| enabled.contains(name));
    project.services = services;
    project.disabled_services = disabled;
    if options.check_consistency {
        consistency::check(&mut project)?;
    }
    let (left, services) =
        std::mem::take(&mut project.services).into_iter().partition(|(name, _)| alone(name));
    project.services = services;
    project.disabled_services.extend::<IndexMap<_, _>>(left);
    Ok(project)
}

/// Reads the files of `options` into one canonical tree, without typing it: what `config --no-interpolate` prints, where
/// `${REPLICAS}` may stand for a number.
pub fn load_tree(options: &LoadOptions, fs: &dyn ReadFiles) -> Result<Value, Vec<Diagnostic>> {
    let nothing = Cuts::default();
    let mut loader = Loader::new(options, fs, &nothing);
    let (name, mut tree) = loader.project_tree()?;
    if options.normalize {
        normalise::normalise(&mut tree, &name, &loader.env);
    }
    if let Some(map) = tree.as_map_mut() {
        map.shift_insert(0, "name".to_owned(), Value::string(name, &Origin::default()));
    }
    Ok(tree)
}

/// Where the files of one project, or of one included project, live.
struct FileSet<'a> {
    /// Tells it from the other places of a load; the same folder can be included twice with different variables.
    id: usize,
    /// The absolute directory that `extends` and `include` of these files start from.
    directory: String,
    /// What relative paths in them are joined to: absolute for the project, relative to it for what it includes.
    base: String,
    /// The variables for interpolation.
    env: &'a IndexMap<String, String>,
    /// The files on the way here, to find cycles.
    including: Vec<String>,
}

struct Loader<'a> {
    options: &'a LoadOptions,
    fs: &'a dyn ReadFiles,
    /// What is left out of the files.
    cuts: &'a Cuts,
    env: IndexMap<String, String>,
    files: Vec<String>,
    gathered: Gathered,
    /// Values of variables that only included projects have, by the secret or config that is made of them.
    values: IndexMap<String, String>,
    /// How often a file was included, the same one again or not.
    included: usize,
    /// Files that services extend from, read once each.
    extended: IndexMap<(String, usize), Value>,
}

impl<'a> Loader<'a> {
    fn new(options: &'a LoadOptions, fs: &'a dyn ReadFiles, cuts: &'a Cuts) -> Self {
        Self {
            options,
            fs,
            cuts,
            env: options.env.clone(),
            files: Vec::new(),
            gathered: Gathered::default(),
            values: IndexMap::new(),
            included: 0,
            extended: IndexMap::new(),
        }
    }

    fn home(&self) -> Option<&str> {
        self.options.env.get("HOME").map(String::as_str)
    }

    /// The project's name and its merged canonical tree, before normalisation.
    fn project_tree(&mut self) -> Result<(String, Value), Vec<Diagnostic>> {
        if self.options.files.is_empty() {
            return Err(vec![Diagnostic::error("no Compose file given").hint("name one with -f")]);
        }
        let mut files = Vec::with_capacity(self.options.files.len());
        for source in &self.options.files {
            files.push((source.clone(), self.cuts.documents(source).map_err(one)?));
        }
        let name = project_name::of(self.options, &files).map_err(one)?;
        self.env.insert("COMPOSE_PROJECT_NAME".to_owned(), name.clone());
        let directory = self.options.working_dir.to_string_lossy().into_owned();
        let env = self.env.clone();
        let mut place =
            FileSet { id: 0, base: directory.clone(), directory, env: &env, including: Vec::new() };
        let mut tree = self.tree(files, &mut place, self.options.resolve_paths)?;
        let empty = tree.as_map().is_none_or(Map::is_empty);
        if empty {
            let names: Vec<&str> = self.options.files.iter().map(Source::name).collect();
            return Err(vec![Diagnostic::error(format!("empty Compose file: {}", names.join(", ")))]);
        }
        if self.options.validate && name.is_empty() {
            return Err(vec![
                Diagnostic::error("the project has no name")
                    .hint("give one with --project-name or a top-level `name:`"),
            ]);
        }
        if let Some(map) = tree.as_map_mut() {
            map.shift_remove("name");
        }
        Ok((name, tree))
    }

    /// All files of one place, merged, with defaults, checked, their paths resolved.
    fn tree(
        &mut self,
        files: Vec<(Source, Vec<Value>)>,
        place: &mut FileSet<'_>,
        resolve_paths: bool,
    ) -> Result<Value, Vec<Diagnostic>> {
        let mut tree = Value::new(Kind::Map(Map::new()), &Origin::default());
        for (source, documents) in files {
            self.files.push(source.name().to_owned());
            place.including.push(paths::join_absolute(&place.directory, source.name()));
            for document in documents {
                tree = self.document(tree, document, &source, place)?;
            }
        }
        if self.options.set_defaults {
            defaults::set(&mut tree);
        }
        if self.options.validate {
            let faults = attributes::check(&tree);
            if !faults.is_empty() {
                return Err(faults);
            }
        }
        if resolve_paths {
            paths::resolve(&mut tree, FilePath::new(&place.base), self.home()).map_err(one)?;
        }
        environment::resolve_bare(&mut tree, place.env).map_err(one)?;
        Ok(tree)
    }

    /// Joins one document onto the tree so far.
    fn document(
        &mut self,
        mut tree: Value,
        mut document: Value,
        source: &Source,
        place: &FileSet<'_>,
    ) -> Result<Value, Vec<Diagnostic>> {
        if document.as_map().is_none() {
            return Err(vec![
                document
                    .origin
                    .error(format!("a Compose file must be a mapping, but this is {}", document.type_name())),
            ]);
        }
        if self.options.interpolate {
            substitute::tree(&mut document, place.env, &mut self.gathered).map_err(one)?;
        }
        self.include(&mut document, place)?;
        marks::apply(&mut tree, &document);
        self.extend(&mut document, source, place)?;
        marks::strip(&mut document);
        let mut tree = merge::merge(tree, document, &Path::ROOT).map_err(one)?;
        unique::enforce(&mut tree, &Path::ROOT).map_err(one)?;
        if self.options.validate {
            let faults = schema::validate(&tree, !self.options.interpolate);
            if !faults.is_empty() {
                return Err(faults);
            }
            if let Some(version) = tree.as_map_mut().and_then(|map| map.shift_remove("version")) {
                let warning = Diagnostic::warning("the attribute `version` is obsolete and ignored");
                self.gathered.warnings.push(version.origin.label(warning, "").hint("remove it"));
            }
        }
        canonical_and_unique(tree, self.options).map_err(one)
    }
}

/// Short syntaxes written out; a range of ports can then hold one that is given elsewhere too.
fn canonical_and_unique(tree: Value, options: &LoadOptions) -> Result<Value, Diagnostic> {
    let mut tree = canonical::tree(tree, !options.interpolate)?;
    canonical::omit_empty(&mut tree);
    unique::enforce(&mut tree, &Path::ROOT)?;
    Ok(tree)
}

fn one(diagnostic: Diagnostic) -> Vec<Diagnostic> {
    vec![diagnostic]
}
