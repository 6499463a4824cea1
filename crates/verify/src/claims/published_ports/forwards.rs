//! Ways from the host into containers, whoever made them: the engine's proxies, address translation in the kernel, and
//! programs of the host that pass connections on.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::{Command, Stdio},
};

use crate::{
    procfs::Transport,
    stack::{Member, Stack},
};

/// One way in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Way {
    /// The host's address and port; unspecified is every address, port 0 one that is not known.
    pub(super) host: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) protocol: String,
    /// Where that was seen.
    pub(super) source: String,
    pub(super) text: String,
}

/// All ways of this host, and what could not be looked at.
pub(super) fn ways(stack: &Stack<'_>) -> (Vec<Way>, Vec<String>) {
    let mut found = proxies(stack);
    let mut missing = Vec::new();
    for (program, arguments) in [
        ("iptables-save", ["-t", "nat"]),
        ("iptables-legacy-save", ["-t", "nat"]),
        ("ip6tables-save", ["-t", "nat"]),
        ("ip6tables-legacy-save", ["-t", "nat"]),
        ("nft", ["list", "ruleset"]),
    ] {
        match rules(program, arguments) {
            Some(text) => found.extend(text.lines().filter_map(|line| translation(line, program))),
            None => missing.push(program.to_owned()),
        }
    }
    found.sort();
    found.dedup();
    (found, missing)
}

/// The rules that a program prints; `None` if it is not there or cannot read them.
fn rules(program: &str, arguments: [&str; 2]) -> Option<String> {
    // Not everybody has these directories in the search path.
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let done = Command::new(program).args(arguments).env("PATH", path).stdin(Stdio::null()).output().ok()?;
    done.status.success().then(|| String::from_utf8_lossy(&done.stdout).into_owned())
}

/// A rule that sends connections elsewhere, in the words of iptables (`-j DNAT --to-destination 172.18.0.2:80`) or of
/// nftables (`dnat to 172.18.0.2:80`).
fn translation(line: &str, source: &str) -> Option<Way> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let after =
        |flag: &str| words.iter().position(|word| *word == flag).and_then(|at| words.get(at + 1)).copied();
    let at = words.iter().position(|word| matches!(*word, "DNAT" | "dnat"))?;
    let to = if words[at] == "DNAT" {
        after("--to-destination")?
    } else {
        let to = words[at..].iter().position(|word| *word == "to")?;
        words.get(at + to + 1).copied()?
    };
    let to = target(to)?;
    let protocol =
        after("-p").or_else(|| words.iter().copied().find(|word| matches!(*word, "tcp" | "udp" | "sctp")));
    let port = after("--dport")
        .or_else(|| after("dport"))
        .and_then(|port| port.split([':', '-']).next()?.parse().ok());
    // `! -d` is an exception, not a destination.
    let destination = words.windows(2).enumerate().find_map(|(at, pair)| {
        let plain = at == 0 || words[at - 1] != "!";
        (plain && matches!(pair[0], "-d" | "daddr") && pair[1] != "!=").then_some(pair[1])
    });
    let ip = destination.and_then(|ip| ip.split('/').next()?.parse().ok());
    let any =
        if to.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
    Some(Way {
        host: SocketAddr::new(ip.unwrap_or(any), port.unwrap_or(0)),
        to,
        protocol: protocol.unwrap_or("tcp").to_owned(),
        source: source.to_owned(),
        text: line.trim().to_owned(),
    })
}

/// `172.18.0.2:80`, `[fd00::2]:80`, `172.18.0.2`; of a range the first.
fn target(text: &str) -> Option<SocketAddr> {
    let first = text.split('-').next()?;
    if let Ok(address) = first.parse() {
        return Some(address);
    }
    Some(SocketAddr::new(first.trim_matches(['[', ']']).parse().ok()?, 0))
}

/// The engine's proxies.
fn proxies(stack: &Stack<'_>) -> Vec<Way> {
    let mut found = Vec::new();
    for pid in stack.procfs.pids() {
        let command = stack.procfs.read(pid, "cmdline").unwrap_or_default();
        let words: Vec<&str> =
            command.split(|byte| *byte == 0).filter_map(|word| std::str::from_utf8(word).ok()).collect();
        if words
            .first()
            .is_some_and(|program| program.ends_with("docker-proxy") || program.ends_with("rootlessport"))
        {
            found.extend(proxy(&words, &format!("/proc/{pid}/cmdline")));
        }
    }
    found
}

fn proxy(words: &[&str], source: &str) -> Option<Way> {
    let after =
        |flag: &str| words.iter().position(|word| *word == flag).and_then(|at| words.get(at + 1)).copied();
    let address =
        |ip: &str, port: &str| Some(SocketAddr::new(after(ip)?.parse().ok()?, after(port)?.parse().ok()?));
    Some(Way {
        host: address("-host-ip", "-host-port")?,
        to: address("-container-ip", "-container-port")?,
        protocol: after("-proto").unwrap_or("tcp").to_owned(),
        source: source.to_owned(),
        text: words.join(" ").trim().to_owned(),
    })
}

