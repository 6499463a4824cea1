use std::sync::Arc;

use crate::{Source, Span};

/// One document of a stream.
#[derive(Clone, Debug)]
pub struct Document {
    /// The text that it was read from.
    pub source: Source,
    /// The tree; an empty document has an empty plain scalar.
    pub root: Arc<Node>,
}

/// A value with its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where the value stands, without tag and anchor. Empty where the text has nothing (`key:`).
    pub span: Span,
    /// The explicit tag.
    pub tag: Option<Tag>,
    /// The anchor's name.
    pub anchor: Option<String>,
    /// What it holds.
    pub kind: Kind,
}

/// What a [`Node`] holds.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A scalar as written.
    Scalar(Scalar),
    /// A sequence.
    Sequence {
        /// The items in order.
        items: Vec<Arc<Node>>,
        /// Written in brackets.
        flow: bool,
    },
    /// A mapping.
    Mapping {
        /// The entries in order, duplicates and merge keys included.
        entries: Vec<Entry>,
        /// Written in braces.
        flow: bool,
    },
    /// A reference to an anchored node.
    Alias {
        /// The anchor's name.
        name: String,
        /// The anchored node.
        target: Arc<Node>,
    },
}

/// One `key: value` of a mapping.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: Arc<Node>,
    /// The value.
    pub value: Arc<Node>,
}

/// A scalar: its text after the unescaping of its style, never converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// The text.
    pub text: String,
    /// How it was written.
    pub style: Style,
}

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// `'…'`
    SingleQuoted,
    /// `"…"`
    DoubleQuoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

/// An explicit tag, as written with its handle resolved: `!reset`, `tag:yaml.org,2002:str`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Handle and suffix.
    pub name: String,
    /// Where it stands.
    pub span: Span,
}

impl Tag {
    /// The suffix of a tag of YAML's own schema: `str` of `!!str`.
    pub fn core(&self) -> Option<&str> {
        self.name.strip_prefix("tag:yaml.org,2002:")
    }
}
