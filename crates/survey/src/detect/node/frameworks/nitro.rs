//! Nitro: a server that holds its packages. Nuxt and others are built with it, and come before it.

use super::{Found, next::setting};
use crate::{
    context::join,
    detect::node::services::{self, Candidate},
    model::{Role, Shape, Ships},
};

pub(super) fn find(candidate: &Candidate<'_>) -> Option<Found> {
    let (package, _) = [("nitropack", "nitropack"), ("nitropack", "nitro"), ("nitro", "nitro")]
        .into_iter()
        .find(|(package, program)| {
        candidate.manifest.any_dependency(package).is_some() && candidate.builds_with(program)
    })?;
    let tool = services::framework(candidate.manifest, package, "a server that is built into one folder")?;
    let mut found = Found::new(Role::Server, tool);
    found.output = Some(found.by_convention(".output".to_owned(), "where `nitro build` writes"));
    found.shape = Shape::Bundle;
    let to = join(&candidate.manifest.folder, ".output");
    found.ships = vec![Ships { from: ".output".to_owned(), to }];
    found.command(&["node", ".output/server/index.mjs"]);
    found.listens(3000, "PORT");
    found.binds("HOST");
    found.set("HOST", "0.0.0.0", "the server listens there");
    found.set_at_build("NITRO_PRESET", "node-server", "builds for Node.js wherever it is built");
    let preset = candidate.config("nitro.config").and_then(|script| setting(&script, "preset"));
    if let Some(preset) = preset.filter(|preset| !preset.value.starts_with("node")) {
        found.gap(
            &format!("its settings build for {}: the stack builds for Node.js instead", preset.value),
            "take `preset` out of nitro.config, and name it where it is deployed there",
            preset.evidence,
        );
    }
    Some(found)
}
