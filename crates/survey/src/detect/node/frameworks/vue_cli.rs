//! Vue CLI.

use super::{Found, next::setting};
use crate::{
    detect::node::services::{self, Candidate},
    model::{Fact, Role},
};

pub(super) fn find(candidate: &Candidate<'_>) -> Option<Found> {
    let tool = services::framework(candidate.manifest, "@vue/cli-service", "builds pages")?;
    if !candidate.builds_with("vue-cli-service") {
        return None;
    }
    let mut found = Found::new(Role::Site, tool);
    found.single_page = true;
    let named = candidate.config("vue.config").and_then(|script| setting(&script, "outputDir"));
    found.output = named
        .map(|named| Fact { value: named.value.trim_start_matches("./").to_owned(), ..named })
        .or_else(|| Some(found.by_convention("dist".to_owned(), "where the build writes")));
    found.hashed_assets = Some(found.by_convention("/js/".to_owned(), "files with a hash in their name"));
    Some(found)
}
