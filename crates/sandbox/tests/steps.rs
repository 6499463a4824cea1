//! Runs real steps. Needs root; the root file system is the host's `/usr` and `/etc` seen read-only through overlay.
//!
//! The harness is our own, because the binary must be able to become the sandbox helper.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

mod bed;

use std::{
    fs,
    os::{
        fd::AsFd as _,
        unix::fs::{MetadataExt, symlink},
    },
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use nix::libc;
use plimsoll_sandbox::{
    Cancel, Exit, ExtraHost, Mount, MountKind, Network, Process, SandboxError, Screen, Security, Stream,
    Ulimit, User, init_if_requested, run, run_in_terminal, run_with_input,
};

use bed::Bed;

fn main() -> ExitCode {
    init_if_requested();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "run-and-be-killed") {
        let bed = Bed::new();
        let _ = bed.run(&["/bin/sh", "-c", &format!("echo started; sleep {}", arguments[1])], |_| ());
        return ExitCode::SUCCESS;
    }
    bed::run_all(TESTS, &arguments)
}

const TESTS: &[(&str, fn())] = &[
    ("exit codes and signals come back", exit_codes_and_signals),
    ("both streams arrive in order", streams_arrive),
    ("the posture is docker's default, without raw sockets", posture),
    ("the command is process 1 of its own namespaces", own_namespaces),
    ("the user, its groups and its home are set", users),
    ("a user other than root has no capability", users_without_capabilities),
    ("set-user-id programs work", set_user_id_works),
    ("writes go to the upper directory only", writes_go_to_upper),
    ("many layers stack", many_layers),
    ("mounts: bind, layers, tmpfs, file", mounts),
    ("mount points made for the step are gone after it", stubs_are_removed),
    ("links in the root lead nowhere outside", links_stay_inside),
    ("without a network there is loopback alone", no_network),
    ("the kernel's files are masked", masked),
    ("insecure steps keep everything", insecure),
    ("a missing command is named", missing_command),
    ("a timeout and a cancel stop the step", stops),
    ("limits are set", limits),
    ("killing the caller kills the step", caller_killed),
    ("an empty root runs a static program", empty_root),
    ("a step reads what it is given", reads_input),
    ("a step has a terminal of its own", own_terminal),
    ("32-bit programs run, with the same calls", other_word_size),
];

fn field(status: &str, name: &str) -> String {
    let line =
        status.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} in {status}"));
    line.split_once(':').unwrap().1.trim().to_owned()
}

fn exit_codes_and_signals() {
    let bed = Bed::new();
    assert_eq!(bed.run(&["/bin/sh", "-c", "exit 0"], |_| ()).unwrap().0, Exit::Code(0));
    assert_eq!(bed.run(&["/bin/sh", "-c", "exit 7"], |_| ()).unwrap().0, Exit::Code(7));
    // Process 1 has no default signal actions, so a child is what a signal ends.
    assert_eq!(
        bed.run(&["/bin/sh", "-c", "sh -c 'kill -TERM $$'; exit $?"], |_| ()).unwrap().0,
        Exit::Code(143)
    );
    assert_eq!(bed.run(&["sh", "-c", "exit 3"], |_| ()).unwrap().0, Exit::Code(3));
}

fn streams_arrive() {
    let bed = Bed::new();
    let mut out = Vec::new();
    let mut err = Vec::new();
    let step = bed.step(&[
        "/bin/sh",
        "-c",
        "for i in 1 2 3; do echo out $i; echo err $i >&2; done; cat; seq 1 50000",
    ]);
    let exit = run(&step, &mut |stream, bytes| match stream {
        Stream::Out => out.extend_from_slice(bytes),
        Stream::Err => err.extend_from_slice(bytes),
    });
    assert_eq!(exit.unwrap(), Exit::Code(0));
    let out = String::from_utf8(out).unwrap();
    assert!(out.starts_with("out 1\nout 2\nout 3\n1\n2\n"), "{}", &out[..40]);
    assert!(out.ends_with("\n50000\n"));
    assert_eq!(err, b"err 1\nerr 2\nerr 3\n");
}

