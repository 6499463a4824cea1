//! docker compose's own digest of a service, so that its `up` leaves our containers alone and ours leaves its own.
//!
//! It is the SHA-256 of the service as Go prints it as JSON, without what can change while a container stays. Versions
//! differ in what that is: ours is written as docker compose 2.26 does it, and both forms are understood.

use plimsoll_compose::Service;
use sha2::{Digest as _, Sha256};

/// The value of the label `com.docker.compose.config-hash` as docker compose 2.26 and as the newest ones write it.
pub fn compose_hashes(service: &Service) -> [String; 2] {
    let mut reduced = service.clone();
    reduced.build = None;
    reduced.pull_policy = None;
    reduced.scale = None;
    // their variables are among the service's by then
    reduced.env_file.clear();
    if let Some(deploy) = &mut reduced.deploy {
        deploy.replicas = None;
    }
    let older = digest(&with_host_paths(&json(&reduced)));
    reduced.depends_on.clear();
    reduced.profiles.clear();
    [older, digest(&json(&reduced))]
}

/// What `docker compose config --hash` prints for a service whose `env_file` was not read.
pub fn compose_config_hash(service: &Service) -> String {
    let mut reduced = service.clone();
    reduced.build = None;
    reduced.pull_policy = None;
    reduced.scale = None;
    if let Some(deploy) = &mut reduced.deploy {
        deploy.replicas = None;
    }
    digest(&with_host_paths(&with_plain_files(&reduced, &json(&reduced))))
}

/// A file of variables that must exist is a path alone there.
fn with_plain_files(service: &Service, json: &str) -> String {
    let ours = text(&service.env_file);
    let theirs: Vec<String> = service
        .env_file
        .iter()
        .map(|file| if file.required.0 && file.format.is_none() { text(&file.path) } else { text(file) })
        .collect();
    json.replacen(&format!("\"env_file\":{ours}"), &format!("\"env_file\":[{}]", theirs.join(",")), 1)
}

fn json(service: &Service) -> String {
    text(service)
}

/// Plain data with strings as keys: it always serialises.
fn text(data: &impl serde::Serialize) -> String {
    serde_json::to_string(data).unwrap_or_default()
}

/// Older versions write out that the source of a bind is made. The key of a string's quotes would be escaped, so that
/// this finds only objects.
fn with_host_paths(json: &str) -> String {
    let mut parts = json.split("\"bind\":{");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (inside, rest) = part.split_once('}').unwrap_or((part, ""));
        let (before, recursive) = match inside.split_once("\"recursive\"") {
            Some((before, mode)) => (before.trim_end_matches(','), format!(",\"recursive\"{mode}")),
            None => (inside, String::new()),
        };
        let comma = if before.is_empty() { "" } else { "," };
        text.push_str(&format!("\"bind\":{{{before}{comma}\"create_host_path\":true{recursive}}}{rest}"));
    }
    text
}

fn digest(json: &str) -> String {
    let digest = Sha256::digest(escaped(json).as_bytes());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_says_that_its_source_is_made() {
        assert_eq!(with_host_paths(r#"{"bind":{},"a":1}"#), r#"{"bind":{"create_host_path":true},"a":1}"#);
        assert_eq!(
            with_host_paths(r#"{"bind":{"propagation":"shared","recursive":"disabled"}}"#),
            r#"{"bind":{"propagation":"shared","create_host_path":true,"recursive":"disabled"}}"#
        );
        let quoted = r#"{"a":"\"bind\":{}"}"#;
        assert_eq!(with_host_paths(quoted), quoted);
    }

    #[test]
    fn the_digest_is_docker_compose_s() {
        let service = Service {
            image: Some("plimsoll-test/busybox:1".into()),
            command: Some(vec!["sleep".into(), "1000".into()]),
            networks: [("default".to_owned(), None)].into_iter().collect(),
            ..Service::default()
        };
        // printed by `docker-compose config --hash` 2.26.1
        let theirs = "0b4b378fa58504e1295723352022217d74b9a82b439edb580c2900b258182469";
        assert_eq!(compose_hashes(&service), [theirs, theirs]);
    }
}
