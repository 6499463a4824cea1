//! What all detectors read: the manifests, and the scripts of a folder as tokens.

use std::{
    cell::{OnceCell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use plimsoll_source::Diagnostic;

use crate::{
    detect::{
        node::{library_folders, tools::Tools},
        platform::Platform,
        python::is_program,
    },
    generated,
    javascript::{
        Script, component,
        values::{Program, relative, stem},
    },
    manifest::Manifest,
    model::{Survey, is_below},
    python::Module,
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
    /// The scripts of each package's folder.
    listed: RefCell<HashMap<String, Vec<Rc<Script>>>>,
    programs: RefCell<HashMap<String, Rc<Program>>>,
    /// Modules of Python that were read ahead.
    modules: RefCell<HashMap<String, Rc<Module>>>,
    /// What files of platforms say; every language asks for it.
    pub(crate) platform: OnceCell<Platform>,
}

/// What was made of a file that was read ahead.
enum Read {
    Script(Script),
    Module(Module),
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
        Self {
            repository,
            manifests,
            broken,
            scripts: RefCell::default(),
            listed: RefCell::default(),
            programs: RefCell::default(),
            modules: RefCell::default(),
            platform: OnceCell::new(),
        }
    }

    /// Reads what programs are made of on all processors, where the repository is large enough for it.
    pub(crate) fn read_ahead(&self) {
        let scripts = |path: &str| matches!(part(path), Some(Part::Program));
        let paths: Vec<&str> =
            self.repository.files().filter(|path| scripts(path) || is_program(path)).collect();
        let read = self.repository.read_ahead(&paths, |source| {
            if has_extension(source.name(), "py") {
                Read::Module(Module::new(source))
            } else {
                Read::Script(Script::new(component::scripts_alone(source)))
            }
        });
        for (path, read) in read {
            match read {
                Read::Module(module) => drop(self.modules.borrow_mut().insert(path, Rc::new(module))),
                Read::Script(script) => drop(self.scripts.borrow_mut().insert(path, Some(Rc::new(script)))),
            }
        }
    }

    /// A module of Python.
    pub(crate) fn module(&self, path: &str) -> Option<Rc<Module>> {
        let read = self.modules.borrow().get(path).map(Rc::clone);
        read.or_else(|| self.repository.source(path).map(|source| Rc::new(Module::new(source))))
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
        let script = self.repository.source(path);
        let script = script.map(|source| Rc::new(Script::new(component::scripts_alone(source))));
        self.scripts.borrow_mut().insert(path.to_owned(), script.clone());
        script
    }

    /// The scripts that a package runs: everything in its folder that belongs to no other package; no tests, no
    /// declarations, no tools and nothing that configures them, nothing that a build writes. What the program itself
    /// imports is a part of it whatever its name is: `db.config.js`, `static/static.module.ts`.
    pub(crate) fn scripts_of(&self, folder: &str) -> Vec<Rc<Script>> {
        if let Some(known) = self.listed.borrow().get(folder) {
            return known.clone();
        }
        let scripts = self.list(folder);
        self.listed.borrow_mut().insert(folder.to_owned(), scripts.clone());
        scripts
    }

    fn list(&self, folder: &str) -> Vec<Rc<Script>> {
        let inner: Vec<&str> = self
            .manifests
            .iter()
            .map(|manifest| manifest.folder.as_str())
            .filter(|other| *other != folder && is_below(other, folder))
            .collect();
        let tools = Tools::of(self.repository, self.manifest(folder), folder);
        let mut scripts = Vec::new();
        let mut apart = Apart::default();
        for path in
            self.repository.under(folder).filter(|path| !inner.iter().any(|other| is_below(path, other)))
        {
            let inside = path.get(folder.len()..).unwrap_or(path).trim_start_matches('/');
            match part(inside) {
                Some(Part::Program) if !tools.hold(inside) => scripts.extend(self.own(path)),
                Some(Part::Program | Part::Apart) => apart.add(path),
                None => {}
            }
        }
        let mut next = 0;
        while let Some(script) = scripts.get(next).map(Rc::clone) {
            next += 1;
            for (_, specifier) in script.imported() {
                scripts.extend(apart.take(script.source.name(), specifier).and_then(|path| self.own(path)));
            }
        }
        scripts
    }

    /// The tokens of a file that somebody wrote; what a bundler made of it repeats it, with everything that it imports.
    fn own(&self, path: &str) -> Option<Rc<Script>> {
        self.script(path).filter(|script| !generated::is_generated(path, script.source.text()))
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

/// What a script is to the package that it lies in.
enum Part {
    Program,
    /// By its name the configuration of a tool, or in a folder that usually holds no program: it counts where the
    /// program imports it.
    Apart,
}

fn part(path: &str) -> Option<Part> {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    // What the generator of Express writes has no extension.
    if path == "bin/www" {
        return Some(Part::Program);
    }
    let (stem, extension) = file.rsplit_once('.')?;
    let never = [".d", ".test", ".spec", ".stories"].iter().any(|end| stem.ends_with(end));
    let known = EXTENSIONS.contains(&extension) || component::EXTENSIONS.contains(&extension);
    if !known || never {
        return None;
    }
    // MikroORM loads this one by its name when the program runs.
    let tool = ["gulpfile", "Gruntfile", "webpack."].iter().any(|name| file.starts_with(name));
    let settings = tool || stem.ends_with(".config") && stem != "mikro-orm.config";
    let apart = settings || folder.split('/').any(|part| LEFT_OUT.contains(&part));
    Some(if apart { Part::Apart } else { Part::Program })
}

/// Files that belong to the program only where it imports them, by path without extension.
#[derive(Default)]
struct Apart<'a> {
    by_stem: HashMap<&'a str, &'a str>,
    /// The stems by their last part, for aliases of folders: `@config/db.config`.
    by_name: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Apart<'a> {
    fn add(&mut self, path: &'a str) {
        let stem = stem(path);
        if self.by_stem.insert(stem, path).is_none() {
            self.by_name.entry(stem.rsplit('/').next().unwrap_or(stem)).or_default().push(stem);
        }
    }

    /// The file that an import names; each only once.
    fn take(&mut self, file: &str, specifier: &str) -> Option<&'a str> {
        if specifier.starts_with('.') {
            let path = relative(file, specifier);
            let index = format!("{path}/index");
            return [path.as_str(), stem(&path), index.as_str()]
                .iter()
                .find_map(|stem| self.by_stem.remove(*stem));
        }
        let (_, name) = specifier.rsplit_once('/')?;
        // `@/docs/swagger`, `src/docs/swagger`; of settings any alias.
        let inner = ["@/", "~/", "src/"].iter().find_map(|alias| specifier.strip_prefix(alias));
        let fits = |stem: &&&str| {
            stem.ends_with(".config")
                || inner.is_some_and(|inner| stem.strip_suffix(inner).is_some_and(|rest| rest.ends_with('/')))
        };
        let found = [name, stem(name)].iter().find_map(|name| {
            let left = self.by_name.get(*name)?.iter().filter(|stem| self.by_stem.contains_key(**stem));
            left.take(100).find(fits).copied()
        })?;
        self.by_stem.remove(found)
    }
}
