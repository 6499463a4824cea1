use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use plimsoll_compose::Service;

use super::{ClaimSpec, MeasureError, Outcome, at_once};
use crate::{
    certificate::Group,
    member::Kind,
    nature, netns,
    procfs::Transport,
    stack::{Member, Stack},
    strangers::{Reach, is_shared},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "store-isolation",
    title: "a store and an inner service can be reached by those alone that the file puts beside it",
    group: Group::Network,
    requirements: &["R-060", "R-061", "R-063"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

/// So many containers of others, each on other networks, are tried as sources.
const FOREIGN: usize = 3;

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let foreign = foreign(stack).await?;
    // Connections that are dropped are waited for: not on the threads that serve everything else.
    Ok(tokio::task::block_in_place(|| {
        let subjects: Vec<Subject<'_>> = stack
            .lasting()
            .map(|(member, service)| Subject { member, service, store: nature::store(stack, member) })
            // Whether it is published must not decide: a published store is what this is for.
            .filter(|subject| subject.store.is_some() || subject.service.ports.is_empty())
            .collect();
        at_once(&subjects, |subject| of_member(stack, subject, &foreign))
    }))
}

struct Subject<'s> {
    member: &'s Member,
    service: &'s Service,
    /// Why it is a store, if it is one.
    store: Option<String>,
}

/// A network to connect from.
struct Source {
    who: String,
    pid: u32,
    /// Why it must not get through.
    why: &'static str,
    /// Names are looked up as well: nobody outside needs to know them.
    names: bool,
}

fn of_member(stack: &Stack<'_>, subject: &Subject<'_>, foreign: &[Source]) -> Outcome {
    let member = subject.member;
    let expected = match &subject.store {
        Some(why) => format!(
            "it is a store ({why}): not published, nobody else's on its networks; neither a published service that is no \
             client of it nor anybody outside its networks can connect, over IPv4 or IPv6; those inside can"
        ),
        None => "containers outside its networks can neither connect nor resolve its name, over IPv4 or IPv6; those \
                 inside can connect"
            .to_owned(),
    };
    let outcome = Outcome::new(&member.subject, expected);
    let pid = match stack.visible_pid(member) {
        Ok(pid) => pid,
        Err(why) => return Outcome::not_checked(&member.subject, outcome.expected, why),
    };
    let mut wrong = Vec::new();
    if subject.store.is_some() {
        wrong.extend(
            member
                .published()
                .into_iter()
                .map(|(port, protocol, host)| format!("published: {host} -> {port}/{protocol}")),
        );
    }
    wrong.extend(strangers_beside(stack, subject));
    let targets = match Targets::of(stack, member, pid) {
        Ok(targets) => targets,
        Err(why) => return Outcome::not_checked(&member.subject, outcome.expected, why),
    };
    if targets.host_network {
        wrong.push("it is in the host's network: everybody who reaches the host reaches it".to_owned());
    }
    if targets.is_empty() && wrong.is_empty() {
        let why = "nothing in it listens for others";
        return Outcome::not_applicable(&member.subject, outcome.expected, why);
    }
    let (inside, outside) = sides(stack, subject, foreign);
    if targets.addresses.iter().any(IpAddr::is_ipv6) {
        // The host's network has the routers.
        stack.procfs.addresses_settle(&[std::process::id(), pid]);
    }
    let tried = at_once_with(&outside, |source| try_source(stack, member, &targets, source));
    let mut evidence = Vec::new();
    for (problems, readings) in tried {
        wrong.extend(problems);
        evidence.extend(readings);
    }
    // Without this a dead service would look like an isolated one.
    let control = inside.iter().find_map(|(name, from)| {
        let target =
            targets.tcp.iter().find(|target| netns::connect(&stack.procfs, *from, **target).is_ok())?;
        Some((
            format!("connect {target} in the network namespace of {name} ({from}), which shares a network"),
            name.clone(),
        ))
    });
    let outcome = outcome.all_evidence(evidence);
    let names: Vec<&str> = outside.iter().map(|source| source.who.as_str()).collect();
    let closed = if names.is_empty() {
        "nobody outside to try".to_owned()
    } else {
        format!("closed to {}", names.join(", "))
    };
    match control {
        Some((source, friend)) => {
            let observed =
                if wrong.is_empty() { format!("{closed}, open to {friend}") } else { wrong.join("; ") };
            outcome.judge(wrong.is_empty(), observed).evidence(source, "connected")
        }
        None if targets.tcp.is_empty() => {
            let observed = if wrong.is_empty() {
                format!("{closed}; it listens on no TCP port")
            } else {
                wrong.join("; ")
            };
            outcome.judge(wrong.is_empty(), observed)
        }
        None => {
            wrong.push("not even a container on its own network can connect".to_owned());
            outcome.judge(false, wrong.join("; "))
        }
    }
}

