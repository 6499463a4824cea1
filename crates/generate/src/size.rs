//! Sizes and times are numbers in the model; they become texts where a file is written.

use serde::Serializer;

/// A decimal megabyte: sizes of images are counted in these.
pub const MEGABYTE: u64 = 1_000_000;
/// A decimal gigabyte.
pub const GIGABYTE: u64 = 1_000 * MEGABYTE;

/// Bytes as `150MB`.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
pub(crate) fn in_megabytes<S: Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{}MB", bytes.div_ceil(MEGABYTE)))
}

/// Bytes as `2GB`.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
pub(crate) fn in_gigabytes<S: Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{}GB", bytes.div_ceil(GIGABYTE)))
}

/// Mebibytes as Compose writes them: `512M`.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
pub(crate) fn in_mebibytes<S: Serializer>(mebibytes: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{mebibytes}M"))
}

/// Seconds as `120s`.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
pub(crate) fn in_seconds<S: Serializer>(seconds: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{seconds}s"))
}
