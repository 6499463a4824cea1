//! Runs one process in a root file system: namespaces, mounts, users, capabilities, seccomp. Linux only.
//!
//! In: a [`Process`] (root file system as overlay layers, mounts, command, user). Out: the command's output through a
//! callback, and how it ended ([`Exit`]). Needs root, if need be that of a user namespace ([`become_root`]), and Linux 5.12; it never touches the caller's own namespaces.
//!
//! # How a step runs
//!
//! ```text
//! caller ──/proc/self/exe──> helper ──unshare + fork──> pid 1 ──exec──> the command
//!    └──────── socket (step in, reports out) ──┘────────────┘
//! ```
//!
//! A process with threads cannot safely fork and go on, so the running binary is executed again as a *helper* with one
//! thread: every binary that uses this crate calls [`init_if_requested`] first in its `main`. The helper makes the
//! namespaces and waits; its child mounts the root, gives up its privileges and becomes the command. When the caller
//! dies, the socket closes and the helper kills the command, and with it its whole pid namespace.
//!
//! The posture is Docker's default: the same capabilities, the same system calls, the same masked paths, and as in
//! Docker set-user-id programs work (`sudo` in a `RUN`).
#![allow(unsafe_code, reason = "system calls; every block carries its SAFETY comment")]

mod cgroup;
mod chroot;
mod error;
mod failure;
mod helper;
mod host;
mod init;
mod mounts;
mod network;
mod overlay;
mod privileges;
mod process;
mod rootless;
mod seccomp;
mod stubs;
mod terminal;
mod user;
mod wait;
mod wire;

pub use error::SandboxError;
pub use helper::init_if_requested;
pub use host::{run, run_with_input};
#[cfg(fuzzing)]
#[doc(hidden)]
pub use network::fuzzing;
pub use process::{
    Cancel, CgroupLimits, Exit, ExtraHost, Mount, MountKind, Network, Process, Root, Security, Stream,
    Ulimit, User,
};
pub use rootless::{Mapping, become_root, is_rootless};
pub use terminal::{Screen, run_in_terminal};
pub use user::{Identity, UserError, lookup};
