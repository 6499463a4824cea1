//! The routes and addresses of a process's network, of both families.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use crate::procfs::ProcFs;

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) destination: IpAddr,
    pub(crate) bits: u32,
    pub(crate) gateway: Option<IpAddr>,
    pub(crate) interface: String,
}

impl fmt::Display for Route {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{} over {}", self.destination, self.bits, self.interface)
    }
}

impl Route {
    /// True if it leads to more than the network that the interface is on: over a router, or everywhere.
    pub(crate) fn leads_away(&self) -> bool {
        self.gateway.is_some() || self.bits == 0
    }

    /// A line of `net/route`: addresses in hexadecimal, in host byte order.
    fn parse_v4(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok();
        let flags = number(3)?;
        if flags & UP == 0 || flags & REJECT != 0 {
            return None;
        }
        let address = |number: u32| Ipv4Addr::from(number.to_ne_bytes());
        Some(Self {
            interface: (*fields.first()?).to_owned(),
            destination: address(number(1)?).into(),
            bits: number(7)?.count_ones(),
            gateway: Some(address(number(2)?)).filter(|gateway| !gateway.is_unspecified()).map(IpAddr::from),
        })
    }

    /// A line of `net/ipv6_route`: destination, its length, source, its length, router, metric, two counters, flags and
    /// interface.
    fn parse_v6(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let address = |at: usize| Some(Ipv6Addr::from(u128::from_str_radix(fields.get(at)?, 16).ok()?));
        let flags = u32::from_str_radix(fields.get(8)?, 16).ok()?;
        let interface = (*fields.get(9)?).to_owned();
        if flags & UP == 0 || flags & REJECT != 0 || interface == "lo" {
            return None;
        }
        Some(Self {
            destination: address(0)?.into(),
            bits: u32::from_str_radix(fields.get(1)?, 16).ok()?,
            gateway: address(4).filter(|gateway| !gateway.is_unspecified()).map(IpAddr::from),
            interface,
        })
    }
}

/// Flags of a route (route(8)): it is in use; it refuses.
const UP: u32 = 0x0001;
const REJECT: u32 = 0x0200;

impl ProcFs {
    /// The routes of the network of `pid`; those to itself and to groups left out.
    pub(crate) fn routes(&self, pid: u32) -> Vec<Route> {
        let text =
            |file: &str| String::from_utf8_lossy(&self.read(pid, file).unwrap_or_default()).into_owned();
        let (v4, v6) = (text("net/route"), text("net/ipv6_route"));
        let v4 = v4.lines().skip(1).filter_map(Route::parse_v4);
        let v6 = v6.lines().filter_map(Route::parse_v6).filter(|route| match route.destination {
            IpAddr::V6(to) => !to.is_multicast() && route.bits < 128,
            IpAddr::V4(_) => false,
        });
        v4.chain(v6).collect()
    }

