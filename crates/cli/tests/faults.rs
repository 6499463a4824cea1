//! `up` and `down` that are killed or interrupted at every engine call they make, and engines that go away, come back,
//! or have a full disk: the next run converges, and nothing is left over.
//!
//! A proxy between the real binary and the real engine counts the calls that change something, and sends the signal
//! right after the n-th has reached the engine: the engine carries it out although nobody waits for the answer.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

#[path = "../../engine/tests/support/mod.rs"]
mod busybox;

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// Every kind of step: networks, volumes that are given away, secrets, a one-shot, hooks, gates, a second network.
const STACK: &str = r#"
x-base: &base
  image: plimsoll-test/busybox:1
  init: true
  stop_grace_period: 1s
  environment: { VERSION: "${VERSION:-1}" }
services:
  db:
    <<: *base
    user: "1234"
    command: [sh, -c, "touch /tmp/ready; sleep 1000"]
    healthcheck: { test: [CMD, test, -e, /tmp/ready], interval: 30s }
    volumes: [data:/var/lib/nowhere]
    networks: [inside]
  migrate:
    <<: *base
    command: [sh, -c, "echo $$VERSION >> /shared/runs"]
    volumes: [shared:/shared]
    depends_on: { db: { condition: service_healthy } }
    networks: [inside]
  web:
    <<: *base
    command: [sleep, "1000"]
    secrets: [key]
    volumes: [shared:/shared]
    post_start: [{ command: [touch, /tmp/hooked] }]
    pre_stop: [{ command: ["true"] }]
    depends_on: { migrate: { condition: service_completed_successfully } }
    networks: [inside, outside]
networks: { inside: { internal: true }, outside: {} }
volumes: { data: {}, shared: {} }
secrets: { key: { file: ./key } }
"#;

struct Stack {
    name: String,
    directory: PathBuf,
    socket: String,
}

impl Stack {
    fn new(name: &str, socket: &str) -> Self {
        let directory = PathBuf::from(format!("/tmp/plimsoll-test-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("compose.yml"), STACK).unwrap();
        fs::write(directory.join("key"), "hunter2").unwrap();
        Self { name: format!("plimsoll-test-{name}"), directory, socket: socket.to_owned() }
    }

    /// On the machine's engine; `None`, with the reason printed, where there is none.
    fn here(name: &str) -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(busybox::engine())?;
        let stack = Self::new(name, "/var/run/docker.sock");
        stack.ok(1, &["down", "--volumes"]);
        Some(stack)
    }

    fn command(&self, socket: &str, version: usize, arguments: &[&str]) -> Command {
        // another build of it, a release say, can be put to the same tests
        let binary =
            std::env::var_os("PLIMSOLL_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_plimsoll").into());
        let mut command = Command::new(binary);
        command
            .args([arguments[0], "--project-name", &self.name])
            .args(&arguments[1..])
            .current_dir(&self.directory)
            .env("PLIMSOLL_HOME", self.directory.join("home"))
            .env("DOCKER_HOST", format!("unix://{socket}"))
            .env("VERSION", version.to_string())
            .env("NO_COLOR", "1")
            .env_remove("COMPOSE_FILE")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, version: usize, arguments: &[&str]) -> Output {
        self.command(&self.socket, version, arguments).output().unwrap()
    }

