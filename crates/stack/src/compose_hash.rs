//! docker compose's own digest of a service, so that its `up` leaves our containers alone and ours leaves its own.
//!
//! It is the SHA-256 of the service as Go prints it as JSON, without what can change while a container stays. Versions
//! differ in what that is: ours is written as docker compose 2.26 does it, and both forms are understood.

use plimsoll_compose::{MountKind, Service};
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
    let older = digest(&in_older_form(&reduced, &json(&reduced)));
    reduced.depends_on.clear();
    reduced.profiles.clear();
    [older, digest(&json(&reduced))]
}

fn json(service: &Service) -> String {
    text(service)
}

/// Plain data with strings as keys: it always serialises.
fn text(data: &impl serde::Serialize) -> String {
    serde_json::to_string(data).unwrap_or_default()
}

/// The form of older versions. They write out that the source of a bind is made where a file says so, and nothing where
/// it does not, and modes of secrets and configs as numbers. The quotes of a key inside a string are escaped, so that
/// this finds only objects.
fn in_older_form(service: &Service, json: &str) -> String {
    let binds = service.volumes.iter().filter_map(|mount| Some((mount.kind, mount.bind.as_ref()?)));
    let made: Vec<bool> =
        binds.map(|(kind, bind)| kind == MountKind::Bind && bind.create_host_path.is_said_on()).collect();
    with_numbers(&with_host_paths(json, &made))
}

fn with_host_paths(json: &str, made: &[bool]) -> String {
    let mut parts = json.split("\"bind\":{");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (at, part) in parts.enumerate() {
        let (inside, rest) = part.split_once('}').unwrap_or((part, ""));
        let (before, recursive) = match inside.split_once("\"recursive\"") {
            Some((before, mode)) => (before, format!("\"recursive\"{mode}")),
            None => (inside, String::new()),
        };
        let before = before.replace("\"create_host_path\":false", "");
        let made = if made.get(at) == Some(&true) { "\"create_host_path\":true" } else { "" };
        let fields = [before.trim_end_matches(','), made, &recursive];
        let fields: Vec<&str> = fields.into_iter().filter(|field| !field.is_empty()).collect();
        text.push_str(&format!("\"bind\":{{{}}}{rest}", fields.join(",")));
    }
    text
}

/// `"mode":"0440"` is `"mode":288`.
fn with_numbers(json: &str) -> String {
    let mut parts = json.split("\"mode\":\"0");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.split('"').next().unwrap_or_default();
        match u32::from_str_radix(digits, 8) {
            Ok(mode) => text.push_str(&format!("\"mode\":{mode}{}", &part[digits.len() + 1..])),
            Err(_) => text.push_str(&format!("\"mode\":\"0{part}")),
        }
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
        let on = [true];
        assert_eq!(
            with_host_paths(r#"{"bind":{},"a":1}"#, &on),
            r#"{"bind":{"create_host_path":true},"a":1}"#
        );
        assert_eq!(
            with_host_paths(r#"{"bind":{"propagation":"shared","recursive":"disabled"}}"#, &on),
            r#"{"bind":{"propagation":"shared","create_host_path":true,"recursive":"disabled"}}"#
        );
        assert_eq!(with_host_paths(r#"{"bind":{"create_host_path":false}}"#, &[false]), r#"{"bind":{}}"#);
        let quoted = r#"{"a":"\"bind\":{}"}"#;
        assert_eq!(with_host_paths(quoted, &on), quoted);
    }

    #[test]
    fn a_mode_is_a_number() {
        assert_eq!(
            with_numbers(r#"{"mode":"0440","ports":[{"mode":"ingress"}]}"#),
            r#"{"mode":288,"ports":[{"mode":"ingress"}]}"#
        );
        let quoted = r#"{"a":"\"mode\":\"0440\""}"#;
        assert_eq!(with_numbers(quoted), quoted);
    }

    /// Volumes and modes of one attribute each, with what `docker-compose config --hash` 2.26.1 prints for them in a
    /// project at /p.
    #[test]
    fn digests_differ_from_docker_compose() {
        let text = "
name: p
services:
  a: {image: x, volumes: ['data:/d:z']}
  b: {image: x, volumes: [{type: bind, source: ./x, target: /d, bind: {create_host_path: false}}]}
  c: {image: x, volumes: [{type: bind, source: ./x, target: /d, bind: {propagation: rprivate}}]}
  d: {image: x, volumes: [{type: bind, source: ./x, target: /d, bind: {}}]}
  e: {image: x, configs: [{source: c, target: /c, mode: 0440}]}
  f: {image: x, secrets: [{source: s, mode: 0400}]}
  g: {image: x, volumes: ['data:/d', './x:/x:ro']}
  h: {image: x, volumes: ['./x:/x:z', {type: bind, source: ./y, target: /y, bind: {create_host_path: true}}]}
  i: {image: x, volumes: [{type: bind, source: ./x, target: /x}]}
volumes: {data: }
configs: {c: {file: ./c}}
secrets: {s: {file: ./s}}
";
        let source = plimsoll_source::Source::new("/p/compose.yaml", text);
        let options = plimsoll_compose::LoadOptions::new(vec![source], "/p");
        let project = plimsoll_compose::load(&options, &plimsoll_compose::NoFiles).unwrap();
        let found: Vec<(&str, String)> = project
            .services
            .iter()
            .map(|(name, service)| (name.as_str(), compose_hashes(service)[0].clone()))
            .collect();
        let theirs = [
            ("a", "65c5bec84e5bc0a03dc38d4b81e1f537e467ba1ab18d0b1593546b525e1b9d0a"),
            ("b", "eef5d02d872a60a52414bbf6bcb9b44cff0de19b41995822cede20ecefe9c8ef"),
            ("c", "337d8419a9ee8252114628f0804925895e86f284ce0ab67c794991d239472751"),
            ("d", "eef5d02d872a60a52414bbf6bcb9b44cff0de19b41995822cede20ecefe9c8ef"),
            ("e", "5422c4e787535246c8c7a4fb04eee693e513bd02adc79195bc4e2fb06576e854"),
            ("f", "cf2350bd3964f7a544ce309f7c83b5ccb227213f968ccbad30d5ff2a7b914375"),
            ("g", "1a39e1b2b8f6b2fd933c122e7c83e918045b91999830dfb4d9e98787c2f9c325"),
            ("h", "9ca1fc899b2571d463a211c42097eba27e1a754ad1eef2e392001bb3e093a391"),
            ("i", "8c9b57d0e3c244618fa1c93234f27cf2f595449a3556774a4198597ed52ce229"),
        ];
        assert_eq!(found, theirs.map(|(name, digest)| (name, digest.to_owned())));
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
