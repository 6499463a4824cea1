//! Which route says how a service is: the plainest one that nobody guards.

use crate::{
    javascript::values::Program,
    model::{Evidence, Fact, Health, Route, Service},
};

/// Names by trust.
const LIVE: [&str; 15] = [
    "health",
    "healthz",
    "healthcheck",
    "health-check",
    "live",
    "livez",
    "liveness",
    "alive",
    "ping",
    "up",
    "status",
    "heartbeat",
    "_health",
    "healthy",
    "check",
];
const READY: [&str; 5] = ["ready", "readyz", "readiness", "health/ready", "_ready"];
const METRICS: [&str; 1] = ["metrics"];

/// Parts of a path behind which a visitor has to say who he is.
const GUARDED: [&str; 7] = ["admin", "internal", "auth", "private", "secure", "me", "users"];

/// Whether a path ends with a name under which a service says how it is.
pub(super) fn is_name(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or(path);
    LIVE.contains(&last) || READY.contains(&last)
}

/// The best of all candidates; the others are named in its evidence.
pub(super) fn choose(program: &Program, service: &Service) -> Health {
    let routes = &service.routes;
    Health {
        live: best(routes, &LIVE).or_else(|| by_library(program)).or_else(|| by_url(program, &LIVE)),
        ready: best(routes, &READY).or_else(|| by_url(program, &READY)),
        metrics: best(routes, &METRICS),
    }
}

fn best(routes: &[Route], names: &[&str]) -> Option<Fact<String>> {
    let mut candidates: Vec<(usize, usize, &Route)> = routes
        .iter()
        .filter(|route| {
            matches!(route.method.as_str(), "GET" | "ALL") && !route.path.contains([':', '*', '['])
        })
        .filter_map(|route| {
            let path = route.path.trim_end_matches('/');
            let name = names
                .iter()
                .position(|name| path.strip_suffix(name).is_some_and(|rest| rest.ends_with('/')))?;
            let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
            let guarded = parts.iter().any(|part| GUARDED.contains(part));
            (!guarded).then_some((parts.len(), name, route))
        })
        .collect();
    candidates.sort_by(|a, b| (a.0, a.1, &a.2.path).cmp(&(b.0, b.1, &b.2.path)));
    let (.., chosen) = candidates.first()?;
    let mut evidence = chosen.evidence.clone();
    for (.., other) in candidates.iter().skip(1).take(5) {
        evidence.extend(other.evidence.iter().take(1).map(|place| Evidence {
            reason: format!("{} was not taken: the other path is plainer", other.path),
            ..place.clone()
        }));
    }
    Some(Fact { value: chosen.path.clone(), evidence })
}

/// Libraries that answer a health path by themselves.
fn by_library(program: &Program) -> Option<Fact<String>> {
    program.scripts().find_map(|script| {
        (0..script.tokens.len()).find_map(|at| {
            // createTerminus(server, { healthChecks: { "/healthz": … } })
            if script.is(at, "healthChecks") && script.is(at + 1, ":") && script.is(at + 2, "{") {
                let path = script.string(at + 3).filter(|path| path.starts_with('/'))?;
                let evidence = Evidence::new(&script.source, script.span(at, at + 3), "answers the path");
                return Some(Fact::new(path, evidence));
            }
            // register(underPressure, { exposeStatusRoute: "/health" })
            if script.is(at, "exposeStatusRoute") && script.is(at + 1, ":") {
                let path = script
                    .string(at + 2)
                    .or_else(|| script.is(at + 2, "true").then(|| "/status".to_owned()))?;
                let evidence = Evidence::new(&script.source, script.span(at, at + 2), "answers the path");
                return Some(Fact::new(path, evidence));
            }
            None
        })
    })
}

/// `req.url === "/health"` and `pathname === "/health"` of a server without a framework.
fn by_url(program: &Program, names: &[&str]) -> Option<Fact<String>> {
    program.scripts().find_map(|script| {
        (2..script.tokens.len()).find_map(|at| {
            let path = script.string(at)?;
            let name = path.strip_prefix('/')?;
            let compared = script.is(at - 1, "=")
                && (2..8).any(|back| {
                    at.checked_sub(back)
                        .is_some_and(|at| matches!(script.text(at), "url" | "pathname" | "path"))
                });
            let switched = script.is(at - 1, "case");
            (names.contains(&name) && (compared || switched)).then(|| {
                let evidence = Evidence::new(&script.source, script.span(at, at), "answers the path");
                Fact::new(path.clone(), evidence)
            })
        })
    })
}
