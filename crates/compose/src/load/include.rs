//! `include`: another project's files, with their own directory and variables.

use std::path::Path as FilePath;

use indexmap::IndexMap;
use plimsoll_source::Diagnostic;

use super::{FileSet, Loader, one};
use crate::{
    dotenv, marks, merge,
    path::Path,
    paths,
    value::{Kind, Map, Origin, Value},
};

/// How deep included files may include.
const MAX_DEPTH: usize = 50;
/// How many inclusions one project may have: two files that include one another's parts twice would double each time.
const MAX_INCLUSIONS: usize = 1000;

const SECTIONS: [&str; 6] = ["services", "volumes", "networks", "secrets", "configs", "models"];

struct Include<'v> {
    paths: Vec<String>,
    env_files: Option<Vec<String>>,
    project_directory: Option<String>,
    origin: &'v Value,
}

/// What a file on another machine is refused with: a project must not change behind its owner's back.
pub(super) fn elsewhere(path: &str, origin: &Origin) -> Option<Diagnostic> {
    let remote = paths::is_remote(path) || path.starts_with("oci:");
    remote.then(|| {
        origin
            .error(format!("`{path}` is not on this machine, and files from elsewhere are not fetched"))
            .hint("fetch it, say as a submodule of your repository, and name the local copy")
    })
}

impl Loader<'_> {
    /// Brings what `document` includes into it.
    pub(super) fn include(
        &mut self,
        document: &mut Value,
        place: &FileSet<'_>,
    ) -> Result<(), Vec<Diagnostic>> {
        let Some(list) = document.as_map_mut().and_then(|map| map.shift_remove("include")) else {
            return Ok(());
        };
        if list.is_null() {
            return Ok(());
        }
        let Some(entries) = list.as_list() else {
            return Err(vec![
                list.origin.error(format!("`include` must be a list, but is {}", list.type_name())),
            ]);
        };
        for entry in entries {
            let include = read_entry(entry).map_err(one)?;
            let included = self.included(&include, place)?;
            import(&included, document).map_err(one)?;
        }
        Ok(())
    }

    fn included(&mut self, include: &Include<'_>, place: &FileSet<'_>) -> Result<Value, Vec<Diagnostic>> {
        let origin = &include.origin.origin;
        if let Some(fault) = include.paths.iter().find_map(|path| elsewhere(path, origin)) {
            return Err(vec![fault]);
        }
        self.included += include.paths.len();
        if self.included > MAX_INCLUSIONS {
            let error = origin.error(format!("more than {MAX_INCLUSIONS} files are included"));
            return Err(vec![error.hint("include each file once")]);
        }
        let absolute: Vec<String> =
            include.paths.iter().map(|path| paths::join_absolute(&place.directory, path)).collect();
        let first = &absolute[0];
        if place.including.len() > MAX_DEPTH {
            let error = origin.error(format!("files include one another more than {MAX_DEPTH} levels deep"));
            return Err(vec![error.hint("include the files from one place")]);
        }
        if place.including.contains(first) {
            let mut error = origin.error(format!("`{}` includes itself", include.paths[0]));
            for file in &place.including {
                error = error.note(format!("{file} includes the next"));
            }
            return Err(vec![error.hint("break the circle")]);
        }
        let own_directory = first.rsplit_once('/').map_or("/", |(directory, _)| directory);
        let directory = match &include.project_directory {
            None => own_directory.to_owned(),
            Some(directory) => paths::join_absolute(&place.directory, directory),
        };
        let env = self.included_env(include, &directory, place).map_err(one)?;
        let mut files = Vec::with_capacity(absolute.len());
        for path in &absolute {
            let source = self.read_source(path, origin).map_err(one)?;
            self.files.pop_if(|last| last == source.name());
            let documents = self.cuts.documents(&source).map_err(one)?;
            files.push((source, documents));
        }
        let including = place.including.clone();
        let mut inner = FileSet {
            id: self.included,
            base: paths::relative(&place.directory, &directory),
            directory,
            env: &env,
            including,
        };
        let tree = self.tree(files, &mut inner, true)?;
        self.keep_values(&tree, &env, place.env);
        Ok(tree)
    }

    /// What an included project's own variables make of its secrets and configs: outside of it nobody knows them.
    fn keep_values(
        &mut self,
        tree: &Value,
        own: &IndexMap<String, String>,
        outer: &IndexMap<String, String>,
    ) {
        for section in ["secrets", "configs"] {
            let objects = tree.as_map().and_then(|map| map.get(section)).and_then(Value::as_map);
            for (key, object) in objects.into_iter().flatten() {
                let variable = object.as_map().and_then(|map| map.get("environment")).and_then(Value::as_str);
                let Some(variable) = variable.filter(|name| !outer.contains_key(*name)) else { continue };
                if let Some(value) = own.get(variable) {
                    self.values.entry(format!("{section}.{key}")).or_insert_with(|| value.clone());
                }
            }
        }
    }

    /// The variables of the including file, and those of the given files (else `.env`) that it lacks.
    fn included_env(
        &self,
        include: &Include<'_>,
        directory: &str,
        place: &FileSet<'_>,
    ) -> Result<IndexMap<String, String>, Diagnostic> {
        let mut found = IndexMap::new();
        let lookup = |name: &str| place.env.get(name).map(String::as_str);
        let files = match &include.env_files {
            None => vec![(paths::join(directory, ".env"), false)],
            Some(files) => files
                .iter()
                .filter(|file| *file != "/dev/null")
                .map(|file| (paths::join_absolute(&place.directory, file), true))
                .collect(),
        };
        let origin = &include.origin.origin;
        for (file, required) in files {
            match self.fs.read(FilePath::new(&file)) {
                Ok(text) => dotenv::parse(&text, &mut found, &lookup)
                    .map_err(|error| origin.error(format!("in {file}: {error}")))?,
                Err(_) if !required => {}
                Err(error) => return Err(origin.error(format!("cannot read {file}: {error}"))),
            }
        }
        let mut env = place.env.clone();
        for (key, value) in found {
            env.entry(key).or_insert(value);
        }
        Ok(env)
    }
}

