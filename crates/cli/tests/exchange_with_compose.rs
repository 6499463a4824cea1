//! A stack of ours in docker compose's hands and one of its in ours: the same containers, nothing made anew.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

#[path = "../../engine/tests/support/mod.rs"]
mod busybox;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const COMPOSE: &str = r#"
x-base: &base
  image: plimsoll-test/busybox:1
  init: true
  stop_grace_period: 1s
services:
  db:
    <<: *base
    command: [sh, -c, "touch /tmp/ready; echo '<db> & co'; sleep 1000"]
    healthcheck: { test: [CMD, test, -e, /tmp/ready], interval: 1s, start_period: 1500ms }
    environment: { A: "1", B: "x&y<z>", EMPTY: "" }
    env_file: [vars.env]
    labels: { team: "a & b" }
    mem_limit: 64m
    cpus: 0.5
    ulimits: { nofile: { soft: 100, hard: 200 }, nproc: 50 }
    tmpfs: ["/scratch:size=1m", /tmp]
    volumes: ["data:/data", { type: tmpfs, target: /t, tmpfs: { size: 1m, mode: 448 } }, "./bound:/bound:ro"]
    networks: { inside: { aliases: [store], priority: 5 }, outside: }
    extra_hosts: ["other=10.0.0.9"]
    logging: { driver: json-file, options: { max-size: 1m } }
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    sysctls: { net.ipv4.tcp_keepalive_time: "600" }
    deploy: { labels: { a: b }, resources: { reservations: { memory: 16m } } }
    read_only: true
    x-note: { a: 1 }
  web:
    <<: *base
    command: sleep 1000
    scale: 2
    depends_on: { db: { condition: service_healthy, restart: true } }
    networks: [inside]
    expose: ["9000"]
    restart: on-failure:3
    links: ["db:database"]
networks: { inside: { internal: true }, outside: {} }
volumes: { data: {} }
"#;

struct Stack {
    name: String,
    directory: PathBuf,
    theirs: PathBuf,
}

impl Stack {
    fn new(name: &str) -> Option<Self> {
        let Some(theirs) = std::env::var_os("PLIMSOLL_TEST_DOCKER_COMPOSE") else {
            assert!(std::env::var_os("CI").is_none(), "CI is set, so docker-compose must be given");
            eprintln!("skipped: PLIMSOLL_TEST_DOCKER_COMPOSE does not name docker-compose");
            return None;
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(busybox::engine())?;
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("compose-{name}"));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(directory.join("bound")).unwrap();
        fs::write(directory.join("compose.yml"), COMPOSE).unwrap();
        fs::write(directory.join("vars.env"), "FROM_FILE=yes\n").unwrap();
        let stack = Self { name: format!("plimsoll-test-compose-{name}"), directory, theirs: theirs.into() };
        stack.ours(&["down", "--volumes"]);
        Some(stack)
    }

    fn ours(&self, arguments: &[&str]) -> Output {
        let binary =
            std::env::var_os("PLIMSOLL_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_plimsoll").into());
        let mut command = Command::new(binary);
        command.args([arguments[0], "--project-name", &self.name]).args(&arguments[1..]);
        command.env("PLIMSOLL_HOME", self.directory.join("home"));
        self.output(command)
    }

    fn theirs(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.theirs);
        command.args(["-p", &self.name]).args(arguments);
        self.output(command)
    }

    fn output(&self, mut command: Command) -> Output {
        let output = command
            .current_dir(&self.directory)
            .env("NO_COLOR", "1")
            .env_remove("COMPOSE_FILE")
            .output()
            .unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// Names and ids of all containers of the project.
    fn containers(&self) -> Vec<String> {
        let mut command = Command::new("docker");
        let filter = format!("label=com.docker.compose.project={}", self.name);
        command.args(["ps", "-a", "--no-trunc", "--filter", &filter, "--format", "{{.Names}} {{.ID}}"]);
        let mut lines: Vec<String> = text(&self.output(command).stdout).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.ours(&["down", "--volumes"]);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_stack_of_ours_is_docker_compose_s_too() {
    let Some(stack) = Stack::new("ours") else { return };
    stack.ours(&["up"]);
    let made = stack.containers();
    assert_eq!(made.len(), 3, "{made:?}");
    let listed = text(&stack.theirs(&["ps", "--format", "{{.Service}} {{.State}}"]).stdout);
    let mut listed: Vec<&str> = listed.lines().collect();
    listed.sort_unstable();
    assert_eq!(listed, ["db running", "web running", "web running"]);
    assert!(text(&stack.theirs(&["logs", "db"]).stdout).contains("<db> & co"));
    let said = text(&stack.theirs(&["up", "--detach", "--no-build"]).stderr);
    assert_eq!(stack.containers(), made, "its `up` makes nothing anew: {said}");
    assert!(!said.contains("Recreate"), "{said}");
    stack.theirs(&["stop", "web"]);
    stack.ours(&["up"]);
    assert_eq!(stack.containers(), made);
    stack.theirs(&["down", "--volumes"]);
    assert!(stack.containers().is_empty());
    assert_eq!(text(&stack.ours(&["ps"]).stdout).lines().count(), 1, "only the headings");
}

#[test]
fn a_stack_of_docker_compose_is_ours_too() {
    let Some(stack) = Stack::new("theirs") else { return };
    stack.theirs(&["up", "--detach", "--wait"]);
    let made = stack.containers();
    assert_eq!(made.len(), 3, "{made:?}");
    let said = text(&stack.ours(&["up"]).stderr);
    assert!(said.contains("nothing to do"), "{said}");
    assert_eq!(stack.containers(), made, "our `up` makes nothing anew");
    assert!(text(&stack.ours(&["logs", "db"]).stdout).contains("<db> & co"));
    let rows: serde_json::Value = serde_json::from_slice(&stack.ours(&["ps", "--json"]).stdout).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 3);
    // what changes is replaced, and only that
    let file = stack.directory.join("compose.yml");
    fs::write(&file, COMPOSE.replace("restart: on-failure:3", "restart: on-failure:4")).unwrap();
    stack.ours(&["up"]);
    let changed = stack.containers();
    let same = changed.iter().filter(|line| made.contains(line)).count();
    assert_eq!((changed.len(), same), (3, 1), "{changed:?}");
    stack.theirs(&["up", "--detach", "--no-build"]);
    assert_eq!(stack.containers(), changed, "and its `up` finds that as it should be");
    stack.ours(&["down", "--volumes"]);
    assert!(stack.containers().is_empty());
}
