//! What of a project is open on the host: the engine's bindings, the host's own sockets and rules, and networks that
//! need no binding.

mod bindings;
mod forwards;

#[cfg(fuzzing)]
pub(super) use forwards::fuzz;

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use plimsoll_engine::NetworkDetail;

use self::{
    bindings::{Binding, Declared},
    forwards::{Subnet, Way},
};
use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    member::Kind,
    nature,
    procfs::Transport,
    stack::{Member, Stack, reachable},
    strangers::Reach,
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "published-ports",
    title: "exactly the declared ports are published, and no store's",
    group: Group::Network,
    requirements: &["R-062", "R-063", "R-064", "R-044"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

const LIMIT: Duration = Duration::from_secs(2);

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let mut outcomes = Vec::new();
    for member in stack.running() {
        outcomes.push(of_member(stack, member).await);
    }
    outcomes.push(tokio::task::block_in_place(|| other_ways(stack)));
    Ok(outcomes)
}

async fn of_member(stack: &Stack<'_>, member: &Member) -> Outcome {
    // A one-off or an orphan declares nothing, whatever the service's own containers publish.
    let service = if member.kind == Kind::Service { stack.declared(member) } else { None };
    let declared: Vec<Declared> =
        service.map_or(&[][..], |service| service.ports.as_slice()).iter().map(Declared::of).collect();
    let store = service.and_then(|_| nature::store(stack, member));
    let expected = match (declared.as_slice(), &store) {
        ([], _) => "publishes nothing".to_owned(),
        (_, Some(why)) => format!("publishes nothing: it is a store ({why})"),
        (ports, None) => {
            format!(
                "publishes {}, nothing else, and each port answers",
                show(ports.iter().map(Declared::words))
            )
        }
    };
    let bound = bindings::bindings(member.published());
    let default = bindings::default_addresses(&member.raw, &bound);
    let mut evidence = vec![(
        format!("engine: container {} NetworkSettings.Ports", member.name),
        show(bound.iter().map(Binding::words)),
    )];
    let mut wrong;
    let mut observed = show(bound.iter().map(Binding::words));
    if in_hosts_network(stack, member) {
        let open = tokio::task::block_in_place(|| own_sockets(stack, member));
        wrong = bindings::compare_host(&declared, &open);
        observed = show(
            open.iter().map(|(address, protocol)| format!("{address}/{protocol} in the host's network")),
        );
        evidence.push((
            format!("sockets of the processes of {} in the host's network", member.name),
            observed.clone(),
        ));
    } else {
        wrong = bindings::compare(&declared, &bound, &default);
        wrong.extend(open_without_binding(stack, member, &declared));
    }
    if let (Some(why), Some(binding)) = (&store, bound.first()) {
        wrong.push(format!("{} is published, and it is a store ({why})", binding.words()));
    }
    for binding in bound.iter().filter(|binding| binding.protocol != "sctp") {
        wrong.extend(silent(stack, member, binding));
    }
    let host =
        stack.engine.is_local().then(|| stack.procfs.listeners(std::process::id()).unwrap_or_default());
    for binding in bound.iter().filter(|binding| binding.protocol == "tcp") {
        if let Some(listeners) = &host {
            let sockets = listeners.iter().filter(|socket| socket.port() == binding.host.port());
            let reading = (
                "/proc/net/tcp, /proc/net/tcp6 in state LISTEN".to_owned(),
                show(sockets.map(SocketAddr::to_string)),
            );
            if !evidence.contains(&reading) {
                evidence.push(reading);
            }
        }
        let target = reachable(binding.host);
        let opened = tokio::time::timeout(LIMIT, tokio::net::TcpStream::connect(target)).await;
        let answered = opened
            .map_or_else(|_| Err("no answer".to_owned()), |opened| opened.map_err(|error| error.to_string()));
        evidence.push((
            format!("connect {target}/tcp"),
            answered.as_ref().map_or_else(Clone::clone, |_| "connected".to_owned()),
        ));
        if let Err(why) = answered {
            wrong.push(format!("{target}: {why}"));
        }
    }
    let observed = if wrong.is_empty() { observed } else { wrong.join("; ") };
    Outcome::new(&member.subject, expected).judge(wrong.is_empty(), observed).all_evidence(evidence)
}

