//! The project's name, its package manager and the Node.js versions that it says it runs on.

use crate::{
    context::Context,
    model::{Ecosystem, Evidence, Fact, Install, Manager, Survey},
};

const LOCK_FILES: [(&str, Manager); 2] =
    [("pnpm-lock.yaml", Manager::Pnpm), ("package-lock.json", Manager::Npm)];

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let Some(root) = context.root_manifest() else { return };
    survey.name = root.name();
    survey.installs.extend(install(context));
}

fn install(context: &Context<'_>) -> Option<Install> {
    let root = context.root_manifest()?;
    let pinned = root.string(&["packageManager"], "pins the package manager");
    let lock = LOCK_FILES.iter().find(|(file, _)| context.repository.contains(file));
    let lock_file = lock.map(|(file, manager)| {
        let reason = format!("the lock file that {} writes", manager.label());
        Fact::new((*file).to_owned(), Evidence::file(file, reason))
    });
    // `pnpm@10.34.9+sha512.…`: the hash is Corepack's.
    let named = pinned.as_ref().and_then(|pinned| pinned.value.split_once('@'));
    let manager = match named.map(|(name, _)| name) {
        Some("pnpm") => Manager::Pnpm,
        Some("npm") => Manager::Npm,
        _ => lock?.1,
    };
    let version = named.zip(pinned.as_ref()).map(|((_, version), pinned)| Fact {
        value: version.split('+').next().unwrap_or(version).to_owned(),
        evidence: pinned.evidence.clone(),
    });
    let evidence = match &pinned {
        Some(pinned) => pinned.evidence.clone(),
        None => lock_file.iter().flat_map(|lock| lock.evidence.clone()).collect(),
    };
    let runtime = root
        .string(&["engines", "node"], "the versions of Node.js that the project runs on")
        .or_else(|| version_file(context));
    Some(Install {
        folder: String::new(),
        ecosystem: Ecosystem::Node,
        manager,
        version,
        lock_file,
        inputs: Vec::new(),
        shared_files: Vec::new(),
        runtime,
        runtime_version: None,
        own_script: None,
        native: Vec::new(),
        evidence,
    })
}

fn version_file(context: &Context<'_>) -> Option<Fact<String>> {
    [".nvmrc", ".node-version"].iter().find_map(|file| {
        let source = context.repository.source(file)?;
        let version = source.text().trim().trim_start_matches('v').to_owned();
        let evidence = Evidence::new(&source, source.line_span(1), "the version of Node.js to use");
        Some(Fact::new(version, evidence))
    })
}
