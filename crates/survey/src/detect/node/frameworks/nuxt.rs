//! Nuxt: a server that holds its packages, or generated files.

use super::{Found, next::setting, nitro, old};
use crate::{
    detect::node::{
        services::{self, Candidate},
        tasks,
    },
    javascript::Script,
    model::{Evidence, Fact, Framework, Role},
    rules,
};

pub(super) fn find(candidate: &Candidate<'_>) -> Option<Found> {
    let tool = services::framework(candidate.manifest, "nuxt", "renders pages")?;
    if !candidate.builds_with("nuxt")
        && !candidate.builds_with("nuxi")
        && candidate.config("nuxt.config").is_none()
    {
        return None;
    }
    let range = candidate.manifest.any_dependency("nuxt").map(|dependency| dependency.range);
    if range.and_then(old::major).is_some_and(|major| major < NITRO) {
        return Some(before_nitro(candidate, tool));
    }
    let line = candidate.manifest.script("build").map_or("", |(line, _)| line);
    let generated = line.split_whitespace().any(|word| word == "generate");
    if generated {
        let mut found = Found::new(Role::Site, tool);
        found.output = Some(found.by_convention(".output/public".to_owned(), "where `nuxt generate` writes"));
        found.hashed_assets =
            Some(found.by_convention("/_nuxt/".to_owned(), "files with a hash in their name"));
        return Some(found);
    }
    let mut found = Found::new(Role::Server, tool);
    found.hashed_assets = Some(found.by_convention("/_nuxt/".to_owned(), "files with a hash in their name"));
    nitro::server(&mut found, candidate, "where `nuxt build` writes");
    Some(found)
}

/// The first major version that is built with Nitro.
const NITRO: u32 = 3;

/// Nuxt 2 makes files by `nuxt generate`, or is started by its own command line with all packages.
fn before_nitro(candidate: &Candidate<'_>, tool: Framework) -> Found {
    let manifest = candidate.manifest;
    let config = candidate.config("nuxt.config");
    let target = config.and_then(|script| setting(&script, "target"));
    let generates = |name: &str| {
        let line = manifest.script(name)?;
        let commands = tasks::commands(manifest, name, line.0);
        let fits = commands.iter().any(|words| words.iter().any(|word| word == "generate"));
        fits.then(|| Evidence::new(&manifest.source, line.1, format!("makes the files: {}", line.0)))
    };
    let is_static = target.as_ref().is_some_and(|target| target.value == "static");
    let script =
        ["build", "generate", "build:static"].into_iter().find_map(|name| Some((name, generates(name)?)));
    let script = script.filter(|(name, _)| is_static || *name == "build");
    let legacy = "its webpack hashes with MD4, which Node.js 17 and later refuse without it";
    let mut found = Found::new(if script.is_some() { Role::Site } else { Role::Server }, tool);
    found.set_at_build("NODE_OPTIONS", "--openssl-legacy-provider", legacy);
    found.hashed_assets = Some(found.by_convention("/_nuxt/".to_owned(), "files with a hash in their name"));
    if let Some((name, place)) = script {
        found.output = Some(found.by_convention("dist".to_owned(), "where `nuxt generate` writes"));
        found.build = Some(Fact::new(name.to_owned(), place));
        return found;
    }
    if let Some(target) = target.filter(|_| is_static) {
        found.gap(
            rules::BUILD_UNCLEAR,
            "`target: \"static\"`, and no script runs `nuxt generate`: it is taken for a server",
            "add a script `generate`: \"nuxt generate\"",
            target.evidence,
        );
    }
    found.command(&["node", "node_modules/nuxt/bin/nuxt.js", "start"]);
    found.listens(3000, "PORT");
    found.binds("HOST");
    found.set("HOST", "0.0.0.0", "without it Nuxt listens on the loopback address alone");
    found
}

/// Settings of one project that are kept, and how deep they lie.
const MAX_SETTINGS: usize = 100;
const MAX_DEPTH: usize = 5;

/// The variables that set `runtimeConfig` when the server runs: `apiSecret` is NUXT_API_SECRET.
pub(in crate::detect::node) fn settings(script: &Script) -> Vec<Fact<String>> {
    let mut found = Vec::new();
    let at = (0..script.tokens.len()).find(|&at| script.is(at, "runtimeConfig") && script.is(at + 1, ":"));
    if let Some(at) = at {
        members(script, at + 2, "NUXT", 0, &mut found);
    }
    found
}

fn members(script: &Script, open: usize, above: &str, depth: usize, found: &mut Vec<Fact<String>>) {
    if !script.is(open, "{") || depth > MAX_DEPTH {
        return;
    }
    for at in script.arguments(open) {
        let key = script.string(at).unwrap_or_else(|| script.text(at).to_owned());
        let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !plain || !script.is(at + 1, ":") || found.len() == MAX_SETTINGS {
            continue;
        }
        let name = format!("{above}_{}", snake(&key));
        if script.is(at + 2, "{") {
            members(script, at + 2, &name, depth + 1, found);
        } else {
            let evidence =
                Evidence::new(&script.source, script.span(at, at + 2), "Nuxt sets it from the variable");
            found.push(Fact::new(name, evidence));
        }
    }
}

/// `apiSecret` is `API_SECRET`.
fn snake(key: &str) -> String {
    let mut out = String::new();
    let mut before = '_';
    for c in key.chars() {
        if c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            out.push('_');
        }
        out.push(c.to_ascii_uppercase());
        before = c;
    }
    out
}
