//! The front: which requests go to which server, and the one port that is published for each site.

use std::collections::BTreeSet;

use plimsoll_survey::{HANDS_OUT, Role, Service};

use super::{Passes, checked, images, names, own_image, server::usual_port, site, tls};
use crate::{
    rules,
    stack::{
        BaseImage, Build, BuildKind, Dependency, FrontPort, Location, Nginx, ProxyBuild, Unit, Upstream,
    },
};

/// Frameworks that make the pages of a site on the server.
const PAGES: &[&str] = &[
    "next",
    "nuxt",
    "@sveltejs/kit",
    "astro",
    "@remix-run/node",
    "@react-router/dev",
    "@tanstack/react-start",
    "@solidjs/start",
    "django",
    "streamlit",
    "gradio",
    "dash",
];

/// First parts of paths that one server may have at the front; more is a server for everything.
const MAX_LOCATIONS: usize = 24;

/// Completes the fronts: nginx of each site, or one of its own before servers without a site.
pub(super) fn plan(
    passes: &mut Passes<'_>,
    services: &[&Service],
    builds: &mut Vec<Build>,
    units: &mut Vec<Unit>,
) -> Vec<FrontPort> {
    let servers: Vec<&Service> =
        services.iter().filter(|service| service.role == Role::Server).copied().collect();
    let sites: Vec<&Service> =
        services.iter().filter(|service| service.role == Role::Site).copied().collect();
    let megabytes = body_limit(passes, &servers);
    if sites.is_empty() && !servers.is_empty() {
        let main = main(passes, &servers);
        let is_alone = |server: &&Service| Some(&server.name) != main.as_ref() && is_apart(passes, server);
        let (apart, together): (Vec<&Service>, Vec<&Service>) = servers.iter().copied().partition(is_alone);
        let name = passes.names.take(&["proxy", "front"]);
        let upstreams = behind_proxy(passes, &together, main.as_ref());
        let mut fronts = vec![proxy(passes, name, &together, upstreams, megabytes)];
        for server in apart {
            let slug = names::slug(&server.name);
            let name = passes.names.take(&[&format!("{slug}-proxy"), &format!("{slug}-front")]);
            port_of_its_own(passes, server, &name);
            let whole = Location { prefix: "/".to_owned(), exact: false, strip: false };
            let upstreams = vec![upstream(server, vec![whole], true)];
            fronts.push(proxy(passes, name, &[server], upstreams, megabytes));
        }
        for (number, proxy) in fronts.into_iter().enumerate() {
            let mut unit = site::front(passes, &proxy.name);
            unit.dockerfile = Some(proxy.dockerfile.clone());
            builds.push(proxy);
            units.insert(number, unit);
        }
    }
    for site in &sites {
        let mut upstreams = behind_site(passes, site, &servers);
        distinct(passes, &mut upstreams);
        let name = names::slug(&site.name);
        if let Some(nginx) =
            builds.iter_mut().find(|build| build.name == name).and_then(|build| build.kind.nginx_mut())
        {
            fill(nginx, &servers, upstreams);
            nginx.body_limit = format!("{megabytes}m");
        }
    }
    let mut ports = publish(builds, units);
    if passes.policy.fronts_end_tls() {
        tls::plan(passes, builds, units, &mut ports);
    }
    ports
}

/// Ports, networks and order of the fronts; they come first in the compose file.
fn publish(builds: &mut [Build], units: &mut [Unit]) -> Vec<FrontPort> {
    let mut ports: Vec<FrontPort> = Vec::new();
    let conditions = own_image::conditions(units);
    for unit in units.iter_mut().filter(|unit| unit.kind == "front") {
        let number = u16::try_from(ports.len()).unwrap_or(u16::MAX - 8080);
        let variable = if ports.is_empty() {
            "HTTP_PORT".to_owned()
        } else {
            format!("{}_PORT", unit.name.to_ascii_uppercase().replace('-', "_"))
        };
        let port = FrontPort { name: unit.name.clone(), variable, port: 8080 + number, https: None };
        unit.published = Some(port.clone());
        ports.push(port);
        let build = builds.iter_mut().find(|build| build.name == unit.name);
        let Some(nginx) = build.and_then(|build| build.kind.nginx_mut()) else { continue };
        unit.probe = Some(site::probe(nginx.health));
        if !nginx.upstreams.is_empty() {
            unit.networks.push("app");
        }
        for upstream in &nginx.upstreams {
            let condition = conditions.get(&upstream.name).copied().unwrap_or("service_healthy");
            unit.depends_on.push(Dependency { name: upstream.name.clone(), condition });
        }
    }
    units.sort_by_key(|unit| unit.kind != "front");
    ports
}

