//! up, down, ps and logs with the real binary and the real engine, on a tiny image.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

#[path = "../../engine/tests/support/mod.rs"]
mod busybox;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;

const COMPOSE: &str = r#"
x-base: &base
  image: plimsoll-test/busybox:1
  init: true
  stop_grace_period: 1s
  command: [sh, -c, "echo out of $$0; sleep 0.5; touch /tmp/ready; sleep 1000", NAME]
  healthcheck: { test: [CMD, test, -e, /tmp/ready], interval: 1s }
services:
  db: { <<: *base, networks: [inside], cpus: 64 }
  web:
    <<: *base
    networks: [inside]
    secrets: [key]
    depends_on: { db: { condition: service_healthy } }
networks: { inside: { internal: true } }
secrets: { key: { file: ./key } }
"#;

struct Stack {
    name: String,
    directory: PathBuf,
}

impl Stack {
    /// `None`, with the reason printed, where no engine answers.
    fn new(name: &str) -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(busybox::engine())?;
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("stack-{name}"));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("compose.yml"), COMPOSE).unwrap();
        fs::write(directory.join("key"), "hunter2").unwrap();
        let stack = Self { name: format!("plimsoll-test-cli-{name}"), directory };
        stack.run(&["down", "--volumes"]);
        Some(stack)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command
            .args([arguments[0], "--project-name", &self.name])
            .args(&arguments[1..])
            .current_dir(&self.directory)
            .env("PLIMSOLL_HOME", self.directory.join("home"))
            .env("NO_COLOR", "1")
            .env_remove("COMPOSE_FILE");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn ok(&self, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {}\n{out}\n{err}", output.status);
        (out, err)
    }

    fn rows(&self) -> Vec<Value> {
        serde_json::from_str(&self.ok(&["ps", "--json"]).0).unwrap()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.run(&["down", "--volumes"]);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn up_says_what_it_does_and_the_others_say_what_is() {
    let Some(stack) = Stack::new("verbs") else { return };
    let (plan, _) = stack.ok(&["up", "--dry-run"]);
    assert!(plan.contains("fit   db: cpus 64 -> ") && plan.contains("# db does not exist"), "{plan}");
    assert!(stack.rows().is_empty());

    let (out, err) = stack.ok(&["up"]);
    assert!(out.is_empty() && err.contains("up in ") && err.contains("2 containers ready"), "{out}{err}");
    assert!(err.contains(&format!("{}-web-1 is healthy", stack.name)), "{err}");
    let (out, _) = stack.ok(&["up", "--json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert!(json["plan"]["project"] == stack.name.as_str() && json["outcome"]["elapsed"].is_f64(), "{out}");

    let rows = stack.rows();
    let services: Vec<&str> = rows.iter().map(|row| row["service"].as_str().unwrap()).collect();
    assert_eq!(services, ["db", "web"]);
    assert!(stack.ok(&["ps"]).0.starts_with("NAME"));
    let (logs, _) = stack.ok(&["logs", "--tail", "1", "web"]);
    assert_eq!(logs, "web-1  | out of NAME\n");
    let (json, _) = stack.ok(&["logs", "--json"]);
    let line: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!((&line["service"], &line["line"]["stream"]), (&"db".into(), &"stdout".into()));

    let unknown = stack.run(&["up", "nobody"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("no such service: `nobody`"), "{}", text(&unknown.stderr));

    fs::remove_file(stack.directory.join("key")).unwrap();
    let missing = stack.run(&["up"]);
    assert_eq!(missing.status.code(), Some(2));
    let said = text(&missing.stderr);
    assert!(said.contains("secret `key`") && said.contains("compose.yml:16"), "{said}");

    let (out, err) = stack.ok(&["down"]);
    assert!(out.is_empty() && err.contains("2 containers removed"), "{out}{err}");
    assert!(stack.rows().is_empty());
    let state = stack.directory.join("home/state");
    assert_eq!(
        fs::read_dir(&state).unwrap().count(),
        0,
        "nothing of the project is left in {}",
        state.display()
    );
}

#[test]
fn the_second_up_waits_and_names_the_first() {
    let Some(stack) = Stack::new("two") else { return };
    let mut first = stack.command(&["up"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let lock = stack.directory.join(format!("home/state/{}.lock", stack.name));
    while fs::read_to_string(&lock).unwrap_or_default().is_empty() {
        assert!(first.try_wait().unwrap().is_none(), "the first up ended early");
        thread::sleep(Duration::from_millis(5));
    }
    let (out, err) = stack.ok(&["up"]);
    assert!(err.contains(&format!("is in the hands of plimsoll up (pid {})", first.id())), "{err}");
    assert!(err.contains("nothing to do") || err.contains(" ready, all after "), "{out}{err}");
    assert!(first.wait().unwrap().success());
}

#[test]
fn an_interrupted_up_ends_with_130_and_the_next_converges() {
    let Some(stack) = Stack::new("interrupt") else { return };
    let mut child = stack.command(&["up"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("start") && line.contains("-db-1")), "db was started");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.starts_with("interrupted after")), "{rest:?}");
    assert!(
        stack.rows().iter().any(|row| row["service"] == "db" && row["state"] == "running"),
        "what runs goes on"
    );
    let (_, err) = stack.ok(&["up"]);
    assert!(err.contains("up in "), "{err}");
}

#[test]
fn follow_shows_a_container_that_is_started_later() {
    let Some(stack) = Stack::new("follow") else { return };
    stack.ok(&["up", "db"]);
    let mut child = stack.command(&["logs", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert_eq!(lines.next().as_deref(), Some("db-1  | out of NAME"));
    stack.ok(&["up"]);
    let next = lines.next();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(next.as_deref(), Some("web-1  | out of NAME"));
}
