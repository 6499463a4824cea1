//! What the fuzz targets read with: the words of a command (fuzz/fuzz_targets/generate_text.rs).

/// The words of a command line; `None` where a quote is not closed.
pub fn words(text: &str) -> Option<Vec<String>> {
    crate::words::split(text).ok()
}
