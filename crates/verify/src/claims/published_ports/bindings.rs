//! What the file publishes against what is bound: host address, host port, port in the container and protocol, both ways.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use plimsoll_compose::Port;
use serde_json::Value;

/// A binding of the engine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Binding {
    pub(super) host: SocketAddr,
    pub(super) container: u16,
    pub(super) protocol: String,
}

impl Binding {
    pub(super) fn words(&self) -> String {
        format!("{} -> {}/{}", self.host, self.container, self.protocol)
    }
}

/// A declaration of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Declared {
    /// `None` is any address.
    pub(super) host: Option<IpAddr>,
    /// First and last port of the host; `None` lets the engine choose.
    pub(super) ports: Option<(u16, u16)>,
    pub(super) container: u16,
    pub(super) protocol: String,
}

impl Declared {
    pub(super) fn of(port: &Port) -> Self {
        let published = port.published.as_deref().filter(|published| !published.is_empty());
        let range = published.and_then(|published| {
            let (first, last) = published.split_once('-').unwrap_or((published, published));
            Some((first.parse().ok()?, last.parse().ok()?)).filter(|range| *range != (0, 0))
        });
        let host = port.host_ip.as_deref().map(|ip| ip.trim_matches(['[', ']'])).filter(|ip| !ip.is_empty());
        Self {
            host: host.and_then(|ip| ip.parse().ok()),
            ports: range,
            container: u16::try_from(port.target).unwrap_or(0),
            protocol: port.protocol.clone().unwrap_or_else(|| "tcp".to_owned()),
        }
    }

    pub(super) fn words(&self) -> String {
        let host = self
            .host
            .map_or("*".to_owned(), |ip| if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() });
        let ports = match self.ports {
            None => "any".to_owned(),
            Some((first, last)) if first == last => first.to_string(),
            Some((first, last)) => format!("{first}-{last}"),
        };
        format!("{host}:{ports} -> {}/{}", self.container, self.protocol)
    }

    /// True if a binding is one that this asks for. `default` is the address that the engine binds to where none is
    /// asked for.
    fn covers(&self, binding: &Binding, default: &[IpAddr]) -> bool {
        let address = match self.host {
            Some(ip) => binding.host.ip() == ip,
            None => binding.host.ip().is_unspecified() || default.contains(&binding.host.ip()),
        };
        let port = self.ports.is_none_or(|(first, last)| (first..=last).contains(&binding.host.port()));
        address && port && self.container == binding.container && self.protocol == binding.protocol
    }
}

