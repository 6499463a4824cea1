//! What the verbs do: projects, policy, homes, images and stacks, composed from the crates that do one thing each.
//!
//! In: typed options. Out: typed results, or a [`Failure`]. What a person may want to know meanwhile goes to a
//! [`Reporter`]: nothing here writes to a terminal or knows an option's name in the parser.

#[macro_use]
mod report;

pub mod handover;
pub mod home;
mod in_place;
pub mod interrupt;
pub mod lifecycle;
pub mod machine;
pub mod pick;
pub mod policy;
pub mod project;
pub mod pulls;
pub mod remote;
pub mod rootless;
pub mod stack;
pub mod storage;
pub mod times;
pub mod variables;

pub use in_place::{is_in_place, stand_in};
pub use plimsoll_buildx::sizes;
pub use plimsoll_source::Failure;
pub use report::{Event, Reporter, install, reporter};
