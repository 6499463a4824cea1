//! The server's Dockerfile: checked, built with its workspaces, run without a shell.

use super::{Generator, Ownership};

pub(super) const GENERATOR: Generator = Generator {
    template: "server.Dockerfile",
    ownership: Ownership::Whole,
    path: |stack| Some(format!("{}/Dockerfile", stack.server.path)),
};
