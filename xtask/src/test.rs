//! `cargo xtask test`: formatting, lints, every test. Tests that need root or an engine are not skipped.

use std::process::ExitStatus;

use anyhow::{Result, bail};
use clap::Args;

use crate::{engine, licences, shell};

/// Runs every test there is
#[derive(Args)]
pub(crate) struct Test {
    /// Install and start an engine without asking
    #[arg(long)]
    yes: bool,
    /// Only the tests: no formatting, no lints, no licences
    #[arg(long)]
    only_tests: bool,
    /// Run up to this many failed tests once more, each by itself, and name those that pass then as flaky
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    retry: usize,
    /// Passed on to `cargo test`
    #[arg(last = true)]
    filter: Vec<String>,
}

impl Test {
    pub(crate) fn run(self) -> Result<()> {
        engine::ensure(self.yes || std::env::var_os("CI").is_some())?;
        engine::lend_tun()?;
        if !self.only_tests {
            shell::run(shell::cargo().args(["fmt", "--all", "--check"]))?;
            let clippy = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
            shell::run(shell::cargo().args(clippy))?;
            licences::check()?;
        }
        let mut test = shell::cargo();
        test.args(["test", "--workspace", "--no-fail-fast"]).args(&self.filter);
        let mut failures = Failures::default();
        let status = shell::run_and_read(&mut test, |line| failures.read(line))?;
        if status.success() {
            return Ok(());
        }
        if failures.may_be_flaky(self.retry) {
            return failures.again();
        }
        bail!("cargo test ended with {status}")
    }
}

/// What `cargo test` and the test programs say of failures.
#[derive(Debug, Default, PartialEq, Eq)]
struct Failures {
    /// Names of tests, as libtest prints them.
    tests: Vec<String>,
    /// Arguments of `cargo test` that run a program with failures: `-p NAME --test NAME`.
    targets: Vec<Vec<String>>,
}

impl Failures {
    /// Takes in one line of the output.
    fn read(&mut self, line: &str) {
        if let Some(test) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.tests.push(test.to_owned());
        }
        if let Some((_, rest)) = line.split_once("to rerun pass `")
            && let Some(arguments) = rest.strip_suffix('`')
        {
            self.targets.push(arguments.split(' ').map(str::to_owned).collect());
        }
    }

    /// True if tests failed by name, and no more of them than are worth a second look. A program that does not compile
    /// or that is killed names no test.
    fn may_be_flaky(&self, most: usize) -> bool {
        !self.targets.is_empty() && self.targets.len() <= self.tests.len() && self.tests.len() <= most
    }

    /// Runs the failed tests once more. Fails when one of them fails again or is not found.
    fn again(&self) -> Result<()> {
        println!("\n{} failed; each is run once more:", self.tests.join(", "));
        let mut passed = 0;
        for target in &self.targets {
            let mut test = shell::cargo();
            test.arg("test").args(target).args(["--", "--test-threads=1", "--exact"]).args(&self.tests);
            let status: ExitStatus = shell::run_and_read(&mut test, |line| passed += passed_in(line))?;
            if !status.success() {
                bail!("cargo test {} failed twice", target.join(" "));
            }
        }
        if passed < self.tests.len() {
            bail!("{} tests failed, and {passed} were found again", self.tests.len());
        }
        println!("\nFLAKY, failed once and passed once: {}", self.tests.join(", "));
        Ok(())
    }
}

/// Tests that passed, in a closing line of libtest; 0 for every other line.
fn passed_in(line: &str) -> usize {
    let rest = line.strip_prefix("test result: ok. ");
    rest.and_then(|rest| rest.split_once(' ')).and_then(|(count, _)| count.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(output: &str) -> Failures {
        let mut failures = Failures::default();
        output.lines().for_each(|line| failures.read(line));
        failures
    }

    #[test]
    fn failed_tests_are_named_with_their_program() {
        let output = "\
running 2 tests
test network::a_port ... ok
test network::a_client ... FAILED
test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 355.95s
error: test failed, to rerun pass `-p plimsoll-verify --test mutations`
error: 1 target failed:
    `-p plimsoll-verify --test mutations`";
        let failures = read(output);
        assert_eq!(failures.tests, ["network::a_client"]);
        assert_eq!(failures.targets, [["-p", "plimsoll-verify", "--test", "mutations"]]);
        assert!(failures.may_be_flaky(1) && !failures.may_be_flaky(0));
    }

    #[test]
    fn a_program_that_was_killed_is_not_flaky() {
        let killed = "\
test faults::one ... FAILED
error: test failed, to rerun pass `-p plimsoll --test faults`
error: test failed, to rerun pass `-p plimsoll-stack --lib`";
        assert!(!read(killed).may_be_flaky(3));
        assert!(!read("error: could not compile `plimsoll`").may_be_flaky(3));
    }

    #[test]
    fn passed_tests_are_counted_by_the_closing_line() {
        assert_eq!(passed_in("test result: ok. 12 passed; 0 failed; 0 ignored"), 12);
        assert_eq!(passed_in("test result: FAILED. 1 passed; 1 failed"), 0);
        assert_eq!(passed_in("test http::a ... ok"), 0);
    }
}