/// nginx before servers without a site.
fn proxy(
    passes: &Passes<'_>,
    name: String,
    servers: &[&Service],
    upstreams: Vec<Upstream>,
    megabytes: u64,
) -> Build {
    let mut nginx = Nginx {
        folder: name.clone(),
        port: site::PORT,
        tls: None,
        pages: false,
        single_page: false,
        assets: None,
        hashed_names: false,
        config: None,
        upstreams: Vec::new(),
        websockets: false,
        health: site::HEALTH,
        body_limit: format!("{megabytes}m"),
        policy: None,
        title: String::new(),
    };
    fill(&mut nginx, servers, upstreams);
    let (dockerfile, own_ignore) = passes.dockerfile(&name);
    Build {
        path: name.clone(),
        dockerfile,
        own_ignore,
        framework: "nginx".to_owned(),
        uid: passes.policy.nginx_uid,
        port: Some(site::PORT),
        images: vec![BaseImage { argument: "NGINX_IMAGE", name: images::NGINX.to_owned() }],
        kind: BuildKind::Proxy(ProxyBuild { nginx }),
        name,
    }
}

fn fill(nginx: &mut Nginx, servers: &[&Service], upstreams: Vec<Upstream>) {
    // The application's own answer is worth more to those outside than nginx's.
    let whole = |upstream: &&Upstream| upstream.locations.iter().any(|location| location.prefix == "/");
    let main = upstreams.iter().find(whole).map(|upstream| upstream.name.as_str());
    let has_path = |server: &&&Service| {
        Some(names::slug(&server.name).as_str()) == main
            && (server.routes.iter().any(|route| route.path == site::HEALTH)
                || server.health.live.as_ref().is_some_and(|path| path.value == site::HEALTH))
    };
    let mut locations = upstreams.iter().flat_map(|upstream| &upstream.locations);
    let is_given = locations.any(|location| location.exact && location.prefix == site::HEALTH);
    if is_given || servers.iter().any(|server| has_path(&server)) {
        nginx.health = site::OTHER_HEALTH;
    }
    nginx.websockets = servers.iter().any(|server| !server.websockets.is_empty());
    let ways: Vec<String> = upstreams
        .iter()
        .map(|upstream| {
            let prefixes: Vec<&str> = upstream.locations.iter().map(|it| it.prefix.as_str()).collect();
            format!("the way to {} under {}", upstream.name, prefixes.join(", "))
        })
        .collect();
    let pages = if nginx.pages { vec!["the built pages".to_owned()] } else { Vec::new() };
    let parts: Vec<String> = pages.into_iter().chain(ways).collect();
    nginx.title = match parts.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{}, and {last}", rest.join(", ")),
        None => "nothing".to_owned(),
    };
    nginx.upstreams = upstreams;
}

/// What a server takes that keeps files of its visitors and names no limit: photographs and documents, in megabytes.
const UPLOADS: u64 = 20;

