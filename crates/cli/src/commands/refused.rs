//! Verbs of docker compose that are not meant to come: refused by name, with the reason and the way out.

use std::{ffi::OsString, process::ExitCode};

use plimsoll_ops::Failure;

/// Whatever stands behind the verb
#[derive(clap::Args, Default)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<OsString>,
}

/// Says why, and what does the work instead.
pub(crate) fn run(verb: &str, _: &Args) -> Result<ExitCode, Failure> {
    let (why, instead) = match verb {
        "watch" => (
            "it puts changed sources into running containers, and what runs is then what no image holds",
            "run `plimsoll up` again: only what changed is built and replaced; for development mount the sources",
        ),
        "publish" => (
            "a Compose file as an artifact of a registry leaves out the files that it refers to",
            "`plimsoll push` sends the images; keep the Compose file with its repository",
        ),
        "bridge" => (
            "it turns the model into files of other systems by programs in images of others",
            "`plimsoll config --format json` prints the model for your own tool",
        ),
        _ => (
            "its verbs change from version to version of docker compose",
            "`plimsoll --help` lists the verbs that there are",
        ),
    };
    Err(Failure::new(format!("`{verb}` of docker compose is not supported: {why}"), instead))
}
