//! Astro: files, or a server with the adapter for Node.js.

use super::{Found, choice, next::setting};
use crate::{
    detect::node::services::{self, Candidate},
    model::{Evidence, Fact, Role},
    rules,
};

pub(super) fn find(candidate: &Candidate<'_>) -> Option<Found> {
    let tool = services::framework(candidate.manifest, "astro", "makes pages")?;
    let config = candidate.config("astro.config");
    if !candidate.builds_with("astro") && config.is_none() {
        return None;
    }
    let adapter = |name: &str| services::framework(candidate.manifest, name, "decides what the build makes");
    let used = |name: &str| {
        config.as_ref().is_some_and(|script| {
            (0..script.tokens.len()).any(|at| script.string(at).as_deref() == Some(name))
        })
    };
    // `adapter: process.env.X ? node() : vercel()`: the build has no such variable.
    let chosen = config.as_ref().and_then(|script| {
        let at = choice::of_key(script, "adapter").and_then(|at| choice::taken(script, at))?;
        choice::imported_from(script, script.text(at))
    });
    let other = chosen.is_some_and(|package| package != "@astrojs/node");
    if let Some(node) = adapter("@astrojs/node").filter(|_| used("@astrojs/node") && !other) {
        let mut found = Found::new(Role::Server, tool);
        found.frameworks.push(node);
        found.output = Some(found.by_convention("dist".to_owned(), "where Astro writes"));
        found.hashed_assets =
            Some(found.by_convention("/_astro/".to_owned(), "files with a hash in their name"));
        let mode = config.as_ref().and_then(|script| setting(script, "mode"));
        if mode.as_ref().is_some_and(|mode| mode.value == "middleware") {
            found.gap(
                rules::CUSTOM_SERVER,
                "the adapter's mode is `middleware`: a server of the project's own has to use it",
                "set `mode: \"standalone\"` at the adapter",
                mode.map(|mode| mode.evidence).unwrap_or_default(),
            );
            return Some(found);
        }
        found.command(&["node", "dist/server/entry.mjs"]);
        found.listens(4321, "PORT");
        found.binds("HOST");
        found.set("HOST", "0.0.0.0", "without it Astro listens on the loopback address alone");
        return Some(found);
    }
    let mut found = Found::new(Role::Site, tool);
    let folder = config.as_ref().and_then(|script| setting(script, "outDir"));
    found.output = folder
        .map(|fact| Fact {
            value: fact.value.trim_start_matches("./").trim_end_matches('/').to_owned(),
            ..fact
        })
        .or_else(|| Some(found.by_convention("dist".to_owned(), "where Astro writes")));
    found.hashed_assets = Some(found.by_convention("/_astro/".to_owned(), "files with a hash in their name"));
    for name in ["@astrojs/vercel", "@astrojs/netlify", "@astrojs/cloudflare"] {
        if let Some(other) = adapter(name).filter(|_| used(name)) {
            let evidence: Vec<Evidence> = other.evidence;
            found.gap(
                rules::OTHER_PLATFORM,
                &format!("the adapter {name} builds for another platform"),
                "use @astrojs/node where pages are rendered by a server, or no adapter",
                evidence,
            );
        }
    }
    Some(found)
}
