use std::net::{IpAddr, Ipv4Addr};

use super::{ClaimSpec, MeasureError, Outcome, at_once};
use crate::{
    certificate::Group,
    declared, netns,
    stack::{Member, Stack},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "no-egress",
    title: "a service on internal networks only has no way out of the host",
    group: Group::Network,
    requirements: &["R-060"],
    disturbs: false,
    measure: |stack| {
        Box::pin(async move { Ok::<_, MeasureError>(tokio::task::block_in_place(|| measure(stack))) })
    },
};

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    let outside = outside(stack);
    let internal: Vec<_> =
        stack.lasting().filter(|(_, service)| declared::is_internal(stack.project, service)).collect();
    at_once(&internal, |(member, _)| of_member(stack, member, outside))
}

/// Something outside the host that answers the host: its name server. What does not answer the host either proves
/// nothing about a container.
fn outside(stack: &Stack<'_>) -> Option<IpAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").ok()?;
    let own: Vec<IpAddr> = stack.running().flat_map(Member::addresses).map(|(_, address)| address).collect();
    let foreign = |server: &IpAddr| !server.is_loopback() && !own.contains(server);
    let answers =
        |server: &IpAddr| netns::ask_name_server(&stack.procfs, std::process::id(), *server).is_ok();
    netns::name_servers(&text).filter(foreign).find(answers)
}

fn of_member(stack: &Stack<'_>, member: &Member, outside: Option<IpAddr>) -> Outcome {
    let outcome = Outcome::new(&member.subject, "no default route, or nothing outside answers through it");
    let read = stack.visible_pid(member).and_then(|pid| {
        let text = stack.procfs.read(pid, "net/route").map_err(|error| error.to_string())?;
        Ok((pid, String::from_utf8_lossy(&text).into_owned()))
    });
    let (pid, text) = match read {
        Ok(read) => read,
        Err(why) => return Outcome::not_checked(&member.subject, outcome.expected, why),
    };
    let routes: Vec<Route> = text.lines().skip(1).filter_map(Route::parse).collect();
    let shown: Vec<String> =
        routes.iter().map(|route| format!("{} over {}", route.destination, route.interface)).collect();
    let outcome = outcome.evidence(format!("/proc/{pid}/net/route"), shown.join(", "));
    if routes.iter().all(|route| route.mask != 0) {
        return outcome.judge(true, format!("routes to {} local networks only", routes.len()));
    }
    // Engines before 25 leave the route and drop the packets in their firewall: only a try tells.
    let Some(server) = outside else {
        let why = "it has a default route, and nothing outside answers this host, to compare with";
        return Outcome { observed: why.to_owned(), ..outcome };
    };
    let answer = netns::ask_name_server(&stack.procfs, pid, server);
    let said = answer.as_ref().map_or_else(ToString::to_string, |()| "answered".to_owned());
    let observed = match &answer {
        Ok(()) => format!("{server} outside the host answers it"),
        Err(_) => format!("{server}, which answers the host, does not answer it"),
    };
    outcome
        .judge(answer.is_err(), observed)
        .evidence(
            format!("question to {server}:53 in the network namespace of {} ({pid})", member.name),
            said,
        )
        .evidence(format!("question to {server}:53 from the host"), "answered")
}

/// A line of `net/route`: addresses in hexadecimal, in host byte order.
#[derive(Debug, PartialEq, Eq)]
struct Route {
    interface: String,
    destination: Ipv4Addr,
    mask: u32,
}

impl Route {
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok();
        Some(Self {
            interface: (*fields.first()?).to_owned(),
            destination: number(1)?.to_ne_bytes().into(),
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
        assert_eq!((route.mask, route.destination), (0, Ipv4Addr::UNSPECIFIED));
        let local = Route::parse("eth0\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0").unwrap();
        assert_ne!(local.mask, 0);
        assert_eq!(Route::parse("Iface Destination"), None);
    }
}
