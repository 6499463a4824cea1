//! Which containers of a service get connections from the services that work with it, while the stack is under load: by
//! what the kernel shows in the network namespaces of both ends.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use crate::{
    procfs::{Connection, ProcFs},
    stack::{Member, Stack},
    stores,
};

/// Connections of one container that are told apart.
const MOST: usize = 10_000;

/// Both ends of a connection, the caller's first.
type Ends = (SocketAddr, SocketAddr);

/// A service with several running containers.
#[derive(Debug)]
pub(crate) struct Spread {
    pub(crate) service: String,
    pub(crate) replicas: Vec<Replica>,
    /// The ports that any of them listens on for others.
    ports: BTreeSet<u16>,
    /// Names of the containers that have connected to one of them.
    pub(crate) callers: BTreeSet<String>,
    /// Why something could not be read.
    pub(crate) unread: Option<String>,
}

/// One of its containers.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) subject: String,
    pub(crate) pid: u32,
    addresses: BTreeSet<IpAddr>,
    connections: BTreeSet<Ends>,
}

impl Replica {
    /// Connections from other services that were there under load.
    pub(crate) fn connections(&self) -> usize {
        self.connections.len()
    }
}

/// A container that may connect to others.
#[derive(Debug)]
struct Caller {
    service: String,
    name: String,
    pid: u32,
}

/// Looks again and again.
#[derive(Debug)]
pub(crate) struct Watch {
    procfs: ProcFs,
    spreads: Vec<Spread>,
    callers: Vec<Caller>,
    /// By the address of each caller.
    addresses: BTreeMap<IpAddr, usize>,
    /// Connections that had ended before the load began: the kernel remembers them for a minute, and some were ours.
    ended: BTreeSet<Ends>,
}

impl Watch {
    /// Begins, where a service has several containers that listen. Clients of stores keep their connections, to one of
    /// them by right.
    pub(crate) fn begin(stack: &Stack<'_>) -> Self {
        let mut watch = Self {
            procfs: stack.procfs.clone(),
            spreads: spreads(stack),
            callers: Vec::new(),
            addresses: BTreeMap::new(),
            ended: BTreeSet::new(),
        };
        if watch.spreads.is_empty() {
            return watch;
        }
        for member in stack.of_the_file() {
            let Ok(pid) = stack.visible_pid(member) else { continue };
            let addresses = addresses(member);
            watch.addresses.extend(addresses.into_iter().map(|ip| (ip, watch.callers.len())));
            watch.callers.push(Caller { service: member.service.clone(), name: member.name.clone(), pid });
        }
        watch.look(true);
        watch
    }

    /// True if there is anything to look at.
    pub(crate) fn is_needed(&self) -> bool {
        !self.spreads.is_empty()
    }

    /// One look at both ends: who closes a connection first remembers it, the other one does not.
    pub(crate) fn sample(&mut self) {
        self.look(false);
    }

    /// What was seen.
    pub(crate) fn end(mut self) -> Vec<Spread> {
        self.sample();
        self.spreads
    }

    fn look(&mut self, first: bool) {
        let mut seen: Vec<(Ends, bool)> = Vec::new();
        for spread in &mut self.spreads {
            for replica in &spread.replicas {
                match self.procfs.tcp(replica.pid) {
                    Ok(connections) => {
                        seen.extend(connections.iter().map(|at| (at.ends_from_peer(), at.established)));
                    }
                    Err(error) => {
                        let why = format!("the connections of {} cannot be read: {error}", replica.subject);
                        spread.unread.get_or_insert(why);
                    }
                }
            }
        }
        for caller in &self.callers {
            // A caller that has ended since calls nobody.
            let connections = self.procfs.tcp(caller.pid).unwrap_or_default();
            seen.extend(connections.iter().map(|at| (at.ends_to_peer(), at.established)));
        }
        for (ends, established) in seen {
            self.note(ends, established, first);
        }
    }

    fn note(&mut self, ends: Ends, established: bool, first: bool) {
        let (from, to) = ends;
        let Some(caller) = self.addresses.get(&from.ip()).map(|at| &self.callers[*at]) else { return };
        for spread in self.spreads.iter_mut().filter(|spread| spread.service != caller.service) {
            if !spread.ports.contains(&to.port()) {
                continue;
            }
            let Some(replica) = spread.replicas.iter_mut().find(|one| one.addresses.contains(&to.ip()))
            else {
                continue;
            };
            if first && !established {
                self.ended.insert(ends);
            } else if !self.ended.contains(&ends) && replica.connections.len() < MOST {
                replica.connections.insert(ends);
                spread.callers.insert(caller.name.clone());
            }
        }
    }
}

impl Connection {
    fn ends_from_peer(&self) -> Ends {
        (self.peer, self.local)
    }

