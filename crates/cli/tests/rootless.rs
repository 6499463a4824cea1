//! `plimsoll image build` by ordinary users: one with granted ids, one without. Runs as root and drops to them.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

#[path = "support/builder.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod support;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use support::base;
use tempfile::TempDir;

/// Deletions, an opaque directory, owners by COPY and by RUN, a file copied up, a secret and a cache mount.
const DOCKERFILE: &str = r"FROM debian
COPY --chown=12:34 mine /mine
RUN echo more >> /mine && rm /etc/issue && rm -r /etc/skel && mkdir /etc/skel && echo n > /etc/skel/new
RUN --mount=type=cache,target=/cache --mount=type=secret,id=token,mode=0400 \
    touch /cache/x && cp /run/secrets/token /seen && test ! -e /etc/skel/.profile && id -u > /who
";

/// A user who may build, and a folder of theirs.
struct Person {
    uid: u32,
    dir: TempDir,
}

impl Person {
    fn new(uid: u32) -> Self {
        let dir = tempfile::Builder::new().prefix("plimsoll-rootless-").tempdir_in("/var/tmp").unwrap();
        // the way to the target folder may be closed to others
        let binary = dir.path().join("plimsoll");
        fs::copy(env!("CARGO_BIN_EXE_plimsoll"), &binary).unwrap();
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(dir.path().join("context")).unwrap();
        fs::write(dir.path().join("context/mine"), "mine\n").unwrap();
        fs::write(dir.path().join("token"), "hush").unwrap();
        for path in ["", "context", "context/mine", "token"] {
            chown(dir.path().join(path), Some(uid), Some(uid)).unwrap();
        }
        Self { uid, dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn build(&self, dockerfile: &str) -> Output {
        let uid = self.uid.to_string();
        self.build_with(dockerfile, &["--reuid", &uid, "--regid", &uid, "--clear-groups"])
    }

    /// Builds with privileges that `setpriv` takes away.
    fn build_with(&self, dockerfile: &str, given_up: &[&str]) -> Output {
        fs::write(self.path("context/Dockerfile"), dockerfile).unwrap();
        let base = copied(&base("debian", "debian", "plimsoll.local/debian:13"), &self.path("base"));
        Command::new("setpriv")
            .args(given_up)
            .arg("--")
            .arg(self.path("plimsoll"))
            .args(["image", "build", "--progress=plain", "-t", "app", "--output", "type=tar,dest=out.tar"])
            .args([
                "--secret",
                "id=token,src=token",
                "--build-context",
                &format!("debian=oci-layout://{}", base.display()),
            ])
            .arg("context")
            .current_dir(self.dir.path())
            .env("PLIMSOLL_HOME", self.path("home"))
            .output()
            .unwrap()
    }

    /// Path -> (user, group, content) of the image's files.
    fn image(&self) -> BTreeMap<String, (u64, u64, String)> {
        let mut archive = tar::Archive::new(fs::File::open(self.path("out.tar")).unwrap());
        let mut files = BTreeMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_string_lossy().trim_end_matches('/').to_owned();
            let owner = (entry.header().uid().unwrap(), entry.header().gid().unwrap());
            let mut content = Vec::new();
            if entry.size() < 100 {
                std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
            }
            let content = String::from_utf8_lossy(&content).into_owned();
            files.insert(path, (owner.0, owner.1, content));
        }
        files
    }
}

/// A layout where everybody can read it; `context` is `NAME=oci-layout://DIR`.
fn copied(context: &str, to: &Path) -> PathBuf {
    let from = context.split("oci-layout://").nth(1).unwrap();
    if !to.exists() {
        let copied = Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap();
        assert!(copied.success());
        let opened = Command::new("chmod").args(["-R", "a+rX"]).arg(to).status().unwrap();
        assert!(opened.success());
    }
    to.to_owned()
}

fn skip(reason: &str) {
    assert!(std::env::var_os("CI").is_none(), "CI must not skip: {reason}");
    eprintln!("skipped: {reason}");
}

/// Whether the machine lets ordinary users have namespaces, and we can become one.
fn possible() -> bool {
    if !rustix::process::geteuid().is_root() {
        skip("needs root, to become ordinary users");
        return false;
    }
    let uid = ["--reuid=65534", "--regid=65534", "--clear-groups", "unshare", "--user", "true"];
    match Command::new("setpriv").args(uid).output() {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            skip(&format!("no user namespaces: {}", String::from_utf8_lossy(&output.stderr).trim()));
            false
        }
        Err(error) => {
            skip(&format!("cannot run setpriv: {error}"));
            false
        }
    }
}

