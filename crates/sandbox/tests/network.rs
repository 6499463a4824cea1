//! The network of a step: what it reaches, and what must not answer. A world of the test's own is around it: a host with
//! services on loopback, a bridge with a container, a metadata service, and a server far away.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

mod bed;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, UdpSocket},
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            fs::{PermissionsExt as _, chown},
            net::{SocketAddr as UnixAddr, UnixListener},
        },
    },
    path::Path,
    process::{Command, ExitCode},
    sync::mpsc,
    thread,
    time::Duration,
};

use bed::Bed;
use nix::sched::{CloneFlags, unshare};
use plimsoll_sandbox::{ExtraHost, Network, Process, User, become_root, init_if_requested};

/// A hidden first argument: be the host of a small world, and try everything there.
const WORLD: &str = "be-the-world";
/// Another one: become root in a user namespace, and run this script in a step.
const SCRIPT: &str = "run-this-script";

fn main() -> ExitCode {
    init_if_requested();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(WORLD) => {
            in_the_world();
            return ExitCode::SUCCESS;
        }
        Some(SCRIPT) => {
            become_root();
            print!("{}", Bed::new().sh(&arguments[1], |_| ()));
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    bed::run_all(
        &[("run_has_the_hosts_network: root and ordinary users", run_has_the_hosts_network)],
        &arguments,
    )
}

/// The world needs namespaces that only a fresh process with one thread can make.
fn run_has_the_hosts_network() {
    if !Path::new("/dev/net/tun").exists() || Command::new("ip").arg("-V").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "CI must not skip: no /dev/net/tun, or no program `ip`");
        eprintln!("skipped: no /dev/net/tun, or no program `ip`");
        return;
    }
    let world = Command::new(std::env::current_exe().unwrap()).arg(WORLD).status().unwrap();
    assert!(world.success());
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Another machine (or a container): a thread in a network namespace of its own, where `then` prepares servers.
fn machine(link: &str, peer: &str, then: impl FnOnce() + Send + 'static) {
    let (tell, heard) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let (done, finished) = mpsc::channel::<()>();
    thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        tell.send(nix::unistd::gettid()).unwrap();
        wait.recv().unwrap();
        then();
        done.send(()).unwrap();
        // The namespace lives as long as this thread.
        loop {
            thread::sleep(Duration::from_mins(1));
        }
    });
    let task = heard.recv().unwrap();
    ip(&format!("link add {link} type veth peer name {peer}"));
    ip(&format!("link set {peer} netns {task}"));
    go.send(()).unwrap();
    finished.recv().unwrap();
}

/// Says who it is, and what it was told, to everybody who connects.
fn serve(address: &str, name: &'static str) {
    let listener = TcpListener::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut client = client;
                let _ = client.write_all(format!("{name}\n").as_bytes());
                // Afterwards an echo, to the end of what is sent.
                let mut buffer = vec![0; 64 << 10];
                while let Ok(length @ 1..) = client.read(&mut buffer) {
                    if client.write_all(&buffer[..length]).is_err() {
                        return;
                    }
                }
            });
        }
    });
}

/// Answers each question for an address with 203.0.113.2.
fn name_server(address: &str) {
    let socket = UdpSocket::bind(address).unwrap();
    thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut question) {
            let mut answer = question[..length].to_vec();
            let end = 12 + question[12..length].iter().position(|byte| *byte == 0).unwrap() + 5;
            let wants_address = question[end - 4..end - 2] == [0, 1];
            answer.truncate(end);
            answer[2..4].copy_from_slice(&[0x81, 0x80]);
            answer[6..12].copy_from_slice(&[0, u8::from(wants_address), 0, 0, 0, 0]);
            if wants_address {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 2]);
            }
            let _ = socket.send_to(&answer, from);
        }
    });
}