/// The largest body that a server takes, in megabytes.
fn body_limit(passes: &mut Passes<'_>, servers: &[&Service]) -> u64 {
    let named = |server: &&Service| server.body_limit.as_ref().map(|limit| limit.value.div_ceil(1 << 20));
    let mut megabytes = servers.iter().filter_map(named).max().unwrap_or(1).clamp(1, 10_240);
    for server in servers {
        let kept = server.writes.iter().find(|writes| writes.keep && is_for_uploads(&writes.path.value));
        let taken = kept.map(|kept| ("keeps", &kept.path.evidence));
        let taken = taken.or_else(|| server.uploads.as_ref().map(|taken| ("takes", &taken.evidence)));
        let Some((does, evidence)) = taken else { continue };
        // Django's limit is one of forms, not of the files in them.
        let django = server.frameworks.iter().any(|framework| framework.name == "django");
        if (server.body_limit.is_none() || django) && megabytes < UPLOADS {
            megabytes = UPLOADS;
            passes.note(
                rules::UPLOAD_LIMIT,
                &server.name,
                format!("it {does} files that visitors send and names no limit: {UPLOADS} MB pass the front"),
                "change client_max_body_size in nginx.conf".to_owned(),
                evidence,
            );
        }
    }
    megabytes
}

fn is_for_uploads(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    ["upload", "media", "file", "image", "attachment", "document", "photo", "avatar"]
        .iter()
        .any(|word| path.contains(word))
}

/// The servers behind a site: each has the paths that its pages ask it for.
fn behind_site(passes: &mut Passes<'_>, site: &Service, servers: &[&Service]) -> Vec<Upstream> {
    let mut upstreams: Vec<Upstream> = Vec::new();
    for server in servers {
        let mut locations = from_edges(passes, Some(site), server);
        if locations.is_empty() {
            locations = from_routes(server);
        }
        if locations.is_empty() {
            locations.push(Location { prefix: "/api/".to_owned(), exact: false, strip: false });
            passes.note(
                rules::PATHS_UNKNOWN,
                &server.name,
                format!("which paths of {} belong to it is not known; /api/ is passed on", site.name),
                format!("`--answer {}.prefix=/…/` says it", server.name),
                &server.frameworks.first().map(|tool| tool.evidence.clone()).unwrap_or_default(),
            );
        }
        let is_whole = |location: &Location| location.prefix == "/" && !location.exact;
        if locations.iter().any(is_whole) {
            belongs_to_another(passes, &server.name, "/");
            locations.retain(|location| !is_whole(location));
        }
        let reached = locations.iter().any(|location| location.strip);
        locations.extend(handed_out(server, &locations));
        if let Some(socket) = server.websockets.iter().find(|socket| socket.value == "/" && !reached) {
            passes.note(rules::WEBSOCKETS_UNREACHED,
                &server.name,
                format!("it takes websockets at /, which is a page of {}: none reaches it", site.name),
                "give it a path of its own (`new WebSocketServer({ server, path: \"/ws\" })`) and open it there"
                    .to_owned(),
                &socket.evidence,
            );
        }
        upstreams.push(upstream(server, locations, servers.len() == 1));
    }
    upstreams
}

/// Folders of files that a server keeps and hands out: whatever the development's proxy says, nobody else has them.
fn handed_out(server: &Service, known: &[Location]) -> Vec<Location> {
    let folders = server.routes.iter().filter_map(|route| route.path.strip_suffix('*'));
    let mut found: Vec<Location> = Vec::new();
    for prefix in folders.filter(|prefix| prefix.len() > 2 && prefix.ends_with('/')) {
        let of_files = server.routes.iter().any(|route| {
            route.path.strip_suffix('*') == Some(prefix)
                && route.evidence.iter().any(|place| place.reason == HANDS_OUT)
        });
        let passed =
            known.iter().chain(&found).any(|other| !other.exact && prefix.starts_with(&other.prefix));
        if of_files && !passed && checked::is_url_path(prefix) {
            found.push(Location { prefix: prefix.to_owned(), exact: false, strip: false });
        }
    }
    found
}

/// nginx knows each path once: of two servers that want it the first has it, and it is said.
fn distinct(passes: &mut Passes<'_>, upstreams: &mut [Upstream]) {
    let mut given: BTreeSet<(bool, String)> = BTreeSet::new();
    for upstream in upstreams {
        let name = upstream.name.clone();
        let mut free = |path: &str, exact: bool| {
            let free = given.insert((exact, path.to_owned()));
            if !free {
                belongs_to_another(passes, &name, path);
            }
            free
        };
        upstream.streams.retain(|path| free(path, true));
        upstream.websockets.retain(|path| free(path, !path.ends_with('/')));
        upstream.locations.retain(|location| free(&location.prefix, location.exact));
    }
}

