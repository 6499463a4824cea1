use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    os::fd::AsFd as _,
};

use rustix::fs::OFlags;

use super::{ClaimSpec, MeasureError, Outcome, at_once};
use crate::{
    certificate::Group,
    front,
    http::Ask,
    inside::{Inside, walk},
    netns,
    stack::{Member, Stack},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "front-reaches",
    title: "every service answers those that work with it, and the front gets through to it",
    group: Group::Http,
    requirements: &["R-139"],
    disturbs: false,
    measure: |stack| Box::pin(measure(stack)),
};

/// Folders and files that say where a proxy sends requests, in a container.
const PROXY_FILES: &[&str] = &[
    "/etc/nginx",
    "/etc/caddy",
    "/etc/haproxy",
    "/etc/apache2",
    "/etc/httpd",
    "/usr/local/apache2/conf",
    "/etc/traefik",
    "/etc/envoy",
    "/usr/local/etc/haproxy",
];
/// What of one container is read of them.
const FILES: usize = 1000;
const BYTES: u64 = 256 << 10;
const TEXT: usize = 16 << 20;
const ENTRIES: usize = 1000;
const DEPTH: usize = 4;
/// Directives of a proxy that pass a request on.
const PASSES: &[&str] = &["proxy_pass", "uwsgi_pass", "fastcgi_pass", "grpc_pass", "scgi_pass"];

async fn measure(stack: &Stack<'_>) -> Result<Vec<Outcome>, MeasureError> {
    if let Some(why) = &stack.blind {
        return Ok(vec![Outcome::not_checked("stack", "each service answers those that work with it", why)]);
    }
    let (mut texts, mut cut) = (BTreeMap::new(), Vec::new());
    for member in stack.running() {
        let (text, whole) = configuration(stack, member);
        texts.insert(member.id(), text);
        if !whole {
            let why = "it has so many files that not all were read: what the others name was not asked for";
            let words = "everything that its proxy's configuration names is asked for";
            cut.push(Outcome::not_checked(format!("{} configuration", member.subject), words, why));
        }
    }
    let subjects: Vec<&Member> = stack.lasting().map(|(member, _)| member).collect();
    let mut outcomes: Vec<Outcome> =
        tokio::task::block_in_place(|| at_once(&subjects, |member| vec_of(stack, member, &texts)))
            .into_iter()
            .filter(|outcome| !outcome.observed.is_empty())
            .collect();
    let fronts = front::fronts(stack).await;
    // What only leads to TLS passes nothing on.
    for front in fronts.all.iter().filter(|front| !fronts.leads_to_tls(front)) {
        let Some(text) = texts.get(front.container.as_str()) else { continue };
        for route in routes(text) {
            outcomes.push(through(front, &route).await);
        }
    }
    outcomes.extend(cut);
    if outcomes.is_empty() {
        let why = "no service listens for another one";
        outcomes.push(Outcome::not_applicable("stack", "each service answers those that work with it", why));
    }
    Ok(outcomes)
}

