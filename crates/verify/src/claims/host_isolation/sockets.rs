//! Whether a container reaches an engine: through a socket of the host in any of its mounts, whatever its name there, or
//! over the network.

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    os::{
        fd::{AsFd as _, AsRawFd as _},
        unix::{fs::FileTypeExt as _, net::UnixStream},
    },
    path::Path,
    time::Duration,
};

use rustix::fs::{FileType, OFlags};

use super::mounts::Host;
use crate::{
    claims::Outcome,
    hostfs::{canonical, is_inside},
    inside::{Inside, stat_host, walk},
    netns,
    procfs::{MountLine, Transport},
    stack::{Member, Stack},
};

/// Where engines listen if nobody says otherwise.
const USUAL: &[&str] = &[
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/docker/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
    "/run/buildkit/buildkitd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/systemd/private",
];
/// The programs whose sockets give the host away.
const ENGINES: &[&str] = &["dockerd", "containerd", "podman", "crio", "buildkitd", "kubelet", "k3s"];
/// How deep and how far a mount is searched for sockets.
const LEVELS: usize = 4;
const ENTRIES: usize = 100_000;
const LIMIT: Duration = Duration::from_millis(500);

/// The engines of this host.
pub(super) struct Engines {
    /// Path, device and inode of each socket.
    sockets: Vec<(String, u64, u64)>,
    /// Several names of one file are possible.
    linked: bool,
    /// Where engines listen on TCP, in the host's network.
    tcp: Vec<SocketAddr>,
}

impl Engines {
    pub(super) fn of(stack: &Stack<'_>) -> Self {
        let mut paths: BTreeSet<String> = USUAL.iter().map(|path| canonical(path)).collect();
        paths.extend(stack.engine.host().strip_prefix("unix://").map(canonical));
        for user in fs::read_dir("/run/user").into_iter().flatten().flatten() {
            for socket in ["docker.sock", "podman/podman.sock"] {
                paths.insert(canonical(&user.path().join(socket).display().to_string()));
            }
        }
        let held = held_sockets(stack);
        let unix = stack.procfs.read(std::process::id(), "net/unix").unwrap_or_default();
        paths.extend(
            listening(&String::from_utf8_lossy(&unix), &held).into_iter().map(|path| canonical(&path)),
        );
        let mut linked = false;
        let sockets = paths.into_iter().filter_map(|path| {
            let stat = stat_host(Path::new(&path)).ok()?;
            linked |= stat.st_nlink > 1;
            (FileType::from_raw_mode(stat.st_mode) == FileType::Socket).then_some((
                path,
                stat.st_dev,
                stat.st_ino,
            ))
        });
        let sockets = sockets.collect();
        let tcp = stack.procfs.sockets(std::process::id(), Transport::Tcp).unwrap_or_default();
        let tcp =
            tcp.into_iter().filter(|(_, inode)| held.contains(inode)).map(|(address, _)| address).collect();
        Self { sockets, linked, tcp }
    }

    /// The name of a socket of an engine that a path of the host is or leads to.
    pub(super) fn at(&self, path: &str) -> Option<&str> {
        self.sockets.iter().map(|(socket, _, _)| socket.as_str()).find(|socket| is_inside(socket, path))
    }
}

/// The inodes of sockets that processes of engines hold.
fn held_sockets(stack: &Stack<'_>) -> BTreeSet<u64> {
    let mut held = BTreeSet::new();
    for pid in stack.procfs.pids() {
        let name = stack.procfs.read(pid, "comm").unwrap_or_default();
        if !ENGINES.contains(&String::from_utf8_lossy(&name).trim()) {
            continue;
        }
        held.extend(stack.procfs.socket_inodes(pid));
    }
    held
}