fn read_entry(entry: &Value) -> Result<Include<'_>, Diagnostic> {
    let texts = |value: &Value| -> Vec<String> {
        match &value.kind {
            Kind::List(items) => items.iter().filter_map(Value::scalar_text).collect(),
            _ => value.scalar_text().into_iter().collect(),
        }
    };
    let include = match &entry.kind {
        Kind::String(path) => {
            Include { paths: vec![path.clone()], env_files: None, project_directory: None, origin: entry }
        }
        Kind::Map(map) => Include {
            paths: map.get("path").map(texts).unwrap_or_default(),
            env_files: map.get("env_file").map(texts).filter(|files| !files.is_empty()),
            project_directory: map.get("project_directory").and_then(Value::scalar_text),
            origin: entry,
        },
        _ => return Err(entry.origin.error("an entry of `include` must be a path or a mapping")),
    };
    if include.paths.iter().all(String::is_empty) {
        return Err(entry.origin.error("an entry of `include` has no path").hint("add `path:`"));
    }
    Ok(include)
}

/// Adds the included resources; where the including file says something of the same one, that comes on top.
fn import(included: &Value, document: &mut Value) -> Result<(), Diagnostic> {
    for section in SECTIONS {
        let Some(from) = included.get(section).and_then(Value::as_map) else { continue };
        let Some(document) = document.as_map_mut() else { continue };
        let origin = included.origin.clone();
        let to =
            document.entry(section.to_owned()).or_insert_with(|| Value::new(Kind::Map(Map::new()), &origin));
        if to.is_null() {
            to.kind = Kind::Map(Map::new());
        }
        let kind = to.type_name();
        let place = to.origin.clone();
        let Some(to) = to.as_map_mut() else {
            return Err(place.error(format!("`{section}` must be a mapping, but is {kind}")));
        };
        let section_path = Path::ROOT.key(section);
        for (name, value) in from {
            let merged = match to.get(name) {
                None => value.clone(),
                Some(own) => {
                    let mut value = value.clone();
                    marks::apply(&mut value, own);
                    let mut own = own.clone();
                    marks::strip(&mut own);
                    merge::merge(value, own, &section_path.key(name))?
                }
            };
            to.insert(name.clone(), merged);
        }
    }
    Ok(())
}
