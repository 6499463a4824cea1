//! What a step must not reach: devices of the host, and what its cgroup bounds. Real attacks, as root, in a user namespace and
//! without namespaces.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

mod bed;

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Output},
};

use bed::Bed;
use nix::sys::stat::{Mode, SFlag, mknod};
use plimsoll_sandbox::{Exit, Mount, MountKind, Process, Security, become_root, init_if_requested};

/// A hidden first argument: become root in a user namespace if need be, and run this script in a step.
const SCRIPT: &str = "run-this-script";

/// Puts programs of the host and their libraries into the root.
fn copy_programs(bed: &Bed, names: &[&str]) {
    for name in names {
        let program = format!("/usr/bin/{name}");
        let output = Command::new("ldd").arg(&program).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let files = text.split_whitespace().filter(|word| word.starts_with('/')).chain([program.as_str()]);
        for file in files {
            let real = fs::canonicalize(file).unwrap();
            let wanted = Path::new(file).strip_prefix("/").unwrap();
            // bin, lib and lib64 of the root are links into its usr
            let wanted =
                if wanted.starts_with("usr") { wanted.to_owned() } else { Path::new("usr").join(wanted) };
            let to = bed.path("base").join(wanted);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(real, to).unwrap();
        }
    }
}

fn main() -> ExitCode {
    init_if_requested();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == SCRIPT) {
        become_root();
        let bed = Bed::new();
        let bare = arguments.get(2).is_some();
        if bare {
            copy_programs(&bed, &["sh", "mknod"]);
        }
        let (exit, text) = bed
            .run(&["/bin/sh", "-c", &arguments[1]], |step| {
                if bare {
                    // Without namespaces a mount is a copy, and that of /usr would be a large one.
                    step.mounts.clear();
                }
            })
            .unwrap();
        print!("{text}");
        return ExitCode::from(u8::try_from(exit.code()).unwrap());
    }
    bed::run_all(TESTS, &arguments)
}

const TESTS: &[(&str, fn())] = &[
    ("host_devices_in_run: a node that the step makes", made_by_the_step),
    ("host_devices_in_run: a node in a layer, a bind, a cache, a tmpfs", brought_to_the_step),
    ("host_devices_in_run: the cgroup alone refuses", refused_by_the_cgroup),
    ("host_devices_in_run: the mounts alone refuse", refused_by_the_mounts),
    ("host_devices_in_run: the devices that every program wants", wanted_devices),
    ("host_devices_in_run: insecure steps open devices", insecure_steps),
    ("host_devices_in_run: version 2 of cgroups", version_two),
    ("host_devices_in_run: ordinary users", ordinary_users),
    ("host_devices_in_run: without namespaces", without_namespaces),
    ("the group bounds the number of tasks", bounded_tasks),
    ("the group bounds the memory", bounded_memory),
    ("nothing of the group is left", group_is_gone),
];

/// A loop device over a file: stands for a disk of the host.
struct Disk {
    _dir: tempfile::TempDir,
    file: PathBuf,
    device: PathBuf,
    number: u64,
}

impl Disk {
    /// `None` where the machine has no loop devices.
    fn attach() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("disk.img");
        fs::write(&file, [b'S'; 8192]).unwrap();
        let output = Command::new("losetup").args(["-f", "--show"]).arg(&file).output().unwrap();
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            assert!(std::env::var_os("CI").is_none(), "CI must not skip: no loop device: {reason}");
            eprintln!("skipped: no loop device: {reason}");
            return None;
        }
        let device = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
        let number = fs::metadata(&device).unwrap().rdev();
        Some(Self { _dir: dir, file, device, number })
    }

    fn numbers(&self) -> String {
        format!("{} {}", nix::sys::stat::major(self.number), nix::sys::stat::minor(self.number))
    }

    /// Makes a node of it that everybody may open.
    fn node(&self, path: &Path) {
        mknod(path, SFlag::S_IFBLK, Mode::from_bits_truncate(0o666), self.number).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
    }

    #[track_caller]
    fn is_untouched(&self) {
        let _ = Command::new("blockdev").arg("--flushbufs").arg(&self.device).status();
        assert!(fs::read(&self.file).unwrap().iter().all(|byte| *byte == b'S'), "the disk was written to");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("-d").arg(&self.device).status();
    }
}