/// The engine's proxy answers every connection: whether something is behind it the container's own sockets tell.
fn silent(stack: &Stack<'_>, member: &Member, binding: &Binding) -> Option<String> {
    let pid = stack.visible_pid(member).ok()?;
    let transport = if binding.protocol == "udp" { Transport::Udp } else { Transport::Tcp };
    let sockets = stack.procfs.sockets(pid, transport).ok()?;
    let listens =
        sockets.iter().any(|(address, _)| address.port() == binding.container && !address.ip().is_loopback());
    (!listens).then(|| {
        let alone = sockets.iter().any(|(address, _)| address.port() == binding.container);
        let where_ = if alone { " but on its own loopback" } else { "" };
        format!("nothing in it listens on {}/{}{where_}", binding.container, binding.protocol)
    })
}

fn in_hosts_network(stack: &Stack<'_>, member: &Member) -> bool {
    let namespaces = |pid| stack.procfs.namespace(pid, "net").ok();
    let shared = stack.visible_pid(member).ok().and_then(namespaces);
    match shared {
        Some(theirs) => Some(theirs) == namespaces(std::process::id()),
        None => member.text("/HostConfig/NetworkMode") == "host",
    }
}

/// What the processes of a container listen on: sockets of their network that they hold.
fn own_sockets(stack: &Stack<'_>, member: &Member) -> Vec<(SocketAddr, &'static str)> {
    let Ok(pid) = stack.visible_pid(member) else { return Vec::new() };
    let pids = stack.procfs.processes_of(member.id(), pid).unwrap_or_default();
    let held: BTreeSet<u64> = pids.into_iter().flat_map(|pid| stack.procfs.socket_inodes(pid)).collect();
    let mut open = Vec::new();
    for transport in [Transport::Tcp, Transport::Udp] {
        let sockets = stack.procfs.sockets(pid, transport).unwrap_or_default();
        let own = sockets.into_iter().filter(|(_, inode)| held.contains(inode));
        let lasting = own.filter(|(address, _)| {
            transport == Transport::Tcp || address.port() < stack.procfs.first_ephemeral_port()
        });
        open.extend(lasting.map(|(address, _)| (address, transport.word())));
    }
    open.sort_unstable();
    open.dedup();
    open
}

