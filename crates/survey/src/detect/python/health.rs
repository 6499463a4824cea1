//! Which of the routes say how a service is. Where several fit, the plainest one is taken, and the evidence lists the
//! others.

use crate::model::{Evidence, Fact, Health, Route};

const LIVE: [&str; 9] =
    ["health", "healthz", "healthcheck", "health-check", "health_check", "live", "livez", "up", "alive"];
const READY: [&str; 4] = ["ready", "readyz", "readiness", "readiness-check"];
const METRICS: [&str; 1] = ["metrics"];

/// Folders of a path behind which nobody gets without a password.
const CLOSED: [&str; 8] = ["admin", "internal", "auth", "private", "users", "user", "account", "me"];

/// Ranks the routes that anybody may ask without parameters.
pub(super) fn of(routes: &[Route], platform: Option<&Fact<String>>) -> Health {
    let asked = platform.filter(|fact| {
        routes.is_empty() || routes.iter().any(|route| trimmed(&route.path) == trimmed(&fact.value))
    });
    Health {
        live: asked.cloned().or_else(|| best(routes, &LIVE)).or_else(|| best(routes, &["ping", "ht"])),
        ready: best(routes, &READY),
        metrics: best(routes, &METRICS),
    }
}

fn trimmed(path: &str) -> &str {
    path.trim_end_matches('/')
}

fn best(routes: &[Route], names: &[&str]) -> Option<Fact<String>> {
    let mut fitting: Vec<(usize, usize, &Route)> = routes
        .iter()
        .filter(|route| {
            matches!(route.method.as_str(), "GET" | "ALL") && !route.path.contains(['{', '<', '('])
        })
        .filter_map(|route| {
            let mut parts = trimmed(&route.path).split('/').filter(|part| !part.is_empty());
            // `/_health` is one that no name of a page meets.
            let last = parts.next_back()?.trim_start_matches('_');
            let rank = names.iter().position(|name| *name == last)?;
            let closed = parts.clone().any(|part| CLOSED.contains(&part));
            (!closed).then(|| (trimmed(&route.path).matches('/').count(), rank, route))
        })
        .collect();
    fitting.sort_by_key(|(depth, rank, route)| (*depth, *rank, route.path.len()));
    let (_, _, first) = fitting.first()?;
    let mut evidence = first.evidence.clone();
    evidence.extend(fitting.iter().skip(1).take(5).flat_map(|(_, _, route)| &route.evidence).map(|other| {
        Evidence { reason: format!("another one that was not taken: {}", other.reason), ..other.clone() }
    }));
    Some(Fact { value: first.path.clone(), evidence })
}
