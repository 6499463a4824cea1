//! Which manifests are packages, which of them share an install, and which folders nobody deploys.

use std::collections::BTreeSet;

use crate::{
    context::{Context, join},
    manifest::Manifest,
    model::{Survey, is_below},
};

/// Folders whose packages show or test something and are never deployed, unless a workspace names them.
const LEFT_OUT: [&str; 22] = [
    "__fixtures__",
    "__mocks__",
    "__tests__",
    "benchmark",
    "benchmarks",
    "cypress",
    "demo",
    "demos",
    "doc",
    "docs",
    "e2e",
    "example",
    "examples",
    "fixture",
    "fixtures",
    "playground",
    "sandbox",
    "spec",
    "template",
    "templates",
    "test",
    "tests",
];

/// Whether a folder holds examples, tests or documentation.
pub(super) fn is_left_out(folder: &str) -> bool {
    folder.split('/').any(|part| {
        LEFT_OUT.contains(&part)
            || matches!(part, "playgrounds" | ".github" | ".storybook" | "vendor" | "third_party")
    })
}

/// The folders that packages are installed in: roots of workspaces, and packages that belong to none.
pub(super) fn roots(context: &Context<'_>, survey: &Survey) -> Vec<String> {
    let members: BTreeSet<&str> = survey.workspaces.iter().map(|workspace| workspace.path.as_str()).collect();
    context
        .manifests
        .iter()
        .filter(|manifest| !members.contains(manifest.folder.as_str()))
        .filter(|manifest| manifest.folder.is_empty() || is_package(context, manifest))
        .map(|manifest| manifest.folder.clone())
        .collect()
}

/// A package.json that only marks a folder (`{ "type": "module" }`) is no package.
fn is_package(context: &Context<'_>, manifest: &Manifest) -> bool {
    let installs = ["dependencies", "devDependencies", "scripts", "workspaces"];
    let locks = ["package-lock.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"];
    let locked = locks.iter().any(|file| context.repository.contains(&join(&manifest.folder, file)));
    !is_left_out(&manifest.folder) && (locked || installs.iter().any(|key| manifest.has(key)))
}

/// The manifests of the workspaces that are installed with the root in `folder`.
pub(super) fn members<'a>(context: &'a Context<'_>, survey: &Survey, folder: &str) -> Vec<&'a Manifest> {
    let inside = |path: &str| path != folder && is_below(path, folder);
    survey
        .workspaces
        .iter()
        .filter(|workspace| inside(&workspace.path))
        .filter_map(|workspace| context.manifest(&workspace.path))
        .collect()
}
