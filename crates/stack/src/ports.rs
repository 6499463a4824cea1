//! Is a host port taken, and by whom? Asked before anything is started: an engine says it only after the old
//! container is gone, and does not say who.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use plimsoll_engine::PortSpec;
use serde::{Deserialize, Serialize};

use crate::{Desired, Observed, Op, Plan};

/// A port of the host that somebody listens on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listener {
    /// Address; unspecified is all.
    pub address: IpAddr,
    /// Port.
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Inode of the socket, by which its process is found.
    pub inode: u64,
}

/// A published port that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortConflict {
    /// The service that wants it.
    pub service: String,
    /// Port of the host.
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Who has it.
    pub holder: String,
}

pub(crate) fn sentence(conflicts: &[PortConflict]) -> String {
    let parts: Vec<String> = conflicts
        .iter()
        .map(|c| {
            format!(
                "service {}: port {}/{} of the host is taken by {}",
                c.service, c.port, c.protocol, c.holder
            )
        })
        .collect();
    parts.join("; ")
}

/// Ports that the plan's containers will publish and that somebody else has. `listeners` are those of the engine's
/// host, empty if it is another machine.
pub fn port_conflicts(
    plan: &Plan,
    desired: &Desired,
    observed: &Observed,
    listeners: &[Listener],
) -> Vec<PortConflict> {
    let observed = &*observed.seen_from(desired);
    // ports of our own containers: either they are released by this plan, or the engine will say so
    let own: BTreeSet<(u16, &str)> = observed
        .containers
        .iter()
        .filter(|container| container.is_up())
        .flat_map(|container| {
            container.ports.iter().filter_map(|port| Some((port.host?, port.protocol.as_str())))
        })
        .collect();
    let mut conflicts = Vec::new();
    let mut processes = None;
    for (service, port) in wanted(plan, desired) {
        let Ok(number) = port.host.parse::<u16>() else { continue };
        if number == 0 || own.contains(&(number, port.protocol.as_str())) {
            continue;
        }
        let address: IpAddr = port.host_ip.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let container = observed.foreign_ports.iter().find(|(held, _)| {
            let held_address = held.host_ip.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
            held.host == Some(number) && held.protocol == port.protocol && overlap(address, held_address)
        });
        let holder = match container {
            Some((_, holder)) => Some(holder.clone()),
            None => listeners
                .iter()
                .find(|held| {
                    held.port == number && held.protocol == port.protocol && overlap(address, held.address)
                })
                .and_then(|held| holder(processes.get_or_insert_with(socket_owners).get(&held.inode))),
        };
        if let Some(holder) = holder {
            conflicts.push(PortConflict { service, port: number, protocol: port.protocol, holder });
        }
    }
    conflicts
}

/// Who listens, in words; `None` for the engine itself. It listens for containers alone. Where no container that we see
/// has the port, one is being started or stopped this moment, by an `up` that was killed, say: the engine knows which.
fn holder(owner: Option<&Owner>) -> Option<String> {
    match owner {
        Some(owner) if PROXIES.contains(&owner.program.as_str()) => None,
        Some(owner) => Some(format!("process {} (pid {})", owner.program, owner.pid)),
        None => Some("a process of another user".to_owned()),
    }
}

/// Programs with which engines listen on published ports.
const PROXIES: [&str; 2] = ["docker-proxy", "rootlesskit"];

/// The process that has a socket.
struct Owner {
    program: String,
    pid: u32,
}

/// Published ports of the containers that the plan makes or starts, each once for a service. One that is only started
/// has no port while it is stopped, so its service says which it will have.
fn wanted(plan: &Plan, desired: &Desired) -> Vec<(String, PortSpec)> {
    let mut wanted: Vec<(String, PortSpec)> = Vec::new();
    for step in &plan.steps {
        let Some(service) = &step.service else { continue };
        let ports = match &step.op {
            Op::CreateContainer { spec } => spec.ports.as_slice(),
            Op::StartContainer { .. } => desired
                .services
                .iter()
                .find(|found| found.name == *service)
                .map_or(&[][..], |found| &found.spec.ports),
            _ => continue,
        };
        for port in ports {
            let entry = (service.clone(), port.clone());
            if !wanted.contains(&entry) {
                wanted.push(entry);
            }
        }
    }
    wanted
}

