//! `cargo xtask conformance`: recorded cases of the reference implementations against what we do with them.

mod build;
mod canary;
mod compose_cli;
mod init;
mod suite;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use crate::shell;

/// Runs recorded cases of the reference implementations; ends with 1 when one fails
#[derive(Args)]
pub(crate) struct Conformance {
    #[command(subcommand)]
    family: Family,
}

#[derive(Subcommand)]
enum Family {
    /// Parser trees, expansion, splitting, .dockerignore, error texts, build checks
    Dockerfile(Data),
    /// Build contexts with the images that BuildKit made of them
    Build(Data),
    /// Interpolation, .env, short syntaxes, merging, whole projects
    Compose(Data),
    /// The build checks alone
    Checks(Data),
    /// Folders that are no web service, which must be refused or asked about; then every example, from bare source to a
    /// proved stack
    Init {
        /// Only this one of the examples
        example: Option<String>,
    },
    /// docker compose's command line: our own table, carried out on the engine
    ComposeCli {
        /// Only this scenario
        scenario: Option<String>,
    },
}

#[derive(Args)]
struct Data {
    /// Folder with the cases, of the same layout as the default one [default: ../shared/conformance/FAMILY]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Data {
    fn folder(self, family: &str) -> Result<PathBuf> {
        let folder = self.data.unwrap_or_else(|| shell::root().join("../shared/conformance").join(family));
        match folder.canonicalize() {
            Ok(folder) if folder.is_dir() => Ok(folder),
            _ => bail!("no folder {}; give one with --data DIR", folder.display()),
        }
    }
}

impl Conformance {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let passed = match self.family {
            Family::Dockerfile(data) => suite::DOCKERFILE.run(Some(&data.folder("dockerfile")?))?,
            Family::Checks(data) => suite::CHECKS.run(Some(&data.folder("dockerfile")?))?,
            Family::Compose(data) => suite::COMPOSE.run(Some(&data.folder("compose")?))?,
            Family::Init { example } => init::run(example.as_deref())?,
            Family::ComposeCli { scenario } => compose_cli::run(scenario.as_deref())?,
            Family::Build(data) => build::run(&data.folder("build")?)?,
        };
        Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
