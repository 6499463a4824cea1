//! The layer that a COPY made the last time: files that did not change are linked from it.

use std::collections::HashMap;

use plimsoll_image::Layer;

use super::{
    prepare::Prepared,
    selection::{FILE, Sources, file_part, shown},
};
use crate::{
    graph::CopyOp,
    key::{Key, Part},
};

/// What a COPY made the last time.
pub(crate) struct Previous {
    pub(crate) layer: Layer,
    /// The parts of the key that it had.
    pub(crate) parts: Vec<Part>,
}

impl Previous {
    /// Notes which of the files are in the layer already: those of which the part of the key is the same, if nothing
    /// but files differs. Several sources may write to one place, so there must be only one.
    pub(super) fn mark(&self, op: &CopyOp, prepared: &mut Prepared, sources: &Sources<'_>) -> bool {
        let ([source], Sources::Context(_, context)) = (op.paths.as_slice(), sources) else { return false };
        let Some([picked]) = prepared.picked.as_deref_mut() else { return false };
        if op.unpack || plimsoll_dockerfile::glob::has_wildcard(source) {
            return false;
        }
        let others = |parts: &[Part]| -> Vec<Part> {
            parts.iter().filter(|part| !part.name.starts_with(FILE)).cloned().collect()
        };
        if others(&self.parts) != others(&prepared.parts) {
            return false;
        }
        let before: HashMap<&str, &Key> =
            self.parts.iter().map(|part| (part.name.as_str(), &part.value)).collect();
        let now: HashMap<&str, &Key> =
            prepared.parts.iter().map(|part| (part.name.as_str(), &part.value)).collect();
        let shown = shown(op, source, picked);
        for item in &mut picked.items {
            let name = file_part(&shown, &item.path, context);
            let same = before.get(name.as_str());
            item.kept = same.is_some() && same == now.get(name.as_str());
        }
        true
    }
}