/// Tries to read and to write what `path` names; says `read` and `wrote` where that works.
fn open_it(path: &str) -> String {
    format!(
        "head -c 8 {path} >/dev/null 2>/tmp-said && echo read; cat /tmp-said >&2; \
         printf OWNED 2>/dev/null >{path} && echo wrote; "
    )
}

fn made_by_the_step() {
    let Some(disk) = Disk::attach() else { return };
    let bed = Bed::new();
    // Making a node may succeed, as in Docker: images hold them.
    let script = format!("mknod /d b {} && echo made; {} true", disk.numbers(), open_it("/d"));
    let text = bed.sh(&script, |_| ());
    assert!(text.starts_with("made\n") && text.contains("/d"), "{text}");
    assert!(text.contains("Permission denied") || text.contains("Operation not permitted"), "{text}");
    assert!(!text.contains("read\n") && !text.contains("wrote"), "{text}");
    for (name, numbers) in
        [("fuse", "10 229"), ("kvm", "10 232"), ("console", "5 1"), ("mem", "1 1"), ("tun", "10 200")]
    {
        let script = format!("mknod /{name} c {numbers}; {} true", open_it(&format!("/{name}")));
        let text = bed.sh(&script, |_| ());
        assert!(!text.contains("read\n") && !text.contains("wrote"), "{name}: {text}");
    }
    // Also on the file systems that are made for the step.
    for place in ["/dev", "/dev/shm"] {
        let script = format!("mknod {place}/d b {}; {} true", disk.numbers(), open_it(&format!("{place}/d")));
        let text = bed.sh(&script, |_| ());
        assert!(!text.contains("read\n") && !text.contains("wrote"), "{place}: {text}");
    }
    disk.is_untouched();
}

fn with_mounts(bed: &Bed) -> impl Fn(&mut Process) {
    let (cache, layer) = (bed.path("cache"), bed.path("layer"));
    let scratch = (bed.path("scratch"), bed.path("scratch-work"));
    let file = bed.path("cache/node");
    move |step: &mut Process| {
        let mut mount = |target: &str, kind| step.mounts.push(Mount { target: target.into(), kind });
        mount("/rw", MountKind::Bind { source: cache.clone(), read_only: false });
        mount("/ro", MountKind::Bind { source: cache.clone(), read_only: true });
        mount("/file", MountKind::Bind { source: file.clone(), read_only: false });
        let lowers = vec![layer.clone()];
        mount("/one", MountKind::Layers { lowers: lowers.clone(), subpath: "/".into(), scratch: None });
        mount("/over", MountKind::Layers { lowers, subpath: "/".into(), scratch: Some(scratch.clone()) });
        mount("/tmpfs", MountKind::Tmpfs { size: None, mode: 0o1777 });
    }
}

fn prepared(disk: &Disk) -> Bed {
    let bed = Bed::new();
    for name in ["cache", "layer", "scratch", "scratch-work"] {
        fs::create_dir(bed.path(name)).unwrap();
    }
    disk.node(&bed.path("cache/node"));
    disk.node(&bed.path("layer/node"));
    disk.node(&bed.path("base/node"));
    bed
}

const PLACES: [&str; 7] =
    ["/node", "/rw/node", "/ro/node", "/file", "/one/node", "/over/node", "/tmpfs/node"];

