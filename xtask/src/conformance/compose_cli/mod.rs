//! docker compose's command line: our table of command lines with their effects, carried out on a real engine.
//!
//! A [`Scenario`] is one project. Its rows run in order, each as a line of a shell in which `plimsoll` is the program,
//! with what the engine, the output and the exit code must be afterwards. Scenarios run beside each other.

mod daily;
mod files;
mod forms;
mod lives;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Context, Result, bail};

use crate::{engine, shell};

/// The image of all services.
const IMAGE: &str = "plimsoll-test/compose-cli:1";

/// A project and what is done with it.
pub(super) struct Scenario {
    /// Part of the project's name.
    pub(super) name: &'static str,
    /// The Compose file; `@I` (the image) and `@P` (the project's name) are filled in.
    pub(super) file: &'static str,
    /// More files: path and text.
    pub(super) files: &'static [(&'static str, &'static str)],
    /// What is done, in this order.
    pub(super) rows: &'static [Row],
}

/// A command line and what must be true after it.
pub(super) struct Row {
    pub(super) line: &'static str,
    pub(super) expect: &'static [Expect],
}

/// `@P` stands for the project's name in every text.
pub(super) enum Expect {
    /// The exit code; 0 where a row says nothing about it.
    Code(i32),
    /// All of standard output, but for white space at its ends.
    Out(&'static str),
    /// Part of standard output.
    Has(&'static str),
    /// Not in standard output.
    Lacks(&'static str),
    /// Part of standard error.
    Err(&'static str),
    /// Not in standard error.
    ErrLacks(&'static str),
    /// The project's containers, those of `run` left out: `a-1=running b-1=exited`.
    State(&'static str),
    /// What another line of the shell prints, but for white space at its ends.
    Sh(&'static str, &'static str),
}

/// All of the table.
fn scenarios() -> Vec<&'static Scenario> {
    [daily::SCENARIOS, files::SCENARIOS, forms::SCENARIOS, lives::SCENARIOS].into_iter().flatten().collect()
}

/// Prints each row that fails and the figure; true when none failed.
pub(super) fn run(only: Option<&str>) -> Result<bool> {
    engine::ensure(true)?;
    let program = program()?;
    image()?;
    let work = shell::target().join("compose-cli");
    let _ = fs::remove_dir_all(&work);
    let bin = work.join("bin");
    fs::create_dir_all(&bin)?;
    for name in ["plimsoll", "docker-compose"] {
        std::os::unix::fs::symlink(&program, bin.join(name))?;
    }
    let chosen: Vec<&Scenario> =
        scenarios().into_iter().filter(|one| only.is_none_or(|name| one.name == name)).collect();
    let next = AtomicUsize::new(0);
    let failures: Mutex<Vec<String>> = Mutex::default();
    let broken: Mutex<Vec<anyhow::Error>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(scenario) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match (Stage { scenario, bin: &bin, work: &work }).play() {
                        Ok(found) => {
                            failures.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
                        }
                        Err(error) => broken.lock().unwrap_or_else(PoisonError::into_inner).push(error),
                    }
                }
            });
        }
    });
    if let Some(error) = broken.into_inner().unwrap_or_else(PoisonError::into_inner).pop() {
        return Err(error);
    }
    let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    for failure in &failures {
        println!("{failure}\n");
    }
    let all: usize = chosen.iter().map(|scenario| scenario.rows.len()).sum();
    println!("{:<20} {:>4}/{all}", "compose-cli", all - failures.len());
    Ok(failures.is_empty() && all > 0)
}

/// The program under test: `PLIMSOLL_BIN`, else the one of this tree, built now.
fn program() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("PLIMSOLL_BIN") {
        return Ok(PathBuf::from(given));
    }
    shell::run(shell::cargo().args(["build", "--quiet", "--package", "plimsoll"]))?;
    Ok(shell::target().join("debug/plimsoll"))
}

/// A static busybox from the Debian archive, with a link for each of its programs.
fn image() -> Result<()> {
    if shell::succeeds(Command::new("docker").args(["image", "inspect", IMAGE])) {
        return Ok(());
    }
    let work = shell::target().join("compose-cli-image");
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(work.join("root/bin"))?;
    let script = format!(
        "apt-get -o APT::Sandbox::User=root download -qq busybox-static && dpkg -x busybox-static_*.deb unpacked && \
         cp $(find unpacked -path '*bin/busybox' -type f) root/bin/busybox && \
         for one in $(root/bin/busybox --list | grep -vx busybox); do ln -sf busybox root/bin/$one; done && \
         mkdir -p root/tmp root/etc && echo root:x:0:0::/:/bin/sh > root/etc/passwd && \
         tar -C root -c . | docker import -c 'ENV PATH=/bin' -c 'CMD [\"/bin/sh\"]' - {IMAGE}"
    );
    shell::quiet(Command::new("sh").arg("-ec").arg(script).current_dir(&work))
}

struct Stage<'a> {
    scenario: &'a Scenario,
    bin: &'a Path,
    work: &'a Path,
}

