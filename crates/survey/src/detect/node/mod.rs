//! JavaScript and TypeScript, run by Node.js: packages and installs first, then services, then the facts of each.

pub(super) mod installs;
mod npm_workspaces;
mod packages;
mod pnpm_workspace;
mod runtime;
pub(super) mod shared_files;
mod versions;
pub(super) mod workspaces;
