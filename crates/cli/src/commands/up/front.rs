//! Asks what is published once, so that `up` does not end well where nobody can be served.

use std::{net::IpAddr, net::Ipv4Addr, net::SocketAddr};

use futures_util::future::join_all;
use plimsoll_engine::PublishedPort;

/// A published port that speaks HTTP and refuses the first request.
pub(super) struct Refusal {
    pub(super) port: u16,
    pub(super) status: u16,
}

impl Refusal {
    /// What is wrong as far as the status tells, and the next step.
    pub(super) fn sentence(&self, service: &str) -> String {
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
pub(super) async fn refusals(ports: &[PublishedPort]) -> Vec<Refusal> {
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
