//! Proxies that a person has configured stay reachable when they listen on a loopback address of the host: a step sees
//! such a proxy at the gate's address, and the gate lets its port through to where it really is.
//!
//! The settings must come from the person who builds, never from a file of the project: a door opens a port of the host.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::HOST_GATEWAY;

/// Variables that name a proxy.
const VARIABLES: [&str; 4] = ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy"];

/// Where the proxies of these settings listen, as far as that is a loopback address of the host.
pub(crate) fn doors(proxies: &[(String, String)]) -> Vec<SocketAddr> {
    let mut found: Vec<SocketAddr> = Vec::new();
    for (name, value) in proxies {
        if let Some(parts) = loopback(name, value)
            && !found.iter().any(|door| door.port() == parts.door.port())
        {
            found.push(parts.door);
        }
    }
    found
}

/// The value of a setting as a step sees it.
pub(crate) fn seen_from_inside(name: &str, value: &str) -> String {
    match loopback(name, value) {
        Some(Parts { before, after, .. }) => format!("{before}{HOST_GATEWAY}{after}"),
        None => value.to_owned(),
    }
}

struct Parts<'a> {
    /// Scheme and credentials.
    before: &'a str,
    /// Port and path.
    after: &'a str,
    door: SocketAddr,
}

fn loopback<'a>(name: &str, value: &'a str) -> Option<Parts<'a>> {
    if !VARIABLES.contains(&name.to_ascii_lowercase().as_str()) {
        return None;
    }
    let start = value.find("://").map_or(0, |at| at + 3);
    let end = value[start..].find(['/', '?', '#']).map_or(value.len(), |at| start + at);
    let host = value[start..end].rfind('@').map_or(start, |at| start + at + 1);
    let authority = &value[host..end];
    let (length, address) = if let Some(rest) = authority.strip_prefix('[') {
        let inner = rest.split(']').next()?;
        (inner.len() + 2, inner.parse::<IpAddr>().ok()?)
    } else {
        let text = authority.split(':').next()?;
        let address = match text {
            "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            _ => text.parse().ok()?,
        };
        (text.len(), address)
    };
    if !address.is_loopback() {
        return None;
    }
    let port = match authority.get(length..)?.strip_prefix(':') {
        Some(port) => port.parse().ok()?,
        None => 80,
    };
    let door = SocketAddr::new(address, port);
    Some(Parts { before: &value[..host], after: value.get(host + length..)?, door })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_proxies_are_seen_at_the_gate() {
        for (value, inside, door) in [
            ("http://127.0.0.1:3128", "http://192.0.0.1:3128", Some("127.0.0.1:3128")),
            ("http://me:a@b@localhost:8080/x", "http://me:a@b@192.0.0.1:8080/x", Some("127.0.0.1:8080")),
            ("socks5h://[::1]:1080", "socks5h://192.0.0.1:1080", Some("[::1]:1080")),
            ("127.0.0.1:9", "192.0.0.1:9", Some("127.0.0.1:9")),
            ("http://localhost", "http://192.0.0.1", Some("127.0.0.1:80")),
            ("http://proxy.example:3128", "http://proxy.example:3128", None),
            ("http://localhost.example:1", "http://localhost.example:1", None),
            ("http://127.0.0.1:notaport", "http://127.0.0.1:notaport", None),
            ("http://[::1", "http://[::1", None),
            ("", "", None),
        ] {
            assert_eq!(seen_from_inside("HTTP_PROXY", value), inside);
            let found = doors(&[("HTTP_PROXY".to_owned(), value.to_owned())]);
            assert_eq!(found.first().map(ToString::to_string).as_deref(), door, "{value}");
        }
        assert_eq!(seen_from_inside("NO_PROXY", "127.0.0.1"), "127.0.0.1");
    }
}
