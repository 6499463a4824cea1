//! What all detectors read: the manifests, and the scripts of a folder as tokens.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use plimsoll_source::Diagnostic;

use crate::{javascript::Script, manifest::Manifest, repository::Repository};

/// The repository with what was read of it so far.
pub(crate) struct Context<'a> {
    pub(crate) repository: &'a Repository,
    /// Every package.json that could be read, sorted by folder; the root's is the first one if there is one.
    pub(crate) manifests: Vec<Manifest>,
    /// Manifests that could not be read.
    pub(crate) broken: Vec<Diagnostic>,
    scripts: RefCell<HashMap<String, Option<Rc<Script>>>>,
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
        Self { repository, manifests, broken, scripts: RefCell::default() }
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

    /// The scripts that a package runs: everything below its `src`, or its own folder without one; no tests, no
    /// declarations, no configuration of tools.
    pub(crate) fn program(&self, folder: &str) -> Vec<Rc<Script>> {
        let inner = join(folder, "src");
        let inside = if self.repository.under(&inner).next().is_some() { inner.as_str() } else { folder };
        self.repository
            .under(inside)
            .filter(|path| is_program(path))
            .filter_map(|path| self.script(path))
            .collect()
    }
}

/// A path below a folder; the empty folder is the root.
pub(crate) fn join(folder: &str, path: &str) -> String {
    if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
}

/// Whether a path has this extension.
pub(crate) fn has_extension(path: &str, extension: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, found)| found == extension)
}

fn is_program(path: &str) -> bool {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let tests =
        folder.split('/').any(|part| matches!(part, "test" | "tests" | "__tests__" | "__mocks__" | "dist"));
    let Some((stem, extension)) = file.rsplit_once('.') else { return false };
    let special = [".d", ".test", ".spec", ".config", ".stories"].iter().any(|end| stem.ends_with(end));
    EXTENSIONS.contains(&extension) && !tests && !special
}
