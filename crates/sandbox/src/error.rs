use std::{io, time::Duration};

/// Why a step could not run, or was stopped.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The binary does not call [`crate::init_if_requested`] first in its `main`.
    #[error("this binary cannot run steps: its main does not call plimsoll_sandbox::init_if_requested first")]
    NotInitialised,
    /// The helper process could not be started.
    #[error("cannot start the sandbox helper: {0}")]
    Start(#[source] io::Error),
    /// The step cannot be handed to the helper (a path that is not UTF-8).
    #[error("cannot describe the step to the sandbox helper: {0}")]
    Describe(#[source] serde_json::Error),
    /// Something failed inside before the command started; `what` names the object.
    #[error("{what}: {cause}")]
    Setup {
        /// What was being done, with the path or name.
        what: String,
        /// What the kernel answered to the system call.
        cause: String,
    },
    /// The command itself could not be executed: not found, or not executable.
    #[error("cannot execute `{command}`: {cause}")]
    Exec {
        /// The first word of the command.
        command: String,
        /// Why it could not be executed, for a message.
        cause: String,
    },
    /// The helper ended without a report; somebody killed it.
    #[error("the sandbox helper was killed")]
    HelperLost,
    /// The step ran longer than it may.
    #[error("stopped after {0:?}, the time it may take")]
    TimedOut(Duration),
    /// The caller asked to stop.
    #[error("stopped because the build was cancelled")]
    Cancelled,
    /// The pipes to the step failed.
    #[error("cannot read the step's output: {0}")]
    Output(#[source] io::Error),
}
