//! One file per thing that we know. This list is what `survey` knows; a detector may rely on those above it.

use crate::{context::Context, model::Survey};

mod compose_file;
mod drizzle;
mod environment;
mod express;
mod fastify;
mod gaps;
mod languages;
mod nginx;
mod node;
mod package_scripts;
mod plain;
mod platform;
mod port;
mod postgresql;
mod python;
mod react;
mod redis;
mod routes;
mod runtime_config;
mod secret;
mod services;
mod shutdown;
mod stores;
mod vite;
mod yaml_file;

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
    Detector { name: "fastify", run: fastify::detect },
    Detector { name: "express", run: express::detect },
    Detector { name: "vite", run: vite::detect },
    Detector { name: "react", run: react::detect },
    Detector { name: "package scripts", run: package_scripts::detect },
    Detector { name: "routes", run: routes::detect },
    Detector { name: "environment", run: environment::detect },
    Detector { name: "port", run: port::detect },
    Detector { name: "shutdown", run: shutdown::detect },
    Detector { name: "runtime config", run: runtime_config::detect },
    Detector { name: "drizzle", run: drizzle::detect },
    Detector { name: "platform files", run: platform::detect },
    Detector { name: "python", run: python::detect },
    Detector { name: "plain pages", run: plain::detect },
    Detector { name: "other languages", run: languages::detect },
    Detector { name: "postgresql", run: postgresql::detect },
    Detector { name: "redis", run: redis::detect },
    Detector { name: "stores", run: stores::detect },
    Detector { name: "nginx files", run: nginx::detect },
    Detector { name: "gaps", run: gaps::detect },
];
