//! JavaScript and TypeScript, run by Node.js: packages and installs first, then services, then the facts of each.

mod build;
mod children;
mod clients;
mod command;
mod conventions;
pub(super) mod development;
mod edges;
mod environment;
mod evidence;
pub(super) mod facts;
pub(super) mod frameworks;
pub(super) mod installs;
pub(super) mod migrations;
mod npm_workspaces;
mod packages;
pub(super) mod pages;
mod pnpm_workspace;
mod port;
mod processes;
mod procfile;
pub(super) mod reads;
mod routes;
mod runners;
mod runtime;
pub(super) mod runtime_config;
pub(crate) mod schemas;
pub(super) mod second;
pub(crate) mod services;
pub(super) mod shared_files;
mod shutdown;
mod sqlite;
mod traffic;
mod tsconfig;
mod versions;
pub(super) mod workspaces;

pub(crate) use facts::library_folders;