/// The uid of a user to whom ids are granted.
fn granted() -> Option<u32> {
    let grants = fs::read_to_string("/etc/subuid").unwrap_or_default();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    grants.lines().find_map(|line| {
        let name = line.split(':').next()?;
        let entry = passwd.lines().find(|entry| entry.split(':').next() == Some(name))?;
        entry.split(':').nth(2)?.parse().ok().filter(|&uid| uid != 0)
    })
}

fn check_common(person: &Person) {
    let image = person.image();
    assert_eq!(image["mine"], (12, 34, "mine\nmore\n".to_owned()), "copied up, its owner kept");
    assert_eq!(image["seen"].2, "hush");
    assert_eq!(image["etc/skel/new"].2, "n\n");
    assert!(!image.contains_key("etc/skel/.profile"), "the new directory hides the old one");
    assert!(!image.contains_key("etc/issue") && !image.contains_key("cache/x"));
    assert_eq!((image["etc/shadow"].0, image["etc/shadow"].1), (0, 42), "the base's owners");
}

#[test]
fn granted_ids_reach_the_layers() {
    if !possible() {
        return;
    }
    let Some(uid) = granted().filter(|_| Path::new("/usr/bin/newuidmap").exists()) else {
        skip("no user has ids in /etc/subuid, or newuidmap is missing");
        return;
    };
    let person = Person::new(uid);
    let dockerfile = format!(
        "{DOCKERFILE}RUN touch /theirs && chown 101:102 /theirs && touch /linked && chown -h 7:8 /linked\nUSER 33\nRUN id -u > /tmp/me\n"
    );
    let output = person.build(&dockerfile);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    assert!(!log.contains("rootless with one id"), "{log}");
    check_common(&person);
    let image = person.image();
    assert_eq!((image["theirs"].0, image["theirs"].1), (101, 102));
    assert_eq!((image["tmp/me"].0, image["tmp/me"].2.as_str()), (33, "33\n"));
}

#[test]
fn without_granted_ids_owners_are_noted_and_the_limits_are_said() {
    if !possible() {
        return;
    }
    // `nobody` is granted nothing
    let person = Person::new(65534);
    let output = person.build(DOCKERFILE);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    assert!(log.contains("note: rootless with one id, because /etc/subuid grants no ids to nobody"), "{log}");
    check_common(&person);
    let failed = person.build("FROM debian\nUSER 33\nRUN true\n");
    let log = String::from_utf8_lossy(&failed.stderr);
    assert!(!failed.status.success() && log.contains("cannot become uid 33"), "{log}");
}

