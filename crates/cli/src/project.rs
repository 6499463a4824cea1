//! The options that name a project.

use std::{ops::Deref, path::PathBuf};

use clap::FromArgMatches;
use plimsoll_ops::project::Selection;

/// The project that the options of a verb name.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProjectArgs(Selection);

impl Deref for ProjectArgs {
    type Target = Selection;

    fn deref(&self) -> &Selection {
        &self.0
    }
}

/// The options that name a project; the same for every verb that works on one
#[derive(clap::Args)]
struct Given {
    /// Compose file, `-` for standard input; may be given several times [default: compose.yaml here or above]
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<String>,
    /// Project name
    #[arg(short, long, value_name = "NAME")]
    project_name: Option<String>,
    /// Directory that relative paths start from [default: the first file's]
    #[arg(long, value_name = "DIR")]
    project_directory: Option<PathBuf>,
    /// Profile to activate; may be given several times
    #[arg(long = "profile", value_name = "PROFILE")]
    profiles: Vec<String>,
    /// File of variables instead of .env; may be given several times
    #[arg(long = "env-file", value_name = "FILE")]
    env_files: Vec<PathBuf>,
    /// Networks, volumes, secrets and configs that no service uses count too
    #[arg(long, hide = true)]
    all_resources: bool,
    /// Names like those of docker-compose 1: shop_web_1
    #[arg(long, hide = true)]
    compatibility: bool,
}

impl From<Given> for ProjectArgs {
    fn from(given: Given) -> Self {
        let Given {
            files,
            project_name,
            project_directory,
            profiles,
            env_files,
            all_resources,
            compatibility,
        } = given;
        Self(Selection {
            files,
            project_name,
            project_directory,
            profiles,
            env_files,
            all_resources,
            compatibility,
        })
    }
}

impl FromArgMatches for ProjectArgs {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        Given::from_arg_matches(matches).map(Self::from)
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for ProjectArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        Given::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Given::augment_args_for_update(command)
    }
}
