//! Our builder with a state of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use super::measure::{self, Alone};
use crate::shell;

#[derive(Clone)]
pub(crate) struct Ours {
    binary: PathBuf,
    home: PathBuf,
    /// The engine that images are handed to.
    host: String,
}

/// The engine that people have, for benches that measure none.
pub(crate) fn host() -> String {
    std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned())
}

impl Ours {
    /// Uses `binary`, or makes the release one.
    pub(crate) fn new(binary: Option<PathBuf>, home: PathBuf, host: String) -> Result<Self> {
        let binary = match binary {
            Some(binary) => binary.canonicalize()?,
            None => {
                shell::run(shell::cargo().args(["build", "--release", "--quiet", "--package", "plimsoll"]))?;
                shell::target().join("release/plimsoll")
            }
        };
        Ok(Self { binary, home, host })
    }

    /// The same with another engine.
    pub(crate) fn with_host(&self, host: String) -> Self {
        Self { host, ..self.clone() }
    }

    pub(crate) fn plimsoll(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(args).env("PLIMSOLL_HOME", &self.home).env("DOCKER_HOST", &self.host);
        command
    }

    /// A build of a context in the current folder.
    pub(crate) fn build(&self, context: &Path, tag: &str) -> Command {
        // the images have their certificates, as those of the other builder
        let mut command =
            self.plimsoll(&["image", "build", "--progress=plain", "--ca=off", "--tag", tag, "."]);
        command.current_dir(context);
        command
    }

    /// Forgets all steps, what is known of files, and the layers of the image; cache mounts keep their content.
    pub(crate) fn forget(&self, tag: &str) -> Result<()> {
        for file in ["index", "stat"] {
            let file = self.home.join("build").join(file);
            if file.exists() {
                fs::remove_file(file)?;
            }
        }
        // there is nothing to remove before the first build
        let _ = self.plimsoll(&["image", "rm", tag]).output();
        measure::run(&mut self.plimsoll(&["image", "prune"]), &Alone)?;
        Ok(())
    }
}
