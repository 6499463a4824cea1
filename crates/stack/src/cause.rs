//! Has a container's configuration changed, and in which part? Digests over the serialised specification answer both:
//! the whole one decides, the ones by part name the cause.

use std::collections::BTreeMap;

use plimsoll_engine::ContainerSpec;
use serde_json::Value;

use crate::StackFile;

/// Parts that do not make a container out of date: they are ours, or the same for every replica.
const IGNORED: [&str; 1] = ["name"];

/// The cause where nothing is known of what a container was made from.
pub(crate) const ANOTHER_TOOL: &str = "it was made by another tool";

fn value(spec: &ContainerSpec) -> serde_json::Map<String, Value> {
    match serde_json::to_value(spec) {
        Ok(Value::Object(map)) => map,
        // a ContainerSpec is a struct of plain data: it always serialises to an object
        _ => serde_json::Map::new(),
    }
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// Digest of each part that says something. Ten characters: they name a cause, they decide nothing.
pub(crate) fn parts(spec: &ContainerSpec, files: &[StackFile], hooks: &str) -> BTreeMap<String, String> {
    let mut parts: BTreeMap<String, String> = value(spec)
        .iter()
        .filter(|(key, value)| !IGNORED.contains(&key.as_str()) && !says_nothing(value))
        .map(|(key, value)| (key.clone(), short(value.to_string().as_bytes())))
        .collect();
    if !files.is_empty() {
        parts.insert("files".into(), short(file_digests(files).as_bytes()));
    }
    if !hooks.is_empty() {
        parts.insert("hooks".into(), short(hooks.as_bytes()));
    }
    parts
}

/// Digest of everything.
pub(crate) fn hash(spec: &ContainerSpec, files: &[StackFile], hooks: &str) -> String {
    let mut all = value(spec);
    all.retain(|key, value| !IGNORED.contains(&key.as_str()) && !says_nothing(value));
    all.insert("files".into(), Value::String(file_digests(files)));
    if !hooks.is_empty() {
        all.insert("hooks".into(), Value::String(hooks.to_owned()));
    }
    blake3::hash(Value::Object(all).to_string().as_bytes()).to_hex().to_string()
}

fn file_digests(files: &[StackFile]) -> String {
    let lines: Vec<String> = files
        .iter()
        .map(|file| format!("{}={:o}={:?}={}", file.target, file.mode, file.owner, file.digest))
        .collect();
    lines.join("\n")
}

fn short(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..10].to_owned()
}

/// The parts as one label.
pub(crate) fn parts_label(parts: &BTreeMap<String, String>) -> String {
    parts.iter().map(|(key, digest)| format!("{key}={digest}")).collect::<Vec<_>>().join(",")
}

/// Why a container is out of date, in words.
pub(crate) fn difference(
    label: Option<&str>,
    wanted: &BTreeMap<String, String>,
    old_image: &str,
    new_image: &str,
) -> String {
    let image = (old_image != new_image)
        .then(|| format!("image changed {} -> {}", short_id(old_image), short_id(new_image)));
    let Some(label) = label else {
        return image.unwrap_or_else(|| ANOTHER_TOOL.to_owned());
    };
    let had: BTreeMap<&str, &str> = label.split(',').filter_map(|part| part.split_once('=')).collect();
    let mut changed: Vec<&str> = wanted
        .iter()
        .filter(|(key, digest)| had.get(key.as_str()) != Some(&digest.as_str()))
        .map(|(key, _)| key.as_str())
        .chain(had.keys().copied().filter(|key| !wanted.contains_key(*key)))
        .filter(|key| *key != "image")
        .map(word)
        .collect();
    changed.sort_unstable();
    changed.dedup();
    let settings = (!changed.is_empty()).then(|| format!("{} changed", join(&changed)));
    match (image, settings) {
        (Some(image), Some(settings)) => format!("{image}; {settings}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "its configuration changed".to_owned(),
    }
}

/// The Compose file's word for a part.
fn word(part: &str) -> &str {
    match part {
        "env" => "environment",
        "health" => "healthcheck",
        "log_driver" | "log_options" => "logging",
        "files" => "secrets or configs",
        "mounts" => "volumes",
        "stop_grace" => "stop_grace_period",
        other => other,
    }
}

fn join(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The first twelve digits of an id.
pub(crate) fn short_id(id: &str) -> &str {
    let digits = id.strip_prefix("sha256:").unwrap_or(id);
    digits.get(..12).unwrap_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> ContainerSpec {
        ContainerSpec { image: "sha256:aaaaaaaaaaaaaaaaaaaa".into(), ..ContainerSpec::default() }
    }

    #[test]
    fn the_name_is_no_change_and_the_environment_is() {
        let mut other = spec();
        other.name = "x".into();
        assert_eq!(hash(&spec(), &[], ""), hash(&other, &[], ""));
        other.env.insert("A".into(), Some("1".into()));
        assert_ne!(hash(&spec(), &[], ""), hash(&other, &[], ""));
    }

    #[test]
    fn a_change_is_named() {
        let mut other = spec();
        other.env.insert("A".into(), Some("1".into()));
        other.read_only = true;
        let label = parts_label(&parts(&spec(), &[], ""));
        let said = difference(Some(&label), &parts(&other, &[], ""), "sha256:1", "sha256:1");
        assert_eq!(said, "environment and read_only changed");
        let back =
            difference(Some(&parts_label(&parts(&other, &[], ""))), &parts(&spec(), &[], ""), "a", "a");
        assert_eq!(back, "environment and read_only changed");
        assert_eq!(
            difference(Some(&label), &parts(&spec(), &[], ""), "sha256:3f2a", "sha256:91bc"),
            "image changed 3f2a -> 91bc"
        );
        assert_eq!(difference(None, &parts(&spec(), &[], ""), "a", "a"), "it was made by another tool");
    }
}
