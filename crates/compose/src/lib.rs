//! Compose files to one merged, interpolated, normalised model with origins. No network, no processes.
//!
//! In: the texts of one or more Compose files, variables, and a way to read the further files that they name
//! ([`LoadOptions`], [`ReadFiles`]). Out of [`load`]: a typed [`Project`] in canonical long form, in which every value knows
//! the file and place that it was written at ([`Project::origin`]), or every fault of the first stage that found one. It
//! does what the reference loader does, in the same order; where a newer and an older version of it differ, the newer.
//!
//! Bounded: 2 MiB and 100 levels a file, 250,000 values once aliases are replaced, 65,536 single ports, 1,000 inclusions,
//! chains of 100 extensions. Files on other machines are not fetched.
//!
//! The parts that are of use alone: [`interpolate`] (`${VAR:-default}`), [`dotenv`] (files of variables), [`ports`] and
//! [`mounts`] (short syntaxes), [`merge_files`], [`discover`], [`edit`] (one value of a file in place, all else kept).

mod attributes;
mod canonical;
mod cast;
mod consistency;
mod defaults;
mod discover;
pub mod dotenv;
pub mod edit;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
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
pub use load::{Lenient, load, load_lenient, load_tree};
pub use model::*;
pub use options::{LoadOptions, NoFiles, ReadFiles};
use value::Kind;
pub use value::{Kind as ValueKind, Map, Origin, Place, Value};
pub use write::{double_dollars, plain_yaml, to_yaml};

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