/// The paths of listening sockets in `net/unix` (unix(7)) with one of these inodes.
fn listening(text: &str, inodes: &BTreeSet<u64>) -> Vec<String> {
    let path = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // Flag 10000 is "accepts connections"; a name with `@` is abstract.
        let listens = u32::from_str_radix(fields.get(3)?, 16).ok()? & 0x10000 != 0;
        let inode = fields.get(6)?.parse().ok()?;
        let path = fields.get(7)?;
        (listens && inodes.contains(&inode) && path.starts_with('/')).then(|| (*path).to_owned())
    };
    text.lines().skip(1).filter_map(path).collect()
}

/// Adds what is wrong, every way from the container to an engine, and what was not looked at to its end.
pub(super) fn judge(
    stack: &Stack<'_>,
    (host, engines): (&Host, &Engines),
    (member, pid): (&Member, u32),
    inside: &Inside,
    mounts: &[MountLine],
    (wrong, cut): (&mut Vec<String>, &mut Vec<String>),
    outcome: Outcome,
) -> Outcome {
    let mut looked = 0;
    for mount in mounts.iter().filter(|mount| mount.target != "/" && may_hold_sockets(mount)) {
        let seen = host.seen(mount);
        if let Some(socket) = seen.iter().find_map(|seen| engines.at(&seen.path)) {
            wrong.push(format!("sees the engine's socket {socket} through {}", mount.target));
            continue;
        }
        let Ok(stat) = inside.stat(&mount.target) else { continue };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Socket => {
                let same =
                    engines.sockets.iter().find(|(_, dev, ino)| (*dev, *ino) == (stat.st_dev, stat.st_ino));
                let path = stack.procfs.path(pid, "root").join(mount.target.trim_start_matches('/'));
                if let Some((socket, _, _)) = same {
                    wrong.push(format!("sees the engine's socket {socket} at {}", mount.target));
                } else if let Some(who) = engine_behind(stack, &path) {
                    wrong.push(format!("reaches an engine ({who}) at {}", mount.target));
                }
            }
            FileType::Directory if !seen.is_empty() => {
                let Ok(directory) = inside.open(&mount.target, OFlags::DIRECTORY) else { continue };
                let more = walk(directory.as_fd(), LEVELS, ENTRIES, |name, entry, kind| {
                    looked += 1;
                    if !kind.is_socket() {
                        return;
                    }
                    let at = format!("{}{name}", mount.target.trim_end_matches('/'));
                    if let Some(socket) = engines.linked.then(|| engines.same(entry)).flatten() {
                        wrong.push(format!("sees the engine's socket {socket} at {at}"));
                    } else if let Some(who) = engine_behind(stack, &entry.path()) {
                        wrong.push(format!("reaches an engine ({who}) at {at}"));
                    }
                });
                if more {
                    cut.push(format!(
                        "the first {ENTRIES} names in {} were looked at for sockets, and there are more",
                        mount.target
                    ));
                }
            }
            _ => {}
        }
    }
    for address in engines.tcp.iter().flat_map(|listener| ways(stack, pid, *listener)) {
        if answers_as_engine_over_tcp(stack, pid, address) {
            wrong.push(format!("reaches the engine at tcp://{address}"));
        }
    }
    let value = format!(
        "{} sockets of engines on the host; {looked} names in mounts looked at",
        engines.sockets.len()
    );
    outcome.evidence(format!("sockets in the mounts of {}", member.name), value)
}

impl Engines {
    fn same(&self, entry: &fs::DirEntry) -> Option<&str> {
        use std::os::unix::fs::MetadataExt as _;
        let meta = entry.metadata().ok()?;
        let same = self.sockets.iter().find(|(_, dev, ino)| (*dev, *ino) == (meta.dev(), meta.ino()));
        same.map(|(socket, _, _)| socket.as_str())
    }
}

fn may_hold_sockets(mount: &MountLine) -> bool {
    !matches!(
        mount.kind.as_str(),
        "proc" | "sysfs" | "cgroup" | "cgroup2" | "devpts" | "mqueue" | "securityfs"
    )
}

