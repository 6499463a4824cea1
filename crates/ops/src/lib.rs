//! What the verbs do: projects, policy, homes, images and stacks, composed from the crates that do one thing each.
//!
//! In: typed options. Out: typed results, or a [`Failure`]. What a person may want to know meanwhile goes to a
//! [`Reporter`]: nothing here writes to a terminal or knows an option's name in the parser.

#[macro_use]
mod report;

pub mod boot;
pub mod builds;
pub mod converge;
pub mod copy;
pub mod digests;
pub mod front;
pub mod handover;
pub mod home;
pub mod images;
mod in_place;
pub mod init;
pub mod interrupt;
pub mod lifecycle;
pub mod machine;
pub mod one_off;
pub mod owner;
mod password;
pub mod pick;
pub mod policy;
pub mod project;
pub mod pulls;
pub mod remote;
pub mod rootless;
pub mod stack;
pub mod stack_images;
pub mod storage;
pub mod times;
pub mod variables;
pub mod verdict;
pub mod verify;
pub mod wanted;

pub use in_place::{is_in_place, stand_in};
pub use plimsoll_buildx::sizes;
pub use plimsoll_source::Failure;
pub use report::{Deaf, Event, Pull, Reporter, install, reporter};
