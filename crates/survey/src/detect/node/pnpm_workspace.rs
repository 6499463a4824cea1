//! pnpm-workspace.yaml.

use plimsoll_source::{
    Source,
    yaml::{self, ExpandedKind},
};

use super::workspaces::Pattern;
use crate::{
    context::{Context, join},
    model::{Evidence, Gap, Survey},
};

const FILE: &str = "pnpm-workspace.yaml";

/// The patterns of the file in `folder`; nothing where there is no such file.
pub(super) fn patterns(context: &Context<'_>, folder: &str, survey: &mut Survey) -> Option<Vec<Pattern>> {
    let source = context.repository.source(&join(folder, FILE))?;
    match read(&source) {
        Ok(patterns) => Some(patterns),
        Err(diagnostic) => {
            survey.gaps.push(Gap::unreadable(&diagnostic));
            Some(Vec::new())
        }
    }
}

fn read(source: &Source) -> Result<Vec<Pattern>, plimsoll_source::Diagnostic> {
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
