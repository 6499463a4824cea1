//! `plimsoll image build` with caches that travel, ssh agents, names that are pushed, and options of others.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A context with a few programs of the host in `root`; `None`, with the reason printed, where steps cannot run.
fn place() -> Option<tempfile::TempDir> {
    if !rustix::process::geteuid().is_root() {
        assert!(std::env::var_os("CI").is_none(), "CI must not skip: steps need root");
        eprintln!("skipped: steps need root");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("ctx/root");
    for program in ["sh", "mkdir", "ln", "chmod", "rm"] {
        let path = Path::new("/bin").join(program).canonicalize().unwrap();
        let libraries = Command::new("ldd").arg(&path).output().unwrap().stdout;
        let libraries = String::from_utf8(libraries).unwrap();
        let libraries = libraries.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from);
        for (from, to) in
            libraries.map(|path| (path.clone(), path)).chain([(path, format!("/bin/{program}").into())])
        {
            let to = root.join(to.strip_prefix("/").unwrap());
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(from, to).unwrap();
        }
    }
    Some(dir)
}

fn build(dir: &Path, home: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(["image", "build"])
        .args(arguments)
        .arg("ctx")
        .current_dir(dir)
        .env("PLIMSOLL_HOME", dir.join(home))
        .env("DOCKER_CONFIG", dir)
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .env("NO_COLOR", "1")
        .env_remove("SSH_AUTH_SOCK")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Image id and messages.
fn ok(dir: &Path, home: &str, arguments: &[&str]) -> (String, String) {
    let output = build(dir, home, arguments);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {told}");
    (String::from_utf8(output.stdout).unwrap(), told)
}

const STAGES: &str = "FROM scratch AS tools\nCOPY root /\n\
    FROM tools AS made\nRUN mkdir -p /d/e && echo x > /d/e/f && ln -s f /d/e/l && chmod 2750 /d\nRUN rm -r /d/e && mkdir /d/e && echo y > /d/e/g\n\
    FROM scratch\nCOPY --from=made /d /d\nWORKDIR /w\n";

/// Debian's registry on loopback.
struct Registry {
    child: Child,
    port: u16,
}

impl Registry {
    fn start(dir: &Path) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = dir.join("registry.yml");
        let text = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n",
            dir.join("registry").display()
        );
        fs::write(&config, text).unwrap();
        let started = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = started else {
            assert!(std::env::var_os("CI").is_none(), "CI must not skip: needs docker-registry");
            eprintln!("skipped: needs docker-registry");
            return None;
        };
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "the registry does not answer");
            thread::sleep(Duration::from_millis(20));
        }
        Some(Self { child, port })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn another_machine_takes_every_step_from_a_folder() {
    let Some(dir) = place() else { return };
    let dir = dir.path();
    fs::write(dir.join("ctx/Dockerfile"), STAGES).unwrap();
    let (id, told) = ok(dir, "one", &["--cache-to", "type=local,dest=cache,mode=max"]);
    assert!(told.contains("cache: 5 steps"), "{told}");
    let (again, told) = ok(dir, "two", &["--cache-from", "type=local,src=cache"]);
    assert!(told.contains("0 steps ran, 5 from the cache"), "{told}");
    assert_eq!(again, id);

    // Only the steps of the image: the stage that made its files is known by its result no more.
    ok(dir, "one", &["--cache-to", "type=local,dest=small"]);
    let count = |name: &str| fs::read_dir(dir.join(name).join("blobs/sha256")).unwrap().count();
    assert!(count("small") < count("cache"));

    let none = ok(dir, "three", &["--cache-from", "type=local,src=nowhere"]).1;
    assert!(none.contains("there is none in nowhere") && none.contains("5 steps ran"), "{none}");

    // A damaged layer costs its step, not the build.
    for entry in fs::read_dir(dir.join("cache/blobs/sha256")).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if !fs::read(&path).unwrap().starts_with(b"{") {
            fs::write(&path, b"damaged").unwrap();
        }
    }
    let (again, told) = ok(dir, "four", &["--cache-from", "type=local,src=cache"]);
    assert!(told.contains("cannot be had, its step runs"), "{told}");
    assert_eq!(again, id);
}