fn try_all(bed: &Bed, disk: &Disk, change: impl Fn(&mut Process)) -> String {
    let mut script = format!("mknod /tmpfs/node b {}; ", disk.numbers());
    for place in PLACES {
        script.push_str(&format!("test -b {place} && echo seen {place}; {}", open_it(place)));
    }
    let mounts = with_mounts(bed);
    bed.sh(&format!("{script} true"), |step| {
        mounts(step);
        change(step);
    })
}

fn brought_to_the_step() {
    let Some(disk) = Disk::attach() else { return };
    let bed = prepared(&disk);
    let text = try_all(&bed, &disk, |_| ());
    for place in PLACES {
        assert!(text.contains(&format!("seen {place}\n")), "{place}: {text}");
    }
    assert!(!text.contains("read\n") && !text.contains("wrote"), "{text}");
    disk.is_untouched();
}

/// Insecure steps have no `nodev`; a group of the test's own around such a step is the only wall.
fn refused_by_the_cgroup() {
    let Some(disk) = Disk::attach() else { return };
    if !Path::new("/sys/fs/cgroup").exists() {
        eprintln!("skipped: no cgroups here");
        return;
    }
    // A step sees its own mounts without `nodev` when it may remount; the group does not care.
    let bed = Bed::new();
    let text = bed.sh("cat /proc/self/cgroup", |_| ());
    assert!(text.contains("/plimsoll/"), "the step has a group of its own: {text}");
    let group = text
        .lines()
        .find_map(|line| line.split_once(":devices:").map(|(_, path)| path.to_owned()))
        .filter(|_| Path::new("/sys/fs/cgroup/devices/devices.list").exists());
    if group.is_none() {
        eprintln!(
            "skipped: the devices controller of version 1 is not here; version 2 has a test of its own"
        );
        return;
    }
    let own = PathBuf::from(format!("/sys/fs/cgroup/devices/plimsoll-test-{}", std::process::id()));
    let list = run_in_a_step_and_look("devices.list", "devices");
    assert_eq!(
        list.lines().map(str::trim).collect::<std::collections::BTreeSet<_>>(),
        [
            "b *:* m",
            "c *:* m",
            "c 136:* rwm",
            "c 1:3 rwm",
            "c 1:5 rwm",
            "c 1:7 rwm",
            "c 1:8 rwm",
            "c 1:9 rwm",
            "c 5:0 rwm",
            "c 5:2 rwm"
        ]
        .into_iter()
        .collect()
    );
    // The same rules without any other wall.
    fs::create_dir(&own).unwrap();
    let set = |file: &str, text: &str| fs::write(own.join(file), text).unwrap();
    set("devices.deny", "a");
    for rule in list.lines() {
        set("devices.allow", rule);
    }
    let node = bed.path("node");
    disk.node(&node);
    let script = format!(
        "echo 0 > {}/cgroup.procs && head -c 4 {} ; head -c 1 /dev/zero | wc -c",
        own.display(),
        node.display()
    );
    let output = Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
    fs::remove_dir(&own).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n");
    assert!(String::from_utf8_lossy(&output.stderr).contains("Operation not permitted"), "{output:?}");
}

/// What a file of the step's group in the hierarchy of a controller says while the step runs.
fn run_in_a_step_and_look(file: &str, controller: &str) -> String {
    let bed = Bed::new();
    let mut step = bed.step(&["/bin/sh", "-c", "cat /proc/self/cgroup; read x"]);
    step.cwd = "/".into();
    let (read, write) = std::io::pipe().unwrap();
    let (mut seen, mut found, mut writer) = (Vec::new(), String::new(), Some(write));
    let exit = plimsoll_sandbox::run_with_input(&step, std::os::fd::AsFd::as_fd(&read), &mut |_, bytes| {
        seen.extend_from_slice(bytes);
        let text = String::from_utf8_lossy(&seen).into_owned();
        let marker = format!(":{controller}:");
        if let Some(path) = text.lines().find_map(|line| line.split_once(marker.as_str()))
            && writer.is_some()
            && text.ends_with('\n')
        {
            let path = format!("/sys/fs/cgroup/{controller}{}/{file}", path.1);
            found = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
            writer.take().unwrap().write_all(b"go on\n").unwrap();
        }
    });
    assert_eq!(exit.unwrap(), Exit::Code(0));
    found
}

