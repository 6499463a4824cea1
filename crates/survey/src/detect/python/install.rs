//! What installs a project's packages: its manager, the lock file and what else an install reads.

use std::collections::BTreeMap;

use plimsoll_source::{Span, json};

use super::{
    beside, pins,
    project::{Project, below},
    runtime::{self, subject},
    system, uv,
};
use crate::{
    context::{Context, join},
    detect::platform::Platform,
    model::{Beside, Confidence, Ecosystem, Evidence, Fact, Gap, Install, Manager, Question, Survey},
    rules, toml,
};

/// Versions of packages that a lock or a pinned requirement says.
pub(super) type Locked = BTreeMap<String, (String, Evidence)>;

/// Lock files, in order of trust.
const LOCKS: [(&str, Manager); 4] = [
    ("uv.lock", Manager::Uv),
    ("poetry.lock", Manager::Poetry),
    ("pdm.lock", Manager::Pdm),
    ("Pipfile.lock", Manager::Pipenv),
];

/// Adds the install that a project's services use, once.
pub(super) fn add(context: &Context<'_>, platform: &Platform, project: &Project, survey: &mut Survey) {
    let folder = &project.install;
    if survey
        .installs
        .iter()
        .any(|install| install.ecosystem == Ecosystem::Python && install.folder == *folder)
    {
        return;
    }
    let (found, declared) = ways(context, project);
    let first = found.first().cloned().or_else(|| without_lock(project));
    let Some((manager, lock_file)) = first.or_else(|| empty_list(context, project)) else { return };
    let locked = locked(context, project);
    let chosen = runtime::choose(context, platform, project, &locked);
    survey.gaps.extend(chosen.gaps);
    survey.questions.extend(chosen.questions);
    if found.len() > 1 {
        survey.questions.push(question(folder, &found, declared));
    }
    let mut native = system::native(&project.requirements, &locked);
    let minor = chosen.version.as_ref().and_then(|version| version.value.strip_prefix("3.")?.parse().ok());
    if let Some(minor) = minor {
        native.extend(pins::compiled(project, &locked, minor));
        survey.gaps.extend(pins::gaps(project, &locked, minor, &subject(folder)));
    }
    let evidence = lock_file.clone().map_or_else(|| manifest_evidence(project), |lock| lock.evidence);
    let install = Install {
        folder: folder.clone(),
        ecosystem: Ecosystem::Python,
        manager,
        version: version(context, folder, manager),
        lock_file: lock_file.clone(),
        inputs: inputs(context, project, manager),
        beside: if matches!(manager, Manager::Poetry | Manager::Pdm) {
            beside::own_package(project).into_iter().collect()
        } else {
            beside::of_pip(project)
        },
        constraints: pins::constraints(project, &locked),
        frozen: uv::only_frozen(context, folder).filter(|_| manager == Manager::Uv),
        shared_files: Vec::new(),
        runtime: chosen.written,
        runtime_version: chosen.version,
        own_script: None,
        modules_folder: None,
        native,
        evidence,
    };
    gaps(project, &install, survey);
    let at = survey.installs.partition_point(|other| other.folder <= install.folder);
    survey.installs.insert(at, install);
}

/// A manager, and the version of it that is written somewhere.
type Way = (Manager, Option<Fact<String>>);

/// Every way in which the packages could be installed, the one that counts first, and what makes a manifest count before
/// a list.
fn ways(context: &Context<'_>, project: &Project) -> (Vec<Way>, Vec<Evidence>) {
    let mut found = found(context, project);
    // Without a lock file a manifest counts before a list that lacks what it declares.
    let other = beside::other_manager(project).filter(|_| found.iter().all(|(m, _)| *m == Manager::Pip));
    let declared: Vec<Evidence> = other.iter().map(|(_, evidence)| evidence.clone()).collect();
    if let Some((manager, _)) = other {
        found.insert(0, (manager, None));
    }
    (found, declared)
}

/// Whether the install makes a package of the project itself, so that its modules are found from every folder.
pub(super) fn is_installed(context: &Context<'_>, project: &Project) -> bool {
    let (found, _) = ways(context, project);
    let first = found.into_iter().next().or_else(|| without_lock(project));
    match first.map_or(Manager::Pip, |(manager, _)| manager) {
        Manager::Uv => project.package().is_some(),
        Manager::Poetry | Manager::Pdm => beside::own_package(project).is_some(),
        Manager::Pip => {
            let list = project.file.as_ref().is_some_and(|(_, list)| list.installs_project);
            let package = || beside::of_pip(project).iter().any(|beside| beside.value == Beside::Package);
            project.package().is_some() && (list || package())
        }
        _ => false,
    }
}

