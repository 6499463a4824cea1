//! What a survey says. The JSON form of these types is the stable output of `plimsoll survey --json`
//! (docs/survey.md).

use serde::Serialize;

mod evidence;
mod facts;
mod install;
mod own_image;
mod question;
mod running;
mod service;
mod store;

pub use evidence::{Evidence, Fact};
pub(crate) use facts::separator;
pub use facts::{
    CALLS_AS_ITS_OWN, Framework, HANDS_OUT, HOST_IN, Health, Migration, Route, RuntimeConfig, RuntimeSetting,
    Variable,
};
pub use install::{Beside, Ecosystem, Install, Manager, Workspace};
pub use own_image::{AddressForm, OwnImage};
pub use plimsoll_facts::StoreKind;
pub use question::{Confidence, Edge, Gap, Question};
pub use running::{Bind, Probe, Process, Role, Setting, Shape, Ships, Writes};
pub use service::{BuildCache, Service};
pub(crate) use store::BY_ITSELF;
pub use store::{Address, Part, Store, StoreRole, StoreUse, is_by_itself, is_this_machine};

/// Everything that was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Survey {
    /// The project's name.
    pub name: Option<Fact<String>>,
    /// Folders in which dependencies are installed, sorted by path. The root of a workspace is one.
    pub installs: Vec<Install>,
    /// Packages inside of the installs' folders, sorted by path; a folder with an install of its own is none.
    pub workspaces: Vec<Workspace>,
    /// What can be deployed, sorted by path.
    pub services: Vec<Service>,
    /// Databases, caches and brokers that the services need.
    pub stores: Vec<Store>,
    /// Which requests belong to which service.
    pub edges: Vec<Edge>,
    /// Files of other platforms (Procfile, fly.toml, a Dockerfile, ...) that were read as evidence.
    pub platform_files: Vec<Fact<String>>,
    /// Documents for people (README.md, CHANGELOG.md) that a program or its build names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<Fact<String>>,
    /// What is missing or could not be read.
    pub gaps: Vec<Gap>,
    /// What the files leave open, each with the answer that is taken where nobody gives one.
    pub questions: Vec<Question>,
}

impl Survey {
    /// The install of a service: the one in the nearest folder above it of the same ecosystem.
    pub fn install_of(&self, service: &Service) -> Option<&Install> {
        let above = |install: &&Install| {
            install.ecosystem == service.ecosystem && is_below(&service.path, &install.folder)
        };
        self.installs.iter().filter(above).max_by_key(|install| install.folder.len())
    }

    /// A store by its name.
    pub fn store(&self, name: &str) -> Option<&Store> {
        self.stores.iter().find(|store| store.name == name)
    }
}

/// Whether a path is a folder or lies below it; the empty folder is the root.
pub(crate) fn is_below(path: &str, folder: &str) -> bool {
    folder.is_empty()
        || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
