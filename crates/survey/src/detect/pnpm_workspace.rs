//! pnpm-workspace.yaml.

use plimsoll_source::{
    Source,
    yaml::{self, ExpandedKind},
};

use super::workspaces::{self, Pattern};
use crate::{
    context::Context,
    model::{Evidence, Gap, Survey},
};

const FILE: &str = "pnpm-workspace.yaml";

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let Some(source) = context.repository.source(FILE) else { return };
    match patterns(&source) {
        Ok(patterns) => workspaces::add(context, survey, &patterns),
        Err(diagnostic) => survey.gaps.push(Gap::unreadable(&diagnostic)),
    }
}

fn patterns(source: &Source) -> Result<Vec<Pattern>, plimsoll_source::Diagnostic> {
    let limits = yaml::Limits::default();
    let Some(document) = yaml::parse(source, &limits)?.into_iter().next() else { return Ok(Vec::new()) };
    let root = document.expand(&limits)?;
    let ExpandedKind::Mapping(entries) = root.kind else { return Ok(Vec::new()) };
    let packages = entries.into_iter().find(|(key, ..)| key.text == "packages").map(|(.., value)| value.kind);
    let Some(ExpandedKind::Sequence(items)) = packages else { return Ok(Vec::new()) };
    Ok(items
        .into_iter()
        .filter_map(|item| match item.kind {
            ExpandedKind::Scalar(scalar) => Some(Pattern {
                text: scalar.text,
                evidence: Evidence::new(source, item.span, "the workspace's packages"),
            }),
            _ => None,
        })
        .collect())
}
