//! The short syntax of ports: `[[ip:]published:]target[/protocol]`, each a port or a range.

use std::net::IpAddr;

use thiserror::Error;

use crate::model::Port;

/// Why a port could not be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PortError {
    /// No port in the container.
    #[error("no container port in `{0}`")]
    Missing(String),
    /// Not a port or range.
    #[error("`{0}` is not a port from 1 to 65535 or a range of them")]
    Port(String),
    /// Not an address.
    #[error("`{0}` is not an IP address")]
    Address(String),
    /// Not a protocol.
    #[error("`{0}` is not a protocol (tcp, udp or sctp)")]
    Protocol(String),
    /// Ranges of different length.
    #[error("the ranges of `{0}` differ in length")]
    Ranges(String),
}

/// All ports that a short form names, one entry per container port.
pub fn parse(spec: &str) -> Result<Vec<Port>, PortError> {
    let (address, published, target) = split(spec);
    let (target, protocol) = target.split_once('/').map_or((target, "tcp"), |(target, protocol)| {
        (target, if protocol.is_empty() { "tcp" } else { protocol })
    });
    let address = address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address);
    if !address.is_empty() && address.parse::<IpAddr>().is_err() {
        return Err(PortError::Address(address.to_owned()));
    }
    if target.is_empty() {
        return Err(PortError::Missing(spec.to_owned()));
    }
    let targets = range(target)?;
    let published = if published.is_empty() { None } else { Some(range(published)?) };
    let protocol = protocol.to_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(PortError::Protocol(protocol));
    }
    let many_to_one = targets.0 == targets.1;
    if let Some(published) = published
        && published.1 - published.0 != targets.1 - targets.0
        && !many_to_one
    {
        return Err(PortError::Ranges(spec.to_owned()));
    }
    let mut ports: Vec<Port> = (targets.0..=targets.1)
        .map(|target| Port {
            mode: Some("ingress".to_owned()),
            host_ip: Some(address.to_owned()).filter(|address| !address.is_empty()),
            target: i64::from(target),
            published: published.map(|(first, last)| {
                if many_to_one && first != last {
                    format!("{first}-{last}")
                } else {
                    (first + target - targets.0).to_string()
                }
            }),
            protocol: Some(protocol.clone()),
            ..Port::default()
        })
        .collect();
    // The reference orders them as text.
    ports.sort_by_cached_key(|port| format!("{}/{protocol}", port.target));
    Ok(ports)
}

/// Address, published port, target with protocol. An IPv6 address may stand with or without brackets.
fn split(spec: &str) -> (&str, &str, &str) {
    let Some((front, target)) = spec.rsplit_once(':') else { return ("", "", spec) };
    match front.rsplit_once(':') {
        None => ("", front, target),
        Some((address, published)) => (address, published, target),
    }
}

fn range(text: &str) -> Result<(u32, u32), PortError> {
    let port = |part: &str| {
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u16>()
            .ok()
            .filter(|_| digits)
            .map(u32::from)
            .ok_or_else(|| PortError::Port(text.to_owned()))
    };
    let (first, last) = match text.split_once('-') {
        None => (port(text)?, port(text)?),
        Some((first, last)) => (port(first)?, port(last)?),
    };
    if last < first {
        return Err(PortError::Port(text.to_owned()));
    }
    Ok((first, last))
}
