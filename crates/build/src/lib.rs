//! Dockerfile stages to a graph, cache keys, snapshots and images.
//!
//! ```text
//! Dockerfile ─lower─> Graph ─solve─> snapshots (stacks of layers) ─> image in the store
//! ```
//!
//! - [`graph`]: what is to be done, as plain data, everything expanded. Made by `lower`.
//! - `solve`: does it. For each step a key is made of what it does and of the **content** of everything it can read;
//!   a key that is known gives the layer without doing anything. Independent steps run at once, each key once.
//! - `copying`, `layer_writer`, `select`, `tree`: COPY, ADD and WORKDIR write their layer's directory straight, reading the
//!   context in place and other stages' layers without a mount.
//! - `run`: RUN in the sandbox on an overlay mount; the upper directory is the layer.
//! - `statcache`, `index`, `cachemount`: what is kept between builds.
//!
//! The state of a step is the digest of its layers' content, so a step that ran again and gave the same bytes lets
//! all that follow come from the cache.

mod builder;
mod cachemount;
mod caches;
mod chmod;
mod config;
mod copying;
mod emulation;
mod epoch;
mod error;
mod exchange;
mod explain;
mod failed_step;
mod flight;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod git_url;
pub mod graph;
mod index;
mod key;
mod layer_writer;
mod lazy_context;
mod lower;
mod progress;
pub mod remote;
mod request;
mod resolve;
mod run;
mod schedule;
mod secret;
mod select;
mod settings;
mod snapshot;
mod solve;
mod ssh;
mod statcache;
mod step_resources;
mod tree;
mod unpack;

pub use builder::Builder;
pub use cachemount::{CacheMountError, CacheMounts, Taken};
pub use chmod::{Chmod, Clause};
pub use error::BuildError;
pub use exchange::{KeyedStep, Restored, StepSource};
pub use explain::{Change, How, Reason};
pub use failed_step::{Attach, EnterError, FailedStep, OnFailure};
pub use key::{Key, Part};
pub use lazy_context::{FetchedContext, LazyContext};
pub use plimsoll_sandbox::Stream;
pub use progress::{Event, Outcome, Progress, Silent};
pub use request::{BuildOutcome, BuildRequest, Epoch, NamedContext, StepReport, find_dockerfile};
pub use resolve::{ImageResolver, ResolveError, ResolvedImage};
pub use secret::{Secret, SecretSource};
pub use settings::{CaBundle, CacheOwner, Net};
pub use ssh::{KeyFiles, SshAgent, SshKeys};