/// What the mounts say, whatever the group does.
fn refused_by_the_mounts() {
    let bed = Bed::new();
    for name in ["cache", "layer", "scratch", "scratch-work"] {
        fs::create_dir(bed.path(name)).unwrap();
    }
    fs::write(bed.path("cache/node"), "").unwrap();
    let text = bed.sh("cat /proc/self/mountinfo", with_mounts(&bed));
    for line in text.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let (target, options) = (fields[4], fields[5]);
        let device =
            ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/pts"];
        // masked files are covered by /dev/null
        let masked = target.starts_with("/proc/");
        if !device.contains(&target) && !masked {
            assert!(options.split(',').any(|option| option == "nodev"), "{line}");
        }
    }
}

fn wanted_devices() {
    let bed = Bed::new();
    let text = bed.sh(
        "echo x > /dev/null && head -c 3 /dev/zero | wc -c && head -c 3 /dev/urandom | wc -c && head -c 3 /dev/random | wc -c
         ! echo x 2>/dev/null > /dev/full && echo full; for d in null zero full random urandom tty; do stat -c '%n %F %a %t:%T' /dev/$d; done
         perl -e 'use IO::Pty' 2>/dev/null; script -qec 'tty' /dev/null < /dev/null | tr -d '\\r'",
        |_| (),
    );
    assert!(text.starts_with("3\n3\n3\nfull\n"), "{text}");
    assert_eq!(text.matches("character special file 666").count(), 6, "{text}");
    assert!(text.contains("/dev/pts/0\n"), "{text}");
    assert_eq!(bed.upper(), Vec::<String>::new());
}

fn insecure_steps() {
    let Some(disk) = Disk::attach() else { return };
    let bed = Bed::new();
    let script = format!("mknod /d b {} && head -c 4 /d", disk.numbers());
    assert_eq!(bed.sh(&script, |step| step.security = Security::Insecure), "SSSS");
}

/// The program is attached to the step's group of version 2, also where version 1 has the rules.
fn version_two() {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let Some(mount) = mounts.lines().rev().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ").then(|| place.split(' ').nth(4).unwrap().to_owned())
    }) else {
        assert!(std::env::var_os("CI").is_none(), "CI must not skip: no cgroup2");
        eprintln!("skipped: no cgroup2 here");
        return;
    };
    let Some(disk) = Disk::attach() else { return };
    let bed = Bed::new();
    let node = bed.path("node");
    disk.node(&node);
    // A process of the host, with no `nodev` and no rules of version 1, joins the group of a running step.
    let mut step = bed.step(&["/bin/sh", "-c", "grep ^0:: /proc/self/cgroup; read x"]);
    step.cwd = "/".into();
    let (read, write) = std::io::pipe().unwrap();
    let (mut seen, mut writer, mut output) = (Vec::new(), Some(write), None);
    let exit = plimsoll_sandbox::run_with_input(&step, std::os::fd::AsFd::as_fd(&read), &mut |_, bytes| {
        seen.extend_from_slice(bytes);
        let text = String::from_utf8_lossy(&seen).into_owned();
        if let Some(path) = text.trim_end().strip_prefix("0::")
            && writer.is_some()
        {
            let script = format!(
                "head -c 4 {node}; echo 0 > {mount}{path}/cgroup.procs && head -c 4 {node}; head -c 1 /dev/zero | wc -c",
                node = node.display()
            );
            output = Some(Command::new("/bin/sh").args(["-c", &script]).output().unwrap());
            writer.take().unwrap().write_all(b"go on\n").unwrap();
        }
    });
    assert_eq!(exit.unwrap(), Exit::Code(0));
    let output: Output = output.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "SSSS1\n", "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("Operation not permitted"), "{output:?}");
}