    /// The addresses that the kernel has for the network of `pid`, without loopback and those of one link.
    pub(crate) fn addresses(&self, pid: u32) -> Vec<IpAddr> {
        let text =
            |file: &str| String::from_utf8_lossy(&self.read(pid, file).unwrap_or_default()).into_owned();
        let mut found = local_v4(&text("net/fib_trie"));
        found.extend(text("net/if_inet6").lines().filter_map(global_v6));
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Waits until the IPv6 addresses of the networks of these processes are valid. A router whose address is not yet
    /// valid, a second or two after its network was made, drops everything: a way that is open would look closed.
    /// An interface that nobody is on keeps such an address for ever: it is not waited for longer than that.
    pub(crate) fn addresses_settle(&self, pids: &[u32]) {
        const PAUSE: Duration = Duration::from_millis(100);
        const LONGEST: u32 = 40;
        let settled = |pid: &u32| {
            let text = self.read(*pid, "net/if_inet6").unwrap_or_default();
            !String::from_utf8_lossy(&text).lines().any(is_tentative)
        };
        for _ in 0..LONGEST {
            if pids.iter().all(settled) {
                return;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// The flag of an address that the kernel is still looking for on its network (RFC 4862, 5.4): nothing is sent to it.
const TENTATIVE: u32 = 0x40;

/// True for a line of `net/if_inet6` with an address that will be valid in a moment.
fn is_tentative(line: &str) -> bool {
    let flags = line.split_whitespace().nth(4).and_then(|flags| u32::from_str_radix(flags, 16).ok());
    global_v6(line).is_some() && flags.is_some_and(|flags| flags & TENTATIVE != 0)
}

/// The addresses of `net/fib_trie` whose next line calls them local.
fn local_v4(text: &str) -> Vec<IpAddr> {
    let lines: Vec<&str> = text.lines().collect();
    let local = lines.windows(2).filter(|pair| pair[1].contains("/32 host LOCAL"));
    let address = |pair: &[&str]| pair[0].trim().trim_start_matches("|-- ").parse().ok();
    local.filter_map(address).filter(|ip: &IpAddr| !ip.is_loopback()).collect()
}

/// A line of `net/if_inet6`: address, interface, length, scope (00 is global), flags, name.
fn global_v6(line: &str) -> Option<IpAddr> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let address = Ipv6Addr::from(u128::from_str_radix(fields.first()?, 16).ok()?);
    (*fields.get(3)? == "00" && !address.is_loopback()).then_some(address.into())
}

/// For the fuzz targets: every reader of this file.
#[cfg(fuzzing)]
pub(crate) fn fuzz(text: &str) {
    let _ = local_v4(text);
    for line in text.lines() {
        let _ = (is_tentative(line), global_v6(line));
        for route in Route::parse_v4(line).into_iter().chain(Route::parse_v6(line)) {
            let _ = (route.leads_away(), route.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_of_both_families() {
        let default = Route::parse_v4("eth0\t00000000\t010012AC\t0003\t0\t0\t0\t00000000\t0\t0\t0").unwrap();
        assert_eq!((default.to_string().as_str(), default.leads_away()), ("0.0.0.0/0 over eth0", true));
        let local = Route::parse_v4("eth0\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0").unwrap();
        assert_eq!((local.to_string().as_str(), local.leads_away()), ("172.18.0.0/16 over eth0", false));
        // Half of everything over a router.
        let half = Route::parse_v4("eth0\t00000080\t010012AC\t0003\t0\t0\t0\t00000080\t0\t0\t0").unwrap();
        assert!(half.leads_away());
        assert_eq!(Route::parse_v4("Iface Destination"), None);
        let zero = "0".repeat(32);
        let router = "fd000000000000000000000000000001";
        let v6 = format!("{zero} 00 {zero} 00 {router} 00000400 00000000 00000000 00000003 eth0");
        assert_eq!(Route::parse_v6(&v6).unwrap().to_string(), "::/0 over eth0");
        assert!(Route::parse_v6(&v6).unwrap().leads_away());
        // The kernel's own route that refuses all.
        let refuses = format!("{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000001 00200200 lo");
        assert_eq!(Route::parse_v6(&refuses), None);
    }

    #[test]
    fn addresses_of_the_kernel() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 172.18.0.2\n        /32 host LOCAL\n     |-- 172.18.0.0\n        /16 link UNICAST\n     |-- 127.0.0.1\n        /32 host LOCAL\n";
        assert_eq!(local_v4(trie), ["172.18.0.2".parse::<IpAddr>().unwrap()]);
        assert_eq!(
            global_v6("fd0007a1000200000000000000000003 07 40 00 80 eth0"),
            Some("fd00:7a1:2::3".parse().unwrap())
        );
        assert!(is_tentative("fd0007a1005100000000000000000001 353 40 00 c0 br-4e48ad21c964"));
        assert!(!is_tentative("fd0007a1005100000000000000000001 353 40 00 80 br-4e48ad21c964"));
        assert!(!is_tentative("fe800000000000000042affffe7cc8ac 3e3 40 20 c0 br-02884ff6cc7f"));
        assert_eq!(global_v6("fe800000000000000042acfffe120002 07 40 20 80 eth0"), None);
        assert_eq!(global_v6("00000000000000000000000000000001 01 80 10 80 lo"), None);
    }
}
