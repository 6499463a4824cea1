//! SvelteKit: what comes out is decided by its adapter.

use super::Found;
use crate::{
    detect::node::services::{self, Candidate},
    model::Role,
};

pub(super) fn find(candidate: &Candidate<'_>) -> Option<Found> {
    let tool = services::framework(candidate.manifest, "@sveltejs/kit", "renders pages")?;
    // A library of components is packaged, not built.
    if !candidate.builds_with("vite") {
        return None;
    }
    let adapter = |name: &str| services::framework(candidate.manifest, name, "decides what the build makes");
    if let Some(adapter) = adapter("@sveltejs/adapter-static") {
        let mut found = Found::new(Role::Site, tool);
        found.frameworks.push(adapter);
        found.output = Some(found.by_convention("build".to_owned(), "where the adapter writes"));
        found.hashed_assets =
            Some(found.by_convention("/_app/immutable/".to_owned(), "files with a hash in their name"));
        found.single_page = candidate.config("svelte.config").is_some_and(|script| {
            (0..script.tokens.len()).any(|at| script.is(at, "fallback") && script.is(at + 1, ":"))
        });
        return Some(found);
    }
    let mut found = Found::new(Role::Server, tool);
    found.hashed_assets =
        Some(found.by_convention("/_app/immutable/".to_owned(), "files with a hash in their name"));
    found.listens(3000, "PORT");
    found.binds("HOST");
    found.set("HOST", "0.0.0.0", "the server listens there");
    match adapter("@sveltejs/adapter-node") {
        Some(adapter) => {
            found.frameworks.push(adapter);
            found.output = Some(found.by_convention("build".to_owned(), "where the adapter writes"));
            found.command(&["node", "build"]);
            // Without them it takes every request for HTTPS from the front's address, and refuses its own forms.
            let front = "what the front says of the visitor's request";
            found.set("PROTOCOL_HEADER", "x-forwarded-proto", front);
            found.set("HOST_HEADER", "host", front);
            found.set("ADDRESS_HEADER", "x-forwarded-for", front);
            found.stops_gracefully();
        }
        None => found.gap(
            "no adapter for Node.js: the build makes nothing that runs in a container",
            "add @sveltejs/adapter-node to its packages and to svelte.config.js",
            Vec::new(),
        ),
    }
    Some(found)
}