/// Who must get through, and who must not.
fn sides<'s>(
    stack: &'s Stack<'_>,
    subject: &Subject<'_>,
    foreign: &'s [Source],
) -> (Vec<(String, u32)>, Vec<Source>) {
    let member = subject.member;
    let networks = networks_of(stack, subject.service);
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    for other in stack.running().filter(|other| other.id() != member.id()) {
        let Some(from) = other.pid() else { continue };
        let service = stack.declared(other).filter(|_| other.kind != Kind::Orphan);
        let shares = service.is_some_and(|service| !networks.is_disjoint(&networks_of(stack, service)));
        let stranger_to_store = subject.store.is_some()
            && other.service != member.service
            && is_published(stack, other)
            && service
                .is_none_or(|service| nature::client(stack.project, service, &member.service).is_none());
        // Who shares the namespace of the subject is the subject, as far as the network can tell.
        let same = same_network(stack, other, member);
        if !shares && !same {
            outside.push(Source { who: other.subject.clone(), pid: from, why: "", names: true });
        } else if stranger_to_store {
            let why = ", which is published and no client of it in the file (`depends_on` or its address in the \
                       environment),";
            outside.push(Source { who: other.subject.clone(), pid: from, why, names: false });
        } else if service.is_some() {
            inside.push((other.subject.clone(), from));
        }
    }
    // Nobody beside it: it can at least connect to itself.
    if inside.is_empty()
        && let Some(pid) = member.pid()
    {
        inside.push(("itself".to_owned(), pid));
    }
    let foreign = foreign.iter().filter(|source| !on_a_network_of(stack, source, member));
    outside.extend(foreign.map(|source| Source {
        who: source.who.clone(),
        pid: source.pid,
        why: "",
        names: true,
    }));
    (inside, outside)
}

/// The networks that the file gives a service; with `network_mode: service:NAME` those of the other.
fn networks_of(stack: &Stack<'_>, service: &Service) -> BTreeSet<String> {
    let other = service.network_mode.as_deref().and_then(|mode| mode.strip_prefix("service:"));
    let other = other.and_then(|name| stack.project.services.get(name));
    other.unwrap_or(service).network_keys().into_iter().map(str::to_owned).collect()
}

fn same_network(stack: &Stack<'_>, a: &Member, b: &Member) -> bool {
    let namespace = |member: &Member| member.pid().and_then(|pid| stack.procfs.namespace(pid, "net").ok());
    namespace(a).is_some() && namespace(a) == namespace(b)
}

/// True if a container is open to the host's outside: by its own bindings, by those of a container whose network
/// namespace it is in, or because it is in the host's.
fn is_published(stack: &Stack<'_>, member: &Member) -> bool {
    let namespace = |pid| stack.procfs.namespace(pid, "net").ok();
    let own = member.pid().and_then(namespace);
    !member.published().is_empty()
        || (own.is_some() && own == namespace(std::process::id()))
        || stack.running().any(|other| !other.published().is_empty() && same_network(stack, member, other))
}

