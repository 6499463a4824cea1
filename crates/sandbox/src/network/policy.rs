//! What a step does not reach: this machine, and what only this machine should reach.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    path::Path,
};

use super::{HOST_GATEWAY, Pass, names};

/// Where a connection of the step really goes; `None` where it must not.
pub(super) fn target(wanted: SocketAddr, pass: &Pass, servers: &[SocketAddr]) -> Option<SocketAddr> {
    let address = plain(wanted.ip());
    if wanted.port() == names::PORT
        && let Some(server) = names::behind(address, servers)
    {
        return Some(server);
    }
    if address == HOST_GATEWAY {
        if let Some(door) = pass.doors.iter().find(|door| door.port() == wanted.port()) {
            return Some(*door);
        }
        let own = outward(IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1)))?;
        return (pass.host && !own.is_loopback()).then(|| SocketAddr::new(own, wanted.port()));
    }
    (!is_special(address) && leads_out(address)).then(|| SocketAddr::new(address, wanted.port()))
}

/// An IPv4 address in IPv6 clothes is that address.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// Addresses that mean this machine or its link, and those of the services that tell a cloud's machines their secrets.
fn is_special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, third, _] = v4.octets();
            v4.is_loopback()
                || first == 0
                || first >= 224
                || v4.is_link_local()
                // Oracle's metadata, and our own addresses
                || (first, second, third) == (192, 0, 0)
                // Alibaba's metadata
                || v4 == Ipv4Addr::new(100, 100, 100, 200)
        }
        IpAddr::V6(v6) => {
            let head = v6.segments()[0];
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || head & 0xffc0 == 0xfe80
                // addresses that hold one of version 4: which one, a translator on the way decides
                || v6.segments()[..6] == [0; 6]
                // Amazon's metadata
                || v6 == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
        }
    }
}

/// Whether the kernel would send to it over a way out of this machine.
///
/// To the host's own addresses a connection of the gate would come from the host itself, past a firewall that looks at
/// where packets come from. On the bridges of an engine are containers whose ports nobody has published.
fn leads_out(address: IpAddr) -> bool {
    let Some(from) = outward(address) else { return false };
    if from == address || from.is_loopback() {
        return false;
    }
    let world = match address {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::new(0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111)),
    };
    // The interface that leads to the world is no engine's, whatever it is made of.
    outward(world) == Some(from) || !is_inner(from)
}

/// The address of ours from which the kernel would send; no packet is sent to find out.
fn outward(to: IpAddr) -> Option<IpAddr> {
    let any: SocketAddr = match to {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect((to, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Whether the interface with this address is a bridge or one end of a pair: what engines make for containers.
fn is_inner(address: IpAddr) -> bool {
    let Ok(all) = nix::ifaddrs::getifaddrs() else { return true };
    let names = all.filter_map(|one| {
        let found = one.address?;
        let found = found
            .as_sockaddr_in()
            .map(|v4| IpAddr::V4(v4.ip()))
            .or_else(|| found.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))?;
        (found == address).then_some(one.interface_name)
    });
    names.into_iter().any(|name| {
        let folder = Path::new("/sys/class/net").join(&name);
        let kind = std::fs::read_to_string(folder.join("uevent")).unwrap_or_default();
        folder.join("bridge").exists() || kind.contains("DEVTYPE=bridge") || name.starts_with("veth")
    })
}

/// Whether this machine has a way to the world over IPv6.
pub(super) fn has_version_six() -> bool {
    outward(IpAddr::V6(Ipv6Addr::new(0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111)))
        .is_some_and(|address| !is_special(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_and_its_link_are_out_of_reach() {
        let pass = Pass::default();
        for address in [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "192.0.0.192",
            "192.0.0.1",
            "100.100.100.200",
            "::",
            "::1",
            "fe80::1",
            "ff02::1",
            "fd00:ec2::254",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
        ] {
            let wanted = SocketAddr::new(address.parse().unwrap(), 80);
            assert_eq!(target(wanted, &pass, &[]), None, "{address}");
        }
    }

    #[test]
    fn doors_and_names_lead_where_they_say() {
        let door: SocketAddr = "127.0.0.1:3128".parse().unwrap();
        let pass = Pass { doors: vec![door], host: false };
        let gateway = |port| SocketAddr::from((HOST_GATEWAY, port));
        assert_eq!(target(gateway(3128), &pass, &[]), Some(door));
        assert_eq!(target(gateway(3129), &pass, &[]), None);
        let server: SocketAddr = "127.0.0.53:53".parse().unwrap();
        assert_eq!(target(gateway(53), &pass, &[server]), Some(server));
        assert_eq!(target(gateway(53), &pass, &[]), None);
    }
}