    fn ok(&self, version: usize, arguments: &[&str]) -> String {
        let output = self.run(version, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn docker(&self, arguments: &[&str]) -> String {
        let host = format!("unix://{}", self.socket);
        let mut command = Command::new("docker");
        let output = command.env_remove("DOCKER_HOST").args(["-H", &host]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout).trim().to_owned()
    }

    /// Names of what the engine has of the project.
    fn has(&self, kind: &str) -> Vec<String> {
        let filter = format!("label=com.docker.compose.project={}", self.name);
        let format = if kind == "ps" { "{{.Names}}" } else { "{{.Name}}" };
        let list: &[&str] = if kind == "ps" { &["ps", "-a"] } else { &[kind, "ls"] };
        let shown = self.docker(&[list, &["--filter", &filter, "--format", format]].concat());
        let mut names: Vec<String> = shown.lines().map(|name| name.replace(&self.name, "")).collect();
        names.sort();
        names
    }

    /// The stack is what the file says, and nothing else.
    fn converges(&self, version: usize, after: &str) {
        self.ok(version, &["up"]);
        assert_eq!(self.has("ps"), ["-db-1", "-migrate-1", "-web-1"], "{after}");
        assert_eq!(self.has("network"), ["_inside", "_outside"], "{after}");
        assert_eq!(self.has("volume"), ["_data", "_shared"], "{after}");
        let web = format!("{}-web-1", self.name);
        let said = self.docker(&[
            "exec",
            &web,
            "sh",
            "-c",
            "echo $VERSION; cat /run/secrets/key; ls /tmp/hooked; cat /shared/runs",
        ]);
        let mut lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.remove(0), version.to_string(), "{after}");
        assert_eq!(lines.remove(0), "hunter2/tmp/hooked", "{after}: the hook has run");
        assert_eq!(lines.last(), Some(&version.to_string().as_str()), "{after}: the one-shot has run");
        let db = format!("{}-db-1", self.name);
        assert_eq!(self.docker(&["exec", &db, "stat", "-c", "%u", "/var/lib/nowhere"]), "1234", "{after}");
        let again = self.run(version, &["up"]);
        let again = text(&again.stderr);
        assert!(again.contains("nothing to do"), "{after}: {again}");
    }

    fn is_gone(&self, after: &str) {
        for kind in ["ps", "network", "volume"] {
            assert!(self.has(kind).is_empty(), "{after}: {kind} {:?}", self.has(kind));
        }
    }

    /// Runs a verb through a proxy that sends `signal` at the n-th change. `None` if it makes fewer.
    fn struck(&self, version: usize, arguments: &[&str], at: usize, signal: Signal) -> Option<Output> {
        let proxy = Proxy::open(&self.directory, &self.socket, at, signal);
        let mut command = self.command(&proxy.path.display().to_string(), version, arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        proxy.target.store(i32::try_from(child.id()).unwrap(), Ordering::SeqCst);
        let output = child.wait_with_output().unwrap();
        proxy.struck.load(Ordering::SeqCst).then_some(output)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.run(1, &["down", "--volumes"]);
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Passes everything on to the engine and counts what changes something there.
struct Proxy {
    path: PathBuf,
    target: Arc<AtomicI32>,
    struck: Arc<AtomicBool>,
}

impl Proxy {
    fn open(directory: &Path, engine: &str, at: usize, signal: Signal) -> Self {
        let path = directory.join(format!("proxy-{at}.sock"));
        let _ = fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        let proxy = Self { path, target: Arc::default(), struck: Arc::default() };
        let (target, struck) = (Arc::clone(&proxy.target), Arc::clone(&proxy.struck));
        let (engine, count) = (engine.to_owned(), Arc::new(AtomicUsize::new(0)));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = UnixStream::connect(&engine) else { continue };
                let (mut back, mut client_out) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || {
                    let _ = std::io::copy(&mut back, &mut client_out);
                    let _ = client_out.shutdown(std::net::Shutdown::Both);
                });
                let (count, target, struck) = (Arc::clone(&count), Arc::clone(&target), Arc::clone(&struck));
                thread::spawn(move || {
                    let (mut client, mut server) = (client, server);
                    let mut buffer = vec![0; 64 * 1024];
                    while let Ok(length @ 1..) = client.read(&mut buffer) {
                        let nth =
                            changes(&buffer[..length]).then(|| count.fetch_add(1, Ordering::SeqCst) + 1);
                        if server.write_all(&buffer[..length]).is_err() {
                            break;
                        }
                        if nth == Some(at) {
                            while target.load(Ordering::SeqCst) == 0 {
                                thread::yield_now();
                            }
                            struck.store(true, Ordering::SeqCst);
                            let pid = Pid::from_raw(target.load(Ordering::SeqCst)).unwrap();
                            let _ = kill_process(pid, signal);
                        }
                    }
                    let _ = server.shutdown(std::net::Shutdown::Write);
                });
            }
        });
        proxy
    }
}

