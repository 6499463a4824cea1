//! Engines elsewhere: a second dockerd of our own behind TLS with client certificates, by variables and by a docker
//! context, and behind an sshd of our own. Needs root, dockerd, openssl, ip and sshd.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

#[path = "../../engine/tests/support/mod.rs"]
mod busybox;

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

const PROJECT: &str = "plimsoll-test-remote";

const COMPOSE: &str = r#"
services:
  db:
    image: plimsoll-test/busybox:1
    init: true
    stop_grace_period: 1s
    command: [sh, -c, "echo far away; touch /tmp/ready; sleep 1000"]
    healthcheck: { test: [CMD, test, -e, /tmp/ready], interval: 1s }
"#;
const SECRET: &str = r#"    user: "1234:1234"
    read_only: true
    tmpfs: [/tmp]
    secrets: [key, { source: word, target: /etc/word, mode: 0o440 }]
    configs: [{ source: motd, target: /etc/motd }]
secrets: { key: { file: ./key }, word: { environment: WORD } }
configs: { motd: { content: "hello" } }
"#;

struct Far {
    directory: PathBuf,
    bridge: String,
    tls_port: u16,
    ssh_port: u16,
    daemon: Child,
    sshd: Option<Child>,
}

impl Far {
    /// `None`, with the reason printed, where something is missing.
    fn start() -> Option<Self> {
        let missing = ["dockerd", "openssl", "ip"].into_iter().find(|name| !exists(name));
        let root = String::from_utf8(Command::new("id").arg("-u").output().unwrap().stdout).unwrap();
        if missing.is_some() || root.trim() != "0" {
            let why = missing.map_or("not root".to_owned(), |name| format!("there is no {name}"));
            assert!(std::env::var_os("CI").is_none(), "CI is set, so this test must run: {why}");
            eprintln!("skipped: {why}");
            return None;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(busybox::engine())?;
        // the exec root has the paths of sockets: they must be short
        let directory = PathBuf::from(format!("/tmp/plimsoll-test-far-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        certificates(&directory);
        // a bridge of this run's own: one that was killed leaves its bridge behind
        let bridge = format!("plimt{}", std::process::id());
        let address = format!("172.31.{}.1/24", std::process::id() % 200);
        ok(Command::new("ip").args(["link", "add", &bridge, "type", "bridge"]));
        ok(Command::new("ip").args(["addr", "add", &address, "dev", &bridge]));
        let (tls_port, ssh_port) = (free_port(), free_port());
        let log = File::create(directory.join("dockerd.log")).unwrap();
        let path = |name: &str| directory.join(name).display().to_string();
        let daemon = Command::new("dockerd")
            .arg(format!("--host=tcp://127.0.0.1:{tls_port}"))
            .arg(format!("--host=unix://{}", path("docker.sock")))
            .arg("--tlsverify")
            .arg(format!("--tlscacert={}", path("ca.pem")))
            .arg(format!("--tlscert={}", path("server.pem")))
            .arg(format!("--tlskey={}", path("server-key.pem")))
            .arg(format!("--data-root={}", path("data")))
            .arg(format!("--exec-root={}", path("exec")))
            .arg(format!("--pidfile={}", path("docker.pid")))
            .arg(format!("--bridge={bridge}"))
            .args(["--iptables=false", "--ip-masq=false"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let far = Self { directory, bridge, tls_port, ssh_port, daemon, sshd: None };
        let until = Instant::now() + Duration::from_mins(1);
        while !far.docker(&["version"]).status.success() {
            assert!(Instant::now() < until, "{}", fs::read_to_string(far.path("dockerd.log")).unwrap());
            thread::sleep(Duration::from_millis(200));
        }
        let saved = far.path("image.tar");
        ok(Command::new("docker").args(["save", "-o"]).arg(&saved).arg(busybox::IMAGE));
        assert!(far.docker(&["load", "-i", &saved.display().to_string()]).status.success());
        fs::write(far.path("compose.yml"), COMPOSE).unwrap();
        fs::write(far.path("secret.yml"), format!("{COMPOSE}{SECRET}")).unwrap();
        fs::write(far.path("key"), "hunter2").unwrap();
        Some(far)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The docker command at the second engine's own socket.
    fn docker(&self, arguments: &[&str]) -> Output {
        let host = format!("unix://{}", self.path("docker.sock").display());
        Command::new("docker").env_remove("DOCKER_HOST").args(["-H", &host]).args(arguments).output().unwrap()
    }

    fn plimsoll(&self, env: &[(&str, String)], arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        for name in ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "COMPOSE_FILE"]
        {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .current_dir(&self.directory)
            .env("PLIMSOLL_HOME", self.path("home"))
            .env("COMPOSE_PROJECT_NAME", PROJECT)
            .env("DOCKER_CONFIG", self.path("config"))
            .env("NO_COLOR", "1")
            .envs(env.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Up, exec, logs and down by this way, seen by the second engine's own command.
    fn serves(&self, env: &[(&str, String)]) {
        let good = |arguments: &[&str]| {
            let output = self.plimsoll(env, arguments);
            assert!(output.status.success(), "{env:?} {arguments:?}: {}", text(&output.stderr));
            text(&output.stdout)
        };
        good(&["up"]);
        let seen = self.docker(&["ps", "--format", "{{.Names}}"]);
        assert_eq!(text(&seen.stdout), format!("{PROJECT}-db-1\n"));
        let exec = self.plimsoll(env, &["exec", "-T", "db", "sh", "-c", "echo inside; exit 5"]);
        assert_eq!((text(&exec.stdout).as_str(), exec.status.code()), ("inside\n", Some(5)));
        assert!(good(&["logs"]).contains("far away"));
        good(&["down"]);
        assert_eq!(text(&self.docker(&["ps", "-aq"]).stdout), "");
    }

    /// A read-only service of an ordinary user reads its secrets; they change with their file and go with the stack.
    fn keeps_secrets(&self, env: &[(&str, String)]) {
        let mut env = env.to_vec();
        env.push(("WORD", "swordfish".to_owned()));
        let good = |arguments: &[&str]| {
            let output = self.plimsoll(&env, arguments);
            assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
            text(&output.stdout)
        };
        let up = ["up", "--file", "secret.yml"];
        let exec = |script: &str| good(&["exec", "-T", "db", "sh", "-c", script]);
        good(&up);
        assert_eq!(exec("cat /run/secrets/key /etc/word /etc/motd"), "hunter2swordfishhello");
        assert_eq!(
            exec("stat -c '%a %u' /run/secrets/key /etc/word /etc/motd"),
            "400 1234\n440 1234\n444 1234\n"
        );
        let again = self.plimsoll(&env, &up);
        assert!(text(&again.stderr).contains("nothing to do"), "{}", text(&again.stderr));
        fs::write(self.path("key"), "changed").unwrap();
        good(&up);
        assert_eq!(exec("cat /run/secrets/key"), "changed");
        let inspected = text(&self.docker(&["inspect", &format!("{PROJECT}-db-1")]).stdout);
        assert!(!inspected.contains("swordfish") && !inspected.contains("changed\""), "{inspected}");
        fs::write(self.path("key"), "hunter2").unwrap();
        good(&["down"]);
        assert_eq!(text(&self.docker(&["volume", "ls", "-q"]).stdout), "", "the copies are gone");
    }

    fn refused(&self, env: &[(&str, String)], arguments: &[&str], why: &str) {
        let output = self.plimsoll(env, arguments);
        assert_eq!(output.status.code(), Some(2), "{env:?}");
        assert!(text(&output.stderr).contains(why), "{env:?}: {}", text(&output.stderr));
    }

    /// An sshd on this machine whose sessions use the second engine, and an `ssh` that knows the way.
    fn sshd(&mut self) -> bool {
        let daemon = Path::new("/usr/sbin/sshd");
        if !daemon.exists() {
            assert!(std::env::var_os("CI").is_none(), "CI is set, so sshd must be there");
            eprintln!("skipped: there is no sshd");
            return false;
        }
        fs::create_dir_all("/run/sshd").unwrap();
        for key in ["host", "user"] {
            ok(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(self.path(key)));
        }
        let here = self.directory.display();
        let config = format!(
            "Port {}\nListenAddress 127.0.0.1\nHostKey {here}/host\nPidFile none\nUsePAM no\n\
             AuthorizedKeysFile {here}/user.pub\nStrictModes no\nPermitRootLogin prohibit-password\n\
             PasswordAuthentication no\nSetEnv DOCKER_HOST=unix://{here}/docker.sock\n",
            self.ssh_port
        );
        fs::write(self.path("sshd_config"), config).unwrap();
        let host = fs::read_to_string(self.path("host.pub")).unwrap();
        fs::write(self.path("known"), format!("[127.0.0.1]:{} {host}", self.ssh_port)).unwrap();
        let client = format!(
            "Host *\n IdentityFile {here}/user\n IdentitiesOnly yes\n UserKnownHostsFile {here}/known\n"
        );
        fs::write(self.path("ssh_config"), client).unwrap();
        fs::create_dir_all(self.path("bin")).unwrap();
        let wrapper = format!("#!/bin/sh\nexec /usr/bin/ssh -F {here}/ssh_config \"$@\"\n");
        fs::write(self.path("bin/ssh"), wrapper).unwrap();
        fs::set_permissions(self.path("bin/ssh"), fs::Permissions::from_mode(0o755)).unwrap();
        let log = File::create(self.path("sshd.log")).unwrap();
        let child = Command::new(daemon)
            .arg("-D")
            .arg("-e")
            .arg("-f")
            .arg(self.path("sshd_config"))
            .stderr(log)
            .spawn();
        self.sshd = Some(child.unwrap());
        let until = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", self.ssh_port)).is_err() {
            assert!(Instant::now() < until, "{}", fs::read_to_string(self.path("sshd.log")).unwrap());
            thread::sleep(Duration::from_millis(50));
        }
        true
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        if let Some(mut sshd) = self.sshd.take() {
            let _ = sshd.kill();
            let _ = sshd.wait();
        }
        let ids = text(&self.docker(&["ps", "-aq"]).stdout);
        for id in ids.split_whitespace() {
            self.docker(&["rm", "-f", id]);
        }
        let _ = Command::new("kill").arg(self.daemon.id().to_string()).status();
        let _ = self.daemon.wait();
        let _ = Command::new("ip").args(["link", "del", &self.bridge]).status();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A port of the loopback that nobody has.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn exists(program: &str) -> bool {
    Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap().status.success()
}

fn ok(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An authority, the server's certificate, ours, and another authority that knows neither.
fn certificates(directory: &Path) {
    let script = r#"
        set -e
        authority() { openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -keyout "$1-key.pem" -out "$1.pem" \
            -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign; }
        signed() { openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$1-key.pem" -out "$1.csr"
            printf "$2" > ext
            openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -extfile ext -out "$1.pem"; }
        authority ca
        signed server 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n'
        signed cert 'extendedKeyUsage=clientAuth\n'
        mkdir -p good stranger nobody config
        cp ca.pem cert.pem good/; cp cert-key.pem good/key.pem
        cp good/* stranger/; authority other; cp other.pem stranger/ca.pem
        cp ca.pem nobody/
    "#;
    ok(Command::new("sh").args(["-c", script]).current_dir(directory));
}

#[test]
fn an_engine_elsewhere_serves_as_one_here() {
    let Some(mut far) = Far::start() else { return };
    let tcp = format!("tcp://127.0.0.1:{}", far.tls_port);
    let tls = |folder: &str| {
        [
            ("DOCKER_HOST", tcp.clone()),
            ("DOCKER_TLS_VERIFY", "1".to_owned()),
            ("DOCKER_CERT_PATH", far.path(folder).display().to_string()),
        ]
    };
    far.serves(&tls("good"));
    far.keeps_secrets(&tls("good"));
    far.refused(&tls("stranger"), &["ls"], "UnknownIssuer");
    far.refused(&tls("nobody"), &["ls"], "fatal alert");
    far.refused(&[("DOCKER_HOST", tcp.clone())], &["ls"], "it wants TLS");

    let endpoint =
        format!("host={tcp},ca={0}/ca.pem,cert={0}/cert.pem,key={0}/key.pem", far.path("good").display());
    ok(Command::new("docker")
        .args(["context", "create", "far", "--docker", &endpoint])
        .env("DOCKER_CONFIG", far.path("config")));
    let context = |name: &str| [("DOCKER_CONTEXT", name.to_owned())];
    far.serves(&context("far"));
    far.refused(&context("nowhere"), &["ls"], "docker context `nowhere`");

    if !far.sshd() {
        return;
    }
    let path = format!("{}:{}", far.path("bin").display(), std::env::var("PATH").unwrap());
    let ssh = |port: u16| [("DOCKER_HOST", format!("ssh://root@127.0.0.1:{port}")), ("PATH", path.clone())];
    far.serves(&ssh(far.ssh_port));
    far.refused(&ssh(1), &["ls"], "Connection refused");
}
