//! Yarn 2 and later: the same lock file's name as Yarn 1, another content, and a configuration that may hold Yarn itself.

use super::Kind;
use crate::{
    context::{Context, join},
    model::{Evidence, Fact, Manager},
};

pub(super) const KIND: Kind = Kind {
    manager: Manager::YarnBerry,
    name: "yarn",
    locks: &["yarn.lock"],
    inputs: &[
        ".yarnrc.yml",
        ".yarn/releases",
        ".yarn/plugins",
        ".yarn/patches",
        ".yarn/cache",
        ".pnp.cjs",
        ".pnp.loader.mjs",
    ],
    version: release,
};

/// Of the two managers with the same lock file the one that did not write it.
pub(super) fn excludes(context: &Context<'_>, folder: &str, manager: Manager) -> bool {
    match manager {
        Manager::YarnBerry => !wrote_lock(context, folder),
        Manager::YarnClassic => wrote_lock(context, folder),
        _ => false,
    }
}

pub(super) fn is_configured(context: &Context<'_>, folder: &str) -> bool {
    context.repository.contains(&join(folder, ".yarnrc.yml"))
}

fn wrote_lock(context: &Context<'_>, folder: &str) -> bool {
    let lock = context.repository.source(&join(folder, "yarn.lock"));
    // Yarn 2 and later begin with this block; Yarn 1 says "yarn lockfile v1".
    let metadata = lock.as_ref().map(|lock| lock.text().lines().any(|line| line == "__metadata:"));
    let classic = lock.as_ref().is_some_and(|lock| lock.text().contains("# yarn lockfile v1"));
    metadata == Some(true) || (!classic && is_configured(context, folder))
}

/// `yarnPath: .yarn/releases/yarn-4.5.3.cjs`.
fn release(context: &Context<'_>, folder: &str) -> Option<Fact<String>> {
    let source = context.repository.source(&join(folder, ".yarnrc.yml"))?;
    let (at, line) = source.text().lines().enumerate().find(|(_, line)| line.starts_with("yarnPath:"))?;
    let version = line.rsplit_once("yarn-")?.1.trim_end_matches(['"', '\'']).strip_suffix(".cjs")?.to_owned();
    let evidence = Evidence::new(&source, source.line_span(at + 1), "the release of Yarn in the repository");
    Some(Fact::new(version, evidence))
}
