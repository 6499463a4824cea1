//! The folders in which packages are installed, what installs them, and what decides the result.

mod berry;
mod bun;
mod npm;
mod pnpm;
mod yarn;

use plimsoll_source::Span;

use super::{packages, runtime};
use crate::{
    context::{Context, join},
    manifest::Manifest,
    model::{Confidence, Ecosystem, Evidence, Fact, Gap, Install, Manager, Question, Survey},
    rules,
};

/// One package manager.
struct Kind {
    manager: Manager,
    /// Its name in `packageManager` and `engines`.
    name: &'static str,
    /// Lock files that it writes; the first one that is there counts.
    locks: &'static [&'static str],
    /// Files and folders besides manifests and lock that decide what it installs.
    inputs: &'static [&'static str],
    /// The version that the files of a folder name, where `packageManager` does not.
    version: fn(&Context<'_>, &str) -> Option<Fact<String>>,
}

/// In the order of trust: who has two lock files has chosen the rarer manager on purpose.
const KINDS: [&Kind; 5] = [&pnpm::KIND, &bun::KIND, &berry::KIND, &yarn::KIND, &npm::KIND];

/// Files that every manager may read.
const INPUTS: [&str; 2] = [".npmrc", "patches"];

pub(in crate::detect) fn detect(context: &Context<'_>, survey: &mut Survey) {
    survey.name = context.root_manifest().and_then(Manifest::name);
    for folder in packages::roots(context, survey) {
        let Some(manifest) = context.manifest(&folder) else { continue };
        let members = packages::members(context, survey, &folder);
        let install = install(context, survey, manifest, &members);
        survey.installs.push(install);
    }
    survey.installs.sort_by(|a, b| a.folder.cmp(&b.folder));
}

fn no_version(_: &Context<'_>, _: &str) -> Option<Fact<String>> {
    None
}

fn install(
    context: &Context<'_>,
    survey: &mut Survey,
    manifest: &Manifest,
    members: &[&Manifest],
) -> Install {
    let folder = manifest.folder.clone();
    let locks: Vec<(&Kind, &str)> = KINDS
        .iter()
        .filter(|kind| !berry::excludes(context, &folder, kind.manager))
        .filter_map(|kind| Some((*kind, lock(context, &folder, kind)?)))
        .collect();
    let pinned = pinned(manifest);
    let (kind, mut evidence) = match &pinned {
        Some((kind, _, fact)) => (*kind, fact.evidence.clone()),
        None => by_files(context, survey, manifest, &locks),
    };
    let own_lock = lock(context, &folder, kind).or_else(|| {
        // Yarn writes one name in both of its forms.
        (kind.name == "yarn").then(|| lock(context, &folder, &yarn::KIND)).flatten()
    });
    let lock_file = own_lock.map(|file| {
        let reason = format!("the lock file that {} writes", kind.manager.label());
        Fact::new(file.to_owned(), Evidence::file(&join(&folder, file), reason))
    });
    if evidence.is_empty() {
        evidence.push(Evidence::file(manifest.source.name(), "packages are installed here"));
    }
    let all: Vec<&Manifest> = std::iter::once(manifest).chain(members.iter().copied()).collect();
    let runtime = runtime::choose(context, &folder, &all);
    survey.gaps.extend(runtime.gap);
    survey.questions.extend(runtime.question);
    Install {
        version: pinned
            .and_then(|(_, version, fact)| Some(Fact { value: version?, evidence: fact.evidence }))
            .or_else(|| (kind.version)(context, &folder)),
        inputs: inputs(context, &folder, kind, &all),
        beside: Vec::new(),
        constraints: Vec::new(),
        frozen: None,
        shared_files: Vec::new(),
        runtime: runtime.written,
        runtime_version: runtime.chosen,
        own_script: all.iter().find_map(|manifest| own_script(manifest)),
        native: all.iter().flat_map(|manifest| native(manifest)).collect(),
        modules_folder: (kind.manager == Manager::YarnClassic)
            .then(|| yarn::modules_folder(context, &folder))
            .flatten(),
        ecosystem: Ecosystem::Node,
        manager: kind.manager,
        folder,
        lock_file,
        evidence,
    }
}