impl Stage<'_> {
    fn project(&self) -> String {
        format!("plimsoll-cli-{}", self.scenario.name)
    }

    fn directory(&self) -> PathBuf {
        self.work.join(self.scenario.name)
    }

    fn fill(&self, text: &str) -> String {
        text.replace("@P", &self.project()).replace("@I", IMAGE)
    }

    /// Carries the rows out; gives those that fail.
    fn play(&self) -> Result<Vec<String>> {
        let directory = self.directory();
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("compose.yaml"), self.fill(self.scenario.file))?;
        for (path, text) in self.scenario.files {
            let path = directory.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, self.fill(text))?;
        }
        self.clean()?;
        let mut failures = Vec::new();
        for row in self.scenario.rows {
            let wrong = self.row(row)?;
            if !wrong.is_empty() {
                failures.push(format!("{}: {}\n  {}", self.scenario.name, row.line, wrong.join("\n  ")));
            }
        }
        self.clean()?;
        Ok(failures)
    }

    /// Takes away what the project has in the engine, by its label alone.
    fn clean(&self) -> Result<()> {
        let label = format!("label=com.docker.compose.project={}", self.project());
        for (list, remove) in [
            (&["ps", "-aq"][..], &["rm", "-fv"][..]),
            (&["network", "ls", "-q"], &["network", "rm"]),
            (&["volume", "ls", "-q"], &["volume", "rm", "-f"]),
        ] {
            let found = Command::new("docker").args(list).args(["--filter", &label]).output()?;
            let ids = String::from_utf8_lossy(&found.stdout).into_owned();
            if !ids.trim().is_empty() {
                shell::quiet(Command::new("docker").args(remove).args(ids.split_whitespace()))?;
            }
        }
        Ok(())
    }

    fn shell(&self, line: &str) -> Result<(i32, String, String)> {
        let path = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("sh")
            .arg("-c")
            .arg(self.fill(line))
            .current_dir(self.directory())
            .env("PATH", format!("{}:{path}", self.bin.display()))
            .env("PLIMSOLL_HOME", self.work.join(format!("home-{}", self.scenario.name)))
            .env("NO_COLOR", "1")
            .env_remove("COMPOSE_PROJECT_NAME")
            .env_remove("COMPOSE_FILE")
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot run {line}"))?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
        Ok((output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr)))
    }

    /// What is wrong after the row.
    fn row(&self, row: &Row) -> Result<Vec<String>> {
        if row.expect.is_empty() {
            bail!("{}: `{}` expects nothing", self.scenario.name, row.line);
        }
        let (code, out, err) = self.shell(row.line)?;
        let wanted = row.expect.iter().find_map(|one| match one {
            Expect::Code(code) => Some(*code),
            _ => None,
        });
        let mut wrong = Vec::new();
        if code != wanted.unwrap_or(0) {
            wrong.push(format!("exit code {code}, not {}", wanted.unwrap_or(0)));
        }
        for one in row.expect {
            let (ok, what) = match one {
                Expect::Code(_) => continue,
                Expect::Out(text) => {
                    (out == self.fill(text).trim(), format!("standard output is not `{text}`"))
                }
                Expect::Has(text) => {
                    (out.contains(&self.fill(text)), format!("`{text}` is not in standard output"))
                }
                Expect::Lacks(text) => {
                    (!out.contains(&self.fill(text)), format!("`{text}` is in standard output"))
                }
                Expect::Err(text) => {
                    (err.contains(&self.fill(text)), format!("`{text}` is not in standard error"))
                }
                Expect::ErrLacks(text) => {
                    (!err.contains(&self.fill(text)), format!("`{text}` is in standard error"))
                }
                Expect::State(text) => {
                    let found = self.state()?;
                    (found == *text, format!("the containers are `{found}`, not `{text}`"))
                }
                Expect::Sh(line, text) => {
                    let (_, found, _) = self.shell(line)?;
                    (found == self.fill(text).trim(), format!("`{line}` prints `{found}`, not `{text}`"))
                }
            };
            if !ok {
                wrong.push(what);
            }
        }
        if !wrong.is_empty() {
            wrong.push(format!("standard output: {out}"));
            wrong.push(format!("standard error: {err}"));
        }
        Ok(wrong)
    }

    fn state(&self) -> Result<String> {
        let label = format!("label=com.docker.compose.project={}", self.project());
        let found = Command::new("docker")
            .args(["ps", "-a", "--filter", &label, "--filter", "label=com.docker.compose.oneoff=False"])
            .args(["--format", "{{.Names}}={{.State}}"])
            .output()?;
        let start = format!("{}-", self.project());
        let text = String::from_utf8_lossy(&found.stdout).into_owned();
        let mut lines: Vec<&str> =
            text.lines().map(|line| line.strip_prefix(&start).unwrap_or(line)).collect();
        lines.sort_unstable();
        Ok(lines.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let all = scenarios();
        let rows: usize = all.iter().map(|scenario| scenario.rows.len()).sum();
        assert!(rows >= 150, "{rows} rows");
        for (at, scenario) in all.iter().enumerate() {
            assert!(all[..at].iter().all(|other| other.name != scenario.name), "{} twice", scenario.name);
            assert!(scenario.rows.iter().all(|row| !row.expect.is_empty()), "{}", scenario.name);
        }
    }
}