/// Runs this binary's hidden mode under `setpriv`.
fn elsewhere(script: &str, setpriv: &[&str], more: &[&str]) -> Output {
    let dir = tempfile::Builder::new().prefix("plimsoll-walls-").tempdir_in("/var/tmp").unwrap();
    let binary = dir.path().join("walls");
    fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    for path in [dir.path(), &binary] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let own = dir.path().join("own");
    fs::create_dir(&own).unwrap();
    chown(&own, Some(65534), Some(65534)).unwrap();
    Command::new("setpriv")
        .args(setpriv)
        .arg("--")
        .arg(&binary)
        .args([SCRIPT, script])
        .args(more)
        .env("TMPDIR", &own)
        .output()
        .unwrap()
}

fn ordinary_users() {
    let Some(disk) = Disk::attach() else { return };
    let user = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let probe = Command::new("setpriv").args(user).args(["unshare", "--user", "true"]).output().unwrap();
    if !probe.status.success() {
        assert!(std::env::var_os("CI").is_none(), "CI must not skip: {probe:?}");
        eprintln!("skipped: no user namespaces");
        return;
    }
    let script = format!("mknod /d b {}; {} echo x > /dev/null && echo fine", disk.numbers(), open_it("/d"));
    let output = elsewhere(&script, &user, &[]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("fine\n"), "{output:?}");
    assert!(!text.contains("read\n"), "{text}");
    disk.is_untouched();
}

fn without_namespaces() {
    let Some(disk) = Disk::attach() else { return };
    let script = format!(
        "mknod /d b {} && echo made; mknod /p p && echo pipe; echo x > /dev/null && echo fine",
        disk.numbers()
    );
    let output = elsewhere(&script, &["--bounding-set=-sys_admin"], &["bare"]);
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("fine\n") && text.contains("pipe\n"), "{output:?}");
    assert!(!text.contains("made\n"), "{text}");
    disk.is_untouched();
}

fn bounded_tasks() {
    let bed = Bed::new();
    let fork = "perl -e 'for (1..200) { my $p = fork; if (!defined $p) { print \"refused\\n\"; last } if (!$p) { sleep 60; exit } }'";
    let bounded = bed.sh(fork, |step| step.limits.tasks = Some(50));
    assert_eq!(bounded, "refused\n");
    assert_eq!(bed.sh(fork, |_| ()), "");
}

fn bounded_memory() {
    let bed = Bed::new();
    let take = "perl -e '$x = \"x\" x (200 << 20); print length $x'; echo; true";
    let text = bed.sh(take, |step| step.limits.memory = Some(64 << 20));
    assert!(!text.contains("209715200"), "{text}");
    assert_eq!(bed.sh(take, |_| ()), "209715200\n");
}

/// Daemons that a step starts end with it, and their groups are gone.
fn group_is_gone() {
    let bed = Bed::new();
    let mark = format!("{}.{}", 5000 + std::process::id() % 1000, std::process::id());
    let text = bed.sh(
        &format!("cat /proc/self/cgroup; perl -MPOSIX -e 'exit if fork; POSIX::setsid(); exit if fork; close STDOUT; close STDERR; exec qw(sleep {mark})'; sleep 0.2"),
        |_| (),
    );
    for line in text.lines().filter(|line| line.contains("/plimsoll/")) {
        let (names, path) = line.split_once(':').unwrap().1.split_once(':').unwrap();
        let folder = if names.is_empty() { "unified" } else { names };
        assert!(!Path::new(&format!("/sys/fs/cgroup/{folder}{path}")).exists(), "{line}");
        assert!(!Path::new(&format!("/sys/fs/cgroup{path}")).exists(), "{line}");
    }
    let sleeping = fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        fs::read(entry.path().join("cmdline"))
            .is_ok_and(|line| line == format!("sleep\0{mark}\0").into_bytes())
    });
    assert!(!sleeping);
}
