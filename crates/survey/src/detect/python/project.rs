//! Folders that hold a Python project: what it needs, and its modules as tokens.

use std::{collections::BTreeMap, rc::Rc};

use plimsoll_source::Diagnostic;

use super::{
    manifest::{self, Manifest},
    requirement::{self, Requirement, RequirementsFile},
};
use crate::{
    context::{Context, has_extension, join},
    detect::platform::is_apart,
    model::is_below,
    python::Module,
};

/// One project.
#[derive(Debug)]
pub(super) struct Project {
    /// Its folder; empty for the root.
    pub(super) folder: String,
    /// The folder whose install gives it its packages: its own, or that of its workspace.
    pub(super) install: String,
    pub(super) manifests: Vec<Manifest>,
    /// Its requirements file, with what it says.
    pub(super) file: Option<(String, RequirementsFile)>,
    /// What it needs when it runs.
    pub(super) requirements: Vec<Requirement>,
    /// What it runs: no tests, no migrations, no examples. Sorted by path.
    pub(super) modules: Vec<Rc<Module>>,
}

/// Requirements files, in order of trust.
pub(super) const REQUIREMENTS: [&str; 10] = [
    "requirements.txt",
    "requirements/production.txt",
    "requirements/prod.txt",
    "requirements/base.txt",
    "requirements-prod.txt",
    "requirements-production.txt",
    "requirements/requirements.txt",
    "requirements/common.txt",
    "requirements.pip",
    "deploy/requirements.txt",
];

const MARKS: [&str; 7] =
    ["pyproject.toml", "Pipfile", "setup.py", "setup.cfg", "uv.lock", "poetry.lock", "requirements.txt"];

const MAX_PROJECTS: usize = 100;
const MAX_MODULES: usize = 5000;

impl Project {
    /// What the project needs by one of these names.
    pub(super) fn needs(&self, names: &[&str]) -> Option<&Requirement> {
        names.iter().find_map(|name| self.requirements.iter().find(|requirement| requirement.name == *name))
    }

    /// Whether a module imports one of these packages, by the name of the package or by that of its module.
    pub(super) fn imports(&self, packages: &[&str]) -> bool {
        self.modules.iter().any(|module| {
            module.imports.values().filter(|import| import.level == 0).any(|import| {
                let first = import.module.split('.').next().unwrap_or_default();
                packages.iter().any(|package| package.replace('-', "_") == first)
            })
        })
    }

    /// The manifest that says it is a package.
    pub(super) fn package(&self) -> Option<&Manifest> {
        self.manifests.iter().find(|manifest| manifest.is_package && manifest.declares)
    }

    /// The project's own name.
    pub(super) fn name(&self) -> Option<&str> {
        self.manifests.iter().find_map(|manifest| manifest.name.as_ref()).map(|name| name.value.as_str())
    }

    /// A module by its path from the project's folder or from a folder below it.
    pub(super) fn module(&self, path: &str) -> Option<&Rc<Module>> {
        self.modules
            .binary_search_by(|module| module.source.name().cmp(path))
            .ok()
            .map(|at| &self.modules[at])
    }

    /// The module that an import names: from the file that imports it, or from one of the roots.
    pub(super) fn find(&self, from: &Module, dotted: &str) -> Option<&Rc<Module>> {
        let level = dotted.chars().take_while(|c| *c == '.').count();
        let path = dotted[level..].replace('.', "/");
        if level > 0 {
            let mut parts: Vec<&str> = from.source.name().split('/').collect();
            parts.truncate(parts.len().saturating_sub(level));
            return self.at(&parts.join("/"), &path);
        }
        let own = from.source.name();
        let mut folder = own.rsplit_once('/').map_or("", |(folder, _)| folder);
        loop {
            if let Some(found) = self.at(folder, &path) {
                return Some(found);
            }
            if folder == self.folder || folder.is_empty() {
                break;
            }
            folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
        }
        self.at(&join(&self.folder, "src"), &path)
    }

    fn at(&self, folder: &str, path: &str) -> Option<&Rc<Module>> {
        let file = if path.is_empty() { folder.to_owned() } else { join(folder, path) };
        self.module(&format!("{file}.py")).or_else(|| self.module(&join(&file, "__init__.py")))
    }
}

