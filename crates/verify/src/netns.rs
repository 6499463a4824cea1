//! Connections and name questions from inside the network namespace of a container.
//!
//! A network namespace belongs to a thread, so each question runs in a short-lived thread of its own that moves there
//! and ends; a socket that it opened stays in that namespace and is used from here.

use std::{
    fs::File,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    os::fd::AsFd,
    time::Duration,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::{inside::Inside, procfs::ProcFs};

/// How long a connection or an answer may take. A packet that a bridge drops is never answered.
const LIMIT: Duration = Duration::from_secs(1);

/// The types of records for IPv4 (RFC 1035) and IPv6 addresses (RFC 3596).
const A: u8 = 1;
const AAAA: u8 = 28;
/// A port where nobody waits (RFC 863, long out of use).
const DISCARD: u16 = 9;
/// A resolv.conf that is larger is none.
const RESOLV_CONF: u64 = 1 << 16;

/// A name server's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameAnswer {
    /// 0 is success, 3 is "no such name" (RFC 1035, 4.1.1).
    pub(crate) code: u8,
    pub(crate) addresses: Vec<IpAddr>,
}

/// Opens a TCP connection as the process `pid` would.
pub(crate) fn connect(procfs: &ProcFs, pid: u32, address: SocketAddr) -> io::Result<TcpStream> {
    inside(procfs, pid, || TcpStream::connect_timeout(&address, LIMIT))
}

/// True if anything answers a connection to `address`: by taking it, or by refusing it. Either comes from there.
pub(crate) fn is_answered(procfs: &ProcFs, pid: u32, address: SocketAddr) -> bool {
    match connect(procfs, pid, address) {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::ConnectionRefused,
    }
}

/// True if the machine at `ip` answers a datagram to a port where nobody waits: "refused" comes back if the way there is
/// open in both directions.
pub(crate) fn udp_is_answered(procfs: &ProcFs, pid: u32, ip: IpAddr) -> bool {
    inside(procfs, pid, || {
        let socket = unbound(ip)?;
        socket.connect(SocketAddr::new(ip, DISCARD))?;
        socket.send(&[])?;
        Ok(socket
            .recv(&mut [0; 1])
            .map_or_else(|error| error.kind() == io::ErrorKind::ConnectionRefused, |_| true))
    })
    .unwrap_or(false)
}

/// Asks the name server of the container for the addresses of `name`, IPv4 and IPv6.
pub(crate) fn resolve(procfs: &ProcFs, pid: u32, name: &str) -> io::Result<NameAnswer> {
    let text = Inside::of(procfs, pid)?.read("/etc/resolv.conf", RESOLV_CONF)?;
    let text = String::from_utf8_lossy(&text);
    let server =
        name_servers(&text).next().ok_or_else(|| io::Error::other("resolv.conf names no name server"))?;
    let mut answer = NameAnswer { code: 0, addresses: Vec::new() };
    for kind in [A, AAAA] {
        let question = question(name, kind)?;
        let packet = inside(procfs, pid, move || ask(server, &question))?;
        let part = parse_answer(&packet)
            .ok_or_else(|| io::Error::other("the name server's answer cannot be read"))?;
        answer.code = answer.code.max(part.code);
        answer.addresses.extend(part.addresses);
    }
    Ok(answer)
}

/// Asks a name server, as the process `pid` would, for a name that every one of them knows (`localhost`, RFC 6761).
/// Any answer will do.
pub(crate) fn ask_name_server(procfs: &ProcFs, pid: u32, server: IpAddr) -> io::Result<()> {
    let question = question("localhost", A)?;
    inside(procfs, pid, move || ask(server, &question)).map(drop)
}

fn unbound(peer: IpAddr) -> io::Result<UdpSocket> {
    let any: IpAddr =
        if peer.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.set_read_timeout(Some(LIMIT))?;
    Ok(socket)
}

fn ask(server: IpAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let socket = unbound(server)?;
    socket.connect(SocketAddr::new(server, 53))?;
    socket.send(question)?;
    let mut answer = vec![0; 1500];
    let length = socket.recv(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

fn inside<T: Send>(procfs: &ProcFs, pid: u32, ask: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let namespace = File::open(procfs.path(pid, "ns/net"))?;
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            ask()
        });
        asking.join().unwrap_or_else(|_| Err(io::Error::other("the asking thread ended without an answer")))
    })
}

