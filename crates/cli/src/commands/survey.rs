//! `plimsoll survey`: what the repository holds, with the file and line that each fact rests on.

use std::{path::PathBuf, process::ExitCode};

use plimsoll_ops::Failure;
use plimsoll_source::{Finding, Severity};
use plimsoll_survey::Survey;
use serde::Serialize;

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

#[derive(Serialize)]
struct Json<'a> {
    #[serde(flatten)]
    survey: &'a Survey,
    /// The gaps in the form that all findings have.
    findings: Vec<Finding>,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let repository = super::init::repository(&args.path)?;
    let survey = plimsoll_survey::survey(&repository);
    if args.json {
        let gaps = survey.gaps.iter();
        let findings =
            gaps.map(|gap| gap.finding(Severity::Warning, |file| repository.source(file))).collect();
        println!("{}", serde_json::to_string_pretty(&Json { survey: &survey, findings })?);
    } else {
        out!("{}", plimsoll_survey::render(&survey));
    }
    Ok(ExitCode::SUCCESS)
}
