//! Create React App.

use super::Found;
use crate::{
    detect::node::services::{self, Candidate},
    model::Role,
};

pub(super) fn find(candidate: &Candidate<'_>) -> Option<Found> {
    let package = ["react-scripts", "@craco/craco", "react-app-rewired"]
        .into_iter()
        .find(|name| candidate.manifest.any_dependency(name).is_some())?;
    let tool = services::framework(candidate.manifest, package, "builds pages")?;
    if !["react-scripts", "craco", "react-app-rewired"].iter().any(|program| candidate.builds_with(program)) {
        return None;
    }
    let mut found = Found::new(Role::Site, tool);
    found.single_page = true;
    found.output = Some(found.by_convention("build".to_owned(), "where the build writes"));
    found.hashed_assets = Some(found.by_convention("/static/".to_owned(), "files with a hash in their name"));
    let old = found.frameworks[0]
        .version
        .trim_start_matches(['^', '~'])
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    if package == "react-scripts" && old.is_some_and(|major| major < 5) {
        found.set_at_build(
            "NODE_OPTIONS",
            "--openssl-legacy-provider",
            "webpack 4 hashes with MD4, which Node.js 17 and later refuse without it",
        );
    }
    Some(found)
}
