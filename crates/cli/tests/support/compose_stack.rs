//! A project of docker compose's command line on the real engine.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code, reason = "a test; each file uses a part")]

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

#[path = "../../../engine/tests/support/mod.rs"]
pub(crate) mod busybox;

pub(crate) struct Stack {
    pub(crate) name: String,
    pub(crate) directory: PathBuf,
}

impl Stack {
    /// `None`, with the reason printed, where no engine answers. `IMAGE` in the file is the test's image.
    pub(crate) fn new(name: &str, file: &str) -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(busybox::engine())?;
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("compose-cli-{name}"));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let stack = Self { name: format!("plimsoll-test-cc-{name}"), directory };
        stack.write("compose.yaml", file);
        stack.clean();
        Some(stack)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let text = text.replace("IMAGE", busybox::IMAGE).replace("PROJECT", &self.name);
        fs::write(self.directory.join(path), text).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command
            .args(arguments)
            .current_dir(&self.directory)
            .env("PLIMSOLL_HOME", self.directory.join("home"))
            .env("NO_COLOR", "1")
            .env_remove("COMPOSE_FILE")
            .env_remove("COMPOSE_PROJECT_NAME")
            .stdin(Stdio::null());
        command
    }

    /// The same under docker compose's name.
    pub(crate) fn in_place(&self, arguments: &[&str]) -> Output {
        self.command(arguments).arg0("docker-compose").output().unwrap()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Standard output of a call that succeeds.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}\n{}", said(&output));
        text(&output.stdout)
    }

    /// Standard error of a call that ends with this code.
    pub(crate) fn fails(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{}", said(&output));
        text(&output.stderr)
    }

    /// Like `timeout -s INT`: asks it to end after so many seconds.
    pub(crate) fn in_front(&self, arguments: &[&str], seconds: u64) -> Output {
        let child = self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let id = child.id().to_string();
        let (done, ended) = std::sync::mpsc::channel();
        let watch = thread::spawn(move || {
            if ended.recv_timeout(Duration::from_secs(seconds)).is_err() {
                let _ = Command::new("kill").args(["-INT", &id]).status();
            }
        });
        let output = child.wait_with_output().unwrap();
        let _ = done.send(());
        watch.join().unwrap();
        output
    }

    /// Names (without the project's) and states of all containers.
    pub(crate) fn states(&self) -> Vec<String> {
        let filter = format!("label=com.docker.compose.project={}", self.name);
        let shown = docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}} {{.State}}"]);
        let start = format!("{}-", self.name);
        let mut lines: Vec<String> =
            shown.lines().map(|line| line.strip_prefix(&start).unwrap_or(line).to_owned()).collect();
        lines.sort();
        lines
    }

    /// Waits until the containers are like this.
    pub(crate) fn until(&self, states: &[&str]) {
        for _ in 0..100 {
            if self.states() == states {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(self.states(), states);
    }

    pub(crate) fn clean(&self) {
        let filter = format!("label=com.docker.compose.project={}", self.name);
        for (list, remove) in [
            (&["ps", "-aq"][..], &["rm", "-fv"][..]),
            (&["network", "ls", "-q"], &["network", "rm"]),
            (&["volume", "ls", "-q"], &["volume", "rm", "-f"]),
        ] {
            let ids = docker(&[list, &["--filter", &filter]].concat());
            if !ids.is_empty() {
                docker(&[remove, &ids.split_whitespace().collect::<Vec<_>>()].concat());
            }
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.clean();
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn said(output: &Output) -> String {
    format!("{}\n{}", text(&output.stdout), text(&output.stderr))
}

pub(crate) fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout).trim().to_owned()
}

pub(crate) const ONE: &str =
    "name: PROJECT\nservices:\n  a: { image: IMAGE, init: true, command: [sleep, '1000'] }\n";
