//! Prints what a call of a Dockerfile gives.

use std::process::ExitCode;

use plimsoll_buildx::call::Answer;
use plimsoll_ops::Failure;

use crate::render;

/// The text on standard output; findings end the program with 1, as those of `docker buildx build --check` do.
pub(crate) fn show(answer: &Answer) -> Result<ExitCode, Failure> {
    for note in &answer.notes {
        eprintln!("{note}");
    }
    if answer.json {
        print!("{}", answer.text);
    } else {
        out!("{}", answer.text);
    }
    match &answer.problem {
        Some(problem) if answer.is_fault => return Err(problem.clone().into()),
        Some(problem) if !answer.json => render::error(&Failure::from(problem.clone())),
        _ => {}
    }
    Ok(if answer.well { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
