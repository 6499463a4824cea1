//! SvelteKit: what comes out is decided by its adapter.

use super::{Found, choice};
use crate::{
    detect::node::services::{self, Candidate},
    model::{Evidence, Role},
};

pub(super) fn find(candidate: &Candidate<'_>) -> Option<Found> {
    let tool = services::framework(candidate.manifest, "@sveltejs/kit", "renders pages")?;
    // A library of components is packaged, not built.
    if !candidate.builds_with("vite") {
        return None;
    }
    let adapter = |name: &str| services::framework(candidate.manifest, name, "decides what the build makes");
    let used = used(candidate);
    if matches!(&used, Used::Open(_)) {
        return None;
    }
    let decides = |name: &str| match &used {
        Used::This(package) => package == name,
        _ => true,
    };
    if let Some(adapter) = adapter(STATIC).filter(|_| decides(STATIC)) {
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
    found.frameworks.push(adapter(NODE).filter(|_| decides(NODE))?);
    found.output = Some(found.by_convention("build".to_owned(), "where the adapter writes"));
    found.command(&["node", "build"]);
    // Without them it takes every request for HTTPS from the front's address, and refuses its own forms.
    let front = "what the front says of the visitor's request";
    found.set("PROTOCOL_HEADER", "x-forwarded-proto", front);
    found.set("HOST_HEADER", "host", front);
    found.set("ADDRESS_HEADER", "x-forwarded-for", front);
    found.stops_gracefully();
    Some(found)
}

const NODE: &str = "@sveltejs/adapter-node";
const STATIC: &str = "@sveltejs/adapter-static";

/// Which adapter the settings use.
enum Used {
    /// The one of this package.
    This(String),
    /// They choose between several by a condition that is not known.
    Open(Evidence),
    /// They do not say.
    Unsaid,
}

fn used(candidate: &Candidate<'_>) -> Used {
    let Some(script) = candidate.config("svelte.config") else { return Used::Unsaid };
    let known = |package: &String| package.contains("adapter-");
    let adapters = || script.imported().iter().map(|(_, package)| package).filter(|package| known(package));
    let Some(at) = choice::of_key(&script, "adapter") else { return Used::Unsaid };
    let named = choice::taken(&script, at).and_then(|at| choice::imported_from(&script, script.text(at)));
    match named.filter(known) {
        Some(package) => Used::This(package),
        None if adapters().count() > 1 => {
            Used::Open(Evidence::new(&script.source, script.span(at - 2, at), "chooses the adapter"))
        }
        None => adapters().next().map_or(Used::Unsaid, |package| Used::This(package.clone())),
    }
}

/// Its build makes nothing that runs in a container: the adapter is for another platform, or there is none.
pub(super) fn foreign(candidate: &Candidate<'_>) -> Option<(String, &'static str, Vec<Evidence>)> {
    let tool = services::framework(candidate.manifest, "@sveltejs/kit", "renders pages")?;
    if !candidate.builds_with("vite") {
        return None;
    }
    match used(candidate) {
        Used::Open(place) => {
            let message = "svelte.config chooses between several adapters by a condition that only the build knows: \
                           whether a server or files come out is not known";
            let hint = "use one adapter, or choose by a variable that the build of an image does not have";
            return Some((message.to_owned(), hint, vec![place]));
        }
        Used::This(package) if package == NODE || package == STATIC => return None,
        Used::This(_) => {}
        Used::Unsaid if candidate.manifest.any_dependency(NODE).is_some() => return None,
        Used::Unsaid => {}
    }
    let hint = "add @sveltejs/adapter-node to its packages, and use it in svelte.config.js";
    let adapters = candidate.manifest.all("devDependencies").chain(candidate.manifest.all("dependencies"));
    let mut adapters = adapters.filter(|dependency| dependency.name.contains("adapter-"));
    let Some(other) = adapters.next() else {
        let message = "no adapter for Node.js: its build makes nothing that runs in a container".to_owned();
        return Some((message, hint, tool.evidence));
    };
    let message = if other.name == "@sveltejs/adapter-auto" {
        "the adapter @sveltejs/adapter-auto looks for the platform that it is built on, and a container is none \
         (use @sveltejs/adapter-node)"
            .to_owned()
    } else {
        format!("the adapter {} builds for another platform (use @sveltejs/adapter-node)", other.name)
    };
    let place = Evidence::new(&candidate.manifest.source, other.span, "decides what the build makes");
    Some((message, hint, vec![place]))
}