/// A request that changes something: neither a look, nor a probe, nor a wait.
fn changes(request: &[u8]) -> bool {
    let line = String::from_utf8_lossy(&request[..request.len().min(200)]).into_owned();
    let method = line.split(' ').next().unwrap_or_default();
    let path = line.split(' ').nth(1).unwrap_or_default();
    matches!(method, "POST" | "PUT" | "DELETE")
        && path.starts_with('/')
        && !path.contains("/exec")
        && !path.contains("/wait")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn an_up_that_is_killed_anywhere_is_followed_by_one_that_converges() {
    let Some(stack) = Stack::here("f-kill") else { return };
    let mut version = 1;
    let mut calls = 0;
    // from nothing
    while stack.struck(version, &["up"], calls + 1, Signal::KILL).is_some() {
        calls += 1;
        stack.converges(version, &format!("killed at call {calls} from nothing"));
        stack.ok(version, &["down", "--volumes"]);
        stack.is_gone("down");
    }
    assert!(calls >= 12, "only {calls} calls");
    // every service is replaced
    stack.converges(version, "nothing was killed");
    let mut replaced = 0;
    loop {
        version += 1;
        if stack.struck(version, &["up"], replaced + 1, Signal::KILL).is_none() {
            break;
        }
        replaced += 1;
        stack.converges(version, &format!("killed at call {replaced} of a replacement"));
    }
    assert!(replaced >= 12, "only {replaced} calls");
    eprintln!("killed at {calls} calls of a new stack and {replaced} of a replacement");
}

#[test]
fn an_up_that_is_interrupted_anywhere_is_followed_by_one_that_converges() {
    let Some(stack) = Stack::here("f-int") else { return };
    let (mut version, mut calls) = (1, 0);
    stack.converges(version, "at first");
    loop {
        version += 1;
        let Some(output) = stack.struck(version, &["up"], calls + 1, Signal::INT) else { break };
        calls += 1;
        let said = text(&output.stderr);
        // the last call may be the end of all: then it was done when the signal came
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 130)), "{code:?} at call {calls}: {said}");
        // no replacement is left half done
        for container in stack.has("ps") {
            assert!(
                ["-db-1", "-migrate-1", "-web-1"].contains(&container.as_str()) || container.contains('_'),
                "{container}"
            );
        }
        let running = stack.docker(&[
            "ps",
            "--format",
            "{{.Names}}",
            "--filter",
            &format!("name={}-web-1", stack.name),
        ]);
        assert!(!running.is_empty(), "web serves although it was interrupted at call {calls}: {said}");
        stack.converges(version, &format!("interrupted at call {calls}"));
    }
    assert!(calls >= 12, "only {calls} calls");
    eprintln!("interrupted at {calls} calls");
}

#[test]
fn a_down_that_is_killed_or_interrupted_anywhere_is_finished_by_the_next() {
    let Some(stack) = Stack::here("f-down") else { return };
    for signal in [Signal::KILL, Signal::INT] {
        let mut calls = 0;
        stack.converges(1, "at first");
        while stack.struck(1, &["down", "--volumes", "--timeout", "1"], calls + 1, signal).is_some() {
            calls += 1;
            stack.ok(1, &["down", "--volumes"]);
            stack.is_gone(&format!("{signal:?} at call {calls}"));
            let states = fs::read_dir(stack.directory.join("home/state")).unwrap().count();
            assert_eq!(states, 0, "{signal:?} at call {calls}: something is left in the state directory");
            stack.ok(1, &["up"]);
        }
        assert!(calls >= 9, "only {calls} calls");
        eprintln!("{signal:?} at {calls} calls of a down");
    }
}

#[test]
fn what_is_missing_or_taken_is_said_before_anything_is_made() {
    let Some(stack) = Stack::here("f-refuse") else { return };
    let refused = |arguments: &[&str], says: &[&str]| {
        let output = stack.run(1, arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(says.iter().all(|part| said.contains(part)) && said.contains("hint"), "{said}");
        stack.is_gone("a refusal");
    };
    let missing = STACK.replace(
        "    command: [sleep, \"1000\"]",
        "    image: 127.0.0.1:1/nowhere:1\n    command: [sleep, \"1000\"]",
    );
    fs::write(stack.directory.join("missing.yml"), missing).unwrap();
    refused(&["up", "--file", "missing.yml"], &["127.0.0.1:1/nowhere:1", "of web"]);

    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let taken = STACK.replace("    secrets: [key]", &format!("    secrets: [key]\n    ports: ['{port}:80']"));
    fs::write(stack.directory.join("taken.yml"), taken).unwrap();
    let holder = format!("(pid {})", std::process::id());
    refused(&["up", "--file", "taken.yml"], &[&format!("port {port}/tcp"), "taken by process", &holder]);

    let output = stack.command("/nowhere/docker.sock", 1, &["up"]).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("no container engine answers at unix:///nowhere/docker.sock"), "{said}");
    assert!(said.contains("DOCKER_HOST"), "{said}");
}

const BRIDGE: &str = "plimtest2";

/// An engine of our own, whose directory is a small file system in memory.
struct Own {
    directory: PathBuf,
    daemon: Mutex<Option<Child>>,
}

