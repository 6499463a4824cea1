//! docker compose's own digest of a service, so that its `up` leaves our containers alone and ours leaves its own.
//!
//! It is the SHA-256 of the service as Go prints it as JSON, without what can change while a container stays.

use plimsoll_compose::Service;
use sha2::{Digest as _, Sha256};

/// The value of the label `com.docker.compose.config-hash`.
pub(crate) fn compose_hash(service: &Service) -> String {
    let mut reduced = service.clone();
    reduced.build = None;
    reduced.pull_policy = None;
    reduced.scale = None;
    reduced.depends_on.clear();
    reduced.profiles.clear();
    if let Some(deploy) = &mut reduced.deploy {
        deploy.replicas = None;
    }
    // a Service is plain data with strings as keys: it always serialises
    let json = serde_json::to_string(&reduced).unwrap_or_default();
    let digest = Sha256::digest(escaped(&json).as_bytes());
    digest.iter().fold(String::with_capacity(64), |text, byte| text + &format!("{byte:02x}"))
}

/// What Go writes differently: characters that would mean something in HTML or JavaScript. They occur only in strings.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => text.push_str("\\u003c"),
            '>' => text.push_str("\\u003e"),
            '&' => text.push_str("\\u0026"),
            '\u{2028}' => text.push_str("\\u2028"),
            '\u{2029}' => text.push_str("\\u2029"),
            c => text.push(c),
        }
    }
    text
}