fn posture() {
    let bed = Bed::new();
    let status = bed.sh("cat /proc/self/status; cat /proc/self/limits", |_| ());
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert_eq!(field(&status, set), "00000000a80405fb", "{set}");
    }
    assert_eq!(field(&status, "CapInh"), "0000000000000000");
    assert_eq!(field(&status, "CapAmb"), "0000000000000000");
    assert_eq!(field(&status, "Seccomp"), "2");
    assert_eq!(field(&status, "NoNewPrivs"), "0");
    // Rust ignores SIGPIPE and that would be inherited; 32 and up belong to the C library.
    let ignored = u64::from_str_radix(&field(&status, "SigIgn"), 16).unwrap();
    assert_eq!(ignored & 0x7fff_ffff, 0);
    let (exit, text) = bed.run(&["/usr/bin/unshare", "-U", "true"], |_| ()).unwrap();
    assert!(!exit.success() && text.contains("Operation not permitted"), "{text}");
    let (exit, text) = bed.run(&["/bin/mount", "-t", "tmpfs", "x", "/root"], |_| ()).unwrap();
    assert!(!exit.success(), "{text}");
    let (exit, _) = bed.run(&["/bin/sh", "-c", "echo 1 > /proc/sys/vm/drop_caches"], |_| ()).unwrap();
    assert!(!exit.success());
    // Threads and children start: clone is allowed, and clone3 falls back to it.
    assert_eq!(
        bed.sh("perl -e 'fork // die; wait' && seq 3 | xargs -P3 -n1 echo | sort | tr -d '\\n'", |_| ()),
        "123"
    );
}

fn own_namespaces() {
    let bed = Bed::new();
    assert_eq!(
        bed.sh("echo $$; cat /proc/sys/kernel/hostname; ls /proc | grep -c '^[0-9]'", |_| ()).lines().next(),
        Some("1")
    );
    assert_eq!(bed.sh("hostname", |step| step.hostname = "here".into()), "here\n");
    let host = bed.sh("cat /etc/hosts", |step| {
        step.hosts.push(ExtraHost { name: "db".into(), address: "10.1.2.3".into() });
    });
    assert!(
        host.contains("127.0.0.1\tlocalhost buildkitsandbox\n") && host.contains("10.1.2.3\tdb\n"),
        "{host}"
    );
    assert_eq!(
        bed.sh("pwd; ls -ld /made/here", |step| step.cwd = "/made/here".into()).lines().next(),
        Some("/made/here")
    );
    let mounts = bed.sh("cat /proc/self/mountinfo", |_| ());
    assert!(!mounts.contains(" /home "), "the host's mounts are not seen: {mounts}");
    for name in
        ["null", "zero", "full", "random", "urandom", "tty", "pts", "shm", "mqueue", "fd", "stdin", "ptmx"]
    {
        assert!(bed.sh("ls /dev", |_| ()).lines().any(|line| line == name), "/dev/{name}");
    }
    assert_eq!(
        bed.sh("readlink /proc/self/fd/0; ls /proc/self/fd | wc -l", |_| ()).lines().next(),
        Some("/dev/null")
    );
}

fn users() {
    let bed = Bed::new();
    let who = "id -u; id -g; id -G; echo $HOME";
    assert_eq!(bed.sh(who, |_| ()), "0\n0\n0\n/root\n");
    assert_eq!(bed.sh(who, |step| step.user = User::Spec("app".into())), "1234\n1235\n1235 77\n/home/app\n");
    assert_eq!(bed.sh(who, |step| step.user = User::Spec("55:66".into())), "55\n66\n66\n/\n");
    let numbers = User::Ids { uid: 9, gid: 8, groups: vec![7] };
    assert_eq!(bed.sh(who, |step| step.user = numbers), "9\n8\n8 7\n/\n");
    assert_eq!(bed.sh("echo $HOME", |step| step.env.push(("HOME".into(), "/set".into()))), "/set\n");
    let error = bed.run(&["/bin/true"], |step| step.user = User::Spec("nobody-here".into())).unwrap_err();
    assert!(
        error.to_string().contains("unable to find user nobody-here: no matching entries in passwd file"),
        "{error}"
    );
}

