//! What tests of small repositories share.

#![allow(dead_code, reason = "each test program uses a part of it")]

use plimsoll_survey::{Gap, Repository, Service, Survey, survey};

/// What is found in a repository of these files.
pub(crate) fn of(files: &[(&str, &str)]) -> Survey {
    survey(&Repository::from_files("checkout", files.iter().copied()))
}

/// The service of this name.
pub(crate) fn service<'a>(survey: &'a Survey, name: &str) -> &'a Service {
    let found = survey.services.iter().find(|service| service.name == name);
    found.unwrap_or_else(|| panic!("no service {name}: {:#?}", survey.gaps))
}

/// The first gap whose message has this part.
pub(crate) fn gap<'a>(survey: &'a Survey, part: &str) -> &'a Gap {
    let found = survey.gaps.iter().find(|gap| gap.message.contains(part));
    found.unwrap_or_else(|| panic!("no gap says {part}: {:#?}", survey.gaps))
}