    fn ends_to_peer(&self) -> Ends {
        (self.local, self.peer)
    }
}

fn addresses(member: &Member) -> BTreeSet<IpAddr> {
    member.addresses().into_iter().map(|(_, ip)| ip.to_canonical()).collect()
}

fn spreads(stack: &Stack<'_>) -> Vec<Spread> {
    let mut by_service: BTreeMap<&str, Vec<&Member>> = BTreeMap::new();
    for (member, _) in stack.lasting() {
        by_service.entry(&member.service).or_default().push(member);
    }
    let mut spreads = Vec::new();
    for (service, members) in by_service {
        if members.len() < 2 || stores::is_store(stack, members[0]).is_some() {
            continue;
        }
        let mut spread = Spread {
            service: service.to_owned(),
            replicas: Vec::new(),
            ports: BTreeSet::new(),
            callers: BTreeSet::new(),
            unread: None,
        };
        for member in members {
            match replica(stack, member, &mut spread.ports) {
                Ok(replica) => spread.replicas.push(replica),
                Err(why) => drop(spread.unread.get_or_insert(why)),
            }
        }
        // What listens for nobody (a worker of a queue) is not connected to.
        if !spread.ports.is_empty() || spread.unread.is_some() {
            spreads.push(spread);
        }
    }
    spreads
}

fn replica(stack: &Stack<'_>, member: &Member, ports: &mut BTreeSet<u16>) -> Result<Replica, String> {
    let pid = stack.visible_pid(member)?;
    let listeners = stack
        .procfs
        .listeners(pid)
        .map_err(|error| format!("the sockets of {} cannot be read: {error}", member.subject))?;
    ports.extend(listeners.iter().filter(|socket| !socket.ip().is_loopback()).map(SocketAddr::port));
    let addresses = addresses(member);
    Ok(Replica { subject: member.subject.clone(), pid, addresses, connections: BTreeSet::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(from: &str, to: &str) -> Ends {
        (from.parse().unwrap(), to.parse().unwrap())
    }

    /// A front at .2, and a service at .3 and .4 that listens on 3000.
    fn watch() -> Watch {
        let replica = |ip: &str| Replica {
            subject: ip.to_owned(),
            pid: 0,
            addresses: BTreeSet::from([ip.parse().unwrap()]),
            connections: BTreeSet::new(),
        };
        let spread = Spread {
            service: "backend".to_owned(),
            replicas: vec![replica("10.0.0.3"), replica("10.0.0.4")],
            ports: BTreeSet::from([3000]),
            callers: BTreeSet::new(),
            unread: None,
        };
        let caller =
            |service: &str, name: &str| Caller { service: service.into(), name: name.into(), pid: 0 };
        Watch {
            procfs: ProcFs::new("/nonexistent"),
            spreads: vec![spread],
            callers: vec![caller("front", "front-1"), caller("backend", "backend-1")],
            addresses: BTreeMap::from([("10.0.0.2".parse().unwrap(), 0), ("10.0.0.3".parse().unwrap(), 1)]),
            ended: BTreeSet::new(),
        }
    }

    fn counts(watch: &Watch) -> Vec<usize> {
        watch.spreads[0].replicas.iter().map(Replica::connections).collect()
    }

    #[test]
    fn connections_of_the_load_count_once_each() {
        let mut watch = watch();
        let (old, kept) = (ends("10.0.0.2:40000", "10.0.0.4:3000"), ends("10.0.0.2:40001", "10.0.0.3:3000"));
        watch.note(old, false, true);
        watch.note(kept, true, true);
        // The same ones, seen again, and one that both ends show.
        watch.note(old, false, false);
        watch.note(kept, true, false);
        for _ in 0..2 {
            watch.note(ends("10.0.0.2:40002", "10.0.0.3:3000"), false, false);
        }
        assert_eq!(counts(&watch), [2, 0]);
        assert_eq!(watch.spreads[0].callers, BTreeSet::from(["front-1".to_owned()]));
        watch.note(ends("10.0.0.2:40003", "10.0.0.4:3000"), true, false);
        assert_eq!(counts(&watch), [2, 1]);
    }

    #[test]
    fn what_is_no_connection_of_another_service_does_not_count() {
        let mut watch = watch();
        // Nobody's address, its own service, a port that it does not listen on, the answer's direction.
        watch.note(ends("10.0.0.1:40000", "10.0.0.3:3000"), true, false);
        watch.note(ends("10.0.0.3:40000", "10.0.0.4:3000"), true, false);
        watch.note(ends("10.0.0.2:40000", "10.0.0.3:5432"), true, false);
        watch.note(ends("10.0.0.3:3000", "10.0.0.2:40000"), true, false);
        assert_eq!(counts(&watch), [0, 0]);
    }
}
