use std::net::Ipv4Addr;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{certificate::Group, declared, stack::Stack};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "no-egress",
    title: "a service on internal networks only has no way out",
    group: Group::Network,
    requirements: &["R-060"],
    disturbs: false,
    measure: |stack| Box::pin(async move { Ok::<_, MeasureError>(measure(stack)) }),
};

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    let internal = stack.lasting().filter(|(_, service)| declared::is_internal(stack.project, service));
    let judged = internal.map(|(member, _)| {
        let outcome = Outcome::new(&member.service, "no default route in its network namespace");
        let read = stack.visible_pid(member).and_then(|pid| {
            let text = stack.procfs.read(pid, "net/route").map_err(|error| error.to_string())?;
            Ok((pid, String::from_utf8_lossy(&text).into_owned()))
        });
        let (pid, text) = match read {
            Ok(read) => read,
            Err(why) => return Outcome::not_checked(&member.service, outcome.expected, why),
        };
        let routes: Vec<Route> = text.lines().skip(1).filter_map(Route::parse).collect();
        let out = routes.iter().find(|route| route.mask == 0);
        let observed = match out {
            Some(route) => format!("a default route by {} over {}", route.gateway, route.interface),
            None => format!("routes to {} local networks only", routes.len()),
        };
        let shown: Vec<String> =
            routes.iter().map(|route| format!("{} over {}", route.destination, route.interface)).collect();
        outcome.judge(out.is_none(), observed).evidence(format!("/proc/{pid}/net/route"), shown.join(", "))
    });
    judged.collect()
}

/// A line of `net/route`: addresses in hexadecimal, in host byte order.
#[derive(Debug, PartialEq, Eq)]
struct Route {
    interface: String,
    destination: Ipv4Addr,
    gateway: Ipv4Addr,
    mask: u32,
}

impl Route {
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok();
        Some(Self {
            interface: (*fields.first()?).to_owned(),
            destination: number(1)?.to_ne_bytes().into(),
            gateway: number(2)?.to_ne_bytes().into(),
            mask: number(7)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_route_has_an_empty_mask() {
        let route = Route::parse("eth0\t00000000\t010012AC\t0003\t0\t0\t0\t00000000\t0\t0\t0").unwrap();
        assert_eq!((route.mask, route.gateway), (0, Ipv4Addr::new(172, 18, 0, 1)));
        let local = Route::parse("eth0\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0").unwrap();
        assert_ne!(local.mask, 0);
        assert_eq!(Route::parse("Iface Destination"), None);
    }
}