/// Programs of the host that name a container's address in their command line and listen: forwarders. A program that
/// finds the address by itself cannot be told from any other.
pub(super) fn forwarders(stack: &Stack<'_>, inside: &[IpAddr]) -> Vec<String> {
    let mut found = Vec::new();
    let sockets = stack.procfs.sockets(std::process::id(), Transport::Tcp).unwrap_or_default();
    let own = stack.procfs.namespace(std::process::id(), "net").ok();
    for pid in stack.procfs.pids() {
        let command = stack.procfs.read(pid, "cmdline").unwrap_or_default();
        let text = String::from_utf8_lossy(&command).replace('\0', " ");
        let names = inside.iter().find(|ip| names_address(&text, &ip.to_string()));
        let Some(ip) = names else { continue };
        if text.contains("docker-proxy")
            || stack.procfs.namespace(pid, "net").ok() != own
            || stack.members.iter().any(|member| stack.procfs.is_in(pid, member.id()))
        {
            continue;
        }
        let held = stack.procfs.socket_inodes(pid);
        let open: Vec<String> = sockets
            .iter()
            .filter(|(_, inode)| held.contains(inode))
            .map(|(address, _)| address.to_string())
            .collect();
        if !open.is_empty() {
            found.push(format!(
                "{} leads to {ip} ({}, process {pid})",
                open.join(", "),
                text.chars().take(120).collect::<String>().trim()
            ));
        }
    }
    found
}

fn names_address(text: &str, ip: &str) -> bool {
    text.match_indices(ip).any(|(at, _)| {
        let part = |c: char| c.is_ascii_alphanumeric() || c == '.';
        !text[..at].ends_with(part) && !text[at + ip.len()..].starts_with(part)
    })
}

/// The project's containers by address.
pub(super) fn addresses(members: &[Member]) -> Vec<IpAddr> {
    members.iter().flat_map(Member::addresses).map(|(_, address)| address).collect()
}

/// A range of addresses, `172.18.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subnet {
    address: IpAddr,
    bits: u8,
}

impl Subnet {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        Some(Self { address: address.parse().ok()?, bits: bits.parse().ok()? })
    }

    pub(super) fn holds(self, ip: IpAddr) -> bool {
        match (self.address, ip) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits.min(32))).unwrap_or(0);
                u32::from(net) & mask == u32::from(ip) & mask
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits.min(128))).unwrap_or(0);
                u128::from(net) & mask == u128::from(ip) & mask
            }
            _ => false,
        }
    }
}

/// For the fuzz targets: every reader of this file.
#[cfg(fuzzing)]
pub(in crate::claims) fn fuzz(text: &str) {
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let _ = (translation(line, "rules"), proxy(&words, "proxy"), names_address(line, "10.0.0.1"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translations_of_both_tools() {
        let way = |line: &str| {
            translation(line, "x").map(|way| (way.host.to_string(), way.to.to_string(), way.protocol))
        };
        assert_eq!(
            way("-A DOCKER ! -i br-1 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.18.0.2:80"),
            Some(("0.0.0.0:8080".into(), "172.18.0.2:80".into(), "tcp".into()))
        );
        assert_eq!(
            way(
                "-A DOCKER -d 127.0.0.1/32 ! -i br-1 -p udp -m udp --dport 53 -j DNAT --to-destination 172.18.0.2:53"
            ),
            Some(("127.0.0.1:53".into(), "172.18.0.2:53".into(), "udp".into()))
        );
        assert_eq!(
            way("\t\ttcp dport 9000 counter packets 0 bytes 0 dnat ip to 172.18.0.2:6379"),
            Some(("0.0.0.0:9000".into(), "172.18.0.2:6379".into(), "tcp".into()))
        );
        assert_eq!(
            way("-A PREROUTING -p tcp --dport 99 -j DNAT --to-destination [fd00::2]:5432"),
            Some(("[::]:99".into(), "[fd00::2]:5432".into(), "tcp".into()))
        );
        assert_eq!(
            way("-A PREROUTING ! -d 10.0.0.1 -j DNAT --to-destination 172.18.0.2"),
            Some(("0.0.0.0:0".into(), "172.18.0.2:0".into(), "tcp".into()))
        );
        assert_eq!(way("-A POSTROUTING -s 172.18.0.0/16 -j MASQUERADE"), None);
        assert_eq!(way("-A X -j DNAT --to-destination"), None);
        assert_eq!(way("dnat to"), None);
    }

    #[test]
    fn a_proxy_by_its_command_line() {
        let words = "/usr/bin/docker-proxy -proto tcp -host-ip :: -host-port 80 -container-ip 172.17.0.2 -container-port 8080";
        let way = proxy(&words.split(' ').collect::<Vec<_>>(), "x").unwrap();
        assert_eq!((way.host.to_string(), way.to.to_string()), ("[::]:80".into(), "172.17.0.2:8080".into()));
        assert_eq!(proxy(&["docker-proxy", "-host-ip"], "x"), None);
    }

    #[test]
    fn subnets() {
        let net = Subnet::parse("172.18.0.0/16").unwrap();
        assert!(net.holds("172.18.255.1".parse().unwrap()) && !net.holds("172.19.0.1".parse().unwrap()));
        let net = Subnet::parse("fd00:1::/64").unwrap();
        assert!(net.holds("fd00:1::7".parse().unwrap()) && !net.holds("fd00:2::7".parse().unwrap()));
        assert!(Subnet::parse("0.0.0.0/0").unwrap().holds("1.2.3.4".parse().unwrap()));
        assert_eq!(Subnet::parse("x"), None);
    }

    #[test]
    fn addresses_are_whole_words() {
        assert!(names_address("socat TCP-LISTEN:1 TCP:172.18.0.3:6379", "172.18.0.3"));
        assert!(!names_address("socat TCP:172.18.0.30:6379", "172.18.0.3"));
    }
}
