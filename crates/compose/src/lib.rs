//! Compose files to one merged, interpolated, normalised model with origins. No network.

mod attributes;
mod canonical;
mod cast;
mod consistency;
mod defaults;
mod discover;
pub mod dotenv;
pub mod interpolate;
mod load;
mod marks;
mod merge;
mod model;
pub mod mounts;
mod options;
mod path;
mod paths;
pub mod ports;
mod read;
mod schema;
mod substitute;
mod unique;
mod value;
mod words;
mod write;

pub use discover::discover;
pub use load::{load, load_tree};
pub use model::*;
pub use options::{LoadOptions, NoFiles, ReadFiles};
use value::Kind;
pub use value::{Kind as ValueKind, Map, Origin, Place, Value};
pub use write::to_yaml;

use plimsoll_source::{Diagnostic, Source};

/// The tree of a single file, joined by another one if given: merging and uniqueness alone, nothing canonicalised.
pub fn merge_files(base: &Source, over: Option<&Source>) -> Result<Value, Diagnostic> {
    let mut tree: Option<Value> = None;
    for source in std::iter::once(base).chain(over) {
        for mut document in read::documents(source)? {
            if let Some(tree) = &mut tree {
                marks::apply(tree, &document);
            }
            marks::strip(&mut document);
            tree = Some(match tree {
                None => document,
                Some(tree) => merge::merge(tree, document, &path::Path::ROOT)?,
            });
        }
    }
    let mut tree = tree.unwrap_or_else(|| Value::new(Kind::Map(Map::new()), &Origin::default()));
    unique::enforce(&mut tree, &path::Path::ROOT)?;
    Ok(tree)
}
