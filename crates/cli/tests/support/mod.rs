//! What the end-to-end tests share: a copy of an example, the real binary, the real engine.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file compiles this for itself and uses a part of it"
)]

use std::{
    fs,
    net::TcpListener,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// One stack at a time: the tests share one engine, two cores and the published ports.
static STACK: Mutex<()> = Mutex::new(());

/// A copy of an example with a compose project, a state folder and a published port of its own: it runs beside a demo
/// of the same example.
pub struct Project {
    pub dir: PathBuf,
    /// The project's name for the engine.
    pub name: String,
    /// A port that nobody had when the test began.
    pub port: u16,
    home: PathBuf,
    _alone: MutexGuard<'static, ()>,
}

impl Project {
    /// Copies `examples/<example>`; `None`, with the reason printed, where neither root nor an engine is there.
    pub fn of(example: &str, name: &str) -> Option<Self> {
        if let Some(reason) = missing() {
            assert!(std::env::var_os("CI").is_none(), "CI must not skip: {reason}");
            eprintln!("skipped: {reason}");
            return None;
        }
        let alone = STACK.lock().unwrap_or_else(PoisonError::into_inner);
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let dir = scratch.join(name);
        // bases and caches are kept between runs; they are keyed by content
        let project = Self {
            dir,
            name: format!("plimsoll-e2e-{name}"),
            port: free_port(),
            home: scratch.join("home"),
            _alone: alone,
        };
        project.forget();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(example);
        copy(&root, &project.dir);
        // `init` names the project, its images and its volumes after the root package
        project.replace(
            "package.json",
            &format!("\"name\": \"{example}\""),
            &format!("\"name\": \"{}\"", project.name),
        );
        Some(project)
    }

    /// The binary in the project's folder.
    pub fn command(&self, args: &[&str]) -> Command {
        // another build of it, a release say, can be put to the same tests
        let binary =
            std::env::var_os("PLIMSOLL_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_plimsoll").into());
        let mut command = Command::new(binary);
        command
            .args(args)
            .current_dir(&self.dir)
            .env("PLIMSOLL_HOME", &self.home)
            .env("HTTP_PORT", self.port.to_string())
            .env("NO_COLOR", "1");
        command
    }

    /// Runs a verb, whatever comes of it.
    pub fn run(&self, args: &[&str]) -> Run {
        let begin = Instant::now();
        let output = self.command(args).output().expect("plimsoll starts");
        let run = Run::of(output);
        eprintln!("plimsoll {}: exit {}, {:.2} s", args.join(" "), run.code, begin.elapsed().as_secs_f64());
        run
    }

    /// Runs a verb that must end with 0.
    pub fn ok(&self, args: &[&str]) -> Run {
        let run = self.run(args);
        assert_eq!(run.code, 0, "plimsoll {}\n{}\n{}", args.join(" "), run.stdout, run.stderr);
        run
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.join(path)
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub fn write(&self, path: &str, text: &str) {
        fs::write(self.path(path), text).unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// Replaces what must be there.
    pub fn replace(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "{path} holds no {from:?}:\n{text}");
        self.write(path, &text.replacen(from, to, 1));
    }

    fn forget(&self) {
        if self.path("compose.production.yml").exists() {
            self.run(&["down", "--volumes"]);
        }
        if self.dir.exists() {
            fs::remove_dir_all(&self.dir).expect("the last run's folder can be removed");
        }
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if self.path("compose.production.yml").exists() {
            let _ = self.command(&["down", "--volumes"]).output();
        }
    }
}

/// What a run of the binary gave.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Every text must be in what was printed.
    pub fn says(&self, texts: &[&str]) {
        for text in texts {
            assert!(
                self.stdout.contains(text) || self.stderr.contains(text),
                "no {text:?} in\n{}\n{}",
                self.stdout,
                self.stderr
            );
        }
    }
}

/// `docker ...`, for looking at the engine with other eyes than ours.
pub fn docker(args: &[&str]) -> String {
    let output = Command::new("/usr/bin/docker").args(args).output().expect("the docker client is there");
    assert!(
        output.status.success(),
        "docker {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("0.0.0.0", 0)).expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

fn missing() -> Option<&'static str> {
    if Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout != b"0\n") {
        return Some("needs root: the builder's sandbox and the cgroup files");
    }
    let socket = "/var/run/docker.sock";
    (UnixStream::connect(socket).is_err()).then_some("needs a Docker Engine: none answers on its socket")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("the example can be read") {
        let entry = entry.expect("the example can be read");
        let name = entry.file_name();
        if name == "node_modules" || name == "dist" {
            continue;
        }
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &to.join(name));
        } else {
            fs::copy(entry.path(), to.join(name)).expect("a file can be copied");
        }
    }
}
