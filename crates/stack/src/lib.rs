//! Desired to observed to plan to run: brings a Compose project up and down on an engine.
//!
//! [`desired`] says what a project wants, as pure data. [`observe`] takes one picture of the engine. [`plan`] compares
//! the two and gives a graph of single engine calls, each with its cause, that can be printed and stored. [`run`]
//! executes such a graph in parallel. Nothing is remembered between two runs but what labels in the engine say, so
//! that a run that was killed is simply followed by another one.
//!
//! Limits: one engine; a secret or config is at most 1 MiB; a run holds the project's lock.

mod cause;
mod compose_hash;
mod conditions;
mod conflicts;
mod container;
mod desired;
mod down;
mod error;
mod failure;
mod files;
mod generation;
mod hooks;
mod hub;
mod images;
mod inputs;
mod journal;
pub mod labels;
mod lifecycle;
mod lock;
mod logs;
mod observed;
mod oneoff;
mod owner;
mod passwords;
mod plan;
mod ports;
mod proved;
mod ps;
mod run;
mod scope;
mod times;
mod told;
mod usage;
mod wait;

pub use compose_hash::compose_hashes;
pub use desired::{
    Context, Desired, DesiredNetwork, DesiredService, DesiredVolume, Fit, Need, Replica, Update, desired,
};
pub use down::{DownOptions, plan_down, plan_images};
pub use error::StackError;
pub use failure::{ExitMeaning, Failure};
pub use files::{FileKind, FileOwner, StackFile, StackFiles, stack_files};
pub use generation::{BadGeneration, Generation};
pub use hooks::{Hooks, InitHook, hooked};
pub use images::{ImageMap, ServiceImage, hook_image, hook_images, image_name, images_for};
pub use inputs::JobInputs;
pub use journal::{End, Entry, FileJournal, Journal, JournalError, read_journal};
pub use lifecycle::{Lifecycle, Member, members, plan_restart, plan_start, plan_stop};
pub use lock::Lock;
pub use logs::{LogQuery, StackLine, logs};
pub use observed::{Inside, Observed, ObservedContainer, observe};
pub use oneoff::{OneOff, plan_oneoff};
pub use passwords::{ChangedPassword, changed_passwords};
pub use plan::{HookTime, Op, Plan, PlanOptions, Step, plan};
pub use ports::{Listener, PortConflict, host_listeners, port_conflicts};
pub use ps::{Row, ps, ps_with_one_offs};
pub use run::{Outcome, Progress, RunOptions, run};
pub use scope::Scope;
pub use times::{Start, Times};
pub use told::news;
pub use usage::{Meter, Usage};
