//! Families whose cases are compared by a crate's own tests: those tests run on the folder, their figures are read.

use std::{path::Path, process::Stdio};

use anyhow::{Context, Result};

use crate::shell;

/// One crate's conformance tests.
pub(crate) struct Suite {
    package: &'static str,
    /// Files in the crate's `tests/`.
    tests: &'static [&'static str],
    /// What must report figures; a family that is silent has not run.
    families: &'static [&'static str],
}

pub(crate) const DOCKERFILE: Suite = Suite {
    package: "plimsoll-dockerfile",
    tests: &["conformance", "checks"],
    families: &[
        "parser_ok",
        "parser_fail",
        "line_info",
        "expand",
        "words",
        "modifiers",
        "instruction_errors",
        "ignore",
        "filepath_match",
        "lint-cases",
    ],
};

pub(crate) const CHECKS: Suite =
    Suite { package: "plimsoll-dockerfile", tests: &["checks"], families: &["lint-cases"] };

pub(crate) const COMPOSE: Suite = Suite {
    package: "plimsoll-compose",
    tests: &["conformance"],
    families: &[
        "interpolation.jsonl",
        "dotenv.jsonl",
        "port.jsonl",
        "volume.jsonl",
        "merge.jsonl",
        "loader.jsonl",
    ],
};

/// The negative half of `init`: folders that are no web service or say too little. Its cases are in the test itself.
pub(crate) const NEGATIVE: Suite =
    Suite { package: "plimsoll-generate", tests: &["negative"], families: &["negative"] };

impl Suite {
    /// Prints `passed/all` for each family and everything that a failing test said; true when nothing failed. Tests
    /// that have their cases in themselves need no folder.
    pub(crate) fn run(&self, folder: Option<&Path>) -> Result<bool> {
        let mut cargo = shell::cargo();
        cargo.args(["test", "--quiet", "--no-fail-fast", "--package", self.package]);
        for test in self.tests {
            cargo.args(["--test", test]);
        }
        cargo.args(["--", "--nocapture"]).env("RUST_BACKTRACE", "0");
        if let Some(folder) = folder {
            cargo.env("PLIMSOLL_CONFORMANCE", folder);
        }
        let output = cargo.stdin(Stdio::null()).output().context("cannot start cargo")?;
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let lines: Vec<&str> = text.iter().flat_map(|text| text.lines()).collect();

        let mut ok = output.status.success();
        let mut all = Figure::default();
        for family in self.families {
            match lines.iter().find_map(|line| figure(line, family)) {
                Some(figure) => {
                    println!("{family:<20} {:>4}/{}", figure.passed, figure.of);
                    ok &= figure.passed == figure.of && figure.of > 0;
                    all.passed += figure.passed;
                    all.of += figure.of;
                }
                None => {
                    println!("{family:<20} did not run");
                    ok = false;
                }
            }
        }
        if self.families.len() > 1 {
            println!("{:<20} {:>4}/{}", "all", all.passed, all.of);
        }
        for line in lines.iter().filter(|line| ok && line.trim_start_matches('.').starts_with("apart: ")) {
            println!("{}", line.trim_start_matches('.'));
        }
        if !ok {
            for line in lines.iter().filter(|line| !is_noise(line)) {
                println!("{line}");
            }
        }
        Ok(ok)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Figure {
    passed: usize,
    of: usize,
}

/// `family: 3 of 4 rows` or `family: 3/4`, perhaps behind a dot of the test harness.
fn figure(line: &str, family: &str) -> Option<Figure> {
    let line = line.trim_start_matches('.');
    let counts = line.strip_prefix(family)?.strip_prefix(": ")?;
    let (passed, rest) = counts.split_once(" of ").or_else(|| counts.split_once('/'))?;
    let of = rest.split(' ').next()?;
    Some(Figure { passed: passed.parse().ok()?, of: of.parse().ok()? })
}

/// What the harness prints around a test's own words.
fn is_noise(line: &str) -> bool {
    let line = line.trim_start_matches('.');
    line.is_empty()
        || ["running ", "test result: ", "note: run with", "failures:", "error: test failed"]
            .iter()
            .any(|start| line.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_in_both_forms() {
        let expected = Some(Figure { passed: 3, of: 40 });
        assert_eq!(figure("..words: 3 of 40 rows", "words"), expected);
        assert_eq!(figure("port.jsonl: 3/40", "port.jsonl"), expected);
        assert_eq!(figure("port.jsonl case 3 x: 3/40", "port.jsonl"), None);
        assert_eq!(figure("words: 3 rows fail", "words"), None);
        // what crates/generate/tests/negative.rs prints, with one test in the program
        assert_eq!(figure("negative: 22/23", "negative"), Some(Figure { passed: 22, of: 23 }));
    }
}
