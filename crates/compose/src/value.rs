//! The tree that the pipeline works on: plain values, each with the place that it came from.

use std::fmt;

use indexmap::IndexMap;
use plimsoll_source::{Diagnostic, Source, Span};

/// A mapping in the order of the file.
pub type Map = IndexMap<String, Value>;

/// A value with its origin.
#[derive(Clone, Debug)]
pub struct Value {
    /// What it holds.
    pub kind: Kind,
    /// Where it was written.
    pub origin: Origin,
    /// How it joins what an earlier file said.
    pub(crate) mark: Mark,
}

/// What a [`Value`] holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    String(String),
    /// A list.
    List(Vec<Value>),
    /// A mapping with unique keys.
    Map(Map),
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// The place where a value was written. Values that the loader made up have none.
#[derive(Clone, Debug, Default)]
pub struct Origin(Option<Place>);

/// A place in a file.
#[derive(Clone, Debug)]
pub struct Place {
    /// The file.
    pub source: Source,
    /// The value.
    pub span: Span,
    /// The key in front of it.
    pub key: Option<Span>,
}

/// The effect of `!reset` and `!override`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Joins by the rules of its attribute.
    #[default]
    Merge,
    /// Removes what was there, and is not there itself.
    Reset,
    /// Takes the place of what was there.
    Override,
}

impl Origin {
    /// A place in `source`.
    pub fn at(source: &Source, span: Span, key: Option<Span>) -> Self {
        Self(Some(Place { source: source.clone(), span, key }))
    }

    /// The place, if the value was written by a person.
    pub fn place(&self) -> Option<&Place> {
        self.0.as_ref()
    }

    /// Adds this place to `diagnostic`, if there is one. An empty value is shown at its key.
    pub fn label(&self, diagnostic: Diagnostic, message: impl Into<String>) -> Diagnostic {
        match &self.0 {
            Some(place) => diagnostic.label(&place.source, place.visible(), message),
            None => diagnostic,
        }
    }

    /// An error whose primary place this is.
    pub fn error(&self, title: impl fmt::Display) -> Diagnostic {
        self.label(Diagnostic::error(title.to_string()), "")
    }
}

impl Place {
    /// What to underline: the value where it fits on one line, else its key.
    pub fn visible(&self) -> Span {
        let one_line = !self.source.slice(self.span).contains('\n');
        match self.key {
            Some(key) if self.span.start == self.span.end || !one_line => key,
            _ if one_line => self.span,
            _ => {
                let line = self.source.line_span(self.source.line_col(self.span.start).line);
                Span::new(self.span.start, line.end.max(self.span.start))
            }
        }
    }
}

impl Value {
    /// A value with a known origin.
    pub fn new(kind: Kind, origin: &Origin) -> Self {
        Self { kind, origin: origin.clone(), mark: Mark::Merge }
    }

    /// Text with a known origin.
    pub fn string(text: impl Into<String>, origin: &Origin) -> Self {
        Self::new(Kind::String(text.into()), origin)
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of a mapping.
    pub fn as_map(&self) -> Option<&Map> {
        match &self.kind {
            Kind::Map(map) => Some(map),
            _ => None,
        }
    }

    pub(crate) fn as_map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.kind {
            Kind::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The items of a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn as_list_mut(&mut self) -> Option<&mut Vec<Value>> {
        match &mut self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    /// The entry `key` of a mapping.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map()?.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.as_map_mut()?.get_mut(key)
    }

    /// The value at a path of keys and list positions (`services`, `web`, `ports`, `0`).
    pub fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(self, |value, step| match &value.kind {
            Kind::Map(map) => map.get(*step),
            Kind::List(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    pub(crate) fn is_null(&self) -> bool {
        self.kind == Kind::Null
    }

    /// The scalar as text, as the reference loader prints it; nothing for null and collections.
    pub(crate) fn scalar_text(&self) -> Option<String> {
        match &self.kind {
            Kind::Bool(value) => Some(value.to_string()),
            Kind::Int(value) => Some(value.to_string()),
            Kind::Float(value) => Some(float_text(*value)),
            Kind::String(text) => Some(text.clone()),
            Kind::Null | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// What the value is, in the words of messages.
    pub(crate) fn type_name(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "a boolean",
            Kind::Int(_) | Kind::Float(_) => "a number",
            Kind::String(_) => "a string",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }

    /// The value as JSON, without origins.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.kind {
            Kind::Null => serde_json::Value::Null,
            Kind::Bool(value) => (*value).into(),
            Kind::Int(value) => (*value).into(),
            Kind::Float(value) => (*value).into(),
            Kind::String(text) => text.clone().into(),
            Kind::List(items) => items.iter().map(Self::to_json).collect(),
            Kind::Map(map) => serde_json::Value::Object(
                map.iter().map(|(key, value)| (key.clone(), value.to_json())).collect(),
            ),
        }
    }
}

/// Shortest text of a number, with an exponent where Go's `%v` has one (below 1e-4 and from 1e21).
pub(crate) fn float_text(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e21).contains(&size) && value.is_finite() {
        let text = format!("{value:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    format!("{value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_in_the_reference_loader() {
        assert_eq!(float_text(0.5), "0.5");
        assert_eq!(float_text(3.0), "3");
        assert_eq!(float_text(0.00001), "1e-05");
        assert_eq!(float_text(1e21), "1e+21");
    }
}
