//! `plimsoll survey`: what the repository holds, with the file and line that each fact rests on.

use std::{path::PathBuf, process::ExitCode};

use plimsoll_ops::Failure;

/// Say what the repository holds: services, frameworks, ports, stores, migrations, and what is missing
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The repository
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Print JSON (docs/survey.md)
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let repository = super::init::repository(&args.path)?;
    let survey = plimsoll_survey::survey(&repository);
    if args.json {
        let json = serde_json::to_string_pretty(&survey)?;
        println!("{json}");
    } else {
        out!("{}", plimsoll_survey::render(&survey));
    }
    Ok(ExitCode::SUCCESS)
}