/// `/proc` and `/sys` are those of the step's own namespaces: no process and no interface of the machine.
#[test]
fn a_step_of_an_ordinary_user_sees_itself_alone() {
    if !possible() {
        return;
    }
    let uids = [Some(65534), granted().filter(|_| Path::new("/usr/bin/newuidmap").exists())];
    for uid in uids.into_iter().flatten() {
        let person = Person::new(uid);
        let see = "ls -d /proc/[0-9]* | wc -l > /processes; tr '\\0' ' ' < /proc/1/cmdline | head -c 20 > /first; \
            ls /proc/$$/comm > /own; ls /sys/class/net > /interfaces; ! touch /sys/x 2> /dev/null";
        let output =
            person.build(&format!("FROM debian\nRUN {see}\nRUN --network=none ls /sys/class/net > /none\n"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let image = person.image();
        let file = |name: &str| image[name].2.trim().to_owned();
        assert!(file("processes").parse::<u32>().unwrap() <= 4, "uid {uid}: {} processes", file("processes"));
        assert!(
            file("first").starts_with("/bin/sh -c ls -d"),
            "uid {uid}: the first process is {}",
            file("first")
        );
        assert!(file("own").ends_with("/comm"), "a shell finds itself by its number");
        assert_eq!(file("interfaces"), "eth0\nlo", "uid {uid}");
        assert_eq!(file("none"), "lo", "uid {uid}");
    }
}

/// A user of the group that the engine's socket belongs to: `up` builds, reads the store that it made, and starts.
#[test]
fn ordinary_user_cannot_up() {
    const NAME: &str = "plimsoll-test-ordinary-user";
    if !possible() {
        return;
    }
    let Some(uid) = granted().filter(|_| Path::new("/usr/bin/newuidmap").exists()) else {
        skip("no user has ids in /etc/subuid, or newuidmap is missing");
        return;
    };
    let Ok(socket) = fs::metadata("/var/run/docker.sock") else {
        skip("no container engine answers at /var/run/docker.sock");
        return;
    };
    let person = Person::new(uid);
    // a folder that nobody but its owner may enter: the store must be read as who wrote it
    let dockerfile =
        "FROM debian\nRUN install -d -m 700 -o 1000 -g 1000 /home/closed && touch /home/closed/x\n";
    fs::write(person.path("context/Dockerfile"), dockerfile).unwrap();
    let base = copied(&base("debian", "debian", "plimsoll.local/debian:13"), &person.path("base"));
    let file = format!(
        "name: {NAME}\nservices:\n  web:\n    image: {NAME}:local\n    build:\n      context: context\n      \
         additional_contexts: {{ debian: 'oci-layout://{}' }}\n    command: [sleep, '1000']\n    init: true\n    \
         stop_grace_period: 1s\n",
        base.display()
    );
    fs::write(person.path("compose.yml"), file).unwrap();
    let run = |arguments: &[&str]| {
        let (uid, group) = (uid.to_string(), std::os::unix::fs::MetadataExt::gid(&socket).to_string());
        let output = Command::new("setpriv")
            .args(["--reuid", &uid, "--regid", &uid, "--groups", &group, "--"])
            .arg(person.path("plimsoll"))
            .args(arguments)
            .current_dir(person.dir.path())
            .env("PLIMSOLL_HOME", person.path("home"))
            .env("HOME", person.dir.path())
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {log}");
        log
    };
    let first = run(&["up"]);
    assert!(first.contains("1 container ready"), "{first}");
    run(&["up"]);
    run(&["up", "--no-build"]);
    run(&["down", "--rmi", "local"]);
}

/// Root without the right to make namespaces, as in a container that grants none.
#[test]
fn in_a_container_without_namespaces_steps_run_by_chroot() {
    if !rustix::process::geteuid().is_root() {
        skip("needs root, to give up a capability");
        return;
    }
    let person = Person::new(0);
    let dockerfile = format!(
        "{DOCKERFILE}RUN sleep 12345 & touch -d @1000 /etc/motd && ln /etc/motd /motd && mkdir -p /new/deep && chown 7:8 /new\n\
         RUN --mount=type=cache,target=/cache test -e /cache/x && test ! -e /run/secrets\nUSER 33\nRUN id -u > /tmp/me\n"
    );
    let output = person.build_with(&dockerfile, &["--bounding-set=-sys_admin"]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    assert!(log.contains("this step runs by chroot on a copy of its files"), "{log}");
    check_common(&person);
    let image = person.image();
    assert_eq!((image["new"].0, image["new"].1, image["tmp/me"].2.as_str()), (7, 8, "33\n"));
    assert!(image.contains_key("new/deep") && image.contains_key("motd"));
    for name in ["etc/resolv.conf", "run/secrets", "dev/null", "cache/x"] {
        assert!(!image.contains_key(name), "{name} was there for the step only");
    }
    assert!(support::processes("sleep\u{0}12345").is_empty(), "what a step leaves running is ended");
    let failed = person.build_with("FROM debian\nRUN --network=none true\n", &["--bounding-set=-sys_admin"]);
    let log = String::from_utf8_lossy(&failed.stderr);
    assert!(!failed.status.success() && log.contains("cannot take the network away from a step"), "{log}");
}
