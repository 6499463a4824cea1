//! Variables and labels out of files, and variables without a value.

use std::{collections::HashSet, io, path::Path as FilePath};

use indexmap::IndexMap;
use plimsoll_source::Diagnostic;

use super::normalise::fill;
use crate::{
    dotenv::{self, Variables},
    options::{LoadOptions, ReadFiles},
    paths,
    value::{Kind, Map, Origin, Value},
};

/// Fills variables without a value from the place that their file belongs to.
pub(super) fn resolve_bare(tree: &mut Value, env: &IndexMap<String, String>) -> Result<(), Diagnostic> {
    let mut total = Total::default();
    for (_, service) in tree.get_mut("services").and_then(Value::as_map_mut).into_iter().flatten() {
        if let Some(environment) = service.get_mut("environment").and_then(Value::as_map_mut) {
            fill(environment, env);
            total.add(environment)?;
        }
    }
    Ok(())
}

/// What the variables and labels of all services of a project may take in all, in bytes: each service has its own copy
/// of what a file or the environment gives.
const MAX_TOTAL: usize = 64 << 20;

/// What the services have taken so far.
#[derive(Default)]
struct Total(usize);

impl Total {
    fn add(&mut self, values: &Map) -> Result<(), Diagnostic> {
        for (key, value) in values {
            self.0 += key.len() + value.as_str().map_or(8, str::len);
            if self.0 > MAX_TOTAL {
                let told = format!("the variables of the services are longer than {MAX_TOTAL} bytes in all");
                return Err(value.origin.label(Diagnostic::error(told), "the last one"));
            }
        }
        Ok(())
    }
}

/// Reads `env_file` and `label_file` of the enabled services into `environment` and `labels`, which win.
pub(super) fn resolve(
    tree: &mut Value,
    enabled: &HashSet<String>,
    options: &LoadOptions,
    env: &IndexMap<String, String>,
    fs: &dyn ReadFiles,
) -> Result<(), Vec<Diagnostic>> {
    let reader = Reader { options, env, fs };
    let mut faults = Vec::new();
    let mut total = Total::default();
    for (name, service) in tree.get_mut("services").and_then(Value::as_map_mut).into_iter().flatten() {
        let Some(service) = service.as_map_mut().filter(|_| enabled.contains(name)) else { continue };
        if let Err(fault) = reader.variables(service) {
            faults.push(fault);
        }
        if let Err(fault) = reader.labels(service) {
            faults.push(fault);
        }
        for part in ["environment", "labels"] {
            if let Some(values) = service.get(part).and_then(Value::as_map) {
                total.add(values).map_err(|fault| vec![fault])?;
            }
        }
        if options.discard_env_files {
            service.shift_remove("env_file");
            service.shift_remove("label_file");
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

struct Reader<'a> {
    options: &'a LoadOptions,
    env: &'a IndexMap<String, String>,
    fs: &'a dyn ReadFiles,
}

impl Reader<'_> {
    fn variables(&self, service: &mut Map) -> Result<(), Diagnostic> {
        let mut own = match service.get("environment").map(|value| &value.kind) {
            Some(Kind::Map(map)) => map.clone(),
            _ => Map::new(),
        };
        fill(&mut own, self.env);
        let known: IndexMap<String, String> =
            own.iter().filter_map(|(key, value)| Some((key.clone(), value.scalar_text()?))).collect();
        let lookup = |name: &str| self.env.get(name).or_else(|| known.get(name)).map(String::as_str);
        let mut found = known.clone();
        let mut origins: IndexMap<String, Origin> = IndexMap::new();
        let files =
            service.get("env_file").and_then(Value::as_list).map(<[Value]>::to_vec).unwrap_or_default();
        for file in &files {
            let Some(path) = file.get("path").and_then(Value::as_str) else { continue };
            let required = file.get("required").is_none_or(|required| required.kind != Kind::Bool(false));
            let Some(text) = self.read(path, required, &file.origin)? else { continue };
            let mut variables: Variables = found.clone();
            let parsed = match file.get("format").and_then(Value::as_str) {
                None | Some("") => dotenv::parse(&text, &mut variables, &lookup),
                Some("raw") => dotenv::parse_raw(&text, &mut variables, &lookup),
                Some(other) => {
                    let error = file.origin.error(format!("`{other}` is not a format of `env_file`"));
                    return Err(error.hint("leave `format` out, or use `raw`"));
                }
            };
            parsed.map_err(|error| file.origin.error(format!("in {path}: {error}")))?;
            for (key, value) in variables {
                if found.get(&key) != Some(&value) || !found.contains_key(&key) {
                    origins.insert(key.clone(), file.origin.clone());
                }
                found.insert(key, value);
            }
        }
        for (key, value) in found {
            if !own.contains_key(&key) {
                let origin = origins.get(&key).cloned().unwrap_or_default();
                own.insert(key, Value::string(value, &origin));
            }
        }
        if !own.is_empty() {
            let origin = service.get("environment").map(|value| value.origin.clone()).unwrap_or_default();
            service.insert("environment".to_owned(), Value::new(Kind::Map(own), &origin));
        }
        Ok(())
    }

    fn labels(&self, service: &mut Map) -> Result<(), Diagnostic> {
        let files =
            service.get("label_file").and_then(Value::as_list).map(<[Value]>::to_vec).unwrap_or_default();
        if files.is_empty() {
            return Ok(());
        }
        let mut labels = Map::new();
        for file in &files {
            let path = file.as_str().unwrap_or_default();
            let Some(text) = self.read(path, true, &file.origin)? else { continue };
            let mut found = Variables::new();
            dotenv::parse(&text, &mut found, &|name| self.env.get(name).map(String::as_str))
                .map_err(|error| file.origin.error(format!("in {path}: {error}")))?;
            for (key, value) in found {
                labels.insert(key, Value::string(value, &file.origin));
            }
        }
        if let Some(Kind::Map(own)) = service.get("labels").map(|value| &value.kind) {
            labels.extend(own.clone());
        }
        service.insert("labels".to_owned(), Value::new(Kind::Map(labels), &Origin::default()));
        Ok(())
    }

    fn read(&self, path: &str, required: bool, origin: &Origin) -> Result<Option<String>, Diagnostic> {
        let absolute = paths::join_absolute(&self.options.working_dir.to_string_lossy(), path);
        match self.fs.read(FilePath::new(&absolute)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !required => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(origin
                .error(format!("file of variables {path} does not exist"))
                .hint("make it, or add `required: false` to its entry")),
            Err(error) => Err(origin.error(format!("cannot read {path}: {error}"))),
        }
    }
}
