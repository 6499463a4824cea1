use std::net::{IpAddr, SocketAddr};

use plimsoll_compose::Service;

use super::{ClaimSpec, MeasureError, Outcome, at_once};
use crate::{
    certificate::{Group, Status},
    nature, netns,
    stack::{Member, Stack},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "no-egress",
    title: "no store and no service on internal networks alone has a way out of the host",
    group: Group::Network,
    requirements: &["R-060"],
    disturbs: false,
    measure: |stack| {
        Box::pin(async move { Ok::<_, MeasureError>(tokio::task::block_in_place(|| measure(stack))) })
    },
};

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    let outside = outside(stack);
    let all: Vec<_> = stack.lasting().collect();
    at_once(&all, |(member, service)| of_member(stack, member, service, &outside))
}

/// Something outside the host that answers the host. What does not answer the host either proves nothing about a
/// container.
#[derive(Clone, Copy, Debug)]
enum Outside {
    /// A name server, asked over UDP.
    NameServer(IpAddr),
    /// A machine that answers a connection, be it by refusing.
    Machine(SocketAddr),
}

impl Outside {
    fn ip(self) -> IpAddr {
        match self {
            Self::NameServer(ip) => ip,
            Self::Machine(address) => address.ip(),
        }
    }

    fn answers(self, stack: &Stack<'_>, pid: u32) -> bool {
        match self {
            Self::NameServer(server) => netns::ask_name_server(&stack.procfs, pid, server).is_ok(),
            Self::Machine(address) => netns::is_answered(&stack.procfs, pid, address),
        }
    }

    fn words(self) -> String {
        match self {
            Self::NameServer(server) => format!("question to {server}:53"),
            Self::Machine(address) => format!("connect {address}"),
        }
    }
}

/// The host's name servers and routers, as far as they answer it: one of each address family.
fn outside(stack: &Stack<'_>) -> Vec<Outside> {
    let own: Vec<IpAddr> = stack.running().flat_map(Member::addresses).map(|(_, address)| address).collect();
    let me = std::process::id();
    let foreign = |ip: &IpAddr| !ip.is_loopback() && !ip.is_unspecified() && !own.contains(ip);
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = netns::name_servers(&text).filter(foreign).map(Outside::NameServer);
    let routes = stack.procfs.routes(me);
    let routers = routes.iter().filter_map(|route| route.gateway).filter(foreign);
    // Whatever port: that an answer comes is what counts.
    let machines = routers.flat_map(|ip| [53, 443].map(|port| Outside::Machine(SocketAddr::new(ip, port))));
    let candidates: Vec<Outside> = servers.chain(machines).collect();
    let families: [fn(&IpAddr) -> bool; 2] = [IpAddr::is_ipv4, IpAddr::is_ipv6];
    families
        .into_iter()
        .filter_map(|family| {
            candidates.iter().find(|outside| family(&outside.ip()) && outside.answers(stack, me)).copied()
        })
        .collect()
}

fn of_member(stack: &Stack<'_>, member: &Member, service: &Service, outside: &[Outside]) -> Outcome {
    let store = nature::store(stack, member);
    let internal = stack.project.is_internal(service);
    let expected = match &store {
        Some(why) => {
            format!("it is a store ({why}): no default route, or nothing outside answers through it")
        }
        None => "no default route, or nothing outside answers through it".to_owned(),
    };
    let outcome = Outcome::new(&member.subject, expected);
    let pid = match stack.visible_pid(member) {
        Ok(pid) => pid,
        Err(why) => return Outcome::not_checked(&member.subject, outcome.expected, why),
    };
    let measured = judge(stack, member, pid, outcome, outside);
    if store.is_some() || internal {
        return measured;
    }
    // Neither a store nor told to stay inside: whether it has a way out is a fact, not a fault.
    let fact = match measured.status {
        Status::Failed => format!("it has a way out: {}", measured.observed),
        Status::Proved => format!("it has no way out: {}", measured.observed),
        _ => measured.observed.clone(),
    };
    let why = format!("no store, and the file puts it on a network that leads out; {fact}");
    Outcome { status: Status::NotApplicable, observed: why, ..measured }
}

