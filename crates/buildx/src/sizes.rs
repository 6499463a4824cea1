//! Sizes in words.

/// Decimal megabytes, as `docker images` prints them.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
