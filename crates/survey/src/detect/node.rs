//! The project's name, its package manager and the Node.js versions that it says it runs on.

use crate::{
    context::Context,
    model::{Evidence, Fact, PackageManager, Survey},
};

const LOCK_FILES: [(&str, &str); 2] = [("pnpm-lock.yaml", "pnpm"), ("package-lock.json", "npm")];

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let Some(root) = context.root_manifest() else { return };
    survey.name = root.name();
    survey.package_manager = package_manager(context);
    survey.node = root
        .string(&["engines", "node"], "the versions of Node.js that the project runs on")
        .or_else(|| version_file(context));
}

fn package_manager(context: &Context<'_>) -> Option<PackageManager> {
    let root = context.root_manifest()?;
    let pinned = root.string(&["packageManager"], "pins the package manager");
    let lock = LOCK_FILES.iter().find(|(file, _)| context.repository.contains(file));
    let lock_file = lock.map(|(file, name)| {
        Fact::new((*file).to_owned(), Evidence::file(file, format!("the lock file that {name} writes")))
    });
    if let Some(pinned) = pinned {
        // `pnpm@10.34.9+sha512.…`: the hash is Corepack's.
        let (name, version) = pinned.value.split_once('@')?;
        let version = version.split('+').next().unwrap_or(version);
        return Some(PackageManager {
            name: name.to_owned(),
            version: Some(version.to_owned()),
            lock_file,
            evidence: pinned.evidence,
        });
    }
    let (_, name) = lock?;
    let evidence = lock_file.iter().flat_map(|lock| lock.evidence.clone()).collect();
    Some(PackageManager { name: (*name).to_owned(), version: None, lock_file, evidence })
}

fn version_file(context: &Context<'_>) -> Option<Fact<String>> {
    [".nvmrc", ".node-version"].iter().find_map(|file| {
        let source = context.repository.source(file)?;
        let version = source.text().trim().trim_start_matches('v').to_owned();
        let evidence = Evidence::new(&source, source.line_span(1), "the version of Node.js to use");
        Some(Fact::new(version, evidence))
    })
}
