//! Measures a running stack against its claims and writes the certificate.
//!
//! In: an [`Engine`], the Compose [`Project`] that it should run, and [`Options`] (budgets, smoke checks). Out: a
//! [`Certificate`] with one [`Claim`] for each thing that was measured and each thing that could not be.
//!
//! Proof looks at processes, the kernel and answers on the wire, never at what a file says: limits are read from the
//! cgroup of the process, not from the engine's configuration; a read-only root is one that refuses a write.
//! Requirements: Linux, an engine on this machine and root for what the kernel shows; without them those claims are
//! "not checked" and say why.

mod archive_scan;
mod bound;
mod certificate;
mod cgroup;
mod claims;
mod declared;
mod disturbance;
mod front;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod given;
mod hostfs;
mod http;
mod inside;
mod log;
mod member;
mod memory;
mod nature;
mod netns;
mod probe;
mod procfs;
pub mod promises;
mod quantity;
mod refusal;
pub mod report;
mod routes;
mod secrets;
mod server;
pub mod smoke;
mod spread;
mod stack;
mod stores;
mod strangers;
mod tls;
mod toml_file;
mod verify;
mod wanted;

pub use certificate::{Certificate, Claim, Evidence, Group, ImageFact, Status, Summary, VERSION, Workload};
pub use disturbance::{Guard, take_back};
pub use front::first_status;
pub use plimsoll_compose::Project;
pub use plimsoll_engine::Engine;
pub use tls::is_host_name;
pub use verify::{Budgets, Options, TlsOptions, VerifyError, claims, verify};
pub use wanted::Wanted;