fn belongs_to_another(passes: &mut Passes<'_>, server: &str, path: &str) {
    passes.note(
        rules::PATH_TAKEN,
        server,
        format!("{path} belongs to another service already"),
        format!("`--answer {server}.prefix=/…/` gives it another one"),
        &[],
    );
}

pub(super) fn makes_pages(server: &Service) -> bool {
    server.frameworks.iter().any(|tool| PAGES.contains(&tool.name.as_str()))
}

fn has_root(server: &Service) -> bool {
    server.routes.iter().any(|route| route.path == "/")
}

/// Of servers without a site the one that makes pages, has a page, or is the only one: it has everything that no other has.
fn main(passes: &Passes<'_>, servers: &[&Service]) -> Option<String> {
    let silent =
        |server: &&&Service| from_edges(passes, None, server).is_empty() && from_routes(server).is_empty();
    let main = servers.iter().find(|server| makes_pages(server));
    let main = main.or_else(|| servers.iter().find(|server| has_root(server) && server.page.is_some()));
    let main = main.or_else(|| servers.iter().find(|server| has_root(server)));
    let main = main.or_else(|| servers.iter().find(silent)).or(servers.first());
    main.map(|server| server.name.clone())
}

/// Whether a server beside the main one has pages whose links begin at `/`, and nobody said which paths belong to it.
fn is_apart(passes: &Passes<'_>, server: &Service) -> bool {
    let pages = makes_pages(server) || (has_root(server) && server.page.is_some());
    pages && from_edges(passes, None, server).is_empty()
}

fn port_of_its_own(passes: &mut Passes<'_>, server: &Service, front: &str) {
    let evidence = server.page.as_ref().map(|page| page.evidence.clone());
    let framework = || server.frameworks.first().map(|tool| tool.evidence.clone()).unwrap_or_default();
    let evidence = evidence.unwrap_or_else(framework);
    passes.note(rules::PORT_OF_ITS_OWN,
        &server.name,
        format!(
            "it has pages of its own, whose links begin at /, as those of another service do: {front} publishes it at a port of \
             its own"
        ),
        format!("`--answer {}.prefix=/…/` puts it below a path of the one port", server.name),
        &evidence,
    );
}

/// The servers behind one proxy.
fn behind_proxy(passes: &mut Passes<'_>, servers: &[&Service], main: Option<&String>) -> Vec<Upstream> {
    let mut upstreams: Vec<Upstream> = Vec::new();
    for server in servers {
        let mut locations = Vec::new();
        if servers.len() == 1 || Some(&server.name) == main {
            locations.push(Location { prefix: "/".to_owned(), exact: false, strip: false });
        } else {
            if server.routes.iter().any(|route| route.path == "/") {
                belongs_to_another(passes, &server.name, "/");
            }
            locations = from_edges(passes, None, server);
            if locations.is_empty() {
                locations = from_routes(server);
            }
            if locations.is_empty() {
                let prefix = format!("/{}/", names::slug(&server.name));
                passes.note(
                    rules::PATHS_UNKNOWN,
                    &server.name,
                    format!("which paths belong to it is not known; {prefix} is passed on"),
                    format!("`--answer {}.prefix=/…/` says it", server.name),
                    &server.frameworks.first().map(|tool| tool.evidence.clone()).unwrap_or_default(),
                );
                locations.push(Location { prefix, exact: false, strip: true });
            }
        }
        upstreams.push(upstream(server, locations, servers.len() == 1));
    }
    // The longest prefix counts in nginx, whatever the order; a reader expects `/` at the end.
    upstreams.sort_by_key(|upstream| upstream.locations.iter().any(|location| location.prefix == "/"));
    distinct(passes, &mut upstreams);
    upstreams
}

