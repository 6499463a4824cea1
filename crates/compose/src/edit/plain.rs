//! What a text means, without places: to hold the new meaning against the old one.

use plimsoll_source::{
    Diagnostic, Source,
    yaml::{self, Document, Expanded, ExpandedKind, Kind, Limits, Scalar, Style, Value},
};

use super::path::{Segment, text as path_text};

/// A value with aliases and merge keys replaced.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Plain {
    Null,
    /// A scalar that is no string, by its meaning; with its tag, if it has one.
    Other(Value, Option<String>),
    Text(String, Option<String>),
    List(Vec<Plain>),
    /// In the order of the file; compared without it.
    Map(Entries),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Entries(pub(super) Vec<(String, Plain)>);

impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().all(|(key, value)| other.get(key) == Some(value))
    }
}

impl Entries {
    fn get(&self, key: &str) -> Option<&Plain> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }
}

/// The meaning of a document.
pub(super) fn of(document: &Document) -> Result<Plain, Diagnostic> {
    Ok(node(&document.expand(&Limits::default())?))
}

fn node(expanded: &Expanded) -> Plain {
    let tag = expanded.tag.as_ref().map(|tag| tag.name.clone());
    match &expanded.kind {
        ExpandedKind::Scalar(scalar) => match scalar.resolve(expanded.tag.as_ref()) {
            Value::Null if tag.is_none() => Plain::Null,
            Value::String(text) => Plain::Text(text, tag),
            other => Plain::Other(other, tag),
        },
        ExpandedKind::Sequence(items) => Plain::List(items.iter().map(node).collect()),
        ExpandedKind::Mapping(entries) => Plain::Map(Entries(
            entries.iter().map(|(key, _, value)| (key.text.clone(), node(value))).collect(),
        )),
    }
}

/// The value that a user gave on the command line.
pub(super) fn parse(text: &str) -> Result<Plain, Diagnostic> {
    let source = Source::new("the value", text);
    let mut documents = yaml::parse(&source, &Limits::default())?;
    match (documents.pop(), documents.is_empty()) {
        (None, _) => Ok(Plain::Null),
        // What looks like a comment is part of a text that a person typed.
        (Some(document), true) => of(&document).map(|value| match (&document.root.kind, value) {
            (Kind::Scalar(scalar), Plain::Text(_, None)) if scalar.style == Style::Plain => {
                Plain::Text(text.trim().to_owned(), None)
            }
            (_, value) => value,
        }),
        _ => Err(Diagnostic::error("the value holds several documents").hint("give one")),
    }
}

/// The value at a path.
pub(super) fn at<'p>(tree: &'p Plain, path: &[Segment]) -> Option<&'p Plain> {
    path.iter().try_fold(tree, |value, step| match (value, step) {
        (Plain::Map(entries), Segment::Key(key)) => entries.get(key),
        (Plain::List(items), Segment::Item(at)) => items.get(*at),
        _ => None,
    })
}

/// Sets or removes the value at `path`, as a careful person would; what can't be there is left.
pub(super) fn apply(tree: &mut Plain, path: &[Segment], value: Option<Plain>) {
    let Some((step, rest)) = path.split_first() else {
        if let Some(value) = value {
            *tree = value;
        }
        return;
    };
    if *tree == Plain::Null && value.is_some() {
        *tree = match step {
            Segment::Key(_) => Plain::Map(Entries::default()),
            Segment::Item(_) | Segment::Append => Plain::List(Vec::new()),
        };
    }
    match (tree, step) {
        (Plain::Map(entries), Segment::Key(key)) => {
            let found = entries.0.iter().position(|(known, _)| known == key);
            match (found, rest.is_empty(), value) {
                (Some(at), true, None) => {
                    entries.0.remove(at);
                }
                (Some(at), _, value) => apply(&mut entries.0[at].1, rest, value),
                (None, _, None) => {}
                (None, _, value) => {
                    let mut new = Plain::Null;
                    apply(&mut new, rest, value);
                    entries.0.push((key.clone(), new));
                }
            }
        }
        (Plain::List(items), step) => {
            let at = if let Segment::Item(at) = step { *at } else { items.len() };
            match (items.get_mut(at), rest.is_empty(), value) {
                (Some(_), true, None) => {
                    items.remove(at);
                }
                (Some(item), _, value) => apply(item, rest, value),
                (None, _, Some(value)) => {
                    let mut new = Plain::Null;
                    apply(&mut new, rest, Some(value));
                    items.push(new);
                }
                (None, _, None) => {}
            }
        }
        _ => {}
    }
}

/// The first place where two values differ.
pub(super) fn first_difference(a: &Plain, b: &Plain) -> String {
    let mut path = Vec::new();
    descend(a, b, &mut path);
    if path.is_empty() { "the whole file".to_owned() } else { path_text(&path) }
}

fn descend(a: &Plain, b: &Plain, path: &mut Vec<Segment>) {
    match (a, b) {
        (Plain::Map(a), Plain::Map(b)) => {
            let differs = |(key, value): &&(String, Plain)| b.get(key) != Some(value);
            let missing = b.0.iter().find(|(key, _)| a.get(key).is_none());
            if let Some((key, value)) = a.0.iter().find(differs).or(missing) {
                path.push(Segment::Key(key.clone()));
                if let Some(other) = b.get(key).filter(|_| a.get(key).is_some()) {
                    descend(value, other, path);
                }
            }
        }
        (Plain::List(a), Plain::List(b)) => {
            let at = a.iter().zip(b).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()));
            path.push(Segment::Item(at));
            if let (Some(a), Some(b)) = (a.get(at), b.get(at)) {
                descend(a, b, path);
            }
        }
        _ => {}
    }
}

/// A text in the style of the one that it replaces.
pub(super) fn keeps_quotes(old: &Scalar, new: &Plain, given: &str) -> Option<Plain> {
    let quoted = matches!(old.style, Style::SingleQuoted | Style::DoubleQuoted);
    match new {
        Plain::Other(..) if quoted && !given.is_empty() => Some(Plain::Text(given.to_owned(), None)),
        _ => None,
    }
}
