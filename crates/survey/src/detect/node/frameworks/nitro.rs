//! Nitro: a server that holds its packages. Nuxt and others are built with it, and come before it.

use super::{Found, next::setting};
use crate::{
    context::{Context, join},
    detect::node::services::{self, Candidate},
    javascript::{Script, values::Program},
    manifest::Manifest,
    model::{Evidence, Fact, Role, Service, Shape, Ships, Writes},
    rules,
};

pub(super) fn find(candidate: &Candidate<'_>) -> Option<Found> {
    let (package, _) = [("nitropack", "nitropack"), ("nitropack", "nitro"), ("nitro", "nitro")]
        .into_iter()
        .find(|(package, program)| {
        candidate.manifest.any_dependency(package).is_some() && candidate.builds_with(program)
    })?;
    let tool = services::framework(candidate.manifest, package, "a server that is built into one folder")?;
    let mut found = Found::new(Role::Server, tool);
    server(&mut found, candidate, "where `nitro build` writes");
    let preset = candidate.config("nitro.config").and_then(|script| setting(&script, "preset"));
    if let Some(preset) = preset.filter(|preset| !preset.value.starts_with("node")) {
        found.gap(
            rules::OTHER_PLATFORM,
            &format!("its settings build for {}: the stack builds for Node.js instead", preset.value),
            "take `preset` out of nitro.config, and name it where it is deployed there",
            preset.evidence,
        );
    }
    Some(found)
}

/// What a build with Nitro makes, and how it runs.
pub(super) fn server(found: &mut Found, candidate: &Candidate<'_>, writes: &str) {
    found.output = Some(found.by_convention(".output".to_owned(), writes));
    found.shape = Shape::Bundle;
    let to = join(&candidate.manifest.folder, ".output");
    found.ships = vec![Ships { from: ".output".to_owned(), to }];
    found.command(&["node", ".output/server/index.mjs"]);
    found.listens(3000, "PORT");
    found.binds("HOST");
    found.set("HOST", "0.0.0.0", "the server listens there");
    found.set_at_build("NITRO_PRESET", "node-server", "builds for Node.js wherever it is built");
}

/// What of NuxtHub keeps files where the server has no other store, and the folder; a cache may be lost.
const HUB: [(&str, &str, bool); 5] = [
    ("db", ".data/db", true),
    ("database", ".data/db", true),
    ("kv", ".data/kv", true),
    ("blob", ".data/blob", true),
    ("cache", ".data/cache", false),
];

/// Adds the folders below `.data` that Nitro's storage and its database write: no source names them.
pub(in crate::detect::node) fn data(
    context: &Context<'_>,
    program: &Program,
    manifests: &[&Manifest],
    service: &mut Service,
) {
    if !service.frameworks.iter().any(|tool| matches!(tool.name.as_str(), "nuxt" | "nitropack" | "nitro")) {
        return;
    }
    let mut add = |path: &str, keep: bool, evidence: Evidence| {
        if service.writes.iter().all(|known| known.path.value != path) {
            service.writes.push(Writes { path: Fact::new(path.to_owned(), evidence), keep });
        }
    };
    let hub = manifests.iter().any(|manifest| manifest.any_dependency("@nuxthub/core").is_some());
    let config = ["ts", "js", "mjs"]
        .iter()
        .find_map(|end| context.script(&join(&service.path, &format!("nuxt.config.{end}"))));
    for (script, at) in config.iter().filter(|_| hub).flat_map(|script| hub_settings(script)) {
        let known = HUB.iter().find(|(key, ..)| script.is(at, key));
        if let Some((_, folder, keep)) = known.filter(|_| on_disk(script, at + 2)) {
            add(
                folder,
                *keep,
                Evidence::new(&script.source, script.span(at, at + 2), "NuxtHub writes there"),
            );
        }
    }
    for script in program.scripts() {
        for at in (0..script.tokens.len()).filter(|&at| script.is(at + 1, "(")) {
            let name = script.text(at);
            let stored = name == "useStorage"
                && script.string(at + 2).is_some_and(|mount| mount == "data" || mount.starts_with("data:"));
            let evidence = || Evidence::new(&script.source, script.span(at, at), "Nitro writes there");
            match name {
                "useDatabase" => add(".data", true, evidence()),
                _ if stored => add(".data/kv", true, evidence()),
                _ => {}
            }
        }
    }
    // A folder holds those below it.
    let all = service.writes.iter().any(|writes| writes.path.value == ".data");
    service.writes.retain(|writes| !all || !writes.path.value.starts_with(".data/"));
}

/// The keys of `hub: { … }`.
fn hub_settings(script: &std::rc::Rc<Script>) -> Vec<(&Script, usize)> {
    let at = (0..script.tokens.len())
        .find(|&at| script.is(at, "hub") && script.is(at + 1, ":") && script.is(at + 2, "{"));
    let keys = at.map(|at| script.arguments(at + 2)).unwrap_or_default();
    keys.into_iter().map(|at| (&**script, at)).collect()
}

/// `true`, `'sqlite'`, or settings that name no other server.
fn on_disk(script: &Script, at: usize) -> bool {
    let end = script.close(at).unwrap_or(at);
    let own = ["sqlite", "libsql", "fs", "fs-lite"];
    let texts: Vec<String> = (at..=end).filter_map(|at| script.string(at)).collect();
    !script.is(at, "false") && texts.first().is_none_or(|text| own.contains(&text.as_str()))
}
