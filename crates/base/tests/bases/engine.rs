//! What bases do in an engine, each with a read-only root, without capabilities and without new privileges.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use plimsoll_image::handover::Handover;

use crate::{Test, home, output};

pub(crate) const TESTS: &[Test] = &[
    ("debian: all packages configured, apt content", debian),
    ("nginx: serves, fills templates, stops cleanly", nginx),
    ("nginx: an unwritable output directory is named", nginx_unwritable),
    ("redis: answers, saves, stops cleanly", redis),
    ("postgres: makes the cluster, serves, starts again", postgres),
    ("postgres: no password is refused, with what to do", postgres_no_password),
    ("postgres: a first start that was killed is begun anew", postgres_killed),
];

/// What every container gets.
const HARDENED: [&str; 7] =
    ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", "256"];

pub(crate) fn docker(arguments: &[&str]) -> (bool, String) {
    output(Command::new("docker").args(arguments))
}

pub(crate) fn cannot_run() -> Option<String> {
    match Command::new("docker")
        .args(["version", "--format", "{{.Server.Version}}"])
        .stdin(Stdio::null())
        .output()
    {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!("no engine: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Some(format!("no docker command: {error}")),
    }
}

/// Images that were not there before, by id.
static LOADED: Mutex<Vec<String>> = Mutex::new(Vec::new());

pub(crate) fn clean_up() {
    for id in LOADED.lock().unwrap().drain(..) {
        docker(&["image", "rm", &id]);
    }
}

/// The image's id in the engine, handed over without a name so that nobody's tag moves.
pub(crate) fn image(name: &str) -> String {
    let made = home().base(name);
    let id = made.image.id.to_string();
    if !docker(&["image", "inspect", &id]).0 {
        let mut load = Command::new("docker")
            .args(["load", "-q"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let input = load.stdin.take().unwrap();
        Handover::full(&home().store, &made.image, &[]).unwrap().write(input).unwrap();
        assert!(load.wait().unwrap().success());
        LOADED.lock().unwrap().push(id.clone());
    }
    id
}

/// A container that goes with its value.
pub(crate) struct Container(pub(crate) String);

static NUMBER: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn unique(what: &str) -> String {
    format!("plimsoll-base-test-{}-{what}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

impl Container {
    pub(crate) fn start(base: &str, options: &[&str], command: &[&str]) -> Self {
        let (image, name) = (image(base), unique(&base.replace('@', "-")));
        let head = ["run", "-d", "--name", &name, "--network", "none"];
        let (done, text) = docker(&[&head, &HARDENED[..], options, &[&image], command].concat());
        assert!(done, "{text}");
        Self(name)
    }

    pub(crate) fn exec(&self, command: &[&str]) -> (bool, String) {
        docker(&[&["exec", &self.0], command].concat())
    }

    pub(crate) fn until(&self, command: &[&str]) {
        let start = Instant::now();
        while !self.exec(command).0 {
            assert!(start.elapsed() < Duration::from_secs(30), "{}", self.logs());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn logs(&self) -> String {
        docker(&["logs", &self.0]).1
    }

    /// Stops it by its own signal; the exit code.
    pub(crate) fn stop(&self) -> String {
        let start = Instant::now();
        docker(&["stop", "-t", "10", &self.0]);
        assert!(start.elapsed() < Duration::from_secs(8), "it had to be killed");
        docker(&["inspect", "-f", "{{.State.ExitCode}}", &self.0]).1.trim().to_owned()
    }

    /// Effective capabilities and no_new_privs of process 1, as it sees them itself.
    pub(crate) fn assert_posture(&self, uid: &str) {
        let status = self.exec(&["cat", "/proc/1/status"]).1;
        let value = |name: &str| {
            status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
        };
        assert_eq!(value("CapEff:"), "0000000000000000");
        assert_eq!(value("NoNewPrivs:"), "1");
        assert_eq!(value("Uid:").split_whitespace().next(), Some(uid));
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        docker(&["rm", "-fv", &self.0]);
    }
}

/// A volume that goes with its value.
pub(crate) struct Volume(pub(crate) String);

impl Volume {
    pub(crate) fn new() -> Self {
        let name = unique("volume");
        assert!(docker(&["volume", "create", &name]).0);
        Self(name)
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        docker(&["volume", "rm", &self.0]);
    }
}

/// Runs a command to its end.
pub(crate) fn once(base: &str, options: &[&str], command: &[&str]) -> (bool, String) {
    let image = image(base);
    docker(&[&["run", "--rm", "--network", "none"], &HARDENED[..], options, &[&image], command].concat())
}

/// The certificates of this machine, for what is behind a proxy that has its own.
pub(crate) const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Runs a command in a network of its own that leads outside, when this machine is connected to a registry of packages at all.
pub(crate) fn network(options: &[&str], image: &str, command: &[&str]) -> Option<(bool, String)> {
    let reachable =
        std::net::ToSocketAddrs::to_socket_addrs(&("registry.npmjs.org", 443)).is_ok_and(|addresses| {
            addresses
                .take(3)
                .any(|address| std::net::TcpStream::connect_timeout(&address, Duration::from_secs(5)).is_ok())
        });
    if !reachable {
        println!("  not run: no registry of packages can be reached");
        return None;
    }
    let name = unique("network");
    assert!(docker(&["network", "create", &name]).0);
    let done = docker(
        &[&["run", "--rm", "--network", &name, "-e", "HOME=/tmp"], options, &[image], command].concat(),
    );
    docker(&["network", "rm", &name]);
    Some(done)
}

pub(crate) fn write(path: &Path, text: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn debian() {
    for base in ["debian", "node", "node-24", "postgres"] {
        let script =
            "dpkg --audit && dpkg-query -W -f '${db:Status-Abbrev}\\n' | sort | uniq -c && apt-get check -qq";
        let (done, text) = once(base, &["--user", "0", "--entrypoint", "sh"], &["-euc", script]);
        let states: Vec<_> = text.lines().filter(|line| !line.starts_with("W:")).collect();
        assert!(done && states.len() == 1 && states[0].trim().ends_with("ii"), "{base}: {text}");
    }
    let (_, text) =
        once("debian", &[], &["sh", "-c", "id -un; stat -c %a /tmp; getent passwd _apt; ls /usr/share/man"]);
    assert!(text.starts_with("root\n1777\n_apt:"), "{text}");
}

fn nginx() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("sub")).unwrap();
    write(&dir.path().join("sub/config.js.template"), "api = '${API_URL}'; $uri ${NOT_SET} ${OTHER}", 0o644);
    write(&dir.path().join("README"), "not a template", 0o644);
    let mount = format!("{}:/etc/nginx/templates:ro", dir.path().display());
    let options = [
        "--tmpfs",
        "/tmp",
        "-v",
        &mount,
        "-e",
        "API_URL=http://api/?a=1&b=2",
        "-e",
        "OTHER=o",
        "-e",
        "NGINX_ENVSUBST_FILTER=^API_",
        "-e",
        "NGINX_ENVSUBST_OUTPUT_DIR=/tmp/filled",
    ];
    let container = Container::start("nginx", &options, &[]);
    container.until(&["wget", "-q", "--spider", "http://127.0.0.1:8080/"]);
    container.assert_posture("101");
    let (_, text) = container.exec(&["cat", "/tmp/filled/sub/config.js"]);
    assert_eq!(text, "api = 'http://api/?a=1&b=2'; $uri ${NOT_SET} ${OTHER}");
    assert!(!container.exec(&["test", "-e", "/tmp/filled/README"]).0);
    let (_, page) = container.exec(&["wget", "-qO-", "http://127.0.0.1:8080/index.html"]);
    assert!(page.contains("<!doctype html>"), "{page}");
    let (valid, text) = container.exec(&["nginx", "-t"]);
    assert!(valid, "{text}");
    assert_eq!(container.stop(), "0");
    let logs = container.logs();
    assert!(logs.contains("\"GET /index.html HTTP/1.1\" 200"), "{logs}");
    assert!(!logs.contains("[emerg]") && !logs.contains("[alert]") && !logs.contains("[warn]"), "{logs}");
}

fn nginx_unwritable() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("a.conf.template"), "", 0o644);
    let mount = format!("{}:/etc/nginx/templates:ro", dir.path().display());
    let (done, text) = once("nginx", &["-v", &mount], &[]);
    assert!(!done && text.contains("/etc/nginx/conf.d is not writable") && text.contains("hint: "), "{text}");
}

fn redis() {
    let volume = Volume::new();
    let mount = format!("{}:/data", volume.0);
    let container =
        Container::start("redis", &["-v", &mount], &["--appendonly", "yes", "--requirepass", "x"]);
    container.until(&["redis-cli", "-a", "x", "--no-auth-warning", "ping"]);
    container.assert_posture("999");
    let cli =
        |words: &[&str]| container.exec(&[&["redis-cli", "-a", "x", "--no-auth-warning"], words].concat()).1;
    assert_eq!(cli(&["ping"]), "PONG\n");
    assert_eq!(cli(&["set", "mark", "plimsoll"]), "OK\n");
    assert_eq!(cli(&["save"]), "OK\n");
    assert!(container.exec(&["redis-cli", "ping"]).1.contains("NOAUTH"));
    assert!(
        container
            .exec(&["sh", "-c", "test -s /data/dump.rdb && stat -c %a /data/dump.rdb"])
            .1
            .contains("600")
    );
    assert_eq!(container.stop(), "0");
    drop(container);
    let again = Container::start("redis", &["-v", &mount], &["redis-server", "--appendonly", "yes"]);
    again.until(&["redis-cli", "ping"]);
    assert_eq!(again.exec(&["redis-cli", "get", "mark"]).1, "plimsoll\n");
    assert!(again.exec(&["redis-cli", "config", "get", "protected-mode"]).1.ends_with("no\n"));
}

const SOCKETS: [&str; 2] = ["--tmpfs", "/var/run/postgresql:uid=999,gid=999,mode=0775"];

fn postgres() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("init")).unwrap();
    write(&dir.path().join("password"), "s3 cr'et\n", 0o444);
    write(
        &dir.path().join("init/1.sql"),
        "CREATE TABLE story (title text); INSERT INTO story VALUES ('one');",
        0o644,
    );
    write(
        &dir.path().join("init/2.sh"),
        "psql -U \"$POSTGRES_USER\" -c \"INSERT INTO story VALUES ('two')\" \"$POSTGRES_DB\"",
        0o644,
    );
    let volume = Volume::new();
    let data = format!("{}:/var/lib/postgresql/data", volume.0);
    let secret = format!("{}:/run/secrets/password:ro", dir.path().join("password").display());
    let scripts = format!("{}:/docker-entrypoint-initdb.d:ro", dir.path().join("init").display());
    let options = [
        &SOCKETS[..],
        &["-v", &data, "-v", &secret, "-v", &scripts, "-e", "POSTGRES_PASSWORD_FILE=/run/secrets/password"],
        &[
            "-e",
            "POSTGRES_USER=tracker",
            "-e",
            "POSTGRES_DB=stories",
            "-e",
            "POSTGRES_INITDB_ARGS=--data-checksums",
        ],
    ]
    .concat();
    let container = Container::start("postgres", &options, &[]);
    let ready = ["pg_isready", "-q", "-h", "127.0.0.1", "-U", "tracker", "-d", "stories"];
    container.until(&ready);
    container.assert_posture("999");
    let sql = |text: &str| container.exec(&["psql", "-U", "tracker", "-d", "stories", "-Atc", text]).1;
    assert_eq!(sql("SELECT string_agg(title, ',' ORDER BY title) FROM story"), "one,two\n");
    assert_eq!(sql("SHOW data_checksums"), "on\n");
    assert_eq!(sql("SHOW password_encryption"), "scram-sha-256\n");
    assert_eq!(
        sql("SELECT count(*) FROM pg_collation WHERE collprovider = 'i'")
            .trim()
            .parse::<u32>()
            .map(|n| n > 100),
        Ok(true)
    );
    let with = |password: &str| {
        let variable = format!("PGPASSWORD={password}");
        docker(&[
            "exec",
            "-e",
            &variable,
            &container.0,
            "psql",
            "-h",
            "127.0.0.1",
            "-U",
            "tracker",
            "-Atc",
            "SELECT 1",
            "stories",
        ])
    };
    assert_eq!(with("s3 cr'et"), (true, "1\n".to_owned()));
    assert!(with("wrong").1.contains("password authentication failed"));
    let (_, environment) = container.exec(&["cat", "/proc/1/environ"]);
    assert!(!environment.contains("s3 cr"), "the server does not hold the password");
    let (dumped, dump) = container.exec(&["pg_dump", "-U", "tracker", "stories"]);
    assert!(dumped && dump.contains("CREATE TABLE public.story"));
    assert!(container.exec(&["pg_restore", "--version"]).0);
    assert_eq!(container.stop(), "0");
    docker(&["start", &container.0]);
    container.until(&ready);
    assert!(container.logs().contains("holds a cluster already"));
    assert_eq!(sql("SELECT count(*) FROM story"), "2\n");
}

fn postgres_no_password() {
    let options = [&SOCKETS[..], &["--tmpfs", "/var/lib/postgresql/data:uid=999,gid=999,mode=0700"]].concat();
    let (done, text) = once("postgres", &options, &[]);
    assert!(
        !done && text.contains("error: no password") && text.contains("POSTGRES_PASSWORD_FILE"),
        "{text}"
    );
}

fn postgres_killed() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("1.sh"), "echo waiting; sleep 600", 0o644);
    let volume = Volume::new();
    let data = format!("{}:/var/lib/postgresql/data", volume.0);
    let scripts = format!("{}:/docker-entrypoint-initdb.d:ro", dir.path().display());
    let options =
        [&SOCKETS[..], &["-v", &data, "-e", "POSTGRES_PASSWORD=x", "-e", "POSTGRES_DB=late"]].concat();
    let first = Container::start("postgres", &[&options[..], &["-v", &scripts]].concat(), &[]);
    let start = Instant::now();
    while !first.logs().contains("waiting\n") {
        assert!(start.elapsed() < Duration::from_secs(30), "{}", first.logs());
        std::thread::sleep(Duration::from_millis(100));
    }
    docker(&["kill", &first.0]);
    drop(first);
    let second = Container::start("postgres", &options, &[]);
    second.until(&["pg_isready", "-q", "-h", "127.0.0.1", "-U", "postgres", "-d", "late"]);
    assert!(second.logs().contains("beginning anew"), "{}", second.logs());
    assert_eq!(second.exec(&["psql", "-U", "postgres", "-Atc", "SELECT 1", "late"]).1, "1\n");
    assert!(!second.exec(&["test", "-e", "/var/lib/postgresql/data/.new"]).0);
}
