//! What all detectors read: the manifests, and the scripts of a folder as tokens.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use plimsoll_source::Diagnostic;

use crate::{
    detect::node::library_folders,
    javascript::{Script, values::Program},
    manifest::Manifest,
    model::{Survey, is_below},
    repository::Repository,
};

/// The repository with what was read of it so far.
pub(crate) struct Context<'a> {
    pub(crate) repository: &'a Repository,
    /// Every package.json that could be read, sorted by folder; the root's is the first one if there is one.
    pub(crate) manifests: Vec<Manifest>,
    /// Manifests that could not be read.
    pub(crate) broken: Vec<Diagnostic>,
    scripts: RefCell<HashMap<String, Option<Rc<Script>>>>,
    programs: RefCell<HashMap<String, Rc<Program>>>,
}

/// What Node.js and bundlers run.
const EXTENSIONS: [&str; 8] = ["ts", "tsx", "mts", "cts", "js", "jsx", "mjs", "cjs"];

impl<'a> Context<'a> {
    pub(crate) fn new(repository: &'a Repository) -> Self {
        let mut manifests = Vec::new();
        let mut broken = Vec::new();
        for path in
            repository.files().filter(|path| *path == "package.json" || path.ends_with("/package.json"))
        {
            let Some(source) = repository.source(path) else { continue };
            match Manifest::parse(source) {
                Ok(manifest) => manifests.push(manifest),
                Err(diagnostic) => broken.push(diagnostic),
            }
        }
        manifests.sort_by(|a, b| a.folder.cmp(&b.folder));
        Self { repository, manifests, broken, scripts: RefCell::default(), programs: RefCell::default() }
    }

    pub(crate) fn root_manifest(&self) -> Option<&Manifest> {
        self.manifest("")
    }

    pub(crate) fn manifest(&self, folder: &str) -> Option<&Manifest> {
        self.manifests.iter().find(|manifest| manifest.folder == folder)
    }

    /// The tokens of one file.
    pub(crate) fn script(&self, path: &str) -> Option<Rc<Script>> {
        if let Some(known) = self.scripts.borrow().get(path) {
            return known.clone();
        }
        let script = self.repository.source(path).map(|source| Rc::new(Script::new(source)));
        self.scripts.borrow_mut().insert(path.to_owned(), script.clone());
        script
    }

    /// The scripts that a package runs: everything in its folder that belongs to no other package; no tests, no
    /// declarations, no configuration of tools, nothing that a build writes.
    pub(crate) fn scripts_of(&self, folder: &str) -> Vec<Rc<Script>> {
        let inner: Vec<&str> = self
            .manifests
            .iter()
            .map(|manifest| manifest.folder.as_str())
            .filter(|other| *other != folder && is_below(other, folder))
            .collect();
        self.repository
            .under(folder)
            .filter(|path| is_program(path.get(folder.len()..).unwrap_or(path).trim_start_matches('/')))
            .filter(|path| !inner.iter().any(|other| is_below(path, other)))
            .filter_map(|path| self.script(path))
            .collect()
    }

    /// The program of a package with those of the workspaces that it uses.
    pub(crate) fn closure(&self, survey: &Survey, folder: &str) -> Rc<Program> {
        if let Some(known) = self.programs.borrow().get(folder) {
            return Rc::clone(known);
        }
        let name = self.manifest(folder).and_then(Manifest::name);
        let libraries = name.map(|name| library_folders(survey, &name.value)).unwrap_or_default();
        let mut scripts = self.scripts_of(folder);
        for (_, folder) in &libraries {
            scripts.extend(self.scripts_of(folder));
        }
        let program = Rc::new(Program::new(scripts, libraries));
        self.programs.borrow_mut().insert(folder.to_owned(), Rc::clone(&program));
        program
    }
}

/// A name that DNS accepts.
pub(crate) fn host_name(name: &str) -> String {
    let mut out = String::new();
    for c in name.to_lowercase().chars() {
        let c = if c.is_ascii_alphanumeric() { c } else { '-' };
        if c != '-' || !out.ends_with('-') {
            out.push(c);
        }
    }
    let out: String = out.trim_matches('-').chars().take(40).collect();
    let out = out.trim_end_matches('-').to_owned();
    if out.is_empty() { "app".to_owned() } else { out }
}

/// A path below a folder; the empty folder is the root.
pub(crate) fn join(folder: &str, path: &str) -> String {
    if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
}

/// Whether a path has this extension.
pub(crate) fn has_extension(path: &str, extension: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, found)| found == extension)
}

/// Folders whose scripts no service runs: tests, what a build writes, files that are served as they are.
const LEFT_OUT: [&str; 17] = [
    "test",
    "tests",
    "__tests__",
    "__mocks__",
    "__fixtures__",
    "fixtures",
    "e2e",
    "cypress",
    "dist",
    "build",
    "out",
    "coverage",
    "public",
    "static",
    "docs",
    "examples",
    ".yarn",
];

/// Whether a path is a script in JavaScript as Node.js runs it.
pub(crate) fn is_javascript(path: &str) -> bool {
    ["js", "mjs", "cjs"].iter().any(|extension| has_extension(path, extension))
}

fn is_program(path: &str) -> bool {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let tests = folder.split('/').any(|part| LEFT_OUT.contains(&part));
    // What the generator of Express writes has no extension.
    if path == "bin/www" {
        return true;
    }
    let Some((stem, extension)) = file.rsplit_once('.') else { return false };
    let special = [".d", ".test", ".spec", ".config", ".stories"].iter().any(|end| stem.ends_with(end));
    EXTENSIONS.contains(&extension) && !tests && !special
}
