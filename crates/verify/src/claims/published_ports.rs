use std::{collections::BTreeSet, fs, net::SocketAddr, time::Duration};

use plimsoll_compose::Port;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    certificate::Group,
    member::Kind,
    stack::{Member, Stack, reachable},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "published-ports",
    title: "exactly the declared ports are published",
    group: Group::Network,
    requirements: &["R-062", "R-063", "R-064", "R-044"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

const LIMIT: Duration = Duration::from_secs(2);

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    let mut outcomes = Vec::new();
    for member in stack.running() {
        // A one-off or an orphan declares nothing, whatever the service's own containers publish.
        let service = if member.kind == Kind::Service { stack.declared(member) } else { None };
        outcomes
            .push(of_member(stack, member, service.map_or(&[], |service| service.ports.as_slice())).await);
    }
    outcomes.push(proxies(stack));
    Ok(outcomes)
}

async fn of_member(stack: &Stack<'_>, member: &Member, ports: &[Port]) -> Outcome {
    let declared: Vec<String> = ports
        .iter()
        .map(|port| {
            let protocol = port.protocol.as_deref().unwrap_or("tcp");
            format!("{}/{protocol}", port.target)
        })
        .collect();
    let expected = match declared.as_slice() {
        [] => "publishes nothing".to_owned(),
        ports => format!("publishes {}, and each port answers", ports.join(", ")),
    };
    let published = member.published();
    let mut wrong = Vec::new();
    let mut evidence = vec![(
        format!("engine: container {} NetworkSettings.Ports", member.name),
        show(published.iter().map(|(port, protocol, host)| format!("{host} -> {port}/{protocol}"))),
    )];
    let found: BTreeSet<String> =
        published.iter().map(|(port, protocol, _)| format!("{port}/{protocol}")).collect();
    wrong.extend(
        declared.iter().filter(|port| !found.contains(*port)).map(|port| format!("{port} is not published")),
    );
    wrong.extend(
        found.iter().filter(|port| !declared.contains(port)).map(|port| format!("{port} is published")),
    );
    let host =
        stack.engine.is_local().then(|| stack.procfs.listeners(std::process::id()).unwrap_or_default());
    for (_, protocol, address) in published.iter().filter(|(_, protocol, _)| protocol == "tcp") {
        if let Some(listeners) = &host {
            let sockets =
                listeners.iter().filter(|socket| socket.port() == address.port()).map(SocketAddr::to_string);
            let reading = ("/proc/net/tcp, /proc/net/tcp6 in state LISTEN".to_owned(), show(sockets));
            if !evidence.contains(&reading) {
                evidence.push(reading);
            }
        }
        let target = reachable(*address);
        let opened = tokio::time::timeout(LIMIT, tokio::net::TcpStream::connect(target)).await;
        let answered = opened
            .map_or_else(|_| Err("no answer".to_owned()), |opened| opened.map_err(|error| error.to_string()));
        evidence.push((
            format!("connect {target}/{protocol}"),
            answered.as_ref().map_or_else(Clone::clone, |_| "connected".to_owned()),
        ));
        if let Err(why) = answered {
            wrong.push(format!("{target}: {why}"));
        }
    }
    let observed = if wrong.is_empty() { show(found.into_iter()) } else { wrong.join("; ") };
    Outcome::new(&member.subject, expected).judge(wrong.is_empty(), observed).all_evidence(evidence)
}

/// The engine's proxies that lead into the project's containers, whatever the engine says of its containers.
fn proxies(stack: &Stack<'_>) -> Outcome {
    let outcome = Outcome::new("stack", "no other socket of the host leads into a container");
    if let Some(why) = &stack.blind {
        return Outcome::not_checked("stack", outcome.expected, why);
    }
    let known: BTreeSet<u16> =
        stack.running().flat_map(Member::published).map(|(_, _, host)| host.port()).collect();
    let inside: BTreeSet<String> =
        stack.running().flat_map(Member::addresses).map(|(_, address)| address.to_string()).collect();
    let mut found = Vec::new();
    for entry in fs::read_dir(stack.procfs.root()).into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let command = stack.procfs.read(pid, "cmdline").unwrap_or_default();
        let words: Vec<&str> =
            command.split(|byte| *byte == 0).filter_map(|word| std::str::from_utf8(word).ok()).collect();
        let after = |flag: &str| {
            words.iter().position(|word| *word == flag).and_then(|at| words.get(at + 1)).copied()
        };
        if words.first().is_some_and(|program| program.ends_with("docker-proxy"))
            && after("-container-ip").is_some_and(|ip| inside.contains(ip))
        {
            let port = after("-host-port").and_then(|port| port.parse().ok()).unwrap_or(0);
            found.push((pid, port, words.join(" ").trim().to_owned()));
        }
    }
    let stray: Vec<String> = found
        .iter()
        .filter(|(_, port, _)| !known.contains(port))
        .map(|(_, port, _)| port.to_string())
        .collect();
    let observed = match stray.as_slice() {
        [] => format!("{} proxies, all for published ports", found.len()),
        ports => format!("port {} as well", ports.join(", ")),
    };
    let evidence = found.into_iter().map(|(pid, _, command)| (format!("/proc/{pid}/cmdline"), command));
    outcome.judge(stray.is_empty(), observed).all_evidence(evidence)
}

fn show(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() { "nothing".to_owned() } else { items.join(", ") }
}