fn in_the_world() {
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).unwrap();
    nix::mount::mount(
        None::<&str>,
        "/",
        None::<&str>,
        nix::mount::MsFlags::MS_REC | nix::mount::MsFlags::MS_PRIVATE,
        None::<&str>,
    )
    .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let resolv = dir.path().join("resolv.conf");
    fs::write(&resolv, "nameserver 127.0.0.53\noptions timeout:2\n").unwrap();
    fs::set_permissions(&resolv, fs::Permissions::from_mode(0o644)).unwrap();
    let real = fs::canonicalize("/etc/resolv.conf").unwrap();
    nix::mount::mount(Some(&resolv), &real, None::<&str>, nix::mount::MsFlags::MS_BIND, None::<&str>)
        .unwrap();

    // The interfaces of this namespace, as a host sees its own.
    let flags = nix::mount::MsFlags::empty();
    nix::mount::mount(Some("sysfs"), "/sys", Some("sysfs"), flags, None::<&str>).unwrap();
    ip("link set lo up");
    machine("far0", "far1", || {
        for line in [
            "link set lo up",
            "addr add 203.0.113.2/24 dev far1",
            "addr add 2001:db8:1::2/64 dev far1 nodad",
            "addr add 169.254.169.254/16 dev far1",
            "link set far1 up",
        ] {
            ip(line);
        }
        serve("203.0.113.2:7000", "FAR");
        serve("169.254.169.254:80", "METADATA");
        thread::sleep(Duration::from_millis(50));
        serve("[2001:db8:1::2]:7000", "FAR-SIX");
        let echo = UdpSocket::bind("203.0.113.2:7001").unwrap();
        thread::spawn(move || {
            let mut buffer = vec![0; 65_535];
            while let Ok((length, from)) = echo.recv_from(&mut buffer) {
                let _ = echo.send_to(&buffer[..length], from);
            }
        });
    });
    ip("addr add 203.0.113.1/24 dev far0");
    ip("addr add 2001:db8:1::1/64 dev far0 nodad");
    ip("link set far0 up");
    ip("route add default via 203.0.113.2");
    ip("-6 route add default via 2001:db8:1::2");
    ip("route add 169.254.0.0/16 dev far0");
    ip("link add br-test type bridge");
    machine("con0", "con1", || {
        ip("addr add 172.31.99.2/24 dev con1");
        ip("link set con1 up");
        serve("172.31.99.2:80", "CONTAINER");
    });
    ip("link set con0 master br-test");
    ip("link set con0 up");
    ip("addr add 172.31.99.1/24 dev br-test");
    ip("link set br-test up");
    serve("127.0.0.1:22099", "LOOPBACK");
    serve("[::1]:22099", "LOOPBACK-SIX");
    serve("127.0.0.1:3128", "PROXY");
    serve("0.0.0.0:7002", "HOST");
    name_server("127.0.0.53:53");
    let name = UnixAddr::from_abstract_name(b"plimsoll-demo-abstract").unwrap();
    let _abstract = UnixListener::bind_addr(&name).unwrap();
    thread::sleep(Duration::from_millis(300));

    // The world is as it should be: the host itself reaches all of it.
    for (address, expected) in [
        ("203.0.113.2:7000", "FAR"),
        ("[2001:db8:1::2]:7000", "FAR-SIX"),
        ("169.254.169.254:80", "METADATA"),
        ("172.31.99.2:80", "CONTAINER"),
        ("127.0.0.1:22099", "LOOPBACK"),
    ] {
        let mut text = [0; 64];
        // An interface of the world may take a moment.
        let mut tries = (0..100).map(|_| {
            thread::sleep(Duration::from_millis(50));
            std::net::TcpStream::connect(address)
        });
        let mut stream = tries.find_map(Result::ok).unwrap_or_else(|| panic!("{address} does not answer"));
        let length = stream.read(&mut text).unwrap();
        assert_eq!(&text[..length], format!("{expected}\n").as_bytes());
    }

    reached(&|script, change| Bed::new().sh(script, change));
    not_reached(&|script, change| Bed::new().sh(script, change));
    lent();
    large();
    one_after_the_other();
    ordinary_user();
}

