//! Nuxt: a server that holds its packages, or generated files.

use super::Found;
use crate::{
    context::join,
    detect::node::services::{self, Candidate},
    model::{Role, Shape, Ships},
};

pub(super) fn find(candidate: &Candidate<'_>) -> Option<Found> {
    let tool = services::framework(candidate.manifest, "nuxt", "renders pages")?;
    if !candidate.builds_with("nuxt")
        && !candidate.builds_with("nuxi")
        && candidate.config("nuxt.config").is_none()
    {
        return None;
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
    found.output = Some(found.by_convention(".output".to_owned(), "where `nuxt build` writes"));
    found.shape = Shape::Bundle;
    let to = join(&candidate.manifest.folder, ".output");
    found.ships = vec![Ships { from: ".output".to_owned(), to }];
    found.command(&["node", ".output/server/index.mjs"]);
    found.listens(3000, "PORT");
    found.binds("HOST");
    found.set("HOST", "0.0.0.0", "the server listens there");
    found.set_at_build("NITRO_PRESET", "node-server", "builds for Node.js wherever it is built");
    Some(found)
}
