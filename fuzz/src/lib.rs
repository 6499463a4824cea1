//! What several targets share: tars whose checksums are right, so that a fuzzer reaches what lies behind them, and a
//! place whose surroundings are watched.

pub mod archive;
pub mod place;