fn on_a_network_of(stack: &Stack<'_>, source: &Source, member: &Member) -> bool {
    stack.strangers.iter().any(|stranger| {
        stranger.member.pid() == Some(source.pid)
            && stranger
                .member
                .networks()
                .iter()
                .any(|(_, id)| member.networks().iter().any(|(_, own)| own == id))
    })
}

/// Containers of others on the networks of the subject, or in its network namespace.
fn strangers_beside(stack: &Stack<'_>, subject: &Subject<'_>) -> Vec<String> {
    let own = subject.member.networks();
    let mut found = Vec::new();
    for stranger in &stack.strangers {
        for reach in &stranger.reaches {
            let beside = match reach {
                Reach::Network(_, id) => {
                    let shared =
                        stack.networks.iter().any(|network| network.id == *id && is_shared(stack, network));
                    // A network that the file shares with others by its own words is no place for a store.
                    own.iter().any(|(_, own)| own == id) && (subject.store.is_some() || !shared)
                }
                Reach::Namespace(kind, of) => *kind == "net" && *of == subject.member.name,
                Reach::Volume(_) => false,
            };
            if beside {
                found.push(format!("{} of somebody else is {}", stranger.member.name, reach.words()));
            }
        }
    }
    found
}

/// What a container can be reached at.
struct Targets {
    tcp: Vec<SocketAddr>,
    udp: Vec<SocketAddr>,
    addresses: Vec<IpAddr>,
    host_network: bool,
}

impl Targets {
    fn of(stack: &Stack<'_>, member: &Member, pid: u32) -> Result<Self, String> {
        let own = stack.procfs.namespace(pid, "net").ok();
        let host_network = own.is_some() && own == stack.procfs.namespace(std::process::id(), "net").ok();
        if host_network {
            return Ok(Self { tcp: Vec::new(), udp: Vec::new(), addresses: Vec::new(), host_network });
        }
        // The engine's addresses and the kernel's: somebody may have given it more.
        let mut addresses: Vec<IpAddr> = member.addresses().into_iter().map(|(_, address)| address).collect();
        addresses.extend(stack.procfs.addresses(pid));
        addresses.sort_unstable();
        addresses.dedup();
        let sockets = |transport| stack.procfs.sockets(pid, transport).map_err(|error| error.to_string());
        let at = |sockets: Vec<(SocketAddr, u64)>| {
            let mut targets: Vec<SocketAddr> =
                sockets.iter().flat_map(|(socket, _)| reach(*socket, &addresses)).collect();
            targets.sort_unstable();
            targets.dedup();
            targets
        };
        let first = stack.procfs.first_ephemeral_port();
        let udp =
            sockets(Transport::Udp)?.into_iter().filter(|(address, _)| address.port() < first).collect();
        Ok(Self { tcp: at(sockets(Transport::Tcp)?), udp: at(udp), addresses, host_network })
    }

    fn is_empty(&self) -> bool {
        self.tcp.is_empty() && self.udp.is_empty() && !self.host_network
    }
}

/// The addresses at which a listening socket answers.
fn reach(socket: SocketAddr, addresses: &[IpAddr]) -> impl Iterator<Item = SocketAddr> + '_ {
    addresses
        .iter()
        .filter(move |address| match socket.ip() {
            ip if ip.is_loopback() => false,
            IpAddr::V4(ip) if ip.is_unspecified() => address.is_ipv4(),
            // Takes IPv4 as well, unless it is told not to; that cannot be seen.
            IpAddr::V6(ip) if ip.is_unspecified() => true,
            ip => ip == **address || ip.to_canonical() == **address,
        })
        .map(move |address| SocketAddr::new(*address, socket.port()))
}

type Tried = (Vec<String>, Vec<(String, String)>);

