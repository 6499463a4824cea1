//! YAML as a tree of nodes that know where they stand.
//!
//! In: one [`Source`](crate::Source). Out: its [`Document`]s, each a tree of [`Node`]s with byte-exact spans, the tag,
//! the raw scalar and its style, and every mapping entry in order, duplicates included. Aliases stay aliases;
//! [`Document::expand`] replaces them, resolves merge keys (`<<`) and refuses duplicate keys. Nothing here decides
//! what a scalar means: [`Scalar::resolve`] offers the core schema, a caller may read the text instead.
//!
//! Everything is bounded by [`Limits`], so that no text can take unbounded time or memory.

mod expand;
mod node;
mod parse;
mod resolve;

pub use expand::{Expanded, ExpandedKind};
pub use node::{Document, Entry, Kind, Node, Scalar, Style, Tag};
pub use parse::{Limits, parse};
pub use resolve::Value;
