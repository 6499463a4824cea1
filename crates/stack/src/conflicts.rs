//! Who has what an engine says is taken: it does not say it itself.

use std::net::IpAddr;

use plimsoll_engine::{Engine, EngineError, NetworkSpec};

use crate::StackError;

/// Names the network whose subnet overlaps; the engine's own words where none is found.
pub(crate) async fn of_subnet(engine: &Engine, spec: &NetworkSpec, error: EngineError) -> StackError {
    let Ok(networks) = engine.networks(&[]).await else { return error.into() };
    let wanted = spec.pools.iter().filter_map(|pool| pool.subnet.as_ref());
    for subnet in wanted {
        for other in networks.iter().filter(|other| other.spec.name != spec.name) {
            let taken = other.spec.pools.iter().filter_map(|pool| pool.subnet.as_ref());
            if let Some(taken) = taken.into_iter().find(|taken| overlap(subnet, taken)) {
                return StackError::SubnetTaken {
                    network: spec.name.clone(),
                    subnet: subnet.clone(),
                    taken: taken.clone(),
                    holder: other.spec.name.clone(),
                };
            }
        }
    }
    error.into()
}

/// Names the container that has a fixed address of this one.
pub(crate) async fn of_address(engine: &Engine, container: &str, error: EngineError) -> StackError {
    let Ok(raw) = engine.inspect_container_raw(container).await else { return error.into() };
    let Ok(others) = engine.containers().await else { return error.into() };
    let networks = raw["NetworkSettings"]["Networks"].as_object();
    for (network, place) in networks.into_iter().flatten() {
        for key in ["IPv4Address", "IPv6Address"] {
            let Some(address) = place["IPAMConfig"][key].as_str().filter(|text| !text.is_empty()) else {
                continue;
            };
            let holder = others.iter().filter(|other| other.name != container).find(|other| {
                other.endpoints.get(network).is_some_and(|end| end.addresses.iter().any(|own| own == address))
            });
            if let Some(holder) = holder {
                return StackError::AddressTaken {
                    address: address.to_owned(),
                    network: network.clone(),
                    holder: holder.name.clone(),
                };
            }
        }
    }
    error.into()
}

/// Whether two subnets in CIDR form have an address in common.
fn overlap(one: &str, other: &str) -> bool {
    let (Some((a, a_bits)), Some((b, b_bits))) = (cidr(one), cidr(other)) else { return false };
    let bits = a_bits.min(b_bits);
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            (u32::from(a) ^ u32::from(b)).checked_shr(32 - bits.min(32)).unwrap_or(0) == 0
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            (u128::from(a) ^ u128::from(b)).checked_shr(128 - bits.min(128)).unwrap_or(0) == 0
        }
        _ => false,
    }
}

fn cidr(text: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = text.split_once('/')?;
    Some((address.parse().ok()?, bits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets_overlap_when_one_holds_the_other() {
        for (one, other, wanted) in [
            ("10.222.19.0/24", "10.222.19.0/24", true),
            ("10.222.0.0/16", "10.222.19.0/24", true),
            ("10.222.19.0/24", "10.222.20.0/24", false),
            ("0.0.0.0/0", "10.0.0.0/8", true),
            ("fd00:1::/64", "fd00:1::/80", true),
            ("fd00:1::/64", "fd00:2::/64", false),
            ("fd00::/8", "10.0.0.0/8", false),
            ("nonsense", "10.0.0.0/8", false),
        ] {
            assert_eq!(overlap(one, other), wanted, "{one} {other}");
        }
    }
}