/// Connects to every target from one network, and asks for the name there.
fn try_source(stack: &Stack<'_>, member: &Member, targets: &Targets, source: &Source) -> Tried {
    let (mut wrong, mut evidence) = (Vec::new(), Vec::new());
    let there = format!("in the network namespace of {} ({})", source.who, source.pid);
    let tried =
        at_once_with(&targets.tcp, |target| (*target, netns::connect(&stack.procfs, source.pid, *target)));
    for (target, opened) in tried {
        let said = opened.as_ref().map_or_else(ToString::to_string, |_| "connected".to_owned());
        evidence.push((format!("connect {target} {there}"), said));
        if opened.is_ok() {
            wrong.push(format!("{}{} connects to {target}", source.who, source.why));
        }
    }
    // A port where nothing is bound answers "refused" if the way is open: that an answer came is what counts.
    if let Some(target) = targets.udp.first().filter(|_| source.why.is_empty()) {
        let open = netns::udp_is_answered(&stack.procfs, source.pid, target.ip());
        evidence.push((
            format!("datagram to {} {there}", target.ip()),
            if open { "answered" } else { "no answer" }.to_owned(),
        ));
        if open {
            wrong.push(format!("{} reaches {target} over UDP", source.who));
        }
    }
    if source.names && !member.service.is_empty() {
        let answer = netns::resolve(&stack.procfs, source.pid, &member.service);
        let said = match &answer {
            Ok(answer) if answer.addresses.is_empty() => format!("no address (code {})", answer.code),
            Ok(answer) => format!("{:?}", answer.addresses),
            Err(error) => error.to_string(),
        };
        evidence.push((format!("resolve {} {there}", member.service), said));
        // Another container may have the same name in another network.
        let own = |address: &IpAddr| targets.addresses.contains(address);
        if answer.is_ok_and(|answer| answer.addresses.iter().any(own)) {
            wrong.push(format!("{} resolves its name", source.who));
        }
    }
    (wrong, evidence)
}

/// Asks in a thread for each item: what is never answered is waited for together.
fn at_once_with<T: Sync, R: Send>(items: &[T], ask: impl Fn(&T) -> R + Sync) -> Vec<R> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = items.iter().map(|item| scope.spawn(|| ask(item))).collect();
        // A panic goes on where it would have been without threads.
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// Running containers of others on the host's other bridges: what is closed to them is closed by the host.
async fn foreign(stack: &Stack<'_>) -> Result<Vec<Source>, MeasureError> {
    let own: Vec<&str> = stack.members.iter().map(Member::id).collect();
    let mut networks: Vec<String> = Vec::new();
    let mut sources = Vec::new();
    for container in stack.engine.containers().await? {
        let running = container.state == plimsoll_engine::RunState::Running;
        let new = container
            .networks
            .keys()
            .any(|network| !networks.contains(network) && network != "none" && network != "host");
        if !running || !new || own.contains(&container.id.as_str()) || sources.len() == FOREIGN {
            continue;
        }
        // It may be gone by now.
        let Ok(detail) = stack.engine.inspect_container(&container.id).await else { continue };
        let Some(pid) = u32::try_from(detail.pid).ok().filter(|pid| stack.procfs.is_in(*pid, &container.id))
        else {
            continue;
        };
        networks.extend(container.networks.into_keys());
        sources.push(Source { who: container.name, pid, why: "", names: true });
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_reached_at_its_own_addresses() {
        let addresses: Vec<IpAddr> = ["172.18.0.2", "fd00::2"].map(|ip| ip.parse().unwrap()).to_vec();
        let at = |socket: &str| {
            reach(socket.parse().unwrap(), &addresses).map(|at| at.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(at("127.0.0.1:1"), Vec::<String>::new());
        assert_eq!(at("[::1]:1"), Vec::<String>::new());
        assert_eq!(at("0.0.0.0:1"), ["172.18.0.2:1"]);
        assert_eq!(at("[::]:1"), ["172.18.0.2:1", "[fd00::2]:1"]);
        assert_eq!(at("172.18.0.2:1"), ["172.18.0.2:1"]);
        assert_eq!(at("[::ffff:172.18.0.2]:1"), ["172.18.0.2:1"]);
        assert_eq!(at("172.18.0.9:1"), Vec::<String>::new());
    }
}