/// Whether a lock file of any manager is in a folder.
pub(in crate::detect::node) fn has_lock(context: &Context<'_>, folder: &str) -> bool {
    KINDS.iter().any(|kind| lock(context, folder, kind).is_some())
}

fn lock(context: &Context<'_>, folder: &str, kind: &Kind) -> Option<&'static str> {
    kind.locks.iter().copied().find(|file| context.repository.contains(&join(folder, file)))
}

/// `packageManager`, else `devEngines.packageManager`: the manager, its exact version and the place.
fn pinned(manifest: &Manifest) -> Option<(&'static Kind, Option<String>, Fact<String>)> {
    if let Some(fact) = manifest.string(&["packageManager"], "pins the package manager") {
        // `pnpm@10.34.9+sha512.…`: the hash is Corepack's.
        let (name, version) = fact.value.split_once('@').unwrap_or((&fact.value, ""));
        let version = version.split('+').next().unwrap_or_default().to_owned();
        if let Some(kind) = named(name, &version) {
            return Some((kind, Some(version).filter(|version| !version.is_empty()), fact));
        }
    }
    let name = manifest.string(&["devEngines", "packageManager", "name"], "names the package manager")?;
    let version = manifest.string(&["devEngines", "packageManager", "version"], "").map(|fact| fact.value);
    let kind = named(&name.value, version.as_deref().unwrap_or_default())?;
    let exact = version.filter(|version| version.split('.').count() == 3 && is_exact(version));
    Some((kind, exact, name))
}

fn is_exact(version: &str) -> bool {
    version.split('.').all(|part| part.parse::<u32>().is_ok())
}

fn named(name: &str, version: &str) -> Option<&'static Kind> {
    match name {
        "yarn"
            if version.trim_start_matches(['^', '~', '>', '=', ' ']).starts_with("1.") || version == "1" =>
        {
            Some(&yarn::KIND)
        }
        "yarn" => Some(&berry::KIND),
        name => KINDS.iter().copied().find(|kind| kind.name == name),
    }
}

