//! Compose files to one merged, interpolated, normalised model with origins. No network.

mod cast;
mod model;
mod options;
mod value;

pub use model::*;
pub use options::{LoadOptions, NoFiles, ReadFiles};
pub use value::{Kind, Map, Origin, Place, Value};