/// A member that nobody works with has an empty observation.
fn vec_of(stack: &Stack<'_>, member: &Member, texts: &BTreeMap<&str, String>) -> Outcome {
    let outcome = Outcome::new(
        &member.subject,
        "its ports answer on the network, from each service that works with it",
    );
    let clients: Vec<(&Member, BTreeSet<u16>)> = stack
        .lasting()
        .filter(|(other, _)| other.service != member.service)
        .filter_map(|(other, service)| {
            let ports = named_ports(texts.get(other.id())?, &member.service);
            let depends = service.depends_on.contains_key(&member.service);
            (depends || !ports.is_empty()).then_some((other, ports))
        })
        .collect();
    let pid = match stack.visible_pid(member) {
        Ok(pid) => pid,
        Err(why) => return Outcome::not_checked(&member.subject, outcome.expected, why),
    };
    let Ok(listeners) = stack.procfs.listeners(pid) else {
        return Outcome::not_checked(&member.subject, outcome.expected, "its sockets cannot be read");
    };
    // The engine's own name server listens on 127.0.0.11 in every container.
    let own: Vec<SocketAddr> =
        listeners.into_iter().filter(|socket| socket.ip().to_string() != "127.0.0.11").collect();
    let named: BTreeSet<u16> = clients.iter().flat_map(|(_, ports)| ports.iter().copied()).collect();
    let meant: BTreeSet<u16> = named.iter().copied().chain(exposed(stack, member)).collect();
    if clients.is_empty() || (own.is_empty() && named.is_empty()) {
        return outcome;
    }
    let open: BTreeSet<u16> =
        own.iter().filter(|socket| !socket.ip().is_loopback()).map(SocketAddr::port).collect();
    let mut wrong = Vec::new();
    let mut evidence = vec![(
        format!("/proc/{pid}/net/tcp, /proc/{pid}/net/tcp6 in state LISTEN"),
        own.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    )];
    if open.is_empty() && !own.is_empty() {
        let sockets: Vec<String> = own.iter().map(ToString::to_string).collect();
        wrong.push(format!("it listens on {} only: nobody but itself can connect", sockets.join(", ")));
    }
    let mut reached = BTreeSet::new();
    for (client, ports) in &clients {
        let Some(from) = client.pid() else { continue };
        // A client that has ended since is no reason to blame the service: `services-running` names it.
        if stack.procfs.namespace(from, "net").is_err() {
            evidence.push((format!("/proc/{from}"), format!("{} has ended", client.name)));
            continue;
        }
        // What the client's configuration names, else what the service says of itself, else what it listens on.
        let wanted = if !ports.is_empty() {
            ports.clone()
        } else if meant.iter().any(|port| own.iter().any(|socket| socket.port() == *port)) {
            meant.iter().copied().filter(|port| own.iter().any(|socket| socket.port() == *port)).collect()
        } else {
            open.clone()
        };
        for port in wanted {
            let answered = connect(stack, member, from, port);
            let said = answered.as_ref().map_or_else(Clone::clone, |at| format!("connected to {at}"));
            evidence.push((
                format!(
                    "connect {}:{port} in the network namespace of {} ({from})",
                    member.service, client.name
                ),
                said,
            ));
            match answered {
                Ok(_) => drop(reached.insert(format!("{} to port {port}", client.service))),
                Err(why) => wrong.push(format!("{} cannot connect to port {port}: {why}", client.service)),
            }
        }
    }
    let observed =
        if wrong.is_empty() { reached.into_iter().collect::<Vec<_>>().join(", ") } else { wrong.join("; ") };
    let observed = if observed.is_empty() { "nothing of it is asked for".to_owned() } else { observed };
    outcome.judge(wrong.is_empty(), observed).all_evidence(evidence)
}

