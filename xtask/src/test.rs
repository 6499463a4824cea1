//! `cargo xtask test`: formatting, lints, every test. Tests that need root or an engine are not skipped.

use anyhow::Result;
use clap::Args;

use crate::{engine, shell};

/// Runs every test there is
#[derive(Args)]
pub(crate) struct Test {
    /// Install and start an engine without asking
    #[arg(long)]
    yes: bool,
    /// Only the tests: no formatting, no lints
    #[arg(long)]
    only_tests: bool,
    /// Passed on to `cargo test`
    #[arg(last = true)]
    filter: Vec<String>,
}

impl Test {
    pub(crate) fn run(self) -> Result<()> {
        engine::ensure(self.yes || std::env::var_os("CI").is_some())?;
        if !self.only_tests {
            shell::run(shell::cargo().args(["fmt", "--all", "--check"]))?;
            let clippy = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
            shell::run(shell::cargo().args(clippy))?;
        }
        let mut test = shell::cargo();
        test.args(["test", "--workspace", "--no-fail-fast"]).args(&self.filter);
        shell::run(&mut test)
    }
}