/// Networks on which a container's ports are open to others without a binding.
fn open_without_binding(stack: &Stack<'_>, member: &Member, declared: &[Declared]) -> Vec<String> {
    let networks = member.networks();
    let open = stack.networks.iter().filter(|network| networks.iter().any(|(_, id)| *id == network.id));
    let open: Vec<(&NetworkDetail, &str)> =
        open.filter_map(|network| Some((network, needs_no_binding(network)?))).collect();
    let Ok(pid) = stack.visible_pid(member) else { return Vec::new() };
    let mut wrong = Vec::new();
    for (network, why) in open {
        for transport in [Transport::Tcp, Transport::Udp] {
            for (address, _) in stack.procfs.sockets(pid, transport).unwrap_or_default() {
                let port = address.port();
                let named = declared
                    .iter()
                    .any(|declared| declared.container == port && declared.protocol == transport.word());
                let passing = transport == Transport::Udp && port >= stack.procfs.first_ephemeral_port();
                if !address.ip().is_loopback() && !named && !passing {
                    wrong.push(format!(
                        "{port}/{} is open on network {} without a binding: {why}",
                        transport.word(),
                        network.spec.name
                    ));
                }
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    wrong
}

/// Why the ports of containers on a network are open without being published.
fn needs_no_binding(network: &NetworkDetail) -> Option<&'static str> {
    match network.spec.driver.as_str() {
        "macvlan" | "ipvlan" => return Some("the network is the host's own"),
        _ => {}
    }
    let mode = |option: &str| network.spec.options.get(option).map_or("", String::as_str);
    ["com.docker.network.bridge.gateway_mode_ipv4", "com.docker.network.bridge.gateway_mode_ipv6"]
        .iter()
        .any(|option| matches!(mode(option), "routed" | "nat-unprotected"))
        .then_some("the network is routed")
}

/// Ways into the project's containers that are no published port of theirs, whatever the engine says of its containers.
fn other_ways(stack: &Stack<'_>) -> Outcome {
    let outcome = Outcome::new(
        "stack",
        "no proxy, rule or program of the host leads into the project's networks but for the published ports",
    );
    if let Some(why) = &stack.blind {
        return Outcome::not_checked("stack", outcome.expected, why);
    }
    let inside = forwards::addresses(&stack.members);
    let own = own_subnets(stack);
    let (ways, missing) = forwards::ways(stack);
    let ways: Vec<Way> = ways
        .into_iter()
        .filter(|way| inside.contains(&way.to.ip()) || own.iter().any(|subnet| subnet.holds(way.to.ip())))
        .collect();
    let mut wrong: Vec<String> = ways
        .iter()
        .filter(|way| !is_published(stack, way))
        .map(|way| format!("{}/{} leads to {} ({})", way.host, way.protocol, way.to, way.source))
        .collect();
    wrong.extend(forwards::forwarders(stack, &inside));
    for stranger in &stack.strangers {
        let shared = stranger.reaches.iter().any(|reach| match reach {
            Reach::Network(_, id) => own_networks(stack).any(|network| network.id == *id),
            Reach::Namespace(kind, _) => *kind == "net",
            Reach::Volume(_) => false,
        });
        let published = bindings::bindings(stranger.member.published());
        if shared && !published.is_empty() {
            let ports = show(published.iter().map(Binding::words));
            wrong.push(format!(
                "{} of somebody else is on the project's networks and publishes {ports}",
                stranger.member.name
            ));
        }
    }
    wrong.sort();
    wrong.dedup();
    let observed = match wrong.as_slice() {
        [] => format!("{} proxies and rules, all for published ports", ways.len()),
        wrong => wrong.join("; "),
    };
    let evidence = ways.into_iter().map(|way| (way.source, way.text));
    let outcome = outcome.judge(wrong.is_empty(), observed).all_evidence(evidence);
    if missing.is_empty() {
        outcome
    } else {
        outcome.evidence("not there or not readable", missing.join(", "))
    }
}

/// True if a way is what the engine made for a published port of a container.
fn is_published(stack: &Stack<'_>, way: &Way) -> bool {
    stack.running().any(|member| {
        member.addresses().iter().any(|(_, address)| *address == way.to.ip())
            && member.published().iter().any(|(container, protocol, host)| {
                let address =
                    host.ip() == way.host.ip() || (bindings::any(host.ip()) && bindings::any(way.host.ip()));
                address
                    && host.port() == way.host.port()
                    && *container == way.to.port()
                    && *protocol == way.protocol
            })
    })
}

/// The networks that are the project's alone; one that the file takes from elsewhere has other users by right.
fn own_networks<'s>(stack: &'s Stack<'_>) -> impl Iterator<Item = &'s NetworkDetail> {
    stack.networks.iter().filter(|network| !crate::strangers::is_shared(stack, network))
}

fn own_subnets(stack: &Stack<'_>) -> Vec<Subnet> {
    let subnets =
        own_networks(stack).flat_map(|network| &network.spec.pools).filter_map(|pool| pool.subnet.as_deref());
    subnets.filter_map(Subnet::parse).collect()
}

fn show(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() { "nothing".to_owned() } else { items.join(", ") }
}