type InAStep<'a> = &'a dyn Fn(&str, &dyn Fn(&mut Process)) -> String;

/// Connects, and prints the first line or why there is none.
const CONNECT: &str = r#"connect() { perl -MIO::Socket::IP -e '
    my $s = IO::Socket::IP->new(PeerHost => $ARGV[0], PeerPort => $ARGV[1], Timeout => 5);
    print "$ARGV[0] ", $s ? scalar <$s> : "no: $@\n"' "$@"; }; "#;

fn reached(run: InAStep<'_>) {
    let script = format!(
        "{CONNECT} connect 203.0.113.2 7000; connect 2001:db8:1::2 7000; connect far.example 7000; getent ahostsv4 x.example | head -1 | cut -d' ' -f1;
         perl -MIO::Socket::IP -e 'my $s = IO::Socket::IP->new(Proto => \"udp\", PeerHost => \"203.0.113.2\", PeerPort => 7001); $s->send(\"ping\" x 5000); $s->recv(my $b, 65535); print length $b, \"\\n\"'
         cat /etc/resolv.conf; perl -ne 'print if s/^ *(\\w+):.*/$1/' /proc/net/dev | sort | tr '\\n' ' '; wc -l < /proc/net/unix"
    );
    let text = run(&script, &|_| ());
    assert_eq!(
        text,
        "203.0.113.2 FAR\n2001:db8:1::2 FAR-SIX\nfar.example FAR\n203.0.113.2\n20000\n\
         nameserver 192.0.0.1\noptions timeout:2\neth0 lo 1\n"
    );
}

fn not_reached(run: InAStep<'_>) {
    let script = format!(
        "{CONNECT}
         for a in 127.0.0.1 ::1 192.0.0.1 0.0.0.0 203.0.113.1 172.31.99.1 ::ffff:127.0.0.1; do connect $a 22099; connect $a 7002; connect $a 3128; done
         connect 169.254.169.254 80; connect 172.31.99.2 80; connect 203.0.113.2 9; connect 2001:db8:1::1 22099
         perl -MSocket -e 'socket(my $s, PF_UNIX, SOCK_STREAM, 0); print connect($s, pack(\"Sa*\", AF_UNIX, \"\\0plimsoll-demo-abstract\")) ? \"reached\" : \"abstract no: $!\", \"\\n\"'
         perl -e 'print socket(my $s, 17, 3, 0x300) ? \"packets reached\" : \"packet no: $!\", \"\\n\"'
         perl -e 'print socket(my $s, 2, 3, 1) ? \"raw reached\" : \"raw no: $!\", \"\\n\"'
         perl -MIO::Socket::IP -e 'print IO::Socket::IP->new(LocalHost => \"203.0.113.1\", LocalPort => 22098, Listen => 1) ? \"bind reached\" : \"bind no\", \"\\n\"'"
    );
    let text = run(&script, &|_| ());
    assert_eq!(text.lines().count(), 7 * 3 + 4 + 4, "{text}");
    for line in text.lines() {
        assert!(line.contains("no"), "{line}\n{text}");
        for name in ["LOOPBACK", "HOST", "PROXY", "METADATA", "CONTAINER", "reached"] {
            assert!(!line.contains(name), "{line}");
        }
    }
    // Refused at once, as an address where nobody listens.
    assert!(text.contains("203.0.113.2 no: Connection refused"), "{text}");
}

