//! What a document promises of the system, read from `promises.toml`, beside what was measured.

mod format;
mod judge;
mod settings;

pub use format::{How, ImageBound, Promise, PromiseFile, Run, Setting};
pub(crate) use judge::judge;
