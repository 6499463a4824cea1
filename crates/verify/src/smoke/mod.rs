//! The application's own checks: a list of HTTP requests and what they must answer, read from `smoke.toml`.

mod format;
mod run;
mod slug;

pub(crate) use format::split_at;
pub use format::{Capture, Check, During, Expect, SmokeFile};
pub(crate) use run::{Judged, Runner, Verdict};
pub(crate) use slug::slug;
