//! Databases, caches and brokers, and how a service learns where they are.

use serde::Serialize;

use super::{Evidence, Fact, StoreKind};

/// What a store is used for; it decides what must survive and what may be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreRole {
    /// Data that exists nowhere else.
    Data,
    /// Messages and jobs: nothing may be dropped.
    Broker,
    /// Copies of data that exist elsewhere: the oldest may be dropped.
    Cache,
}

/// A database, cache or broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Store {
    /// What it is.
    pub kind: StoreKind,
    /// Its name in the development compose file, else a usual one; unique among stores and services.
    pub name: String,
    /// What it is used for.
    pub role: StoreRole,
    /// Its image in the development compose file, where it is not the usual one (`pgvector/pgvector:pg17`).
    pub image: Option<Fact<String>>,
    /// Its version, as the development compose file has it.
    pub version: Option<Fact<String>>,
    /// Database in it.
    pub database: Option<Fact<String>>,
    /// Its user.
    pub user: Option<Fact<String>>,
    /// Its password, where it stands in the source of a program: nothing else would let the program in.
    #[serde(skip)]
    pub password: Option<Fact<String>>,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

/// A service's use of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoreUse {
    /// What it is.
    pub kind: StoreKind,
    /// Name of the [`Store`]; empty until the stores are known.
    pub store: String,
    /// How the service learns where it is; nothing where no variable was found.
    pub address: Option<Address>,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

/// How a service learns where a store is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "form")]
pub enum Address {
    /// One variable holds a URL.
    Url {
        /// The variable.
        variable: Fact<String>,
        /// The URL's scheme, where the library wants another one than the usual: `postgresql+psycopg`.
        scheme: Option<String>,
        /// Its path and query, where the program's own default has them: `/1`, `/app?schema=public`.
        suffix: Option<String>,
        /// `NAME_FILE` is read too.
        file_variant: bool,
    },
    /// A variable for each part. A part without a variable stands in the program.
    Parts {
        /// Variables by part.
        variables: Vec<(Part, Fact<String>)>,
        /// The parts' variables whose `NAME_FILE` is read too.
        file_variants: Vec<String>,
        /// Parts that stand in the program, and the host that its client takes by itself. Never written out: a
        /// password may be among them.
        #[serde(skip)]
        written: Vec<(Part, Fact<String>)>,
    },
    /// The address stands in the program.
    Fixed {
        /// Its host.
        host: Fact<String>,
        /// Its other parts.
        #[serde(skip)]
        written: Vec<(Part, Fact<String>)>,
    },
}

impl Address {
    /// A host that stands in the program, of whose other parts nothing is known.
    pub(crate) fn fixed(host: Fact<String>) -> Self {
        Self::Fixed { host, written: Vec::new() }
    }

    /// The variable of a part.
    pub fn variable(&self, part: Part) -> Option<&Fact<String>> {
        let Self::Parts { variables, .. } = self else { return None };
        variables.iter().find(|(known, _)| *known == part).map(|(_, variable)| variable)
    }

    /// The text of a part that stands in the program and that no variable changes.
    pub fn written(&self, part: Part) -> Option<&Fact<String>> {
        let written = match self {
            Self::Url { .. } => return None,
            Self::Fixed { host, .. } if part == Part::Host => return Some(host),
            Self::Fixed { written, .. } => written,
            Self::Parts { .. } if self.variable(part).is_some() => return None,
            Self::Parts { written, .. } => written,
        };
        written.iter().find(|(known, _)| *known == part).map(|(_, text)| text)
    }
}

/// How the reason of a host ends that no program gives and its client takes.
pub(crate) const BY_ITSELF: &str = "the client takes the machine that it runs on";

/// Whether a host stands nowhere: the client takes it, as it is given none.
pub fn is_by_itself(host: &Fact<String>) -> bool {
    host.evidence.iter().any(|place| place.reason.ends_with(BY_ITSELF))
}

/// A host that is the machine, and so the container, on which a program itself runs.
pub fn is_this_machine(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "::1" | "0.0.0.0" | "")
}

/// A part of a store's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Host name.
    Host,
    /// Host and port, `redis:6379`; what stands around them is in [`super::AddressForm`].
    Authority,
    /// Port.
    Port,
    /// User.
    User,
    /// Password.
    Password,
    /// Database, virtual host, number of the database.
    Database,
}