fn users_without_capabilities() {
    let bed = Bed::new();
    let status = bed.sh("cat /proc/self/status", |step| step.user = User::Spec("app".into()));
    assert_eq!(field(&status, "CapEff"), "0000000000000000");
    assert_eq!(field(&status, "CapPrm"), "0000000000000000");
    assert_eq!(field(&status, "CapBnd"), "00000000a80405fb");
    assert_eq!(field(&status, "Seccomp"), "2");
}

fn set_user_id_works() {
    let bed = Bed::new();
    bed.sh("cp /usr/bin/id /id && chmod 4755 /id", |_| ());
    assert_eq!(bed.sh("/id -u", |step| step.user = User::Spec("app".into())), "0\n");
}

fn writes_go_to_upper() {
    let bed = Bed::new();
    bed.sh("echo new > /root/new; rm /etc/group; rm -r /home/app; mkdir /home/app", |_| ());
    assert_eq!(bed.upper(), ["etc", "etc/group", "home", "home/app", "root", "root/new"]);
    let whiteout = fs::symlink_metadata(bed.path("upper/etc/group")).unwrap();
    assert_eq!((whiteout.rdev(), whiteout.mode() & 0o170_000), (0, 0o020_000));
    let mut value = [0; 4];
    let length =
        rustix::fs::lgetxattr(bed.path("upper/home/app"), "trusted.overlay.opaque", &mut value).unwrap();
    assert_eq!(&value[..length], b"y");
    assert!(!bed.path("base/root/new").exists());
}

fn many_layers() {
    let bed = Bed::new();
    let layers: Vec<PathBuf> =
        (0..100).map(|at| bed.path(&format!("layer-with-a-rather-long-name-{at}"))).collect();
    for (at, layer) in layers.iter().enumerate() {
        fs::create_dir_all(layer.join("l")).unwrap();
        fs::write(layer.join(format!("l/{at}")), "").unwrap();
        fs::write(layer.join("l/who"), at.to_string()).unwrap();
    }
    let text = bed.sh("ls /l | wc -l; cat /l/who", |step| {
        step.root.lowers = layers.iter().cloned().chain([bed.path("base")]).collect();
    });
    assert_eq!(text, "101\n0");
}