impl Own {
    fn start() -> Option<Self> {
        let has = |name: &str| {
            Command::new("sh").args(["-c", &format!("command -v {name}")]).output().unwrap().status.success()
        };
        let missing = ["dockerd", "ip", "mount"].into_iter().find(|name| !has(name));
        let why = if rustix::process::geteuid().is_root() {
            missing.map(|name| format!("there is no {name}"))
        } else {
            Some("not root".to_owned())
        };
        if let Some(why) = why {
            assert!(std::env::var_os("CI").is_none(), "CI is set, so this test must run: {why}");
            eprintln!("skipped: {why}");
            return None;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(busybox::engine())?;
        // the exec root has the paths of sockets: they must be short
        let directory = PathBuf::from(format!("/tmp/plimsoll-test-own-{}", std::process::id()));
        fs::create_dir_all(directory.join("data")).unwrap();
        ok(Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64m", "plimsoll-test"])
            .arg(directory.join("data")));
        ok(Command::new("ip").args(["link", "add", BRIDGE, "type", "bridge"]));
        ok(Command::new("ip").args(["addr", "add", "172.31.252.1/24", "dev", BRIDGE]));
        let own = Self { directory, daemon: Mutex::new(None) };
        own.run();
        let saved = own.directory.join("image.tar");
        ok(Command::new("docker").args(["save", "-o"]).arg(&saved).arg(busybox::IMAGE));
        ok(Command::new("docker")
            .args(["-H", &format!("unix://{}", own.socket()), "load", "-i"])
            .arg(&saved));
        Some(own)
    }

    fn socket(&self) -> String {
        self.directory.join("docker.sock").display().to_string()
    }

    fn run(&self) {
        let path = |name: &str| self.directory.join(name).display().to_string();
        let log = File::options().create(true).append(true).open(path("dockerd.log")).unwrap();
        let child = Command::new("dockerd")
            .arg(format!("--host=unix://{}", self.socket()))
            .arg(format!("--data-root={}", path("data")))
            .arg(format!("--exec-root={}", path("exec")))
            .arg(format!("--pidfile={}", path("docker.pid")))
            .arg(format!("--bridge={BRIDGE}"))
            .args(["--iptables=false", "--ip-masq=false"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        *self.daemon.lock().unwrap() = Some(child);
        let until = Instant::now() + Duration::from_mins(1);
        let host = format!("unix://{}", self.socket());
        while !Command::new("docker").args(["-H", &host, "version"]).output().unwrap().status.success() {
            assert!(Instant::now() < until, "{}", fs::read_to_string(path("dockerd.log")).unwrap());
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn end(&self) {
        if let Some(mut daemon) = self.daemon.lock().unwrap().take() {
            let _ = kill_process(Pid::from_child(&daemon), Signal::TERM);
            let _ = daemon.wait();
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if self.daemon.lock().unwrap().is_none() {
            self.run();
        }
        let host = format!("unix://{}", self.socket());
        let listed = Command::new("docker").args(["-H", &host, "ps", "-aq"]).output().unwrap();
        for id in text(&listed.stdout).split_whitespace() {
            let _ = Command::new("docker").args(["-H", &host, "rm", "-f", id]).output();
        }
        self.end();
        let _ = Command::new("ip").args(["link", "del", BRIDGE]).status();
        let _ = Command::new("umount").arg(self.directory.join("data")).status();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn ok(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
}

#[test]
fn an_engine_that_restarts_goes_away_or_has_no_room_is_told_and_outlived() {
    let Some(own) = Own::start() else { return };
    let stack = Stack::new("f-own", &own.socket());
    // restarted in the middle of an `up`, at several places
    for (version, at) in [(1, 3), (2, 9), (3, 14)] {
        let proxy = Proxy::open(&stack.directory, &own.socket(), at, Signal::CONT);
        let mut command = stack.command(&proxy.path.display().to_string(), version, &["up"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        proxy.target.store(i32::try_from(child.id()).unwrap(), Ordering::SeqCst);
        let until = Instant::now() + Duration::from_secs(30);
        while !proxy.struck.load(Ordering::SeqCst) && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(proxy.struck.load(Ordering::SeqCst), "fewer than {at} calls");
        own.end();
        own.run();
        let output = child.wait_with_output().unwrap();
        let said = text(&output.stderr);
        // it ends, and what it could not do it says in the engine's last words or with its address
        let told = ["failed after", "connection to the engine broke", "no container engine answers"];
        assert!(
            output.status.success() || told.iter().any(|part| said.contains(part)),
            "at call {at}: {said}"
        );
        stack.converges(version, &format!("the engine was restarted at call {at}"));
    }

    own.end();
    let output = stack.run(3, &["up"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("no container engine answers at unix://") && said.contains("start the engine"),
        "{said}"
    );
    own.run();
    stack.converges(3, "the engine was away");

    // no room
    stack.ok(3, &["down", "--volumes"]);
    let filler = own.directory.join("data/filler");
    let mut file = File::create(&filler).unwrap();
    while file.write_all(&[7; 4096]).is_ok() {}
    let output = stack.run(3, &["up"]);
    let said = text(&output.stderr);
    assert!(matches!(output.status.code(), Some(1 | 2)), "{said}");
    assert!(said.contains("the engine's disk is full") && said.contains("docker system df"), "{said}");
    drop(file);
    fs::remove_file(&filler).unwrap();
    stack.converges(3, "the disk was full");
    stack.ok(3, &["down", "--volumes"]);
    stack.is_gone("down");
}
