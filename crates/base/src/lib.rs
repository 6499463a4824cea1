//! Base images from distribution packages: archive index, signatures, resolver, unpack, configure.
//!
//! In: the name of a recipe ([`recipes::ALL`]) and a Debian mirror. Out: an image in the store, named `plimsoll.local/NAME:TAG`,
//! the same to the byte wherever and whenever it is made from the same packages. Nothing is trusted that Debian has not signed: `InRelease`
//! by its signature, `Packages` by the digest in it, each package by the digest in that.
//!
//! ```text
//! mirror -> signature -> release -> index -> resolve -> fetch -> deb/tree -> dpkg, configure -> layer -> image
//! ```

mod accounts;
mod archive;
mod assemble;
mod bases;
mod certificates;
mod config;
mod configure;
mod control;
mod copyright;
mod custom;
mod date;
mod deb;
mod dependency;
mod dpkg;
mod elf;
mod error;
mod fetch;
mod filter;
mod index;
mod mirror;
mod npm;
pub mod recipes;
mod record;
mod release;
mod resolve;
mod sbom;
mod signature;
mod suite;
mod tree;
mod version;

pub use bases::{Bases, Listed, Made, Progress, cache_dir};
pub use custom::Custom;
pub use error::BaseError;
pub use index::Origin;
pub use mirror::{MIRROR_VARIABLE, Mirror};
pub use npm::REGISTRY_VARIABLE;
pub use record::{OmittedRecord, PackageChange, PackageRecord, Record};
pub use suite::Suite;
pub use version::Version;