fn mounts() {
    let bed = Bed::new();
    let source = bed.path("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "content").unwrap();
    let (one, two) = (bed.path("one"), bed.path("two"));
    for (layer, name) in [(&one, "a"), (&two, "b")] {
        fs::create_dir_all(layer.join("part")).unwrap();
        fs::write(layer.join("part").join(name), name).unwrap();
    }
    symlink("/part", two.join("link")).unwrap();
    for name in ["scratch", "scratch-work"] {
        fs::create_dir(bed.path(name)).unwrap();
    }
    let secret = b"hunter2".to_vec();
    let add = |step: &mut Process| {
        let mut mount = |target: &str, kind| step.mounts.push(Mount { target: target.into(), kind });
        mount("/ro", MountKind::Bind { source: source.clone(), read_only: true });
        mount("/rw", MountKind::Bind { source: source.clone(), read_only: false });
        mount("/file", MountKind::Bind { source: source.join("file"), read_only: true });
        let lowers = vec![one.clone(), two.clone()];
        mount("/both", MountKind::Layers { lowers: lowers.clone(), subpath: "/link".into(), scratch: None });
        let scratch = Some((bed.path("scratch"), bed.path("scratch-work")));
        mount("/write", MountKind::Layers { lowers: lowers[..1].to_vec(), subpath: "/part".into(), scratch });
        mount(
            "/run/secrets/pass",
            MountKind::File { content: secret.clone(), mode: 0o400, uid: 1234, gid: 5 },
        );
        mount("/t", MountKind::Tmpfs { size: Some(1 << 20), mode: 0o1777 });
    };
    let text = bed.sh(
        "cat /ro/file /file; ls /both | tr '\\n' ' '; ls /write; cat /run/secrets/pass; stat -c ' %a %u %g' /run/secrets/pass
         ! touch /ro/x 2>/dev/null && ! touch /both/x 2>/dev/null && ! sh -c 'echo x > /run/secrets/pass' 2>/dev/null && echo refused
         touch /rw/x /write/x && stat -c %a /t && ! dd if=/dev/zero of=/t/big bs=1M count=3 2>/dev/null && echo full",
        add,
    );
    assert_eq!(text, "contentcontenta b a\nhunter2 400 1234 5\nrefused\n1777\nfull\n");
    assert!(source.join("x").exists());
    assert!(!one.join("part/x").exists());
    assert!(bed.path("scratch/part/x").exists());
    assert_eq!(
        bed.upper(),
        Vec::<String>::new(),
        "neither the mounts nor their targets are in the upper directory"
    );
}

fn stubs_are_removed() {
    let bed = Bed::new();
    let before = fs::metadata(bed.path("base/root")).unwrap().mtime_nsec();
    bed.sh("touch /kept", |step| {
        step.mounts.push(Mount {
            target: "/root/deep/er".into(),
            kind: MountKind::Tmpfs { size: None, mode: 0o755 },
        });
    });
    assert_eq!(bed.upper(), ["kept"]);
    let text = bed.sh("stat -c %y /root", |_| ());
    assert!(text.contains(&format!(".{before:09}")), "{text}");
    // What the step put into a mount point's parent stays.
    bed.sh("touch /root/deep/own", |step| {
        step.mounts.push(Mount {
            target: "/root/deep/er".into(),
            kind: MountKind::Tmpfs { size: None, mode: 0o755 },
        });
    });
    assert_eq!(bed.upper(), ["kept", "root", "root/deep", "root/deep/own"]);
}

fn links_stay_inside() {
    let bed = Bed::new();
    let outside = bed.path("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, bed.path("base/escape")).unwrap();
    symlink("../../../../../../..", bed.path("base/up")).unwrap();
    let kind = || MountKind::Tmpfs { size: None, mode: 0o755 };
    let result =
        bed.run(&["/bin/true"], |step| step.mounts.push(Mount { target: "/escape/x".into(), kind: kind() }));
    assert!(fs::read_dir(&outside).unwrap().next().is_none(), "{result:?}");
    bed.sh("grep -q ' /x ' /proc/mounts", |step| {
        step.mounts.push(Mount { target: "/up/x".into(), kind: kind() });
    });
}

fn no_network() {
    let bed = Bed::new();
    let none = |step: &mut Process| step.network = Network::None;
    let text = bed.sh("cat /proc/net/dev", none);
    let names: Vec<&str> = text.lines().skip(2).filter_map(|line| line.trim().split(':').next()).collect();
    assert_eq!(names, ["lo"]);
    assert_eq!(bed.sh("perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => \"127.0.0.1\") or die; print IO::Socket::INET->new(PeerAddr => \"127.0.0.1\", PeerPort => $s->sockport) ? \"up\" : \"down\"'", none), "up");
}

fn masked() {
    let bed = Bed::new();
    assert_eq!(
        bed.sh("cat /proc/keys /proc/timer_list /proc/interrupts | wc -c; ls /sys/firmware | wc -l", |_| ()),
        "0\n0\n"
    );
    let (exit, _) = bed.run(&["/bin/sh", "-c", "touch /sys/x"], |_| ()).unwrap();
    assert!(!exit.success());
}

fn insecure() {
    let bed = Bed::new();
    let text = bed.sh(
        "grep -E 'Seccomp:|CapEff' /proc/self/status; mount -t tmpfs x /root && echo mounted",
        |step| {
            step.security = Security::Insecure;
        },
    );
    assert_eq!(field(&text, "Seccomp"), "0");
    assert_ne!(field(&text, "CapEff"), "00000000a80405fb");
    assert!(text.ends_with("mounted\n"));
}

fn missing_command() {
    let bed = Bed::new();
    let error = |argv: &[&str]| bed.run(argv, |_| ()).unwrap_err().to_string();
    assert_eq!(
        error(&["no-such-thing"]),
        "cannot execute `no-such-thing`: executable file not found in $PATH"
    );
    assert_eq!(error(&["/no/such"]), "cannot execute `/no/such`: no such file or directory");
    assert_eq!(error(&["/etc"]), "cannot execute `/etc`: is a directory");
    assert!(error(&["/etc/passwd"]).contains("ermission denied"));
}

fn stops() {
    let bed = Bed::new();
    let start = Instant::now();
    let error = bed.run(&["/bin/sh", "-c", "trap '' TERM INT; sleep 50 & wait"], |step| {
        step.timeout = Some(Duration::from_millis(200));
    });
    assert!(matches!(error, Err(SandboxError::TimedOut(_))), "{error:?}");
    let cancel = Cancel::new().unwrap();
    let other = cancel.clone();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        other.cancel();
    });
    let bed = Bed::new();
    let error = bed.run(&["/bin/sleep", "50"], |step| step.cancel = Some(cancel.clone()));
    assert!(matches!(error, Err(SandboxError::Cancelled)), "{error:?}");
    assert!(cancel.is_cancelled());
    thread.join().unwrap();
    assert!(start.elapsed() < Duration::from_secs(5));
}

