//! docker compose's options of up, run, logs, down and pull, and its place for options before the verb.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

#[path = "../../engine/tests/support/mod.rs"]
mod busybox;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

const COMPOSE: &str = r#"
x-base: &base
  image: plimsoll-test/busybox:1
  init: true
  stop_grace_period: 1s
  command: [sleep, "1000"]
services:
  db: { <<: *base, volumes: [data:/data] }
  web: { <<: *base, depends_on: [db] }
  test: { <<: *base, profiles: [test], command: [sh, -c, "echo testing; sleep 1; exit 7"], depends_on: [db] }
volumes: { data: {} }
"#;

struct Stack {
    name: String,
    directory: PathBuf,
}

impl Stack {
    fn new(name: &str) -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(busybox::engine())?;
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("flags-{name}"));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("stack.yml"), COMPOSE).unwrap();
        let stack = Self { name: format!("plimsoll-test-flags-{name}"), directory };
        stack.run(&["--profile", "*", "down", "--volumes"]);
        Some(stack)
    }

    /// With the project's options before the verb, as docker compose has them.
    fn run(&self, arguments: &[&str]) -> Output {
        let binary =
            std::env::var_os("PLIMSOLL_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_plimsoll").into());
        Command::new(binary)
            .args(["-f", "stack.yml", "-p", &self.name])
            .args(arguments)
            .current_dir(&self.directory)
            .env("PLIMSOLL_HOME", self.directory.join("home"))
            .env("NO_COLOR", "1")
            .env_remove("COMPOSE_FILE")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    fn refused(&self, arguments: &[&str], says: &str) {
        let output = self.run(arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    }

    /// `docker ps` of the project: name without the project's, and state.
    fn containers(&self) -> Vec<String> {
        let filter = format!("label=com.docker.compose.project={}", self.name);
        let shown = docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}} {{.State}}"]);
        let mut lines: Vec<String> = shown.lines().map(|line| line.replace(&self.name, "")).collect();
        lines.sort();
        lines
    }

    fn id(&self, service: &str) -> String {
        docker(&["inspect", "--format", "{{.Id}}", &format!("{}-{service}-1", self.name)])
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.run(&["--profile", "*", "down", "--volumes"]);
    }
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout).trim().to_owned()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn up_does_what_its_options_say() {
    let Some(stack) = Stack::new("up") else { return };
    stack.ok(&["up", "--no-start"]);
    assert_eq!(stack.containers(), ["-db-1 created", "-web-1 created"]);
    stack.ok(&[
        "up",
        "-d",
        "--wait",
        "--wait-timeout",
        "30",
        "-t",
        "1",
        "--quiet-pull",
        "--pull",
        "missing",
        "--no-build",
    ]);
    assert_eq!(stack.containers(), ["-db-1 running", "-web-1 running"]);
    let (db, web) = (stack.id("db"), stack.id("web"));
    stack.ok(&["up", "--scale", "web=3"]);
    assert_eq!(stack.containers(), ["-db-1 running", "-web-1 running", "-web-2 running", "-web-3 running"]);
    stack.ok(&["up", "--force-recreate", "--no-deps", "web"]);
    assert_eq!(stack.id("db"), db);
    assert_ne!(stack.id("web"), web);
    stack.ok(&["up", "--always-recreate-deps", "web"]);
    assert_ne!(stack.id("db"), db);
    // what was written into a volume is lost only when that was agreed to
    let put = |script: &str| docker(&["exec", &format!("{}-db-1", stack.name), "sh", "-c", script]);
    put("echo precious > /data/file");
    let file = stack.directory.join("stack.yml");
    fs::write(&file, COMPOSE.replace("data: {}", "data: { labels: { a: b } }")).unwrap();
    stack.ok(&["up"]);
    assert_eq!(put("cat /data/file"), "precious");
    stack.ok(&["up", "--recreate-volume", "data"]);
    assert_eq!(put("ls /data"), "");
}