/// All projects, sorted by folder.
pub(super) fn all(context: &Context<'_>, built: &[String], broken: &mut Vec<Diagnostic>) -> Vec<Project> {
    let mut projects: BTreeMap<String, Project> = BTreeMap::new();
    let mut roots: Vec<(String, Vec<String>)> = Vec::new();
    for folder in folders(context, built) {
        if projects.len() == MAX_PROJECTS {
            break;
        }
        let manifests = manifest::read(context, &folder, broken);
        let path = REQUIREMENTS
            .iter()
            .map(|file| join(&folder, file))
            .find(|path| context.repository.contains(path));
        let file = path.map(|path| {
            let file = requirement::read_file(context, &path);
            (path, file)
        });
        let members: Vec<String> = manifests.iter().flat_map(|manifest| manifest.members.clone()).collect();
        if !members.is_empty() {
            roots.push((folder.clone(), members));
        }
        let declares = manifests.iter().any(|manifest| manifest.declares) || file.is_some();
        let lonely = context.repository.contains(&join(&folder, "manage.py")) && !declares;
        if !declares && !lonely {
            continue;
        }
        // A manage.py below another project is a part of that one.
        if lonely && projects.keys().any(|other| is_below(&folder, other)) {
            continue;
        }
        let mut requirements: Vec<Requirement> = manifests
            .iter()
            .filter(|manifest| manifest.declares)
            .flat_map(|manifest| manifest.requirements.clone())
            .collect();
        requirements.extend(file.iter().flat_map(|(_, file)| file.requirements.clone()));
        let lists = manifests.iter().flat_map(|manifest| &manifest.lists);
        for list in lists.take(10).map(|list| join(&folder, &list.value)) {
            if file.as_ref().is_none_or(|(known, _)| *known != list) {
                requirements.extend(requirement::read_file(context, &list).requirements);
            }
        }
        let install = folder.clone();
        projects.insert(
            folder.clone(),
            Project { folder, install, manifests, file, requirements, modules: Vec::new() },
        );
    }
    let mut projects: Vec<Project> = projects.into_values().collect();
    join_workspaces(&mut projects, &roots);
    add_modules(context, &mut projects);
    projects
}

fn folders(context: &Context<'_>, built: &[String]) -> Vec<String> {
    let mut folders: Vec<String> = context
        .repository
        .files()
        .filter_map(|path| {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            if MARKS.contains(&name) || name == "manage.py" {
                return Some(folder);
            }
            let parent = folder.strip_suffix("requirements")?.trim_end_matches('/');
            let ours = folder == "requirements" || folder.ends_with("/requirements");
            (ours && REQUIREMENTS.contains(&format!("requirements/{name}").as_str())).then_some(parent)
        })
        .filter(|folder| !is_apart(folder) || built.iter().any(|built| built == folder))
        .filter(|folder| !folder.ends_with("requirements"))
        .map(str::to_owned)
        .collect();
    folders.sort();
    folders.dedup();
    folders
}

/// Members of a uv workspace have the install of its root.
fn join_workspaces(projects: &mut [Project], roots: &[(String, Vec<String>)]) {
    for project in projects {
        for (root, members) in roots {
            let Some(below) = below(&project.folder, root) else { continue };
            if members.iter().any(|member| matches(member, below)) {
                project.install.clone_from(root);
            }
        }
    }
}

/// The patterns of uv's workspaces: `*` stands for a part of one folder's name.
fn matches(pattern: &str, folder: &str) -> bool {
    let (pattern, folder) = (pattern.trim_start_matches("./").trim_end_matches('/'), folder);
    pattern.split('/').count() == folder.split('/').count()
        && pattern.split('/').zip(folder.split('/')).all(|(pattern, name)| match pattern.split_once('*') {
            Some((start, end)) => {
                name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
            }
            None => pattern == name,
        })
}

/// The part of a path below a folder.
pub(super) fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    if folder.is_empty() {
        return (!path.is_empty()).then_some(path);
    }
    path.strip_prefix(folder)?.strip_prefix('/')
}

fn add_modules(context: &Context<'_>, projects: &mut [Project]) {
    let folders: Vec<String> = projects.iter().map(|project| project.folder.clone()).collect();
    let mut left = MAX_MODULES;
    for path in context.repository.files().filter(|path| is_program(path)) {
        let owner = folders
            .iter()
            .enumerate()
            .filter(|(_, folder)| is_below(path, folder))
            .max_by_key(|(_, folder)| folder.len());
        let Some((at, folder)) = owner.filter(|_| left > 0) else { continue };
        let inside =
            below(path, folder).and_then(|path| path.rsplit_once('/')).map_or("", |(folder, _)| folder);
        // setup.py packs a project where its folder is; below it a module may be called so.
        let packs = inside.is_empty() && path.ends_with("setup.py");
        if packs || is_apart(inside) || is_aside(inside) {
            continue;
        }
        let Some(module) = context.module(path) else { continue };
        left -= 1;
        projects[at].modules.push(module);
    }
    for project in projects {
        project.modules.sort_by(|a, b| a.source.name().cmp(b.source.name()));
    }
}

/// Whether a file is a module that may run in production.
pub(crate) fn is_program(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let test = name.starts_with("test_")
        || name.ends_with("_test.py")
        || matches!(name, "conftest.py" | "tests.py" | "noxfile.py" | "tasks_dev.py" | "fabfile.py");
    has_extension(name, "py") && !test
}

/// Folders whose modules are run by hand or made by a tool.
pub(super) fn is_aside(folder: &str) -> bool {
    folder.split('/').any(|part| {
        matches!(
            part,
            "migrations" | "versions" | "scripts" | "alembic" | "notebooks" | "tools" | ".circleci" | "bin"
        )
    })
}