/// Connects on any address that the container has.
fn connect(stack: &Stack<'_>, member: &Member, from: u32, port: u16) -> Result<SocketAddr, String> {
    let mut last = "it has no address".to_owned();
    for (_, ip) in member.addresses() {
        let address = SocketAddr::new(ip, port);
        match netns::connect(&stack.procfs, from, address) {
            Ok(_) => return Ok(address),
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
}

/// The ports that a service says are its own: `expose`, its image's EXPOSE, and what it publishes.
fn exposed(stack: &Stack<'_>, member: &Member) -> Vec<u16> {
    let image = member.raw.pointer("/Config/ExposedPorts").and_then(serde_json::Value::as_object);
    let mut ports: Vec<u16> =
        image.into_iter().flatten().filter_map(|(port, _)| port.strip_suffix("/tcp")?.parse().ok()).collect();
    if let Some(service) = stack.declared(member) {
        ports.extend(service.ports.iter().filter_map(|port| u16::try_from(port.target).ok()));
    }
    ports
}

/// Texts in a container that say whom it works with: its environment, its command, the configuration of a proxy; false
/// if there is more of that.
pub(super) fn configuration(stack: &Stack<'_>, member: &Member) -> (String, bool) {
    let mut text = String::new();
    for pointer in ["/Config/Env", "/Config/Cmd", "/Config/Entrypoint"] {
        for line in member.raw.pointer(pointer).and_then(serde_json::Value::as_array).into_iter().flatten() {
            text.push_str(line.as_str().unwrap_or_default());
            text.push('\n');
        }
    }
    let Some(inside) = member.pid().and_then(|pid| Inside::of(&stack.procfs, pid).ok()) else {
        return (text, true);
    };
    let (mut left, mut whole) = (FILES, true);
    for folder in PROXY_FILES {
        whole &= read_folder(&inside, folder, &mut left, &mut text);
    }
    (text, whole)
}

/// The files of a folder as the container sees it: a link on the way leads nowhere else. Links in it are not followed.
/// False if there are more.
fn read_folder(inside: &Inside, folder: &str, left: &mut usize, text: &mut String) -> bool {
    let Ok(opened) = inside.open(folder, OFlags::DIRECTORY | OFlags::RDONLY) else { return true };
    let mut files = Vec::new();
    let more = walk(opened.as_fd(), DEPTH, ENTRIES, |name, _, kind| {
        if kind.is_file() {
            files.push(format!("{folder}{name}"));
        }
    });
    for file in files {
        if *left == 0 || text.len() > TEXT {
            return false;
        }
        if let Ok(content) = inside.read(&file, BYTES) {
            *left -= 1;
            text.push_str(&String::from_utf8_lossy(&content));
            text.push('\n');
        }
    }
    !more
}

/// The ports in `service:port`, where the service stands alone: `http://api:4000`, `redis:6379`.
fn named_ports(text: &str, service: &str) -> BTreeSet<u16> {
    let mut ports = BTreeSet::new();
    for line in text.lines().map(str::trim_start).filter(|line| !line.starts_with('#')) {
        for (at, _) in line.match_indices(service) {
            let before = line[..at].chars().next_back();
            let stands_alone = before.is_none_or(|c| !(c.is_alphanumeric() || "-_.".contains(c)));
            let Some(rest) = line[at + service.len()..].strip_prefix(':').filter(|_| stands_alone) else {
                continue;
            };
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            // `image:17-trixie` is no port.
            let next = rest[digits.len()..].chars().next();
            if next.is_none_or(|c| !(c.is_alphanumeric() || "-._:@".contains(c))) {
                ports.extend(digits.parse::<u16>().ok().filter(|port| *port > 0));
            }
        }
    }
    ports
}

/// The prefixes of nginx locations that are passed on: `location ^~ /api/ { proxy_pass $upstream; }`.
fn routes(text: &str) -> BTreeSet<String> {
    let mut routes = BTreeSet::new();
    let clean: String =
        text.lines().map(|line| line.split('#').next().unwrap_or("")).collect::<Vec<_>>().join("\n");
    for part in clean.split("location").skip(1) {
        let Some((head, body)) = part.split_once('{') else { continue };
        let path = head.split_whitespace().last().unwrap_or("");
        let regular = head.split_whitespace().next().is_some_and(|first| first.starts_with('~'));
        let body = body.split('}').next().unwrap_or("");
        let passes = PASSES.iter().any(|pass| body.split_whitespace().any(|word| word == *pass));
        if passes && path.starts_with('/') && !regular {
            routes.insert(path.to_owned());
        }
    }
    routes
}

/// A request through the front. What the application says to it is its own affair; that it says something is this claim.
async fn through(front: &front::Front, route: &str) -> Outcome {
    let outcome = Outcome::new(format!("{} {route}", front.subject), "passed on to a service that answers");
    let source = format!("GET {route} at {}", front.endpoint.name());
    match front.endpoint.begun(&Ask::get(route)).await {
        Ok(status) => {
            let unreached = matches!(status, 502..=504);
            let observed = if unreached {
                format!("{status}: the front does not reach the service behind it")
            } else {
                format!("{status} from the service behind it")
            };
            outcome.judge(!unreached, observed).evidence(source, status.to_string())
        }
        Err(error) => outcome.judge(false, error.to_string()).evidence(source, error.to_string()),
    }
}

/// For the fuzz targets: every reader of this file.
#[cfg(fuzzing)]
pub(super) fn fuzz(text: &str) {
    assert!(routes(text).iter().all(|route| route.starts_with('/')));
    assert!(named_ports(text, "api").iter().all(|port| *port > 0));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_that_a_text_names() {
        let text = "API_URL=http://api:4000/x\nIMAGE=api:17-trixie\nOTHER=my-api:5000\n# http://api:1\nproxy_pass http://api:4001;\nREDIS=api:6379";
        assert_eq!(named_ports(text, "api"), BTreeSet::from([4000, 4001, 6379]));
    }

    #[test]
    fn locations_that_are_passed_on() {
        let text = "location = /health { return 200; }\nlocation ^~ /api/ {\n  proxy_pass $upstream; }\n\
                    location ~ \\.php$ { fastcgi_pass php:9000; }\nlocation / { try_files $uri /index.html; }\n# location /x/ { proxy_pass y; }";
        assert_eq!(routes(text), BTreeSet::from(["/api/".to_owned()]));
    }
}