fn limits() {
    let bed = Bed::new();
    let text = bed.sh("ulimit -n; ulimit -Hn; df --output=size -k /dev/shm | tail -1 | tr -d ' '", |step| {
        step.limits.shm_size = Some(8 << 20);
        step.limits.ulimits.push(Ulimit { name: "nofile".into(), soft: 77, hard: 88 });
    });
    assert_eq!(text, "77\n88\n8192\n");
}

fn caller_killed() {
    // A duration that no other process of the machine sleeps for.
    let mark = format!("{}.{}", 4000 + std::process::id() % 1000, std::process::id());
    let mut caller = Command::new(std::env::current_exe().unwrap())
        .args(["run-and-be-killed", &mark])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let sleeping = || {
        fs::read_dir("/proc").unwrap().flatten().any(|entry| {
            fs::read(entry.path().join("cmdline"))
                .is_ok_and(|line| line == format!("sleep\0{mark}\0").into_bytes())
        })
    };
    let within = |wanted: bool| {
        (0..200).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            sleeping() == wanted
        })
    };
    assert!(within(true), "the step starts");
    caller.kill().unwrap();
    caller.wait().unwrap();
    assert!(within(false), "the step ends with its caller");
}

fn empty_root() {
    let bed = Bed::new();
    // The one program of a Debian system that needs no library.
    fs::copy("/usr/sbin/ldconfig", bed.path("upper/ldconfig")).unwrap();
    let (exit, text) = bed
        .run(&["/ldconfig", "--version"], |step| {
            step.root.lowers.clear();
            step.mounts.clear();
        })
        .unwrap();
    assert!(exit.success() && text.starts_with("ldconfig"), "{text}");
    assert_eq!(bed.upper(), ["ldconfig"]);
}

fn reads_input() {
    let bed = Bed::new();
    let (read, write) = std::io::pipe().unwrap();
    let writer = std::thread::spawn(move || {
        use std::io::Write as _;
        (&write).write_all(b"echo one\ncat /etc/group | head -1\nexit 4\necho never\n").unwrap();
    });
    let mut out = Vec::new();
    let exit =
        run_with_input(&bed.step(&["/bin/sh"]), read.as_fd(), &mut |_, bytes| out.extend_from_slice(bytes));
    assert_eq!(exit.unwrap(), Exit::Code(4));
    assert_eq!(String::from_utf8(out).unwrap(), "one\nroot:x:0:\n");
    writer.join().unwrap();
}

