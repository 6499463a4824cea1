//! The image's history.

use plimsoll_image::History;

use crate::graph::HistoryItem;

/// The history with its times: each instruction's own, or the build's.
pub(crate) fn history(
    items: &[HistoryItem],
    created: &dyn Fn(usize) -> (String, bool),
    fallback: &str,
) -> Vec<History> {
    let mut last = fallback.to_owned();
    items
        .iter()
        .map(|item| match item {
            HistoryItem::Inherited(history) => history.clone(),
            HistoryItem::Instruction { created_by, node } => {
                let mut empty_layer = true;
                if let Some(node) = node {
                    (last, empty_layer) = created(*node);
                }
                History {
                    created: Some(last.clone()),
                    created_by: Some(created_by.clone()),
                    comment: Some("buildkit.dockerfile.v0".to_owned()),
                    empty_layer,
                    ..History::default()
                }
            }
        })
        .collect()
}
