//! Names resolve as on the host: a step asks addresses of the gate, which asks the host's name servers.
//!
//! A host's own servers are often out of a step's reach: 127.0.0.53 (systemd-resolved), 127.0.0.11 (an engine),
//! 169.254.169.253 (a cloud), fe80::1%eth0 (a router).

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};

use super::HOST_GATEWAY;

/// The port of name servers.
pub(super) const PORT: u16 = 53;
/// Resolvers look at no more.
const SERVERS: usize = 3;

/// The addresses that stand for the host's name servers, in their order.
const STAND_INS: [Ipv4Addr; SERVERS] =
    [HOST_GATEWAY, Ipv4Addr::new(192, 0, 0, 3), Ipv4Addr::new(192, 0, 0, 4)];

/// The name servers of a `resolv.conf`; one on this machine where it names none, as resolvers have it.
pub(super) fn servers(text: &str) -> Vec<SocketAddr> {
    let mut found: Vec<SocketAddr> =
        text.lines().filter_map(nameserver).filter_map(address).take(SERVERS).collect();
    if found.is_empty() {
        found.push(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)));
    }
    found
}

/// The name server that stands behind an address of the gate.
pub(super) fn behind(stand_in: IpAddr, servers: &[SocketAddr]) -> Option<SocketAddr> {
    let at = STAND_INS.iter().position(|address| *address == stand_in)?;
    servers.get(at).copied()
}

/// The `resolv.conf` of a step: the host's, with the gate's addresses as name servers.
pub(crate) fn resolv_conf(host: &str) -> String {
    let mut text = String::new();
    for (address, _) in STAND_INS.iter().zip(servers(host)) {
        text.push_str(&format!("nameserver {address}\n"));
    }
    for line in host.lines().filter(|line| nameserver(line).is_none()) {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with(['#', ';']) {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

fn nameserver(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("nameserver")?;
    rest.starts_with([' ', '\t']).then(|| rest.split_whitespace().next()).flatten()
}

fn address(text: &str) -> Option<SocketAddr> {
    let Some((address, zone)) = text.split_once('%') else {
        return Some(SocketAddr::from((text.parse::<IpAddr>().ok()?, PORT)));
    };
    let index = zone.parse().ok().or_else(|| nix::net::if_::if_nametoindex(zone).ok())?;
    Some(SocketAddr::V6(SocketAddrV6::new(address.parse().ok()?, PORT, 0, index)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_asks_the_gate_and_the_rest_of_the_file_stays() {
        let host = "# made by x\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch corp.example\nnameserver fe80::1%1\n\
                    nameserver nonsense\n nameserver 9.9.9.9 \nnameserver 1.1.1.1\n";
        let found = servers(host);
        assert_eq!(
            found.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["127.0.0.53:53", "[fe80::1%1]:53", "9.9.9.9:53"]
        );
        assert_eq!(
            resolv_conf(host),
            "nameserver 192.0.0.1\nnameserver 192.0.0.3\nnameserver 192.0.0.4\noptions edns0 trust-ad\nsearch corp.example\n"
        );
        assert_eq!(behind("192.0.0.4".parse().unwrap(), &found), Some("9.9.9.9:53".parse().unwrap()));
        assert_eq!(behind("192.0.0.5".parse().unwrap(), &found), None);
    }

    #[test]
    fn without_a_server_there_is_this_machine() {
        assert_eq!(servers("search x\nnameservers 1.1.1.1\n"), ["127.0.0.1:53".parse().unwrap()]);
        assert_eq!(resolv_conf(""), "nameserver 192.0.0.1\n");
    }
}
