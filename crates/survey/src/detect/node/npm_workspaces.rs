//! `workspaces` of a package.json, as npm, Yarn and Bun read it.

use super::workspaces::Pattern;
use crate::{manifest::Manifest, model::Evidence};

/// The patterns of a manifest.
pub(super) fn patterns(root: &Manifest) -> Vec<Pattern> {
    root.workspaces()
        .into_iter()
        .map(|(text, span)| Pattern {
            text: text.to_owned(),
            evidence: Evidence::new(&root.source, span, "the workspace's packages"),
        })
        .collect()
}
