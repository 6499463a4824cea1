//! exec, run, stats, stop, start, restart, ls, events, pull and top with the real binary and the real engine.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

#[path = "../../engine/tests/support/mod.rs"]
mod busybox;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

const COMPOSE: &str = r#"
x-base: &base
  image: plimsoll-test/busybox:1
  init: true
  stop_grace_period: 1s
  command: [sh, -c, "echo out of here; touch /tmp/ready; sleep 1000"]
  healthcheck: { test: [CMD-SHELL, "test -e /tmp/ready && echo the probe speaks"], interval: 1s }
services:
  db: { <<: *base, mem_limit: 64m, cpus: 0.5, pids_limit: 50 }
  web:
    <<: *base
    depends_on: { db: { condition: service_healthy, restart: true } }
  tool:
    image: plimsoll-test/busybox:1
    profiles: [tools]
    user: "1000:1000"
    read_only: true
    secrets: [key]
    depends_on: { db: { condition: service_healthy } }
    command: [cat, /run/secrets/key]
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
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("verbs-{name}"));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("compose.yml"), COMPOSE).unwrap();
        fs::write(directory.join("key"), "hunter2").unwrap();
        let stack = Self { name: format!("plimsoll-test-verbs-{name}"), directory };
        stack.run(&["down", "--volumes"]);
        Some(stack)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command
            .args(arguments)
            .current_dir(&self.directory)
            .env("PLIMSOLL_HOME", self.directory.join("home"))
            .env("COMPOSE_PROJECT_NAME", &self.name)
            .env("NO_COLOR", "1")
            .env_remove("COMPOSE_FILE");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {}\n{out}\n{err}", output.status);
        out
    }

    fn states(&self) -> Vec<(String, String)> {
        let rows: Vec<Value> = serde_json::from_str(&self.ok(&["ps", "--json"])).unwrap();
        let cell = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
        rows.iter().map(|row| (cell(row, "service"), cell(row, "state"))).collect()
    }

    fn events(&self) -> Vec<(String, String)> {
        let text = self.ok(&["events", "--json", "--since", "10m", "--until", "0s"]);
        text.lines()
            .map(|line| {
                let event: Value = serde_json::from_str(line).unwrap();
                let cell = |key: &str| event[key].as_str().unwrap().to_owned();
                (cell("action"), cell("service"))
            })
            .collect()
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
fn exec_passes_input_output_and_exit_code_on() {
    let Some(stack) = Stack::new("exec") else { return };
    stack.ok(&["up"]);
    let mut child = stack
        .command(&["exec", "-T", "-e", "A=1", "-u", "1000", "-w", "/tmp", "db", "sh", "-c"])
        .arg("cat; echo $A $PWD; id -u; echo wrong >&2; exit 7")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"typed\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stdout), "typed\n1 /tmp\n1000\n");
    assert_eq!(text(&output.stderr), "wrong\n");
    assert_eq!(output.status.code(), Some(7));

    stack.ok(&["stop", "web"]);
    let stopped = stack.run(&["exec", "web", "true"]);
    assert_eq!(stopped.status.code(), Some(2));
    assert!(text(&stopped.stderr).contains("is exited"), "{}", text(&stopped.stderr));
}

#[test]
fn run_starts_what_is_needed_and_leaves_nothing() {
    let Some(stack) = Stack::new("run") else { return };
    // a secret of a read-only service that is not root's
    assert_eq!(stack.ok(&["run", "--rm", "tool"]), "hunter2");
    assert_eq!(stack.states(), [("db".to_owned(), "running".to_owned())]);
    let output = stack.run(&[
        "run",
        "--rm",
        "--no-deps",
        "-e",
        "X=1",
        "--entrypoint",
        "sh -c",
        "tool",
        "echo $X; exit 3",
    ]);
    assert_eq!((text(&output.stdout).as_str(), output.status.code()), ("1\n", Some(3)));
    let name = stack.ok(&[
        "run",
        "--detach",
        "--no-deps",
        "--name",
        "plimsoll-test-verbs-named",
        "tool",
        "sleep",
        "100",
    ]);
    let label = "{{index .Config.Labels \"com.docker.compose.oneoff\"}} {{index .Config.Labels \"com.docker.compose.service\"}}";
    let seen = Command::new("docker").args(["inspect", "--format", label, name.trim()]).output().unwrap();
    assert_eq!(text(&seen.stdout), "True tool\n");
    // it is nobody's container of the service, and while it runs it belongs to whoever began it
    assert_eq!(stack.states().len(), 1);
    stack.ok(&["down"]);
    let left = Command::new("docker").args(["inspect", name.trim()]).output().unwrap();
    assert!(left.status.success());
    let ended = Command::new("docker").args(["rm", "-f", name.trim()]).output().unwrap();
    assert!(ended.status.success(), "{}", text(&ended.stderr));
    stack.ok(&["down"]);
    let missing = stack.run(&["run", "nothing"]);
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn stop_start_and_restart_keep_the_order() {
    let Some(stack) = Stack::new("order") else { return };
    stack.ok(&["up"]);
    stack.ok(&["stop"]);
    assert!(stack.states().iter().all(|(_, state)| state == "exited"), "{:?}", stack.states());
    // the database comes along, and is healthy first
    stack.ok(&["start", "web"]);
    assert!(stack.states().iter().all(|(_, state)| state == "running"), "{:?}", stack.states());
    stack.ok(&["restart", "db"]);
    let events = stack.events();
    let at = |action: &str, service: &str| {
        let found = events.iter().rposition(|event| *event == (action.to_owned(), service.to_owned()));
        found.unwrap_or_else(|| panic!("no {action} of {service}: {events:?}"))
    };
    // web says `restart: true` about db
    assert!(at("die", "web") < at("die", "db"), "{events:?}");
    assert!(at("die", "db") < at("start", "db"), "{events:?}");
    assert!(at("start", "db") < at("start", "web"), "{events:?}");
}

#[test]
fn stats_and_ls_tell_what_there_is() {
    let Some(stack) = Stack::new("stats") else { return };
    stack.ok(&["up"]);
    let rows: Value = serde_json::from_str(&stack.ok(&["stats", "--no-stream", "--json"])).unwrap();
    let db = &rows[0];
    assert_eq!(db["service"], "db");
    assert_eq!((db["cpu_limit"].as_f64(), db["memory_limit"].as_u64()), (Some(0.5), Some(64 << 20)));
    assert_eq!(db["pids_limit"].as_u64(), Some(50));
    assert!(db["memory"].as_u64().unwrap() > 0 && db["memory"].as_u64().unwrap() < 64 << 20, "{db}");
    assert!(db["cpus"].as_f64().is_some_and(|cpus| (0.0..=2.0).contains(&cpus)), "{db}");
    assert_eq!(rows[1]["memory_limited"], false);

    let projects: Value = serde_json::from_str(&stack.ok(&["ls", "--json"])).unwrap();
    let ours = projects.as_array().unwrap().iter().find(|project| project["name"] == stack.name.as_str());
    let ours = ours.unwrap_or_else(|| panic!("{projects}"));
    assert_eq!(ours["states"]["running"], 2);
    assert_eq!(ours["config_files"][0], stack.directory.join("compose.yml").display().to_string().as_str());
}

#[test]
fn top_takes_a_terminal_and_gives_it_back() {
    let Some(stack) = Stack::new("top") else { return };
    if Command::new("tmux").arg("-V").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "CI is set, so tmux must be there");
        eprintln!("skipped: there is no tmux");
        return;
    }
    stack.ok(&["up"]);
    let socket = stack.directory.join("tmux");
    let tmux = |arguments: &[&str]| {
        let output = Command::new("tmux").arg("-S").arg(&socket).args(arguments).output().unwrap();
        text(&output.stdout)
    };
    let top = |name: &str| {
        format!(
            "stty -g > before; {} top; echo ended $? > ended-{name}; stty -g > after; sleep 100",
            env!("CARGO_BIN_EXE_plimsoll")
        )
    };
    let begin = |name: &str| {
        let directory = stack.directory.display().to_string();
        tmux(&[
            "new-session",
            "-d",
            "-s",
            name,
            "-x",
            "130",
            "-y",
            "24",
            "-c",
            &directory,
            "-e",
            &format!("COMPOSE_PROJECT_NAME={}", stack.name),
            "sh",
            "-c",
            &top(name),
        ]);
    };
    let sees = |name: &str, wanted: &str| {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let screen = tmux(&["capture-pane", "-p", "-t", name]);
            if screen.contains(wanted) {
                return screen;
            }
            assert!(Instant::now() < until, "`{wanted}` is not on the screen:\n{screen}");
            thread::sleep(Duration::from_millis(100));
        }
    };
    let ended = |name: &str| {
        let path = stack.directory.join(format!("ended-{name}"));
        let until = Instant::now() + Duration::from_secs(10);
        while !path.exists() || !stack.directory.join("after").exists() {
            assert!(Instant::now() < until, "top has not ended");
            thread::sleep(Duration::from_millis(50));
        }
        thread::sleep(Duration::from_millis(200));
        assert_eq!(fs::read_to_string(&path).unwrap(), "ended 0\n");
        let modes = |file: &str| fs::read_to_string(stack.directory.join(file)).unwrap();
        assert_eq!(modes("before"), modes("after"), "the terminal's modes are not what they were");
        let screen = tmux(&["capture-pane", "-p", "-t", name]);
        assert!(!screen.contains("SERVICE"), "the screen is not given back:\n{screen}");
        fs::remove_file(stack.directory.join("after")).unwrap();
    };

    begin("keys");
    let screen = sees("keys", "last probe: the probe speaks");
    assert!(screen.contains("64.0 MiB") && screen.contains("healthy"), "{screen}");
    sees("keys", "| out of here");
    tmux(&["send-keys", "-t", "keys", "/", "nothing", "Enter"]);
    let screen = sees("keys", "with \"nothing\"");
    assert!(!screen.contains("| out of here"), "{screen}");
    tmux(&["send-keys", "-t", "keys", "?"]);
    sees("keys", "Nothing here changes the stack");
    tmux(&["send-keys", "-t", "keys", "q"]);
    ended("keys");

    begin("signal");
    sees("signal", "last probe");
    tmux(&["send-keys", "-t", "signal", "C-c"]);
    ended("signal");
    tmux(&["kill-server"]);
}