/// Every way in which the packages could be installed, the most trusted first.
fn found(context: &Context<'_>, project: &Project) -> Vec<(Manager, Option<Fact<String>>)> {
    let mut found = Vec::new();
    for (file, manager) in LOCKS {
        let path = join(&project.install, file);
        if context.repository.contains(&path) {
            let reason = format!("the lock file that {} writes", manager.label());
            found.push((manager, Some(Fact::new(file.to_owned(), Evidence::file(&path, reason)))));
        }
    }
    if let Some((path, file)) = &project.file
        && (!file.compiled || found.is_empty())
        && !file.is_empty()
    {
        let name = below(path, &project.folder).unwrap_or(path).to_owned();
        let evidence = file.requirements.first().map_or_else(
            || Evidence::file(path, "the packages that pip installs"),
            |first| Evidence {
                reason: "the packages that pip installs".to_owned(),
                ..first.evidence.clone()
            },
        );
        found.push((Manager::Pip, Some(Fact::new(name, evidence))));
    }
    found
}

/// A list without a line: the project needs no package.
fn empty_list(context: &Context<'_>, project: &Project) -> Option<(Manager, Option<Fact<String>>)> {
    let (path, _) = project.file.as_ref()?;
    context.repository.source(path).filter(|source| source.text().trim().is_empty())?;
    let name = below(path, &project.folder).unwrap_or(path).to_owned();
    let evidence = Evidence::file(path, "a list without a package");
    Some((Manager::Pip, Some(Fact::new(name, evidence))))
}

/// A project that nothing locks: its manifest says which tool it was written for.
fn without_lock(project: &Project) -> Option<(Manager, Option<Fact<String>>)> {
    let manifest = project.manifests.iter().find(|manifest| manifest.declares)?;
    if manifest.is_poetry {
        return Some((Manager::Poetry, None));
    }
    let pipfile = manifest.source.name().ends_with("Pipfile");
    Some((if pipfile { Manager::Pipenv } else { Manager::Pip }, None))
}

fn question(
    folder: &str,
    found: &[(Manager, Option<Fact<String>>)],
    mut evidence: Vec<Evidence>,
) -> Question {
    evidence
        .extend(found.iter().filter_map(|(_, lock)| lock.as_ref()).flat_map(|lock| lock.evidence.clone()));
    let names: Vec<String> = found.iter().map(|(manager, _)| manager.label().to_lowercase()).collect();
    Question {
        id: format!("{}.manager", subject(folder)),
        text: format!("Its packages could be installed by {}. Which one counts?", names.join(" or by ")),
        options: names.clone(),
        default: names.first().cloned(),
        confidence: Confidence::Likely,
        evidence,
    }
}

fn manifest_evidence(project: &Project) -> Vec<Evidence> {
    let declares = project.manifests.iter().filter(|manifest| manifest.declares);
    declares.map(|manifest| Evidence::file(manifest.source.name(), "says what the project needs")).collect()
}

/// The manager's version, as its lock file's first line has it.
fn version(context: &Context<'_>, folder: &str, manager: Manager) -> Option<Fact<String>> {
    let source = match manager {
        Manager::Poetry => context.repository.source(&join(folder, "poetry.lock"))?,
        _ => return None,
    };
    let span = source.line_span(1);
    let line = source.slice(span);
    let version = line.split("by Poetry ").nth(1)?.split_whitespace().next()?;
    let evidence = Evidence::new(&source, span, "the version that wrote the lock file");
    version.starts_with(|c: char| c.is_ascii_digit()).then(|| Fact::new(version.to_owned(), evidence))
}