/// What development's proxies and a person's answer say.
fn from_edges(passes: &Passes<'_>, site: Option<&Service>, server: &Service) -> Vec<Location> {
    let mine = passes.survey.edges.iter().filter(|edge| edge.to == server.name);
    let from =
        mine.filter(|edge| site.is_none_or(|site| edge.from.as_ref().is_none_or(|from| *from == site.name)));
    let mut locations: Vec<Location> = Vec::new();
    for edge in from.filter(|edge| checked::is_url_path(&edge.prefix)) {
        let bare = edge.prefix.trim_end_matches('/');
        // Else nginx answers the path without its slash with a redirect, which a browser follows with a GET.
        let is_route = server.routes.is_empty() || server.routes.iter().any(|route| route.path == bare);
        if is_route && !bare.is_empty() {
            locations.push(Location { prefix: bare.to_owned(), exact: true, strip: edge.strip });
        }
        locations.push(Location { prefix: format!("{bare}/"), exact: false, strip: edge.strip });
    }
    let mut known = BTreeSet::new();
    locations.retain(|location| known.insert(location.prefix.clone()));
    locations
}

/// What the routes have in common: `/api/`, or the first parts of all of them.
fn from_routes(server: &Service) -> Vec<Location> {
    let health = &server.health;
    let inside: Vec<&str> = [&health.live, &health.ready, &health.metrics]
        .into_iter()
        .filter_map(|fact| fact.as_ref().map(|fact| fact.value.as_str()))
        .collect();
    let sockets = server.websockets.iter().map(|path| path.value.as_str());
    let routes = server.routes.iter().map(|route| route.path.as_str());
    let paths: Vec<&str> =
        routes.filter(|path| !inside.contains(path)).chain(sockets).filter(|path| *path != "/").collect();
    let mut firsts: Vec<Location> = Vec::new();
    for path in paths {
        let rest = path.trim_start_matches('/');
        let (first, deeper) = rest.split_once('/').map_or((rest, false), |(first, _)| (first, true));
        // A first part that is a parameter could be anything.
        if !first.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~".contains(c)) || first.is_empty() {
            continue;
        }
        let prefix = format!("/{first}/");
        if !deeper && firsts.iter().all(|known| known.prefix != format!("/{first}")) {
            firsts.push(Location { prefix: format!("/{first}"), exact: true, strip: false });
        }
        if deeper && firsts.iter().all(|known| known.prefix != prefix) {
            firsts.push(Location { prefix, exact: false, strip: false });
        }
    }
    if firsts.len() > MAX_LOCATIONS {
        firsts.clear();
    }
    firsts
}

fn upstream(server: &Service, locations: Vec<Location>, only: bool) -> Upstream {
    let name = names::slug(&server.name);
    let whole = locations.iter().any(|location| location.prefix == "/");
    let passed = |path: &str| {
        locations.iter().any(|location| {
            path == location.prefix || (!location.exact && path.starts_with(&location.prefix))
        })
    };
    let streams = server.routes.iter().filter(|route| route.stream && checked::is_url_path(&route.path));
    let streams: Vec<String> =
        streams.filter(|route| passed(&route.path)).map(|route| route.path.clone()).collect();
    let sockets =
        server.websockets.iter().map(|path| path.value.clone()).filter(|path| checked::is_url_path(path));
    let sockets: Vec<String> = sockets.filter(|path| path != "/").collect();
    // Each of them has a location of its own below.
    let apart = |location: &Location| {
        let of_its_kind = location.exact != location.prefix.ends_with('/');
        (of_its_kind && sockets.contains(&location.prefix))
            || (location.exact && streams.contains(&location.prefix))
    };
    let locations = locations.into_iter().filter(|location| !apart(location)).collect();
    let hidden = [&server.health.metrics, &server.health.ready];
    let hidden = hidden.into_iter().flatten().map(|fact| fact.value.clone());
    Upstream {
        port: server.port.as_ref().map_or_else(|| usual_port(server), |port| port.value),
        variable: if only { "upstream".to_owned() } else { format!("upstream_{}", name.replace('-', "_")) },
        websockets: sockets,
        hidden: if whole { hidden.filter(|path| checked::is_url_path(path)).collect() } else { Vec::new() },
        streams,
        locations,
        name,
    }
}
