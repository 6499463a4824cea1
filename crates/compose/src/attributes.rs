//! Checks of single resources that the shape of a value can't express.

use std::net::IpAddr;

use plimsoll_source::Diagnostic;

use crate::{
    path::Path,
    value::{Kind, Map, Value},
};

/// Counts that have no meaning below zero.
const COUNTS: &[(&str, ())] = &[
    ("services.*.blkio_config.weight", ()),
    ("services.*.blkio_config.weight_device.*.weight", ()),
    ("services.*.deploy.placement.max_replicas_per_node", ()),
    ("services.*.deploy.restart_policy.max_attempts", ()),
    ("services.*.deploy.rollback_config.parallelism", ()),
    ("services.*.deploy.update_config.parallelism", ()),
    ("services.*.healthcheck.retries", ()),
    ("services.*.ports.*.target", ()),
    ("services.*.volumes.*.tmpfs.mode", ()),
];

type Check = fn(&Value, &Map, &Path<'_>) -> Option<Diagnostic>;

const CHECKS: &[(&str, Check)] = &[
    ("volumes.*", volume),
    ("configs.*", config),
    ("secrets.*", secret),
    ("services.*.ports.*", port),
    ("services.*.develop.watch.*", watch),
    ("services.*.deploy.resources.reservations.devices.*", device),
    ("services.*.gpus.*", device),
];

/// Every fault in the tree.
pub(crate) fn check(tree: &Value) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    walk(tree, &Path::ROOT, &mut faults);
    faults
}

fn walk(value: &Value, path: &Path<'_>, faults: &mut Vec<Diagnostic>) {
    if let Some(check) = path.find(CHECKS)
        && let Some(map) = value.as_map()
    {
        faults.extend(check(value, map, path));
    }
    match &value.kind {
        Kind::Int(number) if *number < 0 && path.find(COUNTS).is_some() => {
            faults.push(value.origin.error(format!("`{path}` cannot be negative: {number}")));
        }
        Kind::Map(map) => map.iter().for_each(|(key, value)| walk(value, &path.key(key), faults)),
        Kind::List(items) => {
            items.iter().enumerate().for_each(|(at, value)| walk(value, &path.item(at), faults));
        }
        _ => {}
    }
}

fn is_external(map: &Map) -> bool {
    map.get("external").is_some_and(|external| external.kind == Kind::Bool(true))
}

/// What an external resource may not say, since it is made elsewhere.
fn conflict(map: &Map, path: &Path<'_>) -> Option<Diagnostic> {
    let (key, value) =
        map.iter().find(|(key, _)| *key != "name" && *key != "external" && !key.starts_with("x-"))?;
    let error = value.origin.error(format!("`{path}` is external and cannot have `{key}`"));
    let error = match map.get("external") {
        Some(external) => external.origin.label(error, "declared external here"),
        None => error,
    };
    Some(error.hint("what exists outside the project keeps its own settings; remove one of the two"))
}

fn volume(_: &Value, map: &Map, path: &Path<'_>) -> Option<Diagnostic> {
    is_external(map).then(|| conflict(map, path)).flatten()
}

fn config(value: &Value, map: &Map, path: &Path<'_>) -> Option<Diagnostic> {
    file_object(value, map, path, &["file", "environment", "content"])
}

fn secret(value: &Value, map: &Map, path: &Path<'_>) -> Option<Diagnostic> {
    file_object(value, map, path, &["file", "environment"])
}

fn file_object(value: &Value, map: &Map, path: &Path<'_>, sources: &[&str]) -> Option<Diagnostic> {
    let given: Vec<&str> = sources.iter().copied().filter(|source| map.contains_key(*source)).collect();
    let words =
        |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ");
    if given.len() > 1 {
        let error = value.origin.error(format!("`{path}` has {}; only one can be its source", words(&given)));
        return Some(error.hint("keep one of them"));
    }
    if given.is_empty() && !map.contains_key("driver") && !map.contains_key("external") {
        let names: Vec<String> = sources.iter().map(|source| format!("`{source}`")).collect();
        let error = value.origin.error(format!("`{path}` does not say where its text comes from"));
        return Some(error.hint(format!("add one of {}, or `external: true`", names.join(", "))));
    }
    None
}

fn port(_: &Value, map: &Map, path: &Path<'_>) -> Option<Diagnostic> {
    let address = map.get("host_ip")?;
    let text = address.as_str()?;
    let invalid = !text.contains('$') && text.parse::<IpAddr>().is_err();
    invalid.then(|| address.origin.error(format!("`{path}.host_ip` is not an IP address: `{text}`")))
}

fn watch(_: &Value, map: &Map, path: &Path<'_>) -> Option<Diagnostic> {
    let watched = map.get("path")?;
    (watched.as_str() == Some("")).then(|| watched.origin.error(format!("`{path}.path` is empty")))
}

fn device(value: &Value, map: &Map, path: &Path<'_>) -> Option<Diagnostic> {
    (map.contains_key("count") && map.contains_key("device_ids")).then(|| {
        let error = value.origin.error(format!("`{path}` has both `count` and `device_ids`"));
        error.hint("name devices or count them")
    })
}
