//! What several targets share: tars whose checksums are right, so that a fuzzer reaches what lies behind them, a place
//! whose surroundings are watched, and texts in sections.

pub mod archive;
pub mod place;
pub mod text;
