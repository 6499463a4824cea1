//! One file per thing that we know. This list is what `survey` knows; a detector may rely on those above it.

use crate::{context::Context, model::Survey};

mod compose_file;
pub(crate) mod documents;
mod dot_env;
mod gaps;
mod hosting;
mod languages;
mod nginx;
pub(crate) mod node;
mod own_image;
mod plain;
pub(crate) mod platform;
pub(crate) mod python;
mod secret;
pub(crate) mod stores;
mod yaml_file;

#[cfg(fuzzing)]
pub use nginx::words as nginx_words;

/// Looks for one thing and adds what it finds.
pub(crate) struct Detector {
    /// What it looks for.
    pub(crate) name: &'static str,
    /// Adds to the survey.
    pub(crate) run: fn(&Context<'_>, &mut Survey),
}

pub(crate) const ALL: &[Detector] = &[
    Detector { name: "workspaces", run: node::workspaces::detect },
    Detector { name: "node installs", run: node::installs::detect },
    Detector { name: "shared files", run: node::shared_files::detect },
    Detector { name: "node services", run: node::services::detect },
    Detector { name: "node facts", run: node::facts::detect },
    Detector { name: "runtime config", run: node::runtime_config::detect },
    Detector { name: "node migrations", run: node::migrations::detect },
    Detector { name: "node processes", run: node::second::detect },
    Detector { name: "node development packages", run: node::development::detect },
    Detector { name: "node files at run time", run: node::reads::detect },
    Detector { name: "pages of node servers", run: node::rendered::detect },
    Detector { name: "platform files", run: platform::detect },
    Detector { name: "python", run: python::detect },
    Detector { name: "plain pages", run: plain::detect },
    Detector { name: "files of hosts of sites", run: hosting::detect },
    Detector { name: "images of other languages", run: own_image::detect },
    Detector { name: "other languages", run: languages::detect },
    // A page's development proxy names servers in any language.
    Detector { name: "node pages", run: node::pages::detect },
    Detector { name: "stores", run: stores::detect },
    Detector { name: "variables of builds", run: node::placeholders::detect },
    Detector { name: "nginx files", run: nginx::detect },
    Detector { name: "a committed .env", run: dot_env::detect },
    Detector { name: "documents", run: documents::detect },
    Detector { name: "gaps", run: gaps::detect },
];

/// What is known, by name.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|detector| detector.name).chain(node::frameworks::ALL.iter().map(|known| known.name))
}
