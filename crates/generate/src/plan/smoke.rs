//! What a user of the running stack must be able to do, as far as the survey knows it: the first smoke checks, for the
//! team to sharpen.

use std::collections::BTreeSet;

use plimsoll_survey::{Role, Service};

use super::{checked, names};
use crate::stack::{Build, FrontPort, Nginx, SmokeCheck, Unit, Upstream};

/// At most so many routes of one server are asked.
const MAX_ROUTES: usize = 30;

/// A path that no site and no server has by itself.
const DEEP: &str = "/plimsoll/deep-link";

/// The key of a handshake is any 16 bytes in base64 (RFC 6455, section 4.1).
const UPGRADE: &[(&str, &str)] = &[
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "cGxpbXNvbGwtdmVyaWZ5IQ=="),
];

/// The checks of every front, and of the servers what is not published.
pub(super) fn plan(
    services: &[&Service],
    builds: &[Build],
    units: &[Unit],
    fronts: &[FrontPort],
) -> Vec<SmokeCheck> {
    let mut checks = Vec::new();
    for (number, front) in fronts.iter().enumerate() {
        let build = builds.iter().find(|build| build.name == front.name);
        let Some(nginx) = build.and_then(|build| build.kind.nginx()) else { continue };
        // `verify` sends to the first published port; the others are asked inside.
        let port = front.https.as_ref().map_or(nginx.port, |https| https.inside);
        let at = (number > 0).then(|| format!("{}:{port}", front.name));
        if nginx.pages {
            pages(nginx, &front.name, at.as_deref(), &mut checks);
        }
        for upstream in &nginx.upstreams {
            let server = services.iter().find(|service| names::slug(&service.name) == upstream.name);
            if let Some(server) = server {
                behind(server, upstream, nginx, at.as_deref(), &mut checks);
            }
        }
    }
    for server in services.iter().filter(|service| service.role == Role::Server) {
        inside(server, units, &mut checks);
    }
    let mut seen = BTreeSet::new();
    checks.retain(|check| seen.insert((check.request.clone(), check.at.clone(), check.headers.len())));
    checks
}

fn pages(nginx: &Nginx, front: &str, at: Option<&str>, checks: &mut Vec<SmokeCheck>) {
    let page =
        SmokeCheck { html: true, ..SmokeCheck::get(format!("{front}: front page"), "/", at).status(200) };
    checks.push(page);
    if nginx.single_page {
        let deep = SmokeCheck::get(format!("{front}: a deep link is the page"), DEEP, at).status(200);
        checks.push(SmokeCheck { html: true, ..deep });
    }
    if let Some(assets) = &nginx.assets {
        let path = format!("{assets}missing-00000000.js");
        checks.push(SmokeCheck::get(format!("{front}: a missing asset is missing"), path, at).status(404));
    }
    if let Some(config) = &nginx.config {
        let name = format!("{front}: settings of the page");
        checks.push(SmokeCheck::get(name, config.path.clone(), at).status(200));
    }
}