/// The name servers of a resolv.conf.
pub(crate) fn name_servers(text: &str) -> impl Iterator<Item = IpAddr> + '_ {
    text.lines().filter_map(|line| line.strip_prefix("nameserver")?.trim().parse().ok())
}

/// A question for the records of `name` of one type (RFC 1035, 4.1).
fn question(name: &str, kind: u8) -> io::Result<Vec<u8>> {
    let mut packet = vec![0x70, 0x6c, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length));
        packet.push(length.ok_or_else(|| io::Error::other(format!("`{name}` is not a host name")))?);
        packet.extend_from_slice(label.as_bytes());
    }
    packet.extend_from_slice(&[0, 0, kind, 0, 1]);
    Ok(packet)
}

fn parse_answer(packet: &[u8]) -> Option<NameAnswer> {
    let code = packet.get(3)? & 0x0f;
    let count = |at: usize| Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
    let (questions, answers) = (count(4)?, count(6)?);
    let mut at = 12;
    for _ in 0..questions {
        at = skip_name(packet, at)? + 4;
    }
    let mut addresses = Vec::new();
    for _ in 0..answers {
        at = skip_name(packet, at)?;
        let (kind, length) = (count(at)?, usize::from(count(at + 8)?));
        let data = packet.get(at + 10..at + 10 + length)?;
        if let (true, Ok(bytes)) = (kind == u16::from(A), <[u8; 4]>::try_from(data)) {
            addresses.push(IpAddr::from(bytes));
        }
        if let (true, Ok(bytes)) = (kind == u16::from(AAAA), <[u8; 16]>::try_from(data)) {
            addresses.push(IpAddr::from(bytes));
        }
        at += 10 + length;
    }
    Some(NameAnswer { code, addresses })
}

/// A name is labels up to an empty one or up to a pointer of two bytes.
fn skip_name(packet: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *packet.get(at)? {
            0 => return Some(at + 1),
            length if length & 0xc0 != 0 => return Some(at + 2),
            length => at += 1 + usize::from(length),
        }
    }
}

/// For the fuzz targets: every reader of this file.
#[cfg(fuzzing)]
pub(crate) fn fuzz(packet: &[u8]) {
    if let Some(answer) = parse_answer(packet) {
        assert!(answer.code < 16 && answer.addresses.len() <= packet.len() / 4);
    }
    if let Ok(name) = std::str::from_utf8(packet)
        && let Ok(question) = question(name, A)
    {
        assert_eq!(parse_answer(&question), Some(NameAnswer { code: 0, addresses: Vec::new() }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_with_compressed_names() {
        let mut packet = question("db", A).unwrap();
        packet[2] = 0x81;
        packet[7] = 1;
        packet.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 2, 88, 0, 4, 172, 18, 0, 3]);
        assert_eq!(
            parse_answer(&packet),
            Some(NameAnswer { code: 0, addresses: vec![Ipv4Addr::new(172, 18, 0, 3).into()] })
        );
        packet.truncate(packet.len() - 1);
        assert_eq!(parse_answer(&packet), None);
    }

    #[test]
    fn no_such_name() {
        let mut packet = question("db", A).unwrap();
        packet[3] = 3;
        assert_eq!(parse_answer(&packet), Some(NameAnswer { code: 3, addresses: vec![] }));
    }

    #[test]
    fn what_is_no_name_is_not_asked() {
        assert!(question("a..b", A).is_err());
        assert!(question(&"x".repeat(64), A).is_err());
    }

    #[test]
    fn the_name_servers_of_resolv_conf() {
        let text = "search x\nnameserver 127.0.0.11\nnameserver ::1\noptions ndots:0\n";
        let servers: Vec<String> = name_servers(text).map(|server| server.to_string()).collect();
        assert_eq!(servers, ["127.0.0.11", "::1"]);
        assert_eq!(name_servers("# nothing\n").next(), None);
    }
}
