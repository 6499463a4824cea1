//! What a stack publishes: where it is reached, and whether it answers; `up` must not end well where nobody can be served.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use futures_util::future::join_all;
use plimsoll_engine::{Engine, PublishedPort};
use plimsoll_stack::labels;

use crate::Failure;

/// A published port that speaks HTTP and refuses the first request.
pub struct Refusal {
    /// The port of this machine.
    pub port: u16,
    /// The HTTP status.
    pub status: u16,
}

impl Refusal {
    /// What is wrong as far as the status tells, and the next step.
    pub fn sentence(&self, service: &str) -> String {
        let Self { port, status } = self;
        match status {
            400 => format!(
                "note: port {port} answers 400: the application behind {service} may expect another host name than \
                 this one (allowed hosts, trusted hosts); plimsoll logs tells"
            ),
            _ => format!("note: port {port} answers {status} to GET /: plimsoll logs {service}"),
        }
    }
}

/// The ports of a service that answer a request for `/` with 400 or an error of the server. What speaks no HTTP, or
/// says nothing within a second, is nobody's business here.
pub async fn refusals(ports: &[PublishedPort]) -> Vec<Refusal> {
    let mut numbers: Vec<(u16, SocketAddr)> = ports.iter().filter_map(address).collect();
    numbers.sort_unstable();
    numbers.dedup_by_key(|(number, _)| *number);
    let asked = numbers.iter().map(|(_, address)| plimsoll_verify::first_status(*address));
    let statuses = join_all(asked).await;
    let refused = |(number, status): (u16, Option<u16>)| {
        let status = status.filter(|status| *status == 400 || *status >= 500)?;
        Some(Refusal { port: number, status })
    };
    numbers.iter().map(|(number, _)| *number).zip(statuses).filter_map(refused).collect()
}

/// Where this machine reaches a port that is meant for browsers.
fn address(port: &PublishedPort) -> Option<(u16, SocketAddr)> {
    if port.protocol != "tcp" || plimsoll_facts::speaks_no_http(port.container) {
        return None;
    }
    let number = port.host?;
    let host = match port.host_ip.parse::<IpAddr>() {
        Ok(address) if !address.is_unspecified() => address,
        // Both families lead to the same container.
        _ => IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    Some((number, SocketAddr::new(host, number)))
}

/// The published ports of a project's services.
pub async fn published(
    engine: &Engine,
    project: &str,
) -> Result<BTreeMap<String, Vec<PublishedPort>>, Failure> {
    let filter = [format!("{}={project}", labels::PROJECT)];
    let found = engine.containers_labelled(&filter).await?;
    Ok(found
        .into_iter()
        .map(|container| (container.label(labels::SERVICE).unwrap_or_default().to_owned(), container.ports))
        .collect())
}

/// Where published ports can be reached from this machine.
pub fn addresses(ports: &[PublishedPort]) -> Vec<String> {
    let mut addresses: Vec<String> = ports
        .iter()
        .filter_map(|port| {
            let number = port.host?;
            let host = match port.host_ip.as_str() {
                "" | "0.0.0.0" | "::" => "localhost".to_owned(),
                address if address.contains(':') => format!("[{address}]"),
                address => address.to_owned(),
            };
            Some(match (port.container, port.protocol.as_str()) {
                (443 | 8443, "tcp") => format!("https://{host}:{number}"),
                (container, "tcp") if plimsoll_facts::speaks_no_http(container) => format!("{host}:{number}"),
                (_, "tcp") => format!("http://{host}:{number}"),
                (_, protocol) => format!("{host}:{number}/{protocol}"),
            })
        })
        .collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_what_a_person_opens() {
        let port = |container, host_ip: &str, host| PublishedPort {
            container,
            protocol: "tcp".into(),
            host_ip: host_ip.into(),
            host,
        };
        let ports = [
            port(8080, "0.0.0.0", Some(80)),
            port(8080, "::", Some(80)),
            port(5432, "127.0.0.1", Some(5433)),
            port(443, "::1", Some(443)),
            port(9000, "", None),
            port(4222, "127.0.0.1", Some(4222)),
        ];
        assert_eq!(
            addresses(&ports),
            ["127.0.0.1:4222", "127.0.0.1:5433", "http://localhost:80", "https://[::1]:443"]
        );
    }
}
