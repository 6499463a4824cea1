//! YAML with positions, as compose files and settings of platforms use it.

use plimsoll_source::{
    Diagnostic, Source, Span,
    yaml::{self, Expanded, ExpandedKind},
};

/// The first document with its aliases replaced.
pub(super) fn parse(source: &Source) -> Result<Option<Expanded>, Diagnostic> {
    let limits = yaml::Limits::default();
    let first = yaml::parse(source, &limits)?.into_iter().next();
    first.map(|document| document.expand(&limits)).transpose()
}

/// The entries of a mapping; nothing for other values.
pub(super) fn entries(node: Option<&Expanded>) -> impl Iterator<Item = (&String, Span, &Expanded)> {
    let entries = match node.map(|node| &node.kind) {
        Some(ExpandedKind::Mapping(entries)) => &entries[..],
        _ => &[],
    };
    entries.iter().map(|(key, span, value)| (&key.text, *span, value))
}

/// The items of a sequence; nothing for other values.
pub(super) fn items(node: &Expanded) -> &[Expanded] {
    match &node.kind {
        ExpandedKind::Sequence(items) => items,
        _ => &[],
    }
}

/// A value with its key's place.
pub(super) fn get<'a>(node: &'a Expanded, key: &str) -> Option<(Span, &'a Expanded)> {
    entries(Some(node)).find(|(name, ..)| *name == key).map(|(_, span, value)| (span, value))
}

/// The text of a scalar.
pub(super) fn scalar(node: &Expanded) -> Option<&str> {
    match &node.kind {
        ExpandedKind::Scalar(scalar) => Some(&scalar.text),
        _ => None,
    }
}