#[test]
fn up_refuses_what_it_cannot_mean() {
    let Some(stack) = Stack::new("refuse") else { return };
    stack.refused(&["up", "--scale", "nobody=2"], "has no service nobody");
    stack.refused(&["up", "--scale", "web"], "has no number");
    stack.refused(&["up", "--scale", "web=-1"], "is no number of containers");
    stack.refused(&["up", "--recreate-volume", "nothing"], "has no volume nothing");
    stack.refused(&["up", "--exit-code-from", "nobody"], "has no service nobody");
    stack.refused(&["up", "--no-recreate", "--force-recreate"], "cannot be used with");
    stack.refused(&["up", "--pull", "sometimes"], "invalid value");
    let fixed = COMPOSE.replace("web: {", "web: { container_name: one,");
    fs::write(stack.directory.join("stack.yml"), fixed).unwrap();
    stack.refused(&["up", "--scale", "web=2"], "all would be called one");
    fs::write(stack.directory.join("stack.yml"), COMPOSE.replace("busybox:1", "nowhere:1")).unwrap();
    stack.refused(&["up", "--pull", "never"], "the policy is never to pull");
    assert!(stack.containers().is_empty());
}

#[test]
fn up_stays_in_front_and_gives_a_service_s_exit_code() {
    let Some(stack) = Stack::new("front") else { return };
    let output = stack.run(&["up", "--profile", "test", "--exit-code-from", "test", "--attach", "test"]);
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("test-1  | testing"), "{}", text(&output.stdout));
    let states = stack.containers();
    assert!(states.iter().all(|line| line.ends_with("exited")), "all are stopped: {states:?}");
    let output = stack.run(&["up", "--profile", "test", "--abort-on-container-exit", "--no-log-prefix"]);
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    assert!(text(&output.stdout).lines().any(|line| line == "testing"), "{}", text(&output.stdout));
    // one that fails before it counts as started
    let quick = COMPOSE.replace("sleep 1; exit 7", "exit 8");
    fs::write(stack.directory.join("stack.yml"), quick).unwrap();
    let output = stack.run(&["up", "--profile", "test", "--exit-code-from", "test"]);
    assert_eq!(output.status.code(), Some(8), "{}", text(&output.stderr));
}

#[test]
fn small_verbs_do_their_small_things() {
    let Some(stack) = Stack::new("small") else { return };
    let published = COMPOSE.replace("web: { <<: *base,", "web: { <<: *base, ports: ['127.0.0.1::80'],");
    fs::write(stack.directory.join("stack.yml"), published).unwrap();
    stack.ok(&["create"]);
    assert_eq!(stack.containers(), ["-db-1 created", "-web-1 created"]);
    stack.ok(&["up"]);
    let address = stack.ok(&["port", "web", "80"]);
    assert!(address.starts_with("127.0.0.1:") && address.trim().len() > 10, "{address}");
    stack.refused(&["port", "web", "81"], "is not published");
    assert_eq!(stack.ok(&["pause", "db"]), "", "as in docker compose, standard output has nothing");
    assert_eq!(stack.containers(), ["-db-1 paused", "-web-1 running"]);
    stack.ok(&["unpause"]);
    assert_eq!(stack.ok(&["images"]).lines().count(), 3);
    assert_eq!(stack.ok(&["images", "-q"]).lines().count(), 1);
    stack.ok(&["kill", "-s", "SIGTERM", "web"]);
    let output = stack.run(&["wait", "web"]);
    assert_eq!((text(&output.stdout).as_str(), output.status.code()), ("143\n", Some(143)));
    stack.refused(&["kill", "nobody"], "nobody");
    stack.ok(&["rm", "-f"]);
    assert_eq!(stack.containers(), ["-db-1 running"]);
    stack.ok(&["rm", "-s", "-v", "-f"]);
    assert!(stack.containers().is_empty());
}

