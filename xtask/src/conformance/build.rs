//! Build cases: the folder's own runner against the release binary, then the proof that a failure would be seen.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use super::canary;
use crate::shell;

/// Everything that a run of the folder's runner needs.
pub(crate) struct Runner {
    pub(crate) data: PathBuf,
    pub(crate) binary: PathBuf,
    /// Our state, so that no other build's cache or images take part.
    pub(crate) home: PathBuf,
    /// Where the cases are unpacked.
    pub(crate) cases: PathBuf,
}

/// What the runner said at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

pub(crate) fn run(data: &Path) -> Result<bool> {
    shell::run(shell::cargo().args(["build", "--release", "--quiet", "--package", "plimsoll"]))?;
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    let work = shell::target().join("conformance").join(format!("{:016x}", hasher.finish()));
    let runner = Runner {
        data: data.to_owned(),
        binary: shell::target().join("release/plimsoll"),
        home: work.join("home"),
        cases: work.join("cases"),
    };
    let counts = runner.run(&runner.cases)?;
    println!("build   {}/{} ({} skipped)", counts.passed, counts.passed + counts.failed, counts.skipped);
    let canaries = canary::run(&runner, &work)?;
    Ok(counts.failed == 0 && counts.passed > 0 && canaries)
}

impl Runner {
    /// Runs all cases in `cases`; prints one line for each that fails.
    pub(crate) fn run(&self, cases: &Path) -> Result<Counts> {
        let mut child = Command::new("python3")
            .arg(self.data.join("run_cases.py"))
            .arg(&self.binary)
            .env("CASES", cases)
            .env("PLIMSOLL_HOME", &self.home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start python3")?;
        let output = child.stdout.take().context("python3 has no output")?;
        let mut counts = None;
        for line in BufReader::new(output).lines() {
            let line = line?;
            counts = parse(&line);
            if counts.is_none() {
                println!("{line}");
            }
        }
        let status = child.wait()?;
        let Some(counts) = counts else { bail!("run_cases.py ended with {status} and no figures") };
        if status.success() != (counts.failed == 0 && counts.passed > 0) {
            bail!("run_cases.py ended with {status}, but counted {counts:?}");
        }
        Ok(counts)
    }

    /// `plimsoll image build` with the runner's binary and state.
    pub(crate) fn build(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(["image", "build", "--progress=plain"]).env("PLIMSOLL_HOME", &self.home);
        command
    }
}

/// `98 passed, 0 failed, 10 skipped`
fn parse(line: &str) -> Option<Counts> {
    let mut counts = line.split(", ").zip([" passed", " failed", " skipped"]).map(|(part, what)| {
        let number: usize = part.strip_suffix(what)?.parse().ok()?;
        Some(number)
    });
    let mut next = || counts.next().flatten();
    Some(Counts { passed: next()?, failed: next()?, skipped: next()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runners_last_line_is_read() {
        let expected = Counts { passed: 98, failed: 1, skipped: 10 };
        assert_eq!(parse("98 passed, 1 failed, 10 skipped"), Some(expected));
        assert_eq!(parse("FAIL 003-x ['a, b']"), None);
    }
}
