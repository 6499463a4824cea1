//! What a project's manifests declare beside its list of packages: what a program was recognised by must be installed.

use super::{
    manifest::Manifest,
    project::{Project, below},
    requirement::Requirement,
};
use crate::{
    context::join,
    model::{Beside, Evidence, Fact, Gap, Manager, is_below},
    rules,
};

/// What the manifests declare and the list does not have: the manifest with its first such requirement.
pub(super) fn lacking(project: &Project) -> Option<(&Manifest, &Requirement)> {
    let (_, list) = project.file.as_ref()?;
    let listed = |name: &str| list.requirements.iter().any(|requirement| requirement.name == name);
    project.manifests.iter().filter(|manifest| manifest.declares).find_map(|manifest| {
        let missing = manifest.requirements.iter().find(|requirement| !listed(&requirement.name))?;
        Some((manifest, missing))
    })
}

/// The manager whose manifest declares what the list lacks, where pip does not read that manifest.
pub(super) fn other_manager(project: &Project) -> Option<(Manager, Evidence)> {
    let (manifest, missing) = lacking(project)?;
    let manager = if manifest.is_poetry {
        Manager::Poetry
    } else if manifest.is_pipfile() {
        Manager::Pipenv
    } else {
        return None;
    };
    Some((manager, missing.evidence.clone()))
}

/// What pip installs besides the list, or instead of one.
pub(super) fn of_pip(project: &Project) -> Vec<Fact<Beside>> {
    let mut found = Vec::new();
    let list = project.file.as_ref().filter(|(_, list)| !list.is_empty());
    if let Some(local) = list.and_then(|(_, list)| list.local.first()) {
        found.push(Fact::new(Beside::Folders, local.clone()));
    }
    let declared = if list.is_some() {
        lacking(project).map(|(manifest, missing)| {
            let reason = "the manifest declares it, and the list of requirements does not have it".to_owned();
            (manifest, Evidence { reason, ..missing.evidence.clone() })
        })
    } else {
        project
            .manifests
            .iter()
            .find(|manifest| manifest.declares)
            .map(|manifest| (manifest, Evidence::file(manifest.source.name(), "says what the project needs")))
    };
    let declared = declared.or_else(|| in_src(project));
    // A list with `-e .` installs what the project declares.
    let whole = list.is_some_and(|(_, list)| list.installs_project);
    if let Some((manifest, evidence)) = declared.filter(|_| !whole) {
        found.push(Fact::new(how(manifest), evidence));
    }
    found
}

/// The project itself where Poetry or PDM makes a package of it: below `src` nothing else finds its modules. Each build
/// system finds a folder with the project's own name; another one must be named to Poetry.
pub(super) fn own_package(project: &Project) -> Option<Fact<Beside>> {
    let manifest = project.package()?;
    let name = manifest.name.as_ref()?;
    let src = join(&project.folder, "src");
    let folder = join(&src, &name.value.to_lowercase().replace(['-', '.'], "_"));
    let package = project.module(&format!("{folder}/__init__.py")).is_some();
    let inside = project.modules.iter().any(|module| is_below(module.source.name(), &src));
    let reason = format!("{src} is searched for modules where the project is installed alone");
    let evidence = name.evidence.first().map(|evidence| Evidence { reason, ..evidence.clone() })?;
    (package || (inside && manifest.names_packages)).then(|| Fact::new(Beside::Package, evidence))
}

/// A package below `src/`, which nothing finds by the folder that it is started in.
fn in_src(project: &Project) -> Option<(&Manifest, Evidence)> {
    let manifest = project.manifests.iter().find(|manifest| manifest.is_package)?;
    let folder = manifest.source.name().rsplit_once('/').map_or("", |(folder, _)| folder);
    let src = join(folder, "src");
    let packages = project.modules.iter().filter_map(|module| {
        let (package, file) = below(module.source.name(), &src)?.split_once('/')?;
        (file == "__init__.py").then_some(package)
    });
    // By a program beside it, which would not find it.
    let is_imported = |package: &str| {
        let outside = project.modules.iter().filter(|module| !is_below(module.source.name(), &src));
        let mut imports = outside.flat_map(|module| module.imports.values());
        imports.any(|import| import.level == 0 && import.module.split('.').next() == Some(package))
    };
    let package = packages.into_iter().find(|package| is_imported(package))?;
    let reason = format!("{src}/{package} is found where it is installed alone");
    Some((manifest, Evidence::file(manifest.source.name(), reason)))
}

/// Without a build system pip would take the one of old, which refuses a folder with several packages at its top.
fn how(manifest: &Manifest) -> Beside {
    let table = manifest.source.name().ends_with("pyproject.toml")
        && !manifest.is_package
        && !manifest.is_poetry
        && manifest.lists.is_empty()
        && !manifest.requirements.is_empty();
    if table { Beside::Table } else { Beside::Package }
}

/// Says that two lists are installed where one would have been enough.
pub(super) fn gap(
    subject: &str,
    project: &Project,
    beside: &[Fact<Beside>],
    list: Option<&str>,
) -> Option<Gap> {
    let list = list?;
    lacking(project)?;
    let declared = beside.iter().find(|found| found.value != Beside::Folders)?;
    let manifest = declared.evidence.first()?.file.clone();
    Some(Gap {
        rule: rules::TWO_PACKAGE_LISTS,
        subject: subject.to_owned(),
        message: format!("{list} does not have all that {manifest} declares: both are installed"),
        hint: "name each package in one of them".to_owned(),
        evidence: declared.evidence.clone(),
    })
}
