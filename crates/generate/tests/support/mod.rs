//! What tests of small stacks share.

use plimsoll_generate::{Planned, Policy, generate, plan};
use plimsoll_survey::{Repository, survey};

/// The plan for a repository of these files.
pub(crate) fn planned(files: &[(&str, &str)]) -> Planned {
    let survey = survey(&Repository::from_files("desk", files.iter().copied()));
    plan(&survey, &Policy::default(), &|_| false).unwrap()
}

/// A file that the plan writes.
pub(crate) fn file(planned: &Planned, path: &str) -> String {
    generate(&planned.stack).unwrap().into_iter().find(|file| file.path == path).unwrap().text
}
