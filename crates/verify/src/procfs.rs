//! What the kernel says of a process: `/proc/<pid>/status`, `mountinfo`, `ns/*`, `net/tcp`, `environ`, `cmdline`.

use std::{
    collections::BTreeSet,
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

/// `/proc` of the engine's host.
#[derive(Clone, Debug)]
pub(crate) struct ProcFs {
    root: PathBuf,
}

/// The security part of `/proc/<pid>/status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProcessStatus {
    pub(crate) name: String,
    /// `R`, `S`, `D`, `T` (stopped), `Z`, ...; a space if it is not said.
    pub(crate) state: char,
    /// Real, effective, saved and file-system user.
    pub(crate) uids: Vec<u32>,
    pub(crate) gids: Vec<u32>,
    pub(crate) cap_effective: u64,
    pub(crate) cap_permitted: u64,
    pub(crate) cap_bounding: u64,
    pub(crate) no_new_privileges: bool,
    /// 0 none, 1 strict, 2 filter.
    pub(crate) seccomp: u8,
}

/// One line of `mountinfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MountLine {
    /// Major and minor number of the file system, `98:0`.
    pub(crate) device: String,
    pub(crate) root: String,
    pub(crate) target: String,
    pub(crate) options: String,
    pub(crate) kind: String,
    pub(crate) text: String,
}

impl MountLine {
    /// What is mounted below it appears on the other side too (mount_namespaces(7), MS_SHARED).
    pub(crate) fn is_shared(&self) -> bool {
        let before = self.text.split(" - ").next().unwrap_or("");
        before.split(' ').skip(6).any(|tag| tag.starts_with("shared:"))
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.options.split(',').any(|option| option == "ro")
    }
}

impl ProcFs {
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// `/proc/<pid>/<file>`.
    pub(crate) fn path(&self, pid: u32, file: &str) -> PathBuf {
        self.root.join(pid.to_string()).join(file)
    }

