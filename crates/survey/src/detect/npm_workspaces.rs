//! `workspaces` of the root's package.json.

use super::workspaces::{self, Pattern};
use crate::{
    context::Context,
    model::{Evidence, Survey},
};

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    // pnpm does not read this key where it has a file of its own.
    if context.repository.contains("pnpm-workspace.yaml") {
        return;
    }
    let Some(root) = context.root_manifest() else { return };
    let patterns: Vec<Pattern> = root
        .workspaces()
        .into_iter()
        .map(|(text, span)| Pattern {
            text: text.to_owned(),
            evidence: Evidence::new(&root.source, span, "the workspace's packages"),
        })
        .collect();
    workspaces::add(context, survey, &patterns);
}