/// The bindings in force.
pub(super) fn bindings(published: Vec<(u16, String, SocketAddr)>) -> Vec<Binding> {
    let mut found: Vec<Binding> = published
        .into_iter()
        .map(|(container, protocol, host)| Binding { host, container, protocol })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// The addresses that the engine bound to for requests that named none (`--ip`, `host_binding_ipv4`): those bindings
/// whose request is in `HostConfig.PortBindings` without an address.
pub(super) fn default_addresses(raw: &Value, bound: &[Binding]) -> Vec<IpAddr> {
    let asked = raw["HostConfig"]["PortBindings"].as_object();
    let without = |binding: &&Binding| {
        let key = format!("{}/{}", binding.container, binding.protocol);
        let requests = asked.and_then(|asked| asked.get(&key)).and_then(Value::as_array);
        requests.into_iter().flatten().all(|request| request["HostIp"].as_str().unwrap_or("").is_empty())
            && requests.is_some_and(|requests| !requests.is_empty())
    };
    bound.iter().filter(without).map(|binding| binding.host.ip()).collect()
}

/// What is wrong: declarations without a binding, and bindings without a declaration.
pub(super) fn compare(declared: &[Declared], bound: &[Binding], default: &[IpAddr]) -> Vec<String> {
    let mut left: Vec<&Binding> = bound.iter().collect();
    let mut wrong = Vec::new();
    // The narrowest first: `8080` alone would else take what `127.0.0.1:9000:8080` stands for.
    let mut order: Vec<&Declared> = declared.iter().collect();
    order.sort_by_key(|port| {
        (port.host.is_none(), port.ports.map_or(u32::from(u16::MAX), |(a, b)| u32::from(b - a.min(b))))
    });
    for port in order {
        let mut taken = false;
        let families: &[fn(&IpAddr) -> bool] = &[IpAddr::is_ipv4, IpAddr::is_ipv6];
        // One binding for each family: any address is 0.0.0.0 and [::].
        for family in families {
            let at =
                left.iter().position(|binding| port.covers(binding, default) && family(&binding.host.ip()));
            if let Some(at) = at {
                left.remove(at);
                taken = true;
            }
        }
        if !taken {
            wrong.push(format!("{} is declared and not published", port.words()));
        }
    }
    wrong
        .extend(left.into_iter().map(|binding| format!("{} is published and not declared", binding.words())));
    wrong
}

/// What a process listens on in the host's own network, against the file: there a declaration names the port itself.
pub(super) fn compare_host(declared: &[Declared], listening: &[(SocketAddr, &'static str)]) -> Vec<String> {
    let covered = |(address, protocol): &(SocketAddr, &'static str)| {
        declared.iter().any(|port| {
            let right = match port.host {
                Some(ip) => ip == address.ip(),
                None => true,
            };
            right
                && port.protocol == *protocol
                && port.container == address.port()
                && port.ports.is_none_or(|(first, last)| (first..=last).contains(&address.port()))
        })
    };
    let open = listening.iter().filter(|socket| !covered(socket));
    open.map(|(address, protocol)| {
        format!("{address}/{protocol} is open on the host (it is in the host's network) and not declared")
    })
    .collect()
}

/// Where to connect to for a port that is bound to this address.
pub(super) fn any(ip: IpAddr) -> bool {
    ip == IpAddr::V4(Ipv4Addr::UNSPECIFIED) || ip == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(text: &str) -> Declared {
        // host|ports|container|protocol
        let parts: Vec<&str> = text.split('|').collect();
        Declared::of(&Port {
            host_ip: Some(parts[0].to_owned()),
            published: Some(parts[1].to_owned()),
            target: parts[2].parse().unwrap(),
            protocol: Some(parts[3].to_owned()),
            ..Port::default()
        })
    }

    fn bound(host: &str, container: u16, protocol: &str) -> Binding {
        Binding { host: host.parse().unwrap(), container, protocol: protocol.into() }
    }

    #[track_caller]
    fn wrong(file: &[&str], found: &[Binding]) -> Vec<String> {
        compare(&file.iter().map(|text| declared(text)).collect::<Vec<_>>(), found, &[])
    }

    #[test]
    fn what_is_declared_is_bound() {
        for (file, found) in [
            ("|8080|80|tcp", vec![bound("0.0.0.0:8080", 80, "tcp")]),
            ("|8080|80|tcp", vec![bound("0.0.0.0:8080", 80, "tcp"), bound("[::]:8080", 80, "tcp")]),
            ("||80|tcp", vec![bound("0.0.0.0:49153", 80, "tcp"), bound("[::]:49154", 80, "tcp")]),
            ("127.0.0.1|8080|80|tcp", vec![bound("127.0.0.1:8080", 80, "tcp")]),
            ("[::1]|8080|80|tcp", vec![bound("[::1]:8080", 80, "tcp")]),
            ("::|8080|80|tcp", vec![bound("[::]:8080", 80, "tcp")]),
            ("|8000-8010|80|udp", vec![bound("0.0.0.0:8004", 80, "udp")]),
        ] {
            assert_eq!(wrong(&[file], &found), Vec::<String>::new(), "{file}");
        }
        assert_eq!(
            wrong(
                &["||80|tcp", "127.0.0.1|9000|80|tcp", "|8443|443|tcp"],
                &[
                    bound("0.0.0.0:49153", 80, "tcp"),
                    bound("127.0.0.1:9000", 80, "tcp"),
                    bound("0.0.0.0:8443", 443, "tcp")
                ]
            ),
            Vec::<String>::new()
        );
    }

    #[test]
    fn what_differs_is_found() {
        for (file, found) in [
            (vec!["127.0.0.1|8080|80|tcp"], vec![bound("0.0.0.0:8080", 80, "tcp")]),
            (
                vec!["127.0.0.1|8080|80|tcp"],
                vec![bound("127.0.0.1:8080", 80, "tcp"), bound("0.0.0.0:8085", 80, "tcp")],
            ),
            (vec!["0.0.0.0|8080|80|tcp"], vec![bound("[::]:8080", 80, "tcp")]),
            (
                vec!["127.0.0.1|8080|80|tcp"],
                vec![bound("127.0.0.1:8080", 80, "tcp"), bound("[::]:8080", 80, "tcp")],
            ),
            (vec!["|8080|80|tcp"], vec![bound("0.0.0.0:8081", 80, "tcp")]),
            (vec!["|8080|80|tcp"], vec![bound("0.0.0.0:8080", 80, "udp")]),
            (vec!["|8080|80|tcp"], vec![bound("0.0.0.0:8080", 81, "tcp")]),
            (vec!["|8080|80|tcp"], vec![]),
            (vec!["|8080|80|tcp", "|8080|80|udp"], vec![bound("0.0.0.0:8080", 80, "tcp")]),
            (vec!["||80|tcp"], vec![bound("0.0.0.0:49153", 80, "tcp"), bound("0.0.0.0:49154", 80, "tcp")]),
            (vec!["|8000-8010|80|tcp"], vec![bound("0.0.0.0:8011", 80, "tcp")]),
            (vec![], vec![bound("127.0.0.1:6379", 6379, "tcp")]),
        ] {
            assert_ne!(wrong(&file, &found), Vec::<String>::new(), "{file:?} {found:?}");
        }
    }

    #[test]
    fn the_engines_default_address_is_no_difference() {
        let raw = serde_json::json!({ "HostConfig": { "PortBindings": { "80/tcp": [{ "HostIp": "", "HostPort": "8080" }] } } });
        let found = [bound("10.0.0.5:8080", 80, "tcp")];
        let default = default_addresses(&raw, &found);
        assert_eq!(compare(&[declared("|8080|80|tcp")], &found, &default), Vec::<String>::new());
        let raw = serde_json::json!({ "HostConfig": { "PortBindings": { "80/tcp": [{ "HostIp": "10.0.0.5", "HostPort": "8080" }] } } });
        assert_eq!(default_addresses(&raw, &found), Vec::<IpAddr>::new());
    }

    #[test]
    fn the_hosts_network_publishes_what_listens() {
        let open = [("0.0.0.0:22090".parse().unwrap(), "tcp")];
        assert_eq!(compare_host(&[], &open).len(), 1);
        assert_eq!(compare_host(&[declared("|22090|22090|tcp")], &open), Vec::<String>::new());
        assert_eq!(compare_host(&[declared("|8080|80|tcp")], &open).len(), 1);
    }
}
