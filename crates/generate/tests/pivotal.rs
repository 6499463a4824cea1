//! What is written for examples/pivotal.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use std::path::Path;

use plimsoll_generate::{GeneratedFile, Policy, generate, plan};
use plimsoll_survey::{Limits, Repository, survey};

fn generated() -> Vec<GeneratedFile> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pivotal");
    let repository = Repository::open(&example, Limits::default()).unwrap();
    let stack = plan(&survey(&repository), &Policy::default()).unwrap();
    generate(&stack).unwrap()
}

#[test]
fn every_file_is_as_reviewed() {
    for file in generated() {
        let name = file.path.trim_start_matches('.').replace('/', "-");
        insta::assert_snapshot!(name, file.text);
    }
}
