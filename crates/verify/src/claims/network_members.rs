use std::collections::BTreeMap;

use plimsoll_engine::NetworkDetail;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    member::Kind,
    stack::Stack,
    strangers::{Reach, Stranger, is_predefined},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "network-members",
    title: "nobody but the project's own containers is on its networks, in its namespaces or on its volumes",
    group: Group::Network,
    requirements: &["R-060", "R-061", "R-063"],
    disturbs: false,
    measure: |stack| Box::pin(async move { Ok::<_, MeasureError>(measure(stack)) }),
};

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> =
        stack.networks.iter().filter_map(|network| of_network(stack, network)).collect();
    outcomes.push(beside_networks(stack));
    outcomes
}

fn of_network(stack: &Stack<'_>, network: &NetworkDetail) -> Option<Outcome> {
    let name = &network.spec.name;
    // Who has no network or the host's shares it with nobody; the claims about namespaces look at that.
    if matches!(name.as_str(), "host" | "none") {
        return None;
    }
    let subject = format!("network {name}");
    let expected = "every endpoint is a container of the project";
    let on_it = |stranger: &&Stranger| {
        stranger.reaches.iter().any(|reach| matches!(reach, Reach::Network(_, id) if *id == network.id))
    };
    let mut strange: Vec<&str> =
        stack.strangers.iter().filter(on_it).map(|stranger| stranger.member.name.as_str()).collect();
    let own: Vec<&str> = stack
        .members
        .iter()
        .filter(|member| member.networks().iter().any(|(_, id)| *id == network.id))
        .map(|member| member.name.as_str())
        .collect();
    // An endpoint that no container of this engine has: another host of an overlay, or one that is just going.
    strange.extend(network.containers.iter().map(String::as_str).filter(|name| !own.contains(name)));
    strange.sort_unstable();
    strange.dedup();
    let evidence = (
        format!("engine: network {name}, and the networks of every container"),
        format!("{} members, {} others", own.len(), strange.len()),
    );
    let shared = is_external(stack, name) || is_predefined(network);
    if shared && !strange.is_empty() {
        let why = format!("the file shares this network with others; on it as well: {}", strange.join(", "));
        return Some(Outcome::not_applicable(subject, expected, why).evidence(evidence.0, evidence.1));
    }
    let observed = match strange.as_slice() {
        [] => format!("{} endpoints, all of them the project's", own.len()),
        strange => format!("{} as well", strange.join(", ")),
    };
    Some(Outcome::new(subject, expected).judge(strange.is_empty(), observed).evidence(evidence.0, evidence.1))
}

/// True for a network that the file takes from elsewhere.
fn is_external(stack: &Stack<'_>, name: &str) -> bool {
    stack
        .project
        .networks
        .iter()
        .any(|(key, network)| network.external && network.name.as_deref().unwrap_or(key) == name)
}

/// Strangers that come in by a namespace or a volume, and one-off containers and orphans on the file's networks.
fn beside_networks(stack: &Stack<'_>) -> Outcome {
    let mut strange = Vec::new();
    for stranger in &stack.strangers {
        let ways = stranger.reaches.iter().filter(|reach| !matches!(reach, Reach::Network(..)));
        strange.extend(ways.map(|way| format!("{} {}", stranger.member.name, way.words())));
    }
    let mut beside: BTreeMap<&str, &str> = BTreeMap::new();
    for member in stack.running().filter(|member| member.kind != Kind::Service) {
        beside.insert(&member.name, member.kind.words());
    }
    let observed = match strange.as_slice() {
        [] => "nobody".to_owned(),
        strange => strange.join("; "),
    };
    Outcome::new("stack", "no other container is in a namespace or on a volume of the project")
        .judge(strange.is_empty(), observed)
        .all_evidence(
            beside.into_iter().map(|(name, kind)| (format!("engine: container {name}"), kind.to_owned())),
        )
}