/// What a server answers through the front.
fn behind(
    server: &Service,
    upstream: &Upstream,
    nginx: &Nginx,
    at: Option<&str>,
    checks: &mut Vec<SmokeCheck>,
) {
    let mut paths: Vec<&str> = server
        .routes
        .iter()
        .filter(|route| route.method == "GET" && !route.stream)
        .map(|route| route.path.as_str())
        .filter(|path| !upstream.hidden.iter().any(|hidden| hidden == path))
        .filter(|path| !fails_on_purpose(path) && !is_login_elsewhere(path))
        .collect();
    let whole = upstream.locations.iter().any(|location| location.prefix == "/");
    if whole && !nginx.pages {
        paths.insert(0, "/");
    }
    let outside = paths.into_iter().filter_map(|path| outside(path, upstream));
    let outside = outside.filter(|path| path != nginx.health && !upstream.websockets.contains(path));
    let has_page = server.routes.iter().any(|route| route.method == "GET" && route.path == "/");
    for path in outside.take(MAX_ROUTES) {
        // Its own page is there, whatever the stores hold; another route may have nothing to show yet.
        let below = if path == "/" && has_page { 404 } else { 500 };
        let check = SmokeCheck::get(format!("{}: GET {path} answers", upstream.name), path, at);
        checks.push(SmokeCheck { below, ..check });
    }
    // An API route of Next.js makes its server of websockets when it is asked for the first time.
    let later = |path: &str| {
        server.routes.iter().any(|route| {
            route.path == path && route.evidence.iter().any(|place| place.file.contains("pages/api/"))
        })
    };
    for path in upstream.websockets.iter().filter(|path| !later(path)) {
        // Engine.IO wants to be told its version and its way.
        let of_socket_io = server.websockets.iter().any(|socket| {
            socket.value == *path && socket.evidence.iter().any(|place| place.reason.contains("Socket.IO"))
        });
        let engine = of_socket_io || path.starts_with("/socket.io");
        let query = if engine { "?EIO=4&transport=websocket" } else { "" };
        let name = format!("{}: a websocket opens at {path}", upstream.name);
        let check = SmokeCheck::get(name, format!("{path}{query}"), at).status(101);
        checks.push(SmokeCheck { headers: UPGRADE, ..check });
    }
}

/// Routes that are there to fail, or that end the program: `/sentry-debug/`, `/crash`.
fn fails_on_purpose(path: &str) -> bool {
    const WORDS: &[&str] = &[
        "crash",
        "error",
        "errors",
        "throw",
        "fail",
        "failure",
        "sentry",
        "exception",
        "500",
        "shutdown",
        "exit",
        "quit",
        "kill",
    ];
    words(path).any(|word| WORDS.contains(&word.as_str()))
}

/// Logins with an account of another site, which need its credentials: `/auth/github`, `/login/google/callback`.
fn is_login_elsewhere(path: &str) -> bool {
    const SITES: &[&str] = &[
        "github",
        "gitlab",
        "google",
        "facebook",
        "twitter",
        "discord",
        "linkedin",
        "apple",
        "microsoft",
        "azure",
        "auth0",
        "okta",
        "slack",
        "spotify",
        "twitch",
        "bitbucket",
        "keycloak",
        "oidc",
        "saml",
    ];
    const LOGIN: &[&str] = &["auth", "oauth", "oauth2", "login", "signin", "connect", "sso", "callback"];
    let words: Vec<String> = words(path).collect();
    let has = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    has(LOGIN) && (has(SITES) || words.iter().any(|word| word == "callback"))
}

fn words(path: &str) -> impl Iterator<Item = String> {
    path.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// The path under which the front has a server's path; nothing where it has not, or where the path has parameters.
fn outside(path: &str, upstream: &Upstream) -> Option<String> {
    if !checked::is_url_path(path) {
        return None;
    }
    for location in &upstream.locations {
        if location.exact {
            if path == location.prefix {
                return Some(path.to_owned());
            }
        } else if location.strip {
            return Some(format!("{}{path}", location.prefix.trim_end_matches('/')));
        } else if path.starts_with(&location.prefix) {
            return Some(path.to_owned());
        }
    }
    None
}

/// What a server says of itself to the engine and to Prometheus.
fn inside(server: &Service, units: &[Unit], checks: &mut Vec<SmokeCheck>) {
    let name = names::slug(&server.name);
    let port = server.port.as_ref().map(|port| port.value);
    let Some(port) = port.filter(|_| units.iter().any(|unit| unit.name == name)) else { return };
    let at = format!("{name}:{port}");
    let health = &server.health;
    let told = [(&health.live, "is alive"), (&health.ready, "is ready"), (&health.metrics, "has metrics")];
    for (fact, what) in told {
        if let Some(path) = fact.as_ref().map(|fact| &fact.value).filter(|path| checked::is_url_path(path)) {
            checks.push(SmokeCheck::get(format!("{name} {what}"), path.clone(), Some(&at)).status(200));
        }
    }
}
