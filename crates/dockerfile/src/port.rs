//! The ports of EXPOSE: `80`, `80/udp`, `8000-8010`.
use std::ops::RangeInclusive;

/// A word that is no port; the wording is BuildKit's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PortError(String);

/// The single ports of one expanded word of EXPOSE, each as `PORT/PROTOCOL`. An address and a host port in front are
/// checked and dropped.
pub fn parse_port(word: &str) -> Result<Vec<String>, PortError> {
    let (ports, protocol) = ports(word)?;
    Ok(ports.map(|port| format!("{port}/{protocol}")).collect())
}

/// The same without writing the ports out.
pub(crate) fn ports(word: &str) -> Result<(RangeInclusive<u16>, String), PortError> {
    let refuse = |title: String| Err(PortError(title));
    let mut parts = word.rsplitn(3, ':');
    let container = parts.next().unwrap_or_default();
    let host = parts.next().unwrap_or_default();
    let address = parts.next().unwrap_or_default();

    let (ports, protocol) = container.split_once('/').unwrap_or((container, ""));
    if ports.is_empty() {
        return refuse(format!("no port specified: {container}<empty>"));
    }
    let protocol = match protocol.to_ascii_lowercase().as_str() {
        "" => "tcp".to_owned(),
        known @ ("tcp" | "udp" | "sctp") => known.to_owned(),
        other => return refuse(format!("invalid proto: {other}")),
    };
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    if !bare.is_empty() && bare.parse::<std::net::IpAddr>().is_err() {
        return refuse(format!("invalid IP address: {bare}"));
    }
    let Some((first, last)) = range(ports) else { return refuse(format!("invalid containerPort: {ports}")) };
    if !host.is_empty() {
        let Some((host_first, host_last)) = range(host) else {
            return refuse(format!("invalid hostPort: {host}"));
        };
        if last - first != host_last - host_first && last != first {
            return refuse(format!(
                "invalid ranges specified for container and host Ports: {ports} and {host}"
            ));
        }
    }
    Ok((first..=last, protocol))
}

/// Whether `word` has an address or a host port, which EXPOSE should not.
pub(crate) fn is_mapping(word: &str) -> bool {
    word.rsplitn(3, ':').skip(1).any(|part| !part.is_empty())
}

fn range(text: &str) -> Option<(u16, u16)> {
    let number = |text: &str| if text.starts_with('+') { None } else { text.parse::<u16>().ok() };
    let (first, last) = match text.split_once('-') {
        None => (number(text)?, number(text)?),
        Some((first, last)) => (number(first)?, number(last)?),
    };
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_ranges_and_mappings() {
        let show = |word| parse_port(word).map_or_else(|error| error.to_string(), |ports| ports.join(" "));
        assert_eq!(show("80"), "80/tcp");
        assert_eq!(show("53/UDP"), "53/udp");
        assert_eq!(show("8000-8002/sctp"), "8000/sctp 8001/sctp 8002/sctp");
        assert_eq!(show("127.0.0.1:80:8080"), "8080/tcp");
        assert_eq!(show("[::1]:8080:8080"), "8080/tcp");
        assert_eq!(show("80/foo"), "invalid proto: foo");
        assert_eq!(show("70000"), "invalid containerPort: 70000");
        assert_eq!(show("9-8"), "invalid containerPort: 9-8");
        assert_eq!(show("/tcp"), "no port specified: /tcp<empty>");
        assert_eq!(show("x:1:80"), "invalid IP address: x");
    }
}
