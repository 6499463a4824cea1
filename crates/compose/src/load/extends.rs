//! `extends`: a service built on another one, of the same file or another.

use plimsoll_source::{Diagnostic, Source};

use super::{FileSet, Loader, canonical_and_unique, include::elsewhere, one};
use crate::{
    marks, merge,
    path::Path,
    paths, substitute,
    value::{Kind, Map, Mark, Origin, Value},
};

/// How many services may extend one another in a row.
const MAX_CHAIN: usize = 100;

/// One step of a chain of extensions.
#[derive(Clone, PartialEq, Eq)]
struct Link {
    file: String,
    service: String,
}

impl Loader<'_> {
    /// Resolves the extensions of all services of `document`.
    pub(super) fn extend(
        &mut self,
        document: &mut Value,
        source: &Source,
        place: &FileSet<'_>,
    ) -> Result<(), Vec<Diagnostic>> {
        let Some(services) = document.get_mut("services").filter(|services| !services.is_null()) else {
            return Ok(());
        };
        let kind = services.type_name();
        let origin = services.origin.clone();
        let Some(services) = services.as_map_mut() else {
            return Err(vec![origin.error(format!("`services` must be a mapping, but is {kind}"))]);
        };
        let names: Vec<String> = services.keys().cloned().collect();
        for name in names {
            if let Some(merged) =
                self.extended(&name, services, source.name(), place, &mut Vec::new()).map_err(one)?
            {
                services.insert(name, merged);
            }
        }
        Ok(())
    }

    /// The service with everything that it extends; nothing for an empty one.
    fn extended(
        &mut self,
        name: &str,
        services: &mut Map,
        file: &str,
        place: &FileSet<'_>,
        chain: &mut Vec<Link>,
    ) -> Result<Option<Value>, Diagnostic> {
        let Some(service) = services.get(name).filter(|service| !service.is_null()).cloned() else {
            return Ok(None);
        };
        if service.as_map().is_none() {
            let kind = service.type_name();
            return Err(service.origin.error(format!("`services.{name}` must be a mapping, but is {kind}")));
        }
        let Some(extends) =
            service.get("extends").filter(|extends| extends.mark != Mark::Reset && !extends.is_null())
        else {
            return Ok(Some(service));
        };
        let (reference, other_file) = reference(name, extends)?;
        let origin = extends.origin.clone();
        let link = Link { file: file.to_owned(), service: name.to_owned() };
        if chain.contains(&link) {
            return Err(cycle(&origin, chain, &link));
        }
        if chain.len() >= MAX_CHAIN {
            let error = origin.error(format!("more than {MAX_CHAIN} services extend one another in a row"));
            return Err(error.hint("shorten the chain"));
        }
        chain.push(link);
        let missing = |file: &str| {
            origin
                .error(format!("service `{name}` cannot extend `{reference}`: no such service in {file}"))
                .hint("check the name, and the `file:` if there is one")
        };
        let base = match other_file {
            Some(other) => {
                if let Some(fault) = elsewhere(&other, &origin) {
                    return Err(fault);
                }
                let path = paths::join_absolute(&place.directory, &other);
                let mut other_services = self.services_of(&path, &origin, name, place)?;
                if !other_services.contains_key(&reference) {
                    return Err(missing(&other));
                }
                self.extended(&reference, &mut other_services, &path, place, chain)?
            }
            None if !services.contains_key(&reference) => return Err(missing(file)),
            None => self.extended(&reference, services, file, place, chain)?,
        };
        chain.pop();
        let Some(mut base) = base else { return Ok(Some(service)) };
        marks::strip(&mut base);
        marks::apply(&mut base, &service);
        let services_path = Path::ROOT.key("services");
        let mut merged = merge::merge(base, service, &services_path.key(name))?;
        if let Some(map) = merged.as_map_mut() {
            map.shift_remove("extends");
        }
        services.insert(name.to_owned(), merged.clone());
        Ok(Some(merged))
    }

    /// The services of another file, canonical, with paths as seen from `place`.
    fn services_of(
        &mut self,
        path: &str,
        origin: &Origin,
        service: &str,
        place: &FileSet<'_>,
    ) -> Result<Map, Diagnostic> {
        let key = (path.to_owned(), place.id);
        let tree = match self.extended.get(&key) {
            Some(tree) => tree.clone(),
            None => {
                let tree = self.other_file(path, origin, place)?;
                self.extended.insert(key, tree.clone());
                tree
            }
        };
        match tree.get("services").map(|services| &services.kind) {
            Some(Kind::Map(services)) => Ok(services.clone()),
            _ => {
                Err(origin
                    .error(format!("service `{service}` cannot extend from {path}: it has no services")))
            }
        }
    }

    fn other_file(&mut self, path: &str, origin: &Origin, place: &FileSet<'_>) -> Result<Value, Diagnostic> {
        let source = self.read_source(path, origin)?;
        let mut tree = Value::new(Kind::Map(Map::new()), &Origin::default());
        for mut document in self.cuts.documents(&source)? {
            if document.as_map().is_none() {
                return Err(document.origin.error("a Compose file must be a mapping"));
            }
            if self.options.interpolate {
                substitute::tree(&mut document, place.env, &mut self.gathered)?;
            }
            marks::apply(&mut tree, &document);
            tree = merge::merge(tree, document, &Path::ROOT)?;
            crate::unique::enforce(&mut tree, &Path::ROOT)?;
            tree = canonical_and_unique(tree, self.options)?;
        }
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let relative = paths::relative(&place.directory, directory);
        paths::resolve(&mut tree, std::path::Path::new(&relative), self.home())?;
        Ok(tree)
    }

    /// A further Compose file; its name is its path as seen from the project.
    pub(super) fn read_source(&mut self, path: &str, origin: &Origin) -> Result<Source, Diagnostic> {
        let project = self.options.working_dir.to_string_lossy();
        let relative = paths::relative(&project, path);
        let name = if relative.starts_with("..") { path.to_owned() } else { relative };
        let text = self.fs.read(std::path::Path::new(path)).map_err(|error| {
            origin
                .error(format!("cannot read {name}: {error}"))
                .hint("check the path; it starts from the file's directory")
        })?;
        if !self.files.contains(&name) {
            self.files.push(name.clone());
        }
        Ok(Source::new(name, text))
    }
}

fn reference(name: &str, extends: &Value) -> Result<(String, Option<String>), Diagnostic> {
    match &extends.kind {
        Kind::String(service) => Ok((service.clone(), None)),
        Kind::Map(map) => {
            let service = map.get("service").and_then(Value::as_str).ok_or_else(|| {
                extends
                    .origin
                    .error(format!("`services.{name}.extends` lacks `service`"))
                    .hint("name the service to extend")
            })?;
            let file = match map.get("file") {
                None => None,
                Some(file) if file.is_null() => None,
                Some(file) => Some(file.scalar_text().ok_or_else(|| {
                    file.origin.error(format!(
                        "`services.{name}.extends.file` must be a path, but is {}",
                        file.type_name()
                    ))
                })?),
            };
            Ok((service.to_owned(), file))
        }
        _ => Err(extends.origin.error(format!("`services.{name}.extends` must be a name or a mapping"))),
    }
}

fn cycle(origin: &Origin, chain: &[Link], last: &Link) -> Diagnostic {
    let mut error = origin.error(format!("service `{}` extends itself", last.service));
    for link in chain {
        error = error.note(format!("`{}` in {} extends the next", link.service, link.file));
    }
    error.note(format!("`{}` in {} again", last.service, last.file)).hint("break the circle")
}