/// Lock file, else `engines`, else npm; two lock files are a question.
fn by_files(
    context: &Context<'_>,
    survey: &mut Survey,
    manifest: &Manifest,
    locks: &[(&'static Kind, &str)],
) -> (&'static Kind, Vec<Evidence>) {
    let folder = &manifest.folder;
    let written = |(kind, file): &(&'static Kind, &str)| {
        Evidence::file(&join(folder, file), format!("the lock file that {} writes", kind.manager.label()))
    };
    let engine = ["pnpm", "bun", "yarn"].iter().find_map(|name| {
        let fact = manifest.string(&["engines", name], "names the package manager")?;
        Some((named(name, &fact.value)?, fact))
    });
    let by_engine = engine.as_ref().map(|(kind, _)| *kind);
    if locks.len() > 1 {
        let default = locks
            .iter()
            .find(|(kind, _)| by_engine.is_some_and(|engine| engine.name == kind.name))
            .or_else(|| locks.first());
        let default = default.map_or(&npm::KIND, |(kind, _)| *kind);
        let subject = if folder.is_empty() { "root" } else { folder.as_str() };
        survey.questions.push(Question {
            id: format!("{subject}.manager"),
            text: "Several lock files are there. Which package manager installs?".to_owned(),
            options: locks.iter().map(|(kind, _)| kind.name.to_owned()).collect(),
            default: Some(default.name.to_owned()),
            confidence: if by_engine.is_some() { Confidence::Likely } else { Confidence::Open },
            evidence: locks.iter().map(written).collect(),
        });
        return (default, locks.iter().filter(|(kind, _)| kind.name == default.name).map(written).collect());
    }
    match (locks.first(), engine) {
        (Some(lock), _) => (lock.0, vec![written(lock)]),
        (None, Some((kind, fact))) => (kind, fact.evidence),
        (None, None) if berry::is_configured(context, folder) => (&berry::KIND, Vec::new()),
        (None, None) => (&npm::KIND, Vec::new()),
    }
}

fn inputs(context: &Context<'_>, folder: &str, kind: &Kind, manifests: &[&Manifest]) -> Vec<Fact<String>> {
    let mut inputs: Vec<Fact<String>> = INPUTS
        .iter()
        .chain(kind.inputs)
        .filter(|file| {
            let path = join(folder, file);
            context.repository.contains(&path) || context.repository.under(&path).next().is_some()
        })
        .map(|file| {
            Fact::new(
                (*file).to_owned(),
                Evidence::file(&first_file(context, folder, file), "decides what an install gives"),
            )
        })
        .collect();
    for manifest in manifests {
        inputs.extend(prisma(context, folder, manifest));
    }
    inputs
}

/// The file itself, or the first one of a folder.
fn first_file(context: &Context<'_>, folder: &str, file: &str) -> String {
    let path = join(folder, file);
    if context.repository.contains(&path) {
        return path;
    }
    let first = context.repository.under(&path).next().map(str::to_owned);
    first.unwrap_or(path)
}

/// `postinstall: prisma generate`, or the client's own install script, reads the schema.
fn prisma(context: &Context<'_>, folder: &str, manifest: &Manifest) -> Option<Fact<String>> {
    manifest.dependency("@prisma/client")?;
    let schema = join(&manifest.folder, "prisma/schema.prisma");
    context.repository.contains(&schema).then_some(())?;
    let below = if folder.is_empty() {
        schema.as_str()
    } else {
        schema.strip_prefix(folder)?.trim_start_matches('/')
    };
    let value = below.strip_suffix("/schema.prisma")?.to_owned();
    Some(Fact::new(value, Evidence::file(&schema, "the client is generated from it at the install")))
}

/// A script of the project that an install runs by itself.
fn own_script(manifest: &Manifest) -> Option<Fact<String>> {
    ["postinstall", "prepare", "install", "preinstall"].iter().find_map(|name| {
        let (command, span) = manifest.script(name)?;
        let hooks = ["husky", "lefthook", "simple-git-hooks", "git config", "pre-commit"];
        let reason = if hooks.iter().any(|tool| command.contains(tool)) {
            format!("sets up Git hooks, which an image does not need: {command}")
        } else {
            format!("an install runs it: {command}")
        };
        Some(Fact::new((*name).to_owned(), Evidence::new(&manifest.source, span, reason)))
    })
}

/// Packages that are compiled where no binary fits.
const NATIVE: [&str; 16] = [
    "argon2",
    "bcrypt",
    "better-sqlite3",
    "bufferutil",
    "canvas",
    "cpu-features",
    "isolated-vm",
    "libpq",
    "node-rdkafka",
    "node-sass",
    "pg-native",
    "re2",
    "serialport",
    "sqlite3",
    "usb",
    "utf-8-validate",
];

fn native(manifest: &Manifest) -> Vec<Fact<String>> {
    let fact = |name: &str, span: Span| {
        let reason = "compiled by node-gyp where no binary fits: python3, make, g++";
        Fact::new(name.to_owned(), Evidence::new(&manifest.source, span, reason))
    };
    let tables = ["dependencies", "devDependencies", "optionalDependencies"];
    tables
        .iter()
        .flat_map(|table| manifest.all(table))
        .filter(|dependency| NATIVE.contains(&dependency.name))
        .map(|dependency| fact(dependency.name, dependency.span))
        .collect()
}

/// Gaps of an install: no lock file, no pinned version.
pub(in crate::detect) fn gaps(install: &Install) -> Vec<Gap> {
    let name = install.manager.label();
    let place = if install.folder.is_empty() { "the repository" } else { install.folder.as_str() };
    let gap = |rule, message: &str, hint: String| Gap {
        rule,
        subject: place.to_owned(),
        message: message.to_owned(),
        hint,
        evidence: install.evidence.clone(),
    };
    let mut gaps = Vec::new();
    if install.lock_file.is_none() {
        gaps.push(gap(
            rules::NO_LOCK_FILE,
            "no lock file: two builds may install different packages",
            format!("commit the lock file of {name}"),
        ));
    }
    if install.version.is_none() && install.manager != Manager::Npm {
        let command =
            KINDS.iter().find(|kind| kind.manager == install.manager).map_or("npm", |kind| kind.name);
        gaps.push(gap(
            rules::UNPINNED_MANAGER,
            "the package manager's version is not pinned",
            format!("add \"packageManager\": \"{command}@<version>\" to package.json"),
        ));
    }
    gaps
}
