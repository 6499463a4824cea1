//! Where a value stands in the tree, and patterns of such places.

use std::fmt;

/// A place as a chain of keys; list items are `[n]` in print and match `*`.
#[derive(Clone, Copy)]
pub(crate) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Segment<'a>,
}

#[derive(Clone, Copy)]
enum Segment<'a> {
    Root,
    Key(&'a str),
    Item(usize),
}

impl<'a> Path<'a> {
    pub(crate) const ROOT: Path<'static> = Path { parent: None, step: Segment::Root };

    pub(crate) fn key(&'a self, key: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Segment::Key(key) }
    }

    pub(crate) fn item(&'a self, position: usize) -> Path<'a> {
        Path { parent: Some(self), step: Segment::Item(position) }
    }

    /// Whether the place fits a pattern of keys with `*` for any one step.
    pub(crate) fn matches(&self, pattern: &str) -> bool {
        let mut at = Some(self);
        for wanted in pattern.rsplit('.') {
            let Some(here) = at else { return false };
            match here.step {
                Segment::Root => return false,
                Segment::Key(key) if wanted == "*" || wanted == key => {}
                Segment::Item(_) if wanted == "*" => {}
                _ => return false,
            }
            at = here.parent;
        }
        matches!(at, Some(Path { step: Segment::Root, .. }))
    }

    /// The first table entry whose pattern fits.
    pub(crate) fn find<'t, T>(&self, table: &'t [(&'static str, T)]) -> Option<&'t T> {
        table.iter().find(|(pattern, _)| self.matches(pattern)).map(|(_, value)| value)
    }

    /// Whether the value is an attribute of the user's own. Where users choose the names, `x-` is a name like any other.
    pub(crate) fn is_extension(&self) -> bool {
        const CHOSEN: [&str; 3] = ["services.*.networks.*", "services.*.models.*", "services.*.depends_on.*"];
        let Segment::Key(key) = self.step else { return false };
        if !key.starts_with("x-") {
            return false;
        }
        let section = match self.parent {
            Some(Path { parent: Some(Path { step: Segment::Root, .. }), step: Segment::Key(section) }) => {
                Some(*section)
            }
            _ => None,
        };
        let named =
            matches!(section, Some("services" | "networks" | "volumes" | "secrets" | "configs" | "models"));
        !named && !CHOSEN.iter().any(|pattern| self.matches(pattern))
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(parent) = self.parent else { return Ok(()) };
        parent.fmt(f)?;
        match self.step {
            Segment::Root => Ok(()),
            Segment::Item(position) => write!(f, "[{position}]"),
            Segment::Key(key) if parent.parent.is_none() => f.write_str(key),
            Segment::Key(key) => write!(f, ".{key}"),
        }
    }
}