/// Who listens at a socket, if that is an engine or passes on to one. A listener that is one of the project's own
/// processes is not spoken to: what it reaches is said of its own container.
fn engine_behind(stack: &Stack<'_>, path: &Path) -> Option<String> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
    // The path may be longer than a socket's name can be: by the directory's descriptor it is short.
    let directory =
        rustix::fs::open(path.parent()?, OFlags::PATH | OFlags::CLOEXEC, rustix::fs::Mode::empty()).ok()?;
    let short = format!("/proc/self/fd/{}/{}", directory.as_raw_fd(), path.file_name()?.to_str()?);
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).ok()?;
    connect(&socket, &SocketAddrUnix::new(short).ok()?).ok()?;
    let stream = tokio::net::UnixStream::from_std(UnixStream::from(socket)).ok()?;
    // 0 is a process that cannot be seen from here.
    let listener = stream.peer_cred().ok()?.pid().and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0);
    let name =
        String::from_utf8_lossy(&stack.procfs.read(listener, "comm").unwrap_or_default()).trim().to_owned();
    if stack.members.iter().any(|member| stack.procfs.is_in(listener, member.id())) {
        return None;
    }
    let mut stream = stream.into_std().ok()?;
    stream.set_nonblocking(false).ok()?;
    let engine = ENGINES.contains(&name.as_str())
        || answers_as_engine(&mut stream, |stream| {
            stream.set_read_timeout(Some(LIMIT))?;
            stream.set_write_timeout(Some(LIMIT))
        });
    engine.then(|| format!("{name}, process {listener}"))
}

/// Docker's and Podman's API say so in a header of every answer.
fn answers_as_engine<S: std::io::Read + std::io::Write>(
    stream: &mut S,
    limit: impl Fn(&S) -> std::io::Result<()>,
) -> bool {
    let mut answer = vec![0; 4096];
    let asked = limit(stream).and_then(|()| stream.write_all(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n"));
    let Ok(length) = asked.and_then(|()| stream.read(&mut answer)) else { return false };
    let answer = String::from_utf8_lossy(&answer[..length]).to_ascii_lowercase();
    answer.contains("\r\napi-version:") || answer.contains("\r\nlibpod-api-version:")
}

fn answers_as_engine_over_tcp(stack: &Stack<'_>, pid: u32, address: SocketAddr) -> bool {
    netns::connect(&stack.procfs, pid, address).is_ok_and(|mut stream| {
        answers_as_engine(&mut stream, |stream| {
            stream.set_read_timeout(Some(LIMIT))?;
            stream.set_write_timeout(Some(LIMIT))
        })
    })
}

/// The addresses at which a listener of the host can be reached from the network of a process: the routers on its way.
fn ways(stack: &Stack<'_>, pid: u32, listener: SocketAddr) -> Vec<SocketAddr> {
    let ip = listener.ip();
    if ip.is_unspecified() {
        let routers = stack.procfs.routes(pid).into_iter().filter_map(|route| route.gateway);
        let same_family = routers.filter(|router| router.is_ipv4() || ip.is_ipv6());
        return same_family.map(|router| SocketAddr::new(router, listener.port())).collect();
    }
    if ip.is_loopback() { Vec::new() } else { vec![listener] }
}

/// For the fuzz targets: every reader of this file.
#[cfg(fuzzing)]
pub(in crate::claims) fn fuzz(text: &str) {
    assert!(listening(text, &BTreeSet::from([1, 17])).iter().all(|path| path.starts_with('/')));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_sockets_with_a_path() {
        let text = "Num RefCount Protocol Flags Type St Inode Path\n\
                    0: 00000002 00000000 00010000 0001 01 17 /run/docker.sock\n\
                    0: 00000002 00000000 00000000 0001 03 17 /run/not.sock\n\
                    0: 00000002 00000000 00010000 0001 01 18 /run/other.sock\n\
                    0: 00000002 00000000 00010000 0001 01 19 @abstract\n\
                    0: 00000002 00000000 00010000 0001 01 17\n";
        assert_eq!(listening(text, &[17, 19].into()), ["/run/docker.sock"]);
    }
}