/// What a person lends: a proxy on loopback, this machine by `host-gateway`, the whole network.
fn lent() {
    let script = format!(
        "{CONNECT} echo $http_proxy; connect 192.0.0.1 3128; connect 192.0.0.1 22099; connect me.example 7002; connect me.example 22099"
    );
    let text = Bed::new().sh(&script, |step| {
        step.proxies.push(("http_proxy".into(), "http://127.0.0.1:3128".into()));
        step.hosts.push(ExtraHost { name: "me.example".into(), address: ExtraHost::GATEWAY.into() });
    });
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["http://192.0.0.1:3128", "192.0.0.1 PROXY"], "{text}");
    assert!(lines[2].contains("no:"), "{text}");
    assert_eq!(lines[3], "me.example HOST");
    assert!(lines[4].contains("no:"), "a service on loopback alone is nobody's but the host's: {text}");
    // A variable that only looks like a proxy opens nothing.
    let text = Bed::new().sh(&format!("{CONNECT} echo $http_proxy; connect 192.0.0.1 3128"), |step| {
        step.env.push(("http_proxy".into(), "http://127.0.0.1:3128".into()));
    });
    assert!(text.starts_with("http://127.0.0.1:3128\n") && !text.contains("PROXY"), "{text}");
    let text =
        Bed::new().sh(&format!("{CONNECT} connect 127.0.0.1 22099"), |step| step.network = Network::Host);
    assert_eq!(text, "127.0.0.1 LOOPBACK\n");
    let text =
        Bed::new().sh(&format!("{CONNECT} connect 203.0.113.2 7000"), |step| step.network = Network::None);
    assert!(text.contains("no:"), "{text}");
}

/// Bytes in both directions at once, on several connections; half-closed ones as well.
fn large() {
    let script = r#"perl -MIO::Socket::IP -MDigest::MD5=md5_hex -e '
        for my $n (1..4) { next if fork; 
            my $s = IO::Socket::IP->new(PeerHost => "203.0.113.2", PeerPort => 7000) or die "$@";
            my $hello = <$s>; my $data = join "", map { chr(($_ * 7 + $n) % 251) } 0..3_000_000; my $got = "";
            if (!fork) { print $s $data; $s->flush; shutdown($s, 1); exit }
            while (sysread $s, my $b, 1 << 16) { $got .= $b }
            print STDOUT (md5_hex($got) eq md5_hex($data) ? "same\n" : "different " . length($got) . "\n"); wait; exit }
        1 while wait > 0'"#;
    assert_eq!(Bed::new().sh(script, |_| ()), "same\n".repeat(4));
}

/// A gate is used again: nothing of the step before is left, and several steps have several.
fn one_after_the_other() {
    for _ in 0..3 {
        let text =
            Bed::new().sh(&format!("{CONNECT} connect 203.0.113.2 7000; connect 192.0.0.1 3128"), |_| ());
        assert!(text.starts_with("203.0.113.2 FAR\n") && !text.contains("PROXY"), "{text}");
    }
    let threads: Vec<_> = (0..4)
        .map(|at| {
            thread::spawn(move || {
                let script = format!(
                    "{CONNECT} perl -MIO::Socket::IP -e 'my $s = IO::Socket::IP->new(LocalHost => \"0.0.0.0\", LocalPort => 5000, Listen => 1) or die; sleep 1'; connect 203.0.113.2 7000"
                );
                let who = if at % 2 == 0 { User::ROOT } else { User::Spec("app".into()) };
                assert_eq!(Bed::new().sh(&script, |step| step.user = who), "203.0.113.2 FAR\n");
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

fn ordinary_user() {
    let user = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let probe = Command::new("setpriv").args(user).args(["unshare", "--user", "true"]).output().unwrap();
    if !probe.status.success() {
        assert!(std::env::var_os("CI").is_none(), "CI must not skip: {probe:?}");
        eprintln!("skipped: no user namespaces");
        return;
    }
    let dir = tempfile::Builder::new().prefix("plimsoll-network-").tempdir_in("/var/tmp").unwrap();
    let binary = dir.path().join("network");
    fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    for path in [dir.path(), &binary] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let own = dir.path().join("own");
    fs::create_dir(&own).unwrap();
    chown(&own, Some(65534), Some(65534)).unwrap();
    let run = |script: &str, _: &dyn Fn(&mut Process)| {
        let output = Command::new("setpriv")
            .args(user)
            .arg("--")
            .arg(&binary)
            .args([SCRIPT, script])
            .env("TMPDIR", &own)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    reached(&run);
    not_reached(&run);
}
