use std::{io, path::PathBuf};

use plimsoll_sandbox::SandboxError;

use crate::{failed_step::FailedStep, layer_writer::LayerError, select::SelectError};

/// Why a RUN failed; the caller adds the place.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The command ran and failed, or could not be executed.
    #[error("process \"{command}\" did not complete successfully: {ending}")]
    Failed { command: String, ending: String, excerpt: Vec<String>, log: PathBuf, step: Box<FailedStep> },
    /// Its programs are for another processor.
    #[error("cannot run programs for {0} on this machine")]
    Foreign(plimsoll_dockerfile::Platform),
    #[error("cannot mount {what} on {}, which is {is} in the image", target.display())]
    MountOnOther { target: PathBuf, what: &'static str, is: String },
    #[error("secret {0}: not found")]
    SecretMissing(String),
    #[error("cannot read the secret {id}: {reason}")]
    Secret { id: String, reason: String },
    #[error("ssh agent {0}: not found")]
    SshMissing(String),
    #[error("cannot use the ssh agent {id}: {source}")]
    Ssh { id: String, source: io::Error },
    #[error("cannot use the cache mount {id}: {source}")]
    CacheMount { id: String, source: io::Error },
    #[error("the disk of {} is full: what the command wrote may be incomplete", .0.display())]
    DiskFull(PathBuf),
    #[error("cannot use the certificates in {}: {source}", path.display())]
    Ca { path: PathBuf, source: io::Error },
    #[error("cannot find the owner of the cache mount: {0}")]
    User(#[from] plimsoll_sandbox::UserError),
    #[error(transparent)]
    Select(#[from] SelectError),
    #[error(transparent)]
    Layer(#[from] LayerError),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error(transparent)]
    Store(#[from] plimsoll_image::StoreError),
    #[error("cannot write the log {path}: {1}", path = .0.display())]
    Log(PathBuf, #[source] io::Error),
}
