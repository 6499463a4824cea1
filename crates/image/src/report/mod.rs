//! What is in an image: by cause of waste, by package, and against another image.

mod diff;
mod packages;
pub mod spdx;
mod waste;

pub use diff::{Change, Changed, ConfigChange, ImageDiff, PackageChange, diff};
pub use packages::{Package, PackageKind, packages};
pub(crate) use waste::same_bytes;
pub use waste::{Cause, Finding, LayerShare, waste};

#[cfg(fuzzing)]
pub(crate) use packages::fuzz;
