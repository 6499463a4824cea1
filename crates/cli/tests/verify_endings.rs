//! Whatever ends `plimsoll verify`, what it had paused or stopped runs again: a closed terminal, SIGQUIT, SIGKILL.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

#[path = "../../engine/tests/support/mod.rs"]
mod busybox;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use plimsoll_engine::{Engine, RunState};
use rustix::process::{Pid, Signal, kill_process};

const COMPOSE: &str = r#"
services:
  app:
    image: plimsoll-test/busybox:1
    command: [sh, -c, "exec busybox httpd -f -p 8080 -h /etc"]
    stop_grace_period: 1s
    networks: [inside]
    depends_on: { redis: { condition: service_healthy } }
    healthcheck:
      test: [CMD-SHELL, "busybox printf 'GET /passwd HTTP/1.0\\r\\n\\r\\n' | busybox timeout 5 busybox nc redis 8080 | busybox grep -q '200 OK'"]
      interval: 1s
      timeout: 8s
      # It does not see that its own service is stopped: so long it is asked again before redis has its turn.
      retries: 1
  redis:
    image: plimsoll-test/busybox:1
    command: [sh, -c, "exec busybox httpd -f -p 8080 -h /etc"]
    expose: ["6379"]
    stop_grace_period: 1s
    networks: [inside]
    healthcheck:
      test: [CMD-SHELL, "busybox printf 'GET /passwd HTTP/1.0\\r\\n\\r\\n' | busybox timeout 5 busybox nc 127.0.0.1 8080 | busybox grep -q '200 OK'"]
      interval: 1s
      timeout: 8s
networks: { inside: { internal: true } }
"#;

struct Stack {
    name: String,
    directory: PathBuf,
    runtime: tokio::runtime::Runtime,
    engine: Engine,
}

impl Stack {
    /// `None`, with the reason printed, where no engine answers or where it is not root.
    fn new(name: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            assert!(std::env::var_os("CI").is_none(), "CI is set, so this test must run as root");
            eprintln!("skipped: not root");
            return None;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let engine = runtime.block_on(busybox::engine())?;
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("verify-endings-{name}"));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("compose.yml"), COMPOSE).unwrap();
        let stack = Self { name: format!("plimsoll-test-endings-{name}"), directory, runtime, engine };
        stack.run(&["down", "--volumes"]);
        let up = stack.run(&["up"]);
        assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
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

    fn verify(&self) -> Child {
        self.command(&["verify"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Whether the service's container is paused, and whether its first process is stopped.
    fn disturbed(&self, service: &str) -> (bool, bool) {
        let name = format!("{}-{service}-1", self.name);
        let detail = self.runtime.block_on(self.engine.inspect_container(&name)).unwrap();
        let status = fs::read_to_string(format!("/proc/{}/status", detail.pid)).unwrap_or_default();
        (detail.state == RunState::Paused, status.contains("State:\tT"))
    }

    /// Waits until it is so; false after a minute.
    fn until(&self, so: impl Fn(&Self) -> bool) -> bool {
        let begin = Instant::now();
        while !so(self) {
            if begin.elapsed() > Duration::from_mins(1) {
                return false;
            }
            thread::sleep(Duration::from_millis(15));
        }
        true
    }

    fn note(&self) -> PathBuf {
        self.directory.join("home/state").join(&self.name).join("disturbed.json")
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.run(&["down", "--volumes"]);
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), signal).unwrap();
}

fn is_paused(stack: &Stack) -> bool {
    stack.disturbed("redis").0
}

fn is_stopped(stack: &Stack) -> bool {
    stack.disturbed("redis").1
}

fn runs(stack: &Stack) -> bool {
    stack.disturbed("redis") == (false, false) && !stack.note().exists()
}

#[test]
fn closed_terminal_leaves_a_store_paused() {
    let Some(stack) = Stack::new("hangup") else { return };
    for ending in [Signal::HUP, Signal::QUIT] {
        let mut verify = stack.verify();
        assert!(stack.until(is_paused), "it was never paused");
        assert!(stack.note().exists(), "nothing was written down before the pause");
        signal(&verify, ending);
        let ended = verify.wait().unwrap();
        assert!(runs(&stack), "{ending:?} left it {:?}", stack.disturbed("redis"));
        assert_eq!(ended.code(), Some(2), "{ending:?}");
    }
}

#[test]
fn killed_while_a_store_is_paused_or_stopped() {
    let Some(stack) = Stack::new("killed") else { return };
    for moment in [is_stopped, is_paused] {
        let mut verify = stack.verify();
        assert!(stack.until(moment), "the moment never came");
        signal(&verify, Signal::KILL);
        verify.wait().unwrap();
        assert!(stack.until(runs), "it is left {:?}", stack.disturbed("redis"));
    }
}

/// The process that takes it back was killed too: the next verb does.
#[test]
fn the_next_verb_takes_back_what_is_written_down() {
    let Some(stack) = Stack::new("note") else { return };
    let name = format!("{}-redis-1", stack.name);
    let id = stack.runtime.block_on(stack.engine.inspect_container(&name)).unwrap().id;
    stack.runtime.block_on(stack.engine.kill_container(&id, "SIGSTOP")).unwrap();
    fs::write(stack.note(), format!("[{{\"continue\":\"{id}\"}}]")).unwrap();
    assert!(stack.until(is_stopped));
    let up = stack.run(&["up"]);
    assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
    assert!(String::from_utf8_lossy(&up.stderr).contains("left by a measurement"));
    assert!(runs(&stack));
}
