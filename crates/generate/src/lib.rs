//! Survey and policy to production files; three-way merge against the last generated text.
//!
//! Three steps, each a plain value that can be printed and tested: [`plan`] turns a survey into a [`Stack`], checked so
//! that it can be written into any of the files; [`generate`] turns the stack into texts (one file per kind in
//! `files/`, templates beside the code); [`compare`] sets the texts against what is on disk and what was generated
//! last, and says what would change. Nothing here reads or writes a file.

mod compare;
mod escape;
mod files;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod lock;
mod merge;
mod plan;
mod policy;
pub mod rules;
mod secrets;
mod size;
mod stack;
mod templates;

pub use compare::{Change, Comparison, Conflict, Outcome, Resolution, compare};
pub use files::{GeneratedFile, Ownership, SMOKE_FILE, generate};
pub use lock::{LOCK_FILE, Lock, LockError};
pub use merge::{Hunk, Merged, three_way};
pub use plan::{PlanError, Planned, plan};
pub use policy::{Policy, ServiceLimits};
pub use secrets::{NewSecret, SecretError, SecretText, make_secrets, missing_secrets};
pub use size::{GIGABYTE, MEGABYTE};
pub use stack::Stack;
pub use templates::TemplateError;
