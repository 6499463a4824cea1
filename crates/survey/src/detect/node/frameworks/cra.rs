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
    Some(found)
}