    pub(crate) fn read(&self, pid: u32, file: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path(pid, file))
    }

    pub(crate) fn status(&self, pid: u32) -> io::Result<ProcessStatus> {
        let text = fs::read_to_string(self.path(pid, "status"))?;
        Ok(parse_status(&text))
    }

    pub(crate) fn mounts(&self, pid: u32) -> io::Result<Vec<MountLine>> {
        let text = fs::read_to_string(self.path(pid, "mountinfo"))?;
        Ok(text.lines().filter_map(parse_mount).collect())
    }

    /// The identity of a namespace, `net:[4026531840]`.
    pub(crate) fn namespace(&self, pid: u32, kind: &str) -> io::Result<String> {
        let link = fs::read_link(self.path(pid, "ns").join(kind))?;
        Ok(link.to_string_lossy().into_owned())
    }

    /// Every process that can be seen.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let entries = fs::read_dir(&self.root).into_iter().flatten();
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
    }

    /// The inodes of the sockets that a process holds.
    pub(crate) fn socket_inodes(&self, pid: u32) -> BTreeSet<u64> {
        let entries = fs::read_dir(self.path(pid, "fd")).into_iter().flatten().flatten();
        let links = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
        links
            .filter_map(|link| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok())
            .collect()
    }

    /// The first of the ports that the kernel gives to whoever asks for none: what is bound there is somebody's
    /// question, not a service.
    pub(crate) fn first_ephemeral_port(&self) -> u16 {
        let text = fs::read_to_string(self.root.join("sys/net/ipv4/ip_local_port_range")).unwrap_or_default();
        text.split_whitespace().next().and_then(|port| port.parse().ok()).unwrap_or(32768)
    }

    /// Every process in the cgroup of a container, `init` first. Not by pid namespace, which a container can share.
    pub(crate) fn processes_of(&self, container: &str, init: u32) -> io::Result<Vec<u32>> {
        let mut pids: Vec<u32> = fs::read_dir(&self.root)?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|pid| *pid != init && self.is_in(*pid, container))
            .collect();
        pids.sort_unstable();
        pids.insert(0, init);
        Ok(pids)
    }

    /// Every process in the cgroup of a container, whether its first one is known or not.
    pub(crate) fn in_cgroup(&self, container: &str) -> io::Result<Vec<u32>> {
        let mut pids: Vec<u32> = fs::read_dir(&self.root)?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|pid| self.is_in(*pid, container))
            .collect();
        pids.sort_unstable();
        Ok(pids)
    }

    /// Whether a process is in the cgroup of a container: engines name it by the container's id.
    pub(crate) fn is_in(&self, pid: u32, container: &str) -> bool {
        let cgroup = self.read(pid, "cgroup").unwrap_or_default();
        !container.is_empty() && String::from_utf8_lossy(&cgroup).contains(container)
    }

    /// Every TCP address that something listens on in the network namespace of `pid`.
    pub(crate) fn listeners(&self, pid: u32) -> io::Result<Vec<SocketAddr>> {
        let mut found: Vec<SocketAddr> =
            self.sockets(pid, Transport::Tcp)?.into_iter().map(|(address, _)| address).collect();
        found.dedup();
        Ok(found)
    }

    /// Every socket that waits for others in the network namespace of `pid`, with its inode: TCP in state LISTEN, UDP
    /// that is bound to no peer.
    pub(crate) fn sockets(&self, pid: u32, transport: Transport) -> io::Result<Vec<(SocketAddr, u64)>> {
        let mut found = Vec::new();
        for file in transport.files() {
            match fs::read_to_string(self.path(pid, file)) {
                Ok(text) => found.extend(text.lines().filter_map(|line| parse_socket(line, transport))),
                // A kernel without IPv6 has no such file.
                Err(error) if error.kind() == io::ErrorKind::NotFound && file.ends_with('6') => {}
                Err(error) => return Err(error),
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// The other ends of every established TCP connection in the network namespace of `pid`.
    pub(crate) fn connections(&self, pid: u32) -> io::Result<Vec<SocketAddr>> {
        let mut found = Vec::new();
        for file in ["net/tcp", "net/tcp6"] {
            match fs::read_to_string(self.path(pid, file)) {
                Ok(text) => found.extend(text.lines().filter_map(parse_peer)),
                Err(error) if error.kind() == io::ErrorKind::NotFound && file.ends_with('6') => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Every TCP connection in the network namespace of `pid` that was ever made, also those that have ended and that the
    /// kernel remembers for a while. IPv4 on a socket of IPv6 is IPv4.
    pub(crate) fn tcp(&self, pid: u32) -> io::Result<Vec<Connection>> {
        let mut found = Vec::new();
        for file in Transport::Tcp.files() {
            match fs::read_to_string(self.path(pid, file)) {
                Ok(text) => found.extend(text.lines().filter_map(parse_connection)),
                Err(error) if error.kind() == io::ErrorKind::NotFound && file.ends_with('6') => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// The whole of `/proc`, for what is not a process's.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }
}

fn parse_status(text: &str) -> ProcessStatus {
    let mut status = ProcessStatus::default();
    let ids = |rest: &str| rest.split_whitespace().filter_map(|id| id.parse().ok()).collect();
    let mask = |rest: &str| u64::from_str_radix(rest.trim(), 16).unwrap_or(u64::MAX);
    for line in text.lines() {
        let Some((key, rest)) = line.split_once(':') else { continue };
        match key {
            "Name" => rest.trim().clone_into(&mut status.name),
            "State" => status.state = rest.trim().chars().next().unwrap_or(' '),
            "Uid" => status.uids = ids(rest),
            "Gid" => status.gids = ids(rest),
            "CapEff" => status.cap_effective = mask(rest),
            "CapPrm" => status.cap_permitted = mask(rest),
            "CapBnd" => status.cap_bounding = mask(rest),
            "NoNewPrivs" => status.no_new_privileges = rest.trim() == "1",
            "Seccomp" => status.seccomp = rest.trim().parse().unwrap_or(0),
            _ => {}
        }
    }
    status
}

/// `36 35 98:0 /root /target rw,noatime master:1 - ext3 /dev/root rw` (proc(5)).
fn parse_mount(line: &str) -> Option<MountLine> {
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ').skip(2);
    Some(MountLine {
        device: fields.next()?.to_owned(),
        root: unescape(fields.next()?),
        target: unescape(fields.next()?),
        options: fields.next()?.to_owned(),
        kind: after.split(' ').next()?.to_owned(),
        text: line.to_owned(),
    })
}

/// Space, tab, line break and backslash are octal in `mountinfo`.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

/// Both ends of a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) local: SocketAddr,
    pub(crate) peer: SocketAddr,
    /// False if it is about to end, or has ended.
    pub(crate) established: bool,
}

/// What a socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Transport {
    Tcp,
    Udp,
}

impl Transport {
    fn files(self) -> [&'static str; 2] {
        match self {
            Self::Tcp => ["net/tcp", "net/tcp6"],
            Self::Udp => ["net/udp", "net/udp6"],
        }
    }

    /// As in `80/tcp`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A line of `net/tcp`, `net/udp` and their sixes: state LISTEN (0A), or for UDP unconnected (07). Addresses are in host
/// byte order, four bytes at a time.
fn parse_socket(line: &str, transport: Transport) -> Option<(SocketAddr, u64)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let waits = match transport {
        Transport::Tcp => "0A",
        Transport::Udp => "07",
    };
    if *fields.get(3)? != waits {
        return None;
    }
    let local = *fields.get(1)?;
    let inode = fields.get(9).and_then(|inode| inode.parse().ok()).unwrap_or(0);
    Some((parse_address(local)?, inode))
}

/// The other end of a line in state ESTABLISHED (01).
fn parse_peer(line: &str) -> Option<SocketAddr> {
    let mut fields = line.split_whitespace().skip(2);
    let remote = fields.next()?;
    (fields.next()? == "01").then_some(())?;
    parse_address(remote)
}

/// A line in any state but LISTEN (0A), and SYN_SENT (02), to which nobody has answered.
fn parse_connection(line: &str) -> Option<Connection> {
    let mut fields = line.split_whitespace().skip(1);
    let (local, peer, state) = (fields.next()?, fields.next()?, fields.next()?);
    if matches!(state, "0A" | "02") {
        return None;
    }
    let canonical = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    let (local, peer) = (canonical(parse_address(local)?), canonical(parse_address(peer)?));
    Some(Connection { local, peer, established: state == "01" })
}

/// Addresses are in host byte order, four bytes at a time.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words: Vec<[u8; 4]> = address
        .as_bytes()
        .chunks(8)
        .map(|word| Some(u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?.to_ne_bytes()))
        .collect::<Option<_>>()?;
    let ip: IpAddr = match words.as_slice() {
        [v4] => Ipv4Addr::from(*v4).into(),
        [a, b, c, d] => {
            let bytes = [*a, *b, *c, *d].concat();
            Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// For the fuzz targets: every reader of this file.
#[cfg(fuzzing)]
pub(crate) fn fuzz(text: &str) {
    let _ = parse_status(text);
    for line in text.lines() {
        let _ = (parse_socket(line, Transport::Tcp), parse_socket(line, Transport::Udp), parse_peer(line));
        let _ = parse_connection(line);
        if let Some(mount) = parse_mount(line) {
            let _ = (mount.is_shared(), mount.is_read_only());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_of_a_confined_process() {
        let text = "Name:\tnode\nUid:\t10001\t10001\t10001\t10001\nGid:\t10001\t10001\t10001\t10001\n\
                    CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb\nNoNewPrivs:\t1\nSeccomp:\t2\n";
        let status = parse_status(text);
        assert_eq!(status.name, "node");
        assert_eq!(status.uids, [10001; 4]);
        assert_eq!((status.cap_effective, status.cap_bounding), (0, 0xa804_25fb));
        assert!(status.no_new_privileges);
        assert_eq!(status.seccomp, 2);
    }

    #[test]
    fn a_status_that_cannot_be_read_is_not_taken_for_a_safe_one() {
        assert_eq!(parse_status("CapEff:\tzz\n").cap_effective, u64::MAX);
    }

    #[test]
    fn mount_lines() {
        let line = "812 703 0:54 / /run/my\\040dir ro,nosuid,nodev master:9 - tmpfs tmpfs rw,size=65536k";
        let mount = parse_mount(line).unwrap();
        assert_eq!(mount.target, "/run/my dir");
        assert_eq!((mount.device.as_str(), mount.root.as_str()), ("0:54", "/"));
        assert_eq!(mount.kind, "tmpfs");
        assert!(mount.is_read_only());
        assert!(!mount.is_shared());
        assert!(parse_mount(&line.replace("master:9", "shared:9")).unwrap().is_shared());
        assert_eq!(parse_mount("garbage"), None);
    }

    #[test]
    fn listening_sockets_only() {
        let listen = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 4711 1 0 100";
        let established = listen.replace(" 0A ", " 01 ");
        let tcp = |line: &str| parse_socket(line, Transport::Tcp);
        assert_eq!(tcp(listen), Some(("127.0.0.1:8080".parse().unwrap(), 4711)));
        assert_eq!(tcp(&established), None);
        let peer = established.replace("00000000:0000", "020011AC:18EB");
        assert_eq!(parse_peer(&peer), Some("172.17.0.2:6379".parse().unwrap()));
        assert_eq!(parse_peer(listen), None);
        let six = "   0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0";
        assert_eq!(tcp(six), Some(("[::1]:80".parse().unwrap(), 0)));
        let udp = listen.replace(" 0A ", " 07 ");
        assert_eq!(parse_socket(&udp, Transport::Udp), Some(("127.0.0.1:8080".parse().unwrap(), 4711)));
        assert_eq!(parse_socket(listen, Transport::Udp), None);
    }

    #[test]
    fn processes_are_found_by_their_cgroup() {
        let dir = tempfile::tempdir().unwrap();
        let container = "f00d".repeat(16);
        for (pid, cgroup) in [
            ("10", format!("2:pids:/docker/{container}\n0::/docker/{container}\n")),
            ("12", format!("0::/system.slice/docker-{container}.scope/worker\n")),
            ("11", "0::/user.slice\n".to_owned()),
        ] {
            fs::create_dir(dir.path().join(pid)).unwrap();
            fs::write(dir.path().join(pid).join("cgroup"), cgroup).unwrap();
        }
        let procfs = ProcFs::new(dir.path());
        assert_eq!(procfs.processes_of(&container, 10).unwrap(), [10, 12]);
        assert_eq!(procfs.processes_of("", 10).unwrap(), [10]);
    }

    #[test]
    fn this_process_has_a_root_mount_and_namespaces() {
        let procfs = ProcFs::new("/proc");
        let me = std::process::id();
        assert!(procfs.mounts(me).unwrap().iter().any(|mount| mount.target == "/"));
        assert!(procfs.namespace(me, "net").unwrap().starts_with("net:["));
    }
}