#[test]
fn run_publishes_mounts_and_reads_variables() {
    let Some(stack) = Stack::new("run") else { return };
    fs::create_dir(stack.directory.join("in")).unwrap();
    fs::write(stack.directory.join("in/file"), "from here").unwrap();
    fs::write(stack.directory.join("vars"), "ONE=1\nTWO=${ONE}2\n").unwrap();
    let said = stack.ok(&[
        "run",
        "--rm",
        "-T",
        "--no-deps",
        "-v",
        "./in:/in:ro",
        "--env-from-file",
        "vars",
        "-e",
        "TWO=3",
        "--user",
        "1000:1000",
        "-w",
        "/tmp",
        "--entrypoint",
        "sh",
        "web",
        "-c",
        "cat /in/file; echo; touch /in/x 2>/dev/null || echo read-only; sleep 1; echo $ONE $TWO; id -u; pwd",
    ]);
    assert_eq!(said, "from here\nread-only\n1 3\n1000\n/tmp\n");
    assert!(stack.containers().is_empty(), "{:?}", stack.containers());
    let name = format!("{}-named", stack.name);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let publish = format!("127.0.0.1:{port}:80");
    stack.ok(&[
        "run",
        "-d",
        "--name",
        &name,
        "-p",
        &publish,
        "--cap-add",
        "NET_ADMIN",
        "--build",
        "web",
        "sleep",
        "100",
    ]);
    let found =
        docker(&["inspect", "--format", "{{json .HostConfig.PortBindings}} {{.HostConfig.CapAdd}}", &name]);
    assert!(found.contains(&format!("\"HostPort\":\"{port}\"")) && found.contains("NET_ADMIN"), "{found}");
    assert!(docker(&["inspect", "--format", "{{json .Config.Labels}}", &name]).find("<options").is_none());
    assert_eq!(stack.containers(), ["-db-1 running", "-named running"]);
    docker(&["rm", "-f", &name]);
}

#[test]
fn logs_follow_with_f_and_down_takes_images() {
    let Some(stack) = Stack::new("logs") else { return };
    let image = format!("{}-web", stack.name);
    docker(&["tag", busybox::IMAGE, &image]);
    let text_of =
        COMPOSE.replace("command: [sleep, \"1000\"]", "command: [sh, -c, 'echo one; echo two; sleep 1000']");
    let own = text_of.replace("  web: { <<: *base,", &format!("  web: {{ <<: *base, image: {image},"));
    fs::write(stack.directory.join("stack.yml"), own).unwrap();
    stack.ok(&["up", "--scale", "web=2"]);
    assert_eq!(stack.ok(&["logs", "--no-log-prefix", "-n", "1", "--index", "2", "web"]), "two\n");
    assert_eq!(
        stack.ok(&["logs", "--no-color", "-n", "all", "--index", "1", "web"]),
        "web-1  | one\nweb-1  | two\n"
    );
    assert_eq!(stack.ok(&["logs", "--until", "1h", "web"]), "", "nothing was written an hour ago");
    // `-f` is to follow; it ends with the containers
    let mut child = Command::new(
        std::env::var_os("PLIMSOLL_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_plimsoll").into()),
    )
    .args(["-f", "stack.yml", "-p", &stack.name, "logs", "-f", "db"])
    .current_dir(&stack.directory)
    .stdout(Stdio::piped())
    .spawn()
    .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert_eq!(lines.next().unwrap().unwrap(), "db-1  | one");
    assert!(child.try_wait().unwrap().is_none(), "it waits for more");
    child.kill().unwrap();
    child.wait().unwrap();
    let plan = stack.ok(&["down", "--rmi", "local", "--dry-run"]);
    assert!(plan.contains(&format!("remove image {image}")), "{plan}");
    stack.ok(&["down", "--rmi", "local", "--remove-orphans", "-t", "1", "-v"]);
    assert!(!Command::new("docker").args(["image", "inspect", &image]).output().unwrap().status.success());
    docker(&["image", "inspect", busybox::IMAGE]);
}