#[test]
fn another_machine_takes_every_step_from_a_registry() {
    let Some(dir) = place() else { return };
    let dir = dir.path();
    let Some(registry) = Registry::start(dir) else { return };
    fs::write(dir.join("ctx/Dockerfile"), STAGES).unwrap();
    let name = format!("127.0.0.1:{}/app", registry.port);
    let (id, _) = ok(dir, "one", &["--cache-to", &format!("type=registry,ref={name}:cache,mode=max")]);
    let (again, told) = ok(dir, "two", &["--cache-from", &format!("{name}:cache")]);
    assert!(told.contains("0 steps ran, 5 from the cache"), "{told}");
    assert_eq!(again, id);

    // An image that brings the steps of its own last stage.
    fs::write(dir.join("ctx/Dockerfile"), "FROM scratch\nCOPY root /\nRUN echo 1 > /one\n").unwrap();
    let tag = format!("{name}:inline");
    let (id, _) = ok(dir, "one", &["-t", &tag, "--push", "--cache-to=type=inline", "--annotation", "a=b"]);
    let (again, told) = ok(dir, "three", &["--cache-from", &tag]);
    assert!(told.contains("0 steps ran, 2 from the cache"), "{told}");
    assert_eq!(again, id);
    let told = ok(dir, "one", &["-o", &format!("type=image,name={name}:other,push=true")]).1;
    assert!(told.contains("pushed 127.0.0.1"), "{told}");
    let told = ok(dir, "three", &["--cache-from", &format!("{name}:missing")]).1;
    assert!(told.contains("cache: "), "{told}");

    // Without --pull the name means what the store has; with it, what the registry has now.
    let from = format!("FROM {name}:other\nRUN test ! -e /new\n");
    fs::write(dir.join("ctx/Dockerfile"), &from).unwrap();
    ok(dir, "three", &[]);
    fs::write(dir.join("ctx/Dockerfile"), "FROM scratch\nCOPY root /\nRUN echo > /new\n").unwrap();
    ok(dir, "one", &["-t", &format!("{name}:other"), "--push"]);
    fs::write(dir.join("ctx/Dockerfile"), &from).unwrap();
    ok(dir, "three", &["--no-cache"]);
    assert!(!build(dir, "three", &["--pull"]).status.success(), "the registry's image holds /new");
}

#[test]
fn a_step_uses_an_ssh_agent_through_its_own_socket() {
    let Some(dir) = place() else { return };
    let dir = dir.path();
    let key = dir.join("key");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
    if !made.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("CI").is_none(), "CI must not skip: needs ssh-keygen");
        eprintln!("skipped: needs ssh-keygen");
        return;
    }
    fs::write(
        dir.join("ctx/Dockerfile"),
        "FROM scratch\nCOPY root /\nUSER 1000\n\
        RUN --mount=type=ssh,required,uid=1000 test -S \"$SSH_AUTH_SOCK\" && test -w \"$SSH_AUTH_SOCK\" && test \"$SSH_AUTH_SOCK\" = /run/buildkit/ssh_agent.0\n",
    )
    .unwrap();
    let told = ok(dir, "one", &["--ssh", "default=key"]).1;
    assert!(told.contains("2 steps ran") || told.contains("steps ran"), "{told}");
    // as a repository has it
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    ok(dir, "open", &["--ssh", "default=key"]);
    let output = build(dir, "two", &[]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && told.contains("ssh agent default: not found"), "{told}");
    let output = build(dir, "two", &["--ssh", "default"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && told.contains("SSH_AUTH_SOCK is not set"), "{told}");
    // nothing wants it, so nothing looks for it
    fs::write(dir.join("ctx/Dockerfile"), "FROM scratch\nCOPY root /\nRUN true\n").unwrap();
    ok(dir, "three", &["--ssh", "default"]);
}

#[test]
fn one_stage_can_be_built_without_the_cache() {
    let Some(dir) = place() else { return };
    let dir = dir.path();
    fs::write(dir.join("ctx/Dockerfile"), STAGES).unwrap();
    ok(dir, "one", &[]);
    let told = ok(dir, "one", &["--no-cache-filter", "made"]).1;
    assert!(told.contains("2 steps ran, 3 from the cache"), "{told}");
}

#[test]
fn progress_is_told_as_buildkits_status() {
    let Some(dir) = place() else { return };
    let dir = dir.path();
    fs::write(dir.join("ctx/Dockerfile"), "FROM scratch\nCOPY root /\nRUN echo hello\n").unwrap();
    let told = ok(dir, "one", &["--progress=rawjson", "--rm", "--force-rm", "-m", "1g"]).1;
    let lines: Vec<serde_json::Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}")))
        .collect();
    let log = lines.iter().find_map(|line| line["logs"][0]["data"].as_str());
    assert_eq!(log, Some("aGVsbG8K"));
    assert!(lines.iter().any(|line| {
        let vertex = &line["vertexes"][0];
        vertex["name"].as_str().is_some_and(|name| name.contains("RUN echo"))
            && vertex["completed"].is_string()
    }));
}
