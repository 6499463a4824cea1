//! React Router as a framework, and Remix.

use super::Found;
use crate::{
    detect::node::services::{self, Candidate},
    model::Role,
};

pub(super) fn find(candidate: &Candidate<'_>) -> Option<Found> {
    let router = candidate.manifest.any_dependency("@react-router/dev").is_some();
    let package = if router { "@react-router/dev" } else { "@remix-run/dev" };
    let tool = services::framework(candidate.manifest, package, "renders pages")?;
    let program = if router { "react-router" } else { "remix" };
    if !candidate.builds_with(program) && !candidate.builds_with("remix") && !candidate.builds_with("vite") {
        return None;
    }
    let settings = candidate.config("react-router.config").or_else(|| candidate.config("vite.config"));
    let files = settings.is_some_and(|script| {
        (0..script.tokens.len())
            .any(|at| script.is(at, "ssr") && script.is(at + 1, ":") && script.is(at + 2, "false"))
    });
    if files {
        let mut found = Found::new(Role::Site, tool);
        found.output = Some(found.by_convention("build/client".to_owned(), "where the build writes"));
        found.single_page = true;
        found.hashed_assets =
            Some(found.by_convention("/assets/".to_owned(), "files with a hash in their name"));
        return Some(found);
    }
    let mut found = Found::new(Role::Server, tool);
    found.output = Some(found.by_convention("build".to_owned(), "where the build writes"));
    found.hashed_assets = Some(found.by_convention("/assets/".to_owned(), "files with a hash in their name"));
    let (serve, file) = if router {
        ("@react-router/serve", "node_modules/@react-router/serve/bin.cjs")
    } else {
        ("@remix-run/serve", "node_modules/@remix-run/serve/dist/cli.js")
    };
    let own = ["start:prod", "start"]
        .iter()
        .filter_map(|name| candidate.manifest.script(name))
        .any(|(line, _)| !line.contains("-serve"));
    if !own && candidate.manifest.dependency(serve).is_some() {
        found.command(&["node", file, "./build/server/index.js"]);
        found.listens(3000, "PORT");
        found.binds("HOST");
        found.set("HOST", "0.0.0.0", "the server listens there");
    }
    Some(found)
}