/// The first and the last port of `8000` or `8000-8010`; nothing where the engine chooses freely.
pub(crate) fn range(host: &str) -> Option<(u16, u16)> {
    let (first, last) = host.split_once('-').unwrap_or((host, host));
    let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
    (first != 0 && first <= last).then_some((first, last))
}

fn overlap(one: IpAddr, other: IpAddr) -> bool {
    one.is_unspecified() || other.is_unspecified() || one == other
}

/// Listening sockets of this machine, from /proc/net.
pub fn host_listeners() -> Vec<Listener> {
    let mut listeners = Vec::new();
    for (file, protocol) in [("tcp", "tcp"), ("tcp6", "tcp"), ("udp", "udp"), ("udp6", "udp")] {
        let Ok(text) = fs::read_to_string(format!("/proc/net/{file}")) else { continue };
        listeners.extend(text.lines().skip(1).filter_map(|line| parse_listener(line, protocol)));
    }
    listeners
}

/// A line of /proc/net/tcp that is in state LISTEN (0A), or of /proc/net/udp (07: no connection).
fn parse_listener(line: &str, protocol: &str) -> Option<Listener> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let listening = if protocol == "tcp" { "0A" } else { "07" };
    if fields.get(3) != Some(&listening) {
        return None;
    }
    let (address, port) = fields.get(1)?.split_once(':')?;
    Some(Listener {
        address: parse_address(address)?,
        port: u16::from_str_radix(port, 16).ok()?,
        protocol: protocol.to_owned(),
        inode: fields.get(9)?.parse().ok()?,
    })
}

/// The kernel prints addresses as 32-bit words in its own byte order.
fn parse_address(hex: &str) -> Option<IpAddr> {
    let mut bytes = Vec::new();
    for word in hex.as_bytes().chunks(8) {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    match bytes.len() {
        4 => Some(IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?))),
        16 => {
            let address = Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?);
            Some(address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4))
        }
        _ => None,
    }
}

/// Socket inode to `process NAME (pid N)`, as far as this user may look.
fn socket_owners() -> BTreeMap<u64, Owner> {
    let mut owners = BTreeMap::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        for descriptor in fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten() {
            let Ok(link) = fs::read_link(descriptor.path()) else { continue };
            let inode =
                link.to_str().and_then(|link| link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
            if let Some(inode) = inode {
                let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
                owners.insert(inode, Owner { program: name.trim().to_owned(), pid });
            }
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_proc_are_read() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1";
        let found = parse_listener(line, "tcp").unwrap();
        assert_eq!((found.address.to_string().as_str(), found.port, found.inode), ("127.0.0.1", 8080, 4711));
        assert_eq!(parse_listener(&line.replace(" 0A ", " 01 "), "tcp"), None);
        assert_eq!(parse_address("0000000000000000FFFF00000100007F").unwrap().to_string(), "127.0.0.1");
        assert!(parse_address("00000000000000000000000000000000").unwrap().is_unspecified());
    }

    #[test]
    fn the_engine_itself_is_nobody_who_took_a_port() {
        let of = |program: &str| holder(Some(&Owner { program: program.to_owned(), pid: 7 }));
        assert_eq!(of("nginx").as_deref(), Some("process nginx (pid 7)"));
        assert_eq!(of("docker-proxy"), None);
        assert_eq!(holder(None).as_deref(), Some("a process of another user"));
    }

    #[test]
    fn ranges_of_ports_are_read() {
        assert_eq!(range("8000"), Some((8000, 8000)));
        assert_eq!(range("8000-8010"), Some((8000, 8010)));
        for free in ["", "0", "8010-8000", "x", "1-", "70000"] {
            assert_eq!(range(free), None, "{free}");
        }
    }

    #[test]
    fn a_socket_of_this_process_is_found_with_its_name() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let found = host_listeners().into_iter().find(|listener| listener.port == port).unwrap();
        let owner = holder(socket_owners().get(&found.inode)).unwrap();
        assert!(owner.ends_with(&format!("(pid {})", std::process::id())), "{owner}");
    }
}