fn inputs(context: &Context<'_>, project: &Project, manager: Manager) -> Vec<Fact<String>> {
    let mut inputs: Vec<Fact<String>> = Vec::new();
    if manager == Manager::Pip
        && let Some((_, file)) = &project.file
    {
        for (path, evidence) in &file.includes {
            let name = below(path, &project.install).unwrap_or(path);
            inputs.push(Fact::new(name.to_owned(), evidence.clone()));
        }
    }
    let settings = join(&project.install, "uv.toml");
    if manager == Manager::Uv && context.repository.contains(&settings) {
        inputs.push(Fact::new("uv.toml".to_owned(), Evidence::file(&settings, "settings of uv")));
    }
    if manager == Manager::Uv {
        inputs.extend(uv::members(context, &project.install));
    }
    if let Some(package) = project.package() {
        for read in package.reads.iter().chain(&package.lists) {
            let folder = below(&project.folder, &project.install).unwrap_or_default();
            inputs.push(Fact { value: join(folder, &read.value), evidence: read.evidence.clone() });
        }
    }
    inputs.sort_by(|a, b| a.value.cmp(&b.value));
    inputs.dedup_by(|a, b| a.value == b.value);
    inputs
}

/// The exact versions that are installed, as far as files say them.
pub(super) fn locked(context: &Context<'_>, project: &Project) -> Locked {
    let mut locked = Locked::new();
    for requirement in &project.requirements {
        if let Some(version) = requirement.pinned() {
            locked.insert(requirement.name.clone(), (version.to_owned(), requirement.evidence.clone()));
        }
    }
    for (file, manager) in LOCKS {
        let Some(source) = context.repository.source(&join(&project.install, file)) else { continue };
        if manager == Manager::Pipenv {
            let Ok(root) = json::parse(&source) else { continue };
            for member in root.get("default").map_or(&[][..], |table| table.value.members()) {
                let version = member.value.get("version").and_then(|version| version.value.str());
                if let Some(version) = version.and_then(|version| version.strip_prefix("==")) {
                    let evidence = Evidence::new(&source, member.key_span, "the locked version");
                    locked.insert(member.key.clone(), (version.to_owned(), evidence));
                }
            }
            break;
        }
        let Ok(root) = toml::parse(&source) else { continue };
        for package in root.at(&["package"]).map_or(&[][..], toml::Value::items) {
            let text = |key: &str| package.at(&[key]).and_then(toml::Value::str);
            let (Some(name), Some(version)) = (text("name"), text("version")) else { continue };
            let span = package.at(&["name"]).map_or_else(Span::default, |name| name.span);
            locked.insert(
                name.to_lowercase(),
                (version.to_owned(), Evidence::new(&source, span, "the locked version")),
            );
        }
        break;
    }
    locked
}

fn gaps(project: &Project, install: &Install, survey: &mut Survey) {
    let subject = subject(&install.folder);
    if install.manager == Manager::Pip {
        let list = install.lock_file.as_ref().map(|list| list.value.as_str());
        survey.gaps.extend(beside::gap(&subject, project, &install.beside, list));
    }
    let mut add = |rule, message: String, hint: &str, evidence: Vec<Evidence>| {
        survey.gaps.push(Gap { rule, subject: subject.clone(), message, hint: hint.to_owned(), evidence });
    };
    for constraint in &install.constraints {
        let reason = constraint.evidence.first().map_or("", |evidence| evidence.reason.as_str());
        add(
            rules::ADDED_CONSTRAINT,
            format!("{reason}: {} is installed", constraint.value),
            "write it into the list, to choose its version",
            constraint.evidence.clone(),
        );
    }
    if install.lock_file.is_none() {
        let message = "no lock file: two builds may install different packages".to_owned();
        let hint = format!("commit the lock file of {}", install.manager.label());
        add(
            rules::NO_LOCK_FILE,
            message,
            if install.manager == Manager::Pip {
                "commit a requirements.txt with exact versions, or a uv.lock"
            } else {
                &hint
            },
            install.evidence.clone(),
        );
    }
    if install.manager == Manager::Pip
        && let Some((path, file)) = &project.file
    {
        if !file.open.is_empty() {
            let count = file.open.len();
            let of = file.requirements.len();
            let message = format!(
                "{count} of {of} packages in {path} have no exact version: two builds may install different ones"
            );
            add(
                rules::UNPINNED_PACKAGES,
                message,
                "write name==version, as `pip freeze` or `uv pip compile` do",
                file.open.iter().take(3).cloned().collect(),
            );
        }
        if let Some(local) = file.local.first() {
            let message = "the requirements install from a folder of the repository".to_owned();
            add(
                rules::LOCAL_REQUIREMENT,
                message,
                "a build copies the sources before it installs",
                vec![local.clone()],
            );
        }
    }
}
