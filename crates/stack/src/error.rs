//! Why a stack cannot be planned or run.

use std::{io, path::PathBuf};

use plimsoll_engine::EngineError;
use plimsoll_source::{Diagnostic, Explain};

/// What stops a stack before or while it is brought up.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// A service's image is not in the engine.
    #[error("service {service}: the engine has no image `{image}`")]
    MissingImage {
        /// The service.
        service: String,
        /// The image's name.
        image: String,
        /// Whether the Compose file says how to build it.
        buildable: bool,
    },
    /// Something in the Compose file cannot be used; the diagnostic shows where.
    #[error("{}", .0.title)]
    File(Box<Diagnostic>),
    /// A setting that would change what the container is allowed to do is not supported, so it is not dropped.
    #[error("service {service}: `{attribute}` is not supported: {why}")]
    Unsupported {
        /// The service.
        service: String,
        /// The attribute.
        attribute: &'static str,
        /// The reason.
        why: String,
    },
    /// A service with a container of a fixed name cannot have two releases side by side.
    #[error("service {service}: its `container_name` {name} is fixed, and two releases need one each")]
    FixedName {
        /// The service.
        service: String,
        /// The container's name.
        name: String,
    },
    /// An external network or volume does not exist.
    #[error("{kind} `{name}` is external and does not exist")]
    ExternalMissing {
        /// `network` or `volume`.
        kind: &'static str,
        /// Its name in the engine.
        name: String,
    },
    /// A network of that name belongs to somebody else.
    #[error("{kind} `{name}` exists and belongs to project {owner}")]
    NotOurs {
        /// `network` or `volume`.
        kind: &'static str,
        /// Its name in the engine.
        name: String,
        /// The project that made it.
        owner: String,
    },
    /// Host ports are in use.
    #[error("{}", crate::ports::sentence(.0))]
    PortsTaken(Vec<crate::ports::PortConflict>),
    /// A user name that the image's /etc/passwd does not have.
    #[error("service {service}: the image has no user `{user}`")]
    UnknownUser {
        /// The service.
        service: String,
        /// The name.
        user: String,
    },
    /// A service lives in the namespaces or has the volumes of one that has no container.
    #[error("service {service} shares namespaces or volumes with {donor}, which has no container")]
    DonorMissing {
        /// The service.
        service: String,
        /// Whom it shares with.
        donor: String,
    },
    /// Two containers are to have one name.
    #[error(
        "container name \"{name}\" is already in use: service {second} is to have it, and {first} has it"
    )]
    NameTwice {
        /// The name.
        name: String,
        /// The service that comes first.
        first: String,
        /// The other one.
        second: String,
    },
    /// Another process works on the project, and the limit for waiting has passed.
    #[error("project {project} is in the hands of {holder}")]
    Busy {
        /// The project.
        project: String,
        /// Who has it.
        holder: String,
    },
    /// The project has no such service.
    #[error("project {project} has no service {service}")]
    NoService {
        /// The project.
        project: String,
        /// The name that was asked for.
        service: String,
    },
    /// A network differs from the Compose file, and containers that are to stay are on it.
    #[error("network `{network}` differs from the Compose file, and other containers are on it")]
    Outdated {
        /// Its name in the engine.
        network: String,
    },
    /// A network or volume that must go is used by containers of others.
    #[error("{kind} `{name}` is in use by {}", .users.join(", "))]
    InUse {
        /// `network` or `volume`.
        kind: &'static str,
        /// Its name in the engine.
        name: String,
        /// Who has it.
        users: Vec<String>,
    },
    /// A network's subnet overlaps with that of another one.
    #[error("network `{network}`: subnet {subnet} overlaps with {taken} of network `{holder}`")]
    SubnetTaken {
        /// Its name in the engine.
        network: String,
        /// What it is to have.
        subnet: String,
        /// What the other one has.
        taken: String,
        /// The other network.
        holder: String,
    },
    /// A fixed address is in use.
    #[error("address {address} of network `{network}` is taken by container {holder}")]
    AddressTaken {
        /// The address.
        address: String,
        /// The network.
        network: String,
        /// Who has it.
        holder: String,
    },
    /// The engine of another machine has its volumes where they cannot be mounted from by path.
    #[error(
        "the engine keeps volumes at {found}, not at {expected}: secrets and configs cannot be mounted from there"
    )]
    VolumePlace {
        /// Where Docker would have it.
        expected: String,
        /// Where it is.
        found: String,
    },
    /// A file of the state directory.
    #[error("cannot {action} {path}: {source}", path = .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Explain for StackError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::MissingImage { buildable: true, .. } => Some("run `plimsoll build`".into()),
            Self::MissingImage { image, .. } => Some(format!(
                "load it (`docker load`, `docker pull {image}`), or map it in plimsoll.toml [images]"
            )),
            Self::ExternalMissing { kind, name } => Some(format!("make it (`docker {kind} create {name}`)")),
            Self::NotOurs { .. } => {
                Some("give yours another `name:`, or say `external: true` to share it".into())
            }
            Self::DonorMissing { donor, .. } => {
                Some(format!("bring {donor} up too: leave --no-deps out, or name it"))
            }
            Self::NameTwice { .. } => {
                Some("give one of them another `container_name`, or bring up one of them alone".into())
            }
            Self::FixedName { .. } => Some("take `container_name` out of the compose file".into()),
            Self::PortsTaken(_) => Some("stop what holds the port, or publish another one".into()),
            Self::UnknownUser { .. } => Some("give the user as a number, `uid:gid`".into()),
            Self::InUse { kind: "volume", .. } => Some("remove those containers first (`docker rm`)".into()),
            Self::InUse { .. } => Some(
                "take those containers off it (`docker network disconnect`), or give yours another `name:`"
                    .into(),
            ),
            Self::Outdated { .. } => Some("bring the stack up to date first with `plimsoll up`".into()),
            Self::Busy { .. } => Some("wait until it has ended, or end it (`kill`)".into()),
            Self::NoService { .. } => Some("`plimsoll config --services` lists them".into()),
            Self::SubnetTaken { holder, .. } => Some(format!(
                "give the network another subnet, or remove the other one (`docker network rm {holder}`)"
            )),
            Self::AddressTaken { .. } => Some("give one of the two another address".into()),
            Self::Engine(error) => error.hint(),
            Self::VolumePlace { .. } => Some("run plimsoll on the engine's machine".into()),
            Self::File(_) | Self::Unsupported { .. } | Self::Io { .. } => None,
        }
    }

    fn explain(&self) -> Diagnostic {
        match (self, self.hint()) {
            (Self::File(diagnostic), _) => (**diagnostic).clone(),
            // the text has its cause in it
            (_, Some(hint)) => Diagnostic::error(self.to_string()).hint(hint),
            (_, None) => Diagnostic::error(self.to_string()),
        }
    }

    fn is_of_stack(&self) -> bool {
        matches!(self, Self::DonorMissing { .. })
    }
}

/// For `map_err`: an I/O error with the path and what was tried.
pub(crate) fn io_error(
    action: &'static str,
    path: impl Into<PathBuf>,
) -> impl FnOnce(io::Error) -> StackError {
    let path = path.into();
    move |source| StackError::Io { action, path, source }
}