fn judge(stack: &Stack<'_>, member: &Member, pid: u32, outcome: Outcome, outside: &[Outside]) -> Outcome {
    let routes = stack.procfs.routes(pid);
    let shown: Vec<String> = routes.iter().map(ToString::to_string).collect();
    let outcome = outcome.evidence(format!("/proc/{pid}/net/route, net/ipv6_route"), shown.join(", "));
    if stack.procfs.namespace(pid, "net").ok() == stack.procfs.namespace(std::process::id(), "net").ok() {
        return outcome.judge(false, "it is in the host's network");
    }
    // Any route over a router: two halves of the address space are as good as a default route.
    let ways: Vec<_> = routes.iter().filter(|route| route.leads_away()).collect();
    if ways.is_empty() {
        return outcome.judge(true, format!("routes to {} local networks only", routes.len()));
    }
    let mut outcome = outcome;
    let mut answers = Vec::new();
    let mut asked = Vec::new();
    for way in outside {
        // A family without a route needs no try.
        if !ways.iter().any(|route| route.destination.is_ipv4() == way.ip().is_ipv4()) {
            continue;
        }
        let answered = way.answers(stack, pid);
        asked.push(way.ip());
        if answered {
            answers.push(way.ip().to_string());
        }
        let said = if answered { "answered" } else { "no answer" };
        outcome = outcome
            .evidence(format!("{} in the network namespace of {} ({pid})", way.words(), member.name), said)
            .evidence(format!("{} from the host", way.words()), "answered");
    }
    if !answers.is_empty() {
        return outcome.judge(false, format!("{} outside the host answers it", answers.join(", ")));
    }
    let open = open_networks(stack, member);
    // Engines before 25 leave the route of an internal network and drop the packets in their firewall: only a try tells.
    // Of a network that is not internal the route is enough.
    let untried: Vec<&str> = [("IPv4", true), ("IPv6", false)]
        .into_iter()
        .filter(|(_, v4)| {
            ways.iter().any(|route| route.destination.is_ipv4() == *v4)
                && !asked.iter().any(|ip| ip.is_ipv4() == *v4)
        })
        .map(|(family, _)| family)
        .collect();
    if untried.is_empty() {
        let asked: Vec<String> = asked.iter().map(ToString::to_string).collect();
        return outcome
            .judge(true, format!("{}, which answers the host, does not answer it", asked.join(", ")));
    }
    if !open.is_empty() && untried.contains(&"IPv4") {
        return outcome
            .judge(false, format!("it has a default route, and {} is not internal", open.join(", ")));
    }
    if asked.is_empty() {
        let why = "it has a default route, and nothing outside answers this host, to compare with";
        return Outcome { observed: why.to_owned(), ..outcome };
    }
    // The host itself has no way out over that family, so nothing behind it has.
    let asked: Vec<String> = asked.iter().map(ToString::to_string).collect();
    outcome.judge(
        true,
        format!(
            "{}, which answers the host, does not answer it; over {} nothing answers the host either",
            asked.join(", "),
            untried.join(", ")
        ),
    )
}

/// The member's networks that lead out as far as the engine knows.
fn open_networks(stack: &Stack<'_>, member: &Member) -> Vec<String> {
    let own = member.networks();
    let masquerades = |options: &std::collections::BTreeMap<String, String>| {
        options.get("com.docker.network.bridge.enable_ip_masquerade").is_none_or(|value| value != "false")
    };
    stack
        .networks
        .iter()
        .filter(|network| own.iter().any(|(_, id)| *id == network.id))
        .filter(|network| !network.spec.internal && masquerades(&network.spec.options))
        .map(|network| network.spec.name.clone())
        .collect()
}
