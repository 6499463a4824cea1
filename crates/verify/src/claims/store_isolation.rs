use std::net::{IpAddr, SocketAddr};

use plimsoll_compose::Service;

use super::{ClaimSpec, MeasureError, Outcome, at_once};
use crate::{
    certificate::Group,
    declared, netns,
    stack::{Member, Stack},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "store-isolation",
    title: "an inner service cannot be reached or named from outside its networks",
    group: Group::Network,
    requirements: &["R-060", "R-061", "R-063"],
    disturbs: false,
    measure: |stack| {
        Box::pin(async move {
            // Connections that are dropped are waited for: not on the threads that serve everything else.
            Ok::<_, MeasureError>(tokio::task::block_in_place(|| measure(stack)))
        })
    },
};

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    let inner: Vec<_> = stack.lasting().filter(|(_, service)| service.ports.is_empty()).collect();
    at_once(&inner, |(member, service)| of_member(stack, member, service))
}

fn of_member(stack: &Stack<'_>, member: &Member, service: &Service) -> Outcome {
    let outcome = Outcome::new(
        &member.subject,
        "containers outside its networks can neither connect nor resolve its name; those inside can connect",
    );
    let pid = match stack.visible_pid(member) {
        Ok(pid) => pid,
        Err(why) => return Outcome::not_checked(&member.subject, outcome.expected, why),
    };
    let networks = declared::networks(service);
    let (inside, outside): (Vec<_>, Vec<_>) = stack
        .lasting()
        .filter(|(other, _)| other.id() != member.id())
        .partition(|(_, other)| !networks.is_disjoint(&declared::networks(other)));
    if outside.is_empty() {
        return Outcome::not_applicable(
            &member.subject,
            outcome.expected,
            "every other container shares a network with it",
        );
    }
    let targets = match targets(stack, member, pid) {
        Ok(targets) if !targets.is_empty() => targets,
        Ok(_) => return Outcome::not_applicable(&member.subject, outcome.expected, "nothing in it listens"),
        Err(why) => return Outcome::not_checked(&member.subject, outcome.expected, why),
    };
    let mut wrong = Vec::new();
    let mut evidence = Vec::new();
    for (other, _) in &outside {
        let Some(from) = other.pid() else { continue };
        for target in &targets {
            let opened = netns::connect(&stack.procfs, from, *target);
            let said = opened.as_ref().map_or_else(ToString::to_string, |_| "connected".to_owned());
            evidence.push((
                format!("connect {target} in the network namespace of {} ({from})", other.name),
                said,
            ));
            if opened.is_ok() {
                wrong.push(format!("{} connects to {target}", other.service));
            }
        }
        let answer = netns::resolve(&stack.procfs, from, &member.service);
        let said = match &answer {
            Ok(answer) if answer.addresses.is_empty() => format!("no address (code {})", answer.code),
            Ok(answer) => format!("{:?}", answer.addresses),
            Err(error) => error.to_string(),
        };
        evidence.push((
            format!("resolve {} in the network namespace of {} ({from})", member.service, other.name),
            said,
        ));
        if answer.is_ok_and(|answer| !answer.addresses.is_empty()) {
            wrong.push(format!("{} resolves its name", other.service));
        }
    }
    // Without this a dead service would look like an isolated one.
    let control =
        inside.iter().filter_map(|(other, _)| Some((other, other.pid()?))).find_map(|(other, from)| {
            let target =
                targets.iter().find(|target| netns::connect(&stack.procfs, from, **target).is_ok())?;
            Some((
                format!(
                    "connect {target} in the network namespace of {} ({from}), which shares a network",
                    other.name
                ),
                other.service.clone(),
            ))
        });
    let names: Vec<&str> = outside.iter().map(|(other, _)| other.service.as_str()).collect();
    match control {
        Some((source, friend)) => {
            evidence.push((source, "connected".to_owned()));
            let observed = match wrong.as_slice() {
                [] => format!("closed to {}, open to {friend}", names.join(", ")),
                wrong => wrong.join("; "),
            };
            outcome.judge(wrong.is_empty(), observed).all_evidence(evidence)
        }
        None => {
            outcome.judge(false, "not even a container on its own network can connect").all_evidence(evidence)
        }
    }
}

/// Every address and port on which something in the container listens for others.
fn targets(stack: &Stack<'_>, member: &Member, pid: u32) -> Result<Vec<SocketAddr>, String> {
    let listeners = stack.procfs.listeners(pid).map_err(|error| error.to_string())?;
    let addresses: Vec<IpAddr> = member.addresses().into_iter().map(|(_, address)| address).collect();
    let mut targets: Vec<SocketAddr> = listeners
        .iter()
        .filter(|socket| !socket.ip().is_loopback())
        .flat_map(|socket| addresses.iter().map(|address| SocketAddr::new(*address, socket.port())))
        .collect();
    targets.sort_unstable();
    targets.dedup();
    Ok(targets)
}
