//! What can go wrong while a base is made.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use plimsoll_source::{Diagnostic, Explain, with_causes};

/// What a user needs whose files can have one owner alone.
const ONE_ID: &str = "packages need several users, and only one user id is mapped here: install `uidmap` and have ids granted in /etc/subuid and /etc/subgid (`usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER`), or run as root";

/// Why a base could not be made. Every message names the object; its hint says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// No mirror was configured and the machine's own package sources name none.
    #[error("no Debian mirror is known")]
    NoMirror,
    /// A mirror address that is no `http://` or `https://` address.
    #[error("`{address}` is no mirror address")]
    MirrorAddress {
        /// The address as it was given.
        address: String,
    },
    /// A file of the archive could not be fetched.
    #[error("could not fetch {address}: {cause}")]
    Fetch {
        /// The full address.
        address: String,
        /// What the transport or the server said.
        cause: String,
        /// Whether the server said that there is no such file.
        missing: bool,
    },
    /// An address of an npm registry that proves to nobody who it is.
    #[error("`{address}` is no address of an npm registry that can be trusted")]
    RegistryAddress {
        /// The address as it was given.
        address: String,
    },
    /// A package of npm that has no release of the major version.
    #[error("the npm registry has no release {major} of {package}")]
    NoRelease {
        /// The name as it was given.
        package: String,
        /// The major version.
        major: u64,
    },
    /// A fetched file is not the one that the signed index or the npm registry names.
    #[error("{file} is not what the index says: {cause}")]
    Checksum {
        /// The file's path in the archive.
        file: String,
        /// Expected and found size or digest.
        cause: String,
    },
    /// The signature of an index is missing, bad, or by no trusted key.
    #[error("{file} is not properly signed: {cause}")]
    Signature {
        /// The name of the index in the archive.
        file: String,
        /// Why it cannot be used, for a message.
        cause: String,
    },
    /// An index is older than it says it may be.
    #[error("{file} expired on {until}")]
    Expired {
        /// The name of the index in the archive.
        file: String,
        /// Its `Valid-Until`.
        until: String,
    },
    /// An index, package or recorded file does not have the form that it must have.
    #[error("{file}: {cause}")]
    Malformed {
        /// File, or file and package.
        file: String,
        /// The line of the file and what is wrong there.
        cause: String,
    },
    /// A package that nobody provides.
    #[error("no package satisfies `{wanted}`, needed by {by}")]
    Unsatisfied {
        /// The clause, as the package writes it.
        wanted: String,
        /// The package (or recipe) that needs it.
        by: String,
    },
    /// Chosen packages that exclude one another.
    #[error("packages exclude one another: {}", list.join("; "))]
    Conflict {
        /// One sentence per pair.
        list: Vec<String>,
    },
    /// A maintainer script or other step inside the new root failed.
    #[error("{step} failed in {base}: {cause}")]
    Step {
        /// The name of the base that was being made.
        base: String,
        /// The command of a package that was run.
        step: String,
        /// Exit and last lines of output.
        cause: String,
    },
    /// A recipe that does not exist.
    #[error("there is no base named `{name}`")]
    UnknownBase {
        /// The name as a person gave it.
        name: String,
    },
    /// A base of the user's own that cannot be.
    #[error("base `{name}` cannot be made: {cause}")]
    Custom {
        /// The name as it was given.
        name: String,
        /// Why it cannot be used, for a message.
        cause: String,
    },
    /// A base that was not made yet.
    #[error("base `{name}` has not been made")]
    NotMade {
        /// The name as a person gave it.
        name: String,
    },
    /// A file of ours or of the new root could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory that it was to be done to.
        path: PathBuf,
        /// What the operating system answered to the call.
        source: io::Error,
    },
    /// The image store could not read or write what the base needs.
    #[error("image store: {0}")]
    Store(String),
}

impl BaseError {
    /// Wraps a system error with the path that it is about.
    pub(crate) fn io(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { path, source }
    }
}

impl Explain for BaseError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoMirror | Self::MirrorAddress { .. } => Some(
                "set `mirror` under [base] in plimsoll.toml or PLIMSOLL_DEBIAN_MIRROR to the address that holds `dists` and `pool`",
            ),
            Self::RegistryAddress { .. } => Some(
                "PLIMSOLL_NPM_REGISTRY (or npm_config_registry) must begin with https://, since nothing but its certificate says who answers",
            ),
            Self::NoRelease { .. } => Some("set PLIMSOLL_NPM_REGISTRY to a registry that has it"),
            Self::Fetch { .. } => Some("check that the mirror can be reached from this machine"),
            Self::Checksum { .. } => Some("the mirror may be changing right now; try again in a few minutes"),
            Self::Signature { .. } => {
                Some("do not use this mirror; it serves an index that Debian has not signed")
            }
            Self::Expired { .. } => Some("use a mirror that is up to date, or check this machine's clock"),
            Self::UnknownBase { .. } => Some("`plimsoll base ls` lists them"),
            Self::Custom { .. } => Some("write --name NAME --from BASE --package PACKAGE"),
            Self::NotMade { .. } => Some("make it with `plimsoll base make`"),
            Self::Unsatisfied { .. } => Some(
                "a package may have another name in another release of Debian; `plimsoll base make --refresh` reads the archive's index again",
            ),
            Self::Step { .. } if has_one_id() => Some(ONE_ID),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some(if has_one_id() { ONE_ID } else { "bases hold files of several owners: run as root" })
            }
            _ => None,
        };
        hint.map(str::to_owned)
    }

    fn explain(&self) -> Diagnostic {
        // whoever knows what to do need not know the causes
        match self.hint() {
            Some(hint) => Diagnostic::error(self.to_string()).hint(hint),
            None => with_causes(self),
        }
    }
}

/// Whether this process is in a user namespace with one id, as that of an ordinary user without a grant is.
fn has_one_id() -> bool {
    fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| is_one_id(&map))
}

fn is_one_id(map: &str) -> bool {
    let mut ranges = map.lines().filter(|line| !line.trim().is_empty());
    let count = ranges.next().and_then(|range| range.split_whitespace().nth(2));
    count == Some("1") && ranges.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_with_one_id_is_recognised() {
        assert!(is_one_id("         0       1000          1\n"));
        for more in
            ["         0          0 4294967295\n", "         0 1000 1\n         1 100000 65536\n", "", "x\n"]
        {
            assert!(!is_one_id(more), "{more:?}");
        }
    }
}