fn own_terminal() {
    use std::io::{Read as _, Write as _};
    let bed = Bed::new();
    let size = nix::pty::Winsize { ws_row: 33, ws_col: 77, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = nix::pty::openpty(Some(&size), None).unwrap();
    let before = nix::sys::termios::tcgetattr(&pty.slave).unwrap();
    let person = fs::File::from(pty.master);
    let mut keyboard = person.try_clone().unwrap();
    let screen = std::thread::spawn(move || {
        let (mut person, mut seen, mut buffer) = (person, String::new(), [0; 4096]);
        while let Ok(read @ 1..) = person.read(&mut buffer) {
            seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
            if seen.contains("the-end") {
                break;
            }
        }
        seen
    });
    // Typed before the shell reads: it waits in the terminal. Ctrl-C reaches the shell's command and nobody else.
    keyboard.write_all(b"tty; id -u; stty size\nsleep 600\n").unwrap();
    let typist = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(700));
        keyboard.write_all(&[3]).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        keyboard.write_all(b"echo after-$((40+2)); exit 3\n").unwrap();
    });
    let mut step = bed.step(&["/bin/sh"]);
    step.user = User::Spec("app".to_owned());
    let screen_fds = Screen { input: pty.slave.as_fd(), output: pty.slave.as_fd() };
    let exit = run_in_terminal(&step, screen_fds).unwrap();
    typist.join().unwrap();
    let after = nix::sys::termios::tcgetattr(&pty.slave).unwrap();
    nix::unistd::write(&pty.slave, b"the-end\n").unwrap();
    let seen = screen.join().unwrap();
    assert_eq!(exit, Exit::Code(3), "{seen}");
    for text in ["/dev/pts/0", "1234", "33 77", "after-42"] {
        assert!(seen.contains(text), "no {text} in {seen:?}");
    }
    assert_eq!(before.local_flags, after.local_flags, "the person's terminal is as it was");
}

/// A static ELF program for i386 with this code and nothing else.
fn i386(code: &[u8]) -> Vec<u8> {
    const BASE: u32 = 0x0804_8000;
    const HEADERS: u32 = 52 + 32;
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let mut elf = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x03\0".to_vec();
    // version, entry, program headers, section headers, flags; then sizes: header, program header, their number
    elf.extend(words(&[1, BASE + HEADERS, 52, 0, 0]));
    elf.extend([52, 0, 32, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    let size = HEADERS + code.len() as u32;
    elf.extend(words(&[1, 0, BASE, BASE, size, size, 5, 0x1000]));
    elf.extend(code);
    elf
}

#[cfg(not(target_arch = "x86_64"))]
fn other_word_size() {
    eprintln!("skipped: only x86-64 has 32-bit programs that Docker lets run");
}

#[cfg(target_arch = "x86_64")]
fn other_word_size() {
    let bed = Bed::new();
    // eax = call, ebx = argument; then the error (or the result) becomes the exit code
    let program = |call: u32, argument: u32| {
        let mut code = vec![0xb8];
        code.extend(call.to_le_bytes());
        code.push(0xbb);
        code.extend(argument.to_le_bytes());
        code.extend([0xcd, 0x80, 0x89, 0xc3]);
        // positive results stay, errors are negated
        code.extend([0x85, 0xdb, 0x79, 0x02, 0xf7, 0xdb]);
        code.extend([0xb8, 1, 0, 0, 0, 0xcd, 0x80]);
        i386(&code)
    };
    let run_one = |call, argument| {
        fs::write(bed.path("base/program"), program(call, argument)).unwrap();
        fs::set_permissions(bed.path("base/program"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        match bed.run(&["/program"], |_| ()) {
            Ok((exit, _)) => Some(exit),
            // a property of the kernel, which no test can change
            Err(SandboxError::Exec { cause, .. }) if cause == "exec format error" => None,
            Err(error) => panic!("{error}"),
        }
    };
    let Some(exit) = run_one(1, 42) else {
        eprintln!("skipped: this kernel runs no 32-bit programs");
        return;
    };
    assert_eq!(exit, Exit::Code(42));
    for (what, call, argument, code) in [
        ("getpid", 20, 0, 1),
        ("mount", 21, 0, libc::EPERM),
        ("reboot", 88, 0, libc::EPERM),
        ("clone3", 435, 0, libc::ENOSYS),
        ("a call of the future", 500, 0, libc::ENOSYS),
        ("clone with a user namespace", 120, libc::CLONE_NEWUSER as u32, libc::EPERM),
        ("a socket to the hypervisor", 359, libc::AF_VSOCK as u32, libc::EPERM),
        ("personality: no random addresses", 136, 0x4_0000, libc::EPERM),
        ("personality: as it is", 136, 0xffff_ffff, 0),
    ] {
        let Some(Exit::Code(found)) = run_one(call, argument) else { panic!("{what}") };
        // what `personality` was is its result, whose lower byte is a domain
        assert_eq!(found, code, "{what}");
    }
}
