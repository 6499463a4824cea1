//! pnpm.

use super::Kind;
use crate::{
    context::{Context, join},
    model::{Evidence, Fact, Manager},
};

pub(super) const KIND: Kind = Kind {
    manager: Manager::Pnpm,
    name: "pnpm",
    locks: &["pnpm-lock.yaml"],
    inputs: &[".pnpmfile.cjs", ".pnpmfile.mjs"],
    version: by_lock,
};

/// The major version that reads an older lock file. What the newest form says fits several, and is no pin.
fn by_lock(context: &Context<'_>, folder: &str) -> Option<Fact<String>> {
    let source = context.repository.source(&join(folder, "pnpm-lock.yaml"))?;
    let (at, line) =
        source.text().lines().enumerate().take(20).find(|(_, line)| line.starts_with("lockfileVersion:"))?;
    let written = line.split_once(':')?.1.trim().trim_matches(['\'', '"']);
    let version = match written {
        "5.3" => "6",
        "5.4" => "7",
        version if version.starts_with("6.") => "8",
        _ => return None,
    };
    let reason = "the version of pnpm that writes this form of the lock file";
    Some(Fact::new(version.to_owned(), Evidence::new(&source, source.line_span(at + 1), reason)))
}
