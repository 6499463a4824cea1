//! How a later file joins an earlier one, and how a service joins the one that it extends.

use std::collections::HashSet;

use plimsoll_source::Diagnostic;

use crate::{
    model::scalar::split_host,
    path::Path,
    value::{Kind, Map, Mark, Origin, Value},
};

#[derive(Clone, Copy)]
enum Rule {
    /// The later value counts.
    Replace,
    /// Both as lists of `key=value`, one behind the other.
    Append,
    /// As [`Rule::Append`], without entries that are there already.
    AppendNew,
    /// Both as mappings by name; a bare name gets what is given here.
    ByName(fn(&Origin) -> Kind),
    /// A text is the context of a build.
    Build,
    /// Options join only for the same driver.
    Logging,
    /// Pools join by subnet, else the later ones of a family count.
    Pools,
}

const RULES: &[(&str, Rule)] = &[
    ("networks.*.ipam.config", Rule::Pools),
    ("networks.*.labels", Rule::Append),
    ("volumes.*.labels", Rule::Append),
    ("models.*.runtime_flags", Rule::Replace),
    ("services.*.annotations", Rule::Append),
    ("services.*.build", Rule::Build),
    ("services.*.build.additional_contexts", Rule::Append),
    ("services.*.build.args", Rule::Append),
    ("services.*.build.extra_hosts", Rule::AppendNew),
    ("services.*.build.labels", Rule::Append),
    ("services.*.command", Rule::Replace),
    ("services.*.depends_on", Rule::ByName(dependency)),
    ("services.*.deploy.labels", Rule::Append),
    ("services.*.dns", Rule::Append),
    ("services.*.dns_opt", Rule::Append),
    ("services.*.dns_search", Rule::Append),
    ("services.*.entrypoint", Rule::Replace),
    ("services.*.env_file", Rule::Append),
    ("services.*.environment", Rule::Append),
    ("services.*.extra_hosts", Rule::AppendNew),
    ("services.*.healthcheck.test", Rule::Replace),
    ("services.*.label_file", Rule::Append),
    ("services.*.labels", Rule::Append),
    ("services.*.logging", Rule::Logging),
    ("services.*.models", Rule::ByName(nothing)),
    ("services.*.networks", Rule::ByName(nothing)),
    ("services.*.sysctls", Rule::Append),
    ("services.*.tmpfs", Rule::Append),
    ("services.*.ulimits.*", Rule::Replace),
    ("services.*.build.ulimits.*", Rule::Replace),
];

/// Joins `over` onto `base`, both standing at `path`.
pub(crate) fn merge(base: Value, over: Value, path: &Path<'_>) -> Result<Value, Diagnostic> {
    match path.find(RULES) {
        None => plain(base, over, path),
        Some(Rule::Replace) => Ok(over),
        Some(Rule::Append) => {
            let mut items = sequence(base);
            let origin = over.origin.clone();
            items.extend(sequence(over));
            Ok(Value::new(Kind::List(items), &origin))
        }
        Some(Rule::AppendNew) => {
            let mut items = sequence(base);
            let origin = over.origin.clone();
            // `host:address` and `host=address` are the same entry.
            let entry = |item: &Value| {
                let text = item.scalar_text().unwrap_or_default();
                split_host(&text).map_or(text.clone(), |(host, address)| format!("{host}={address}"))
            };
            let mut known: HashSet<String> = items.iter().map(entry).collect();
            items.extend(sequence(over).into_iter().filter(|item| known.insert(entry(item))));
            Ok(Value::new(Kind::List(items), &origin))
        }
        Some(Rule::ByName(default)) => mappings(by_name(base, *default), by_name(over, *default), path),
        Some(Rule::Build) => mappings(build(base), build(over), path),
        Some(Rule::Logging) => {
            let same = match (base.get("driver"), over.get("driver")) {
                (Some(base), Some(over)) => base == over,
                _ => true,
            };
            if same { mappings(base, over, path) } else { Ok(over) }
        }
        Some(Rule::Pools) => pools(base, over, path),
    }
}

fn plain(base: Value, over: Value, path: &Path<'_>) -> Result<Value, Diagnostic> {
    match (&base.kind, &over.kind) {
        (Kind::Map(_), Kind::Map(_)) => mappings(base, over, path),
        (Kind::List(_), Kind::List(_)) => {
            let Value { kind: Kind::List(mut items), .. } = base else { return Ok(over) };
            let Value { kind: Kind::List(more), origin, .. } = over else {
                return Ok(Value::new(Kind::List(items), &base.origin));
            };
            items.extend(more);
            Ok(Value::new(Kind::List(items), &origin))
        }
        // A key without a value in a later file says nothing.
        (_, Kind::Null) => Ok(base),
        (Kind::Map(_) | Kind::List(_), _) => {
            let error = over.origin.error(format!(
                "cannot override `{path}`: {} by {}",
                base.type_name(),
                over.type_name()
            ));
            Err(base.origin.label(error, "the value so far"))
        }
        _ => Ok(over),
    }
}

fn mappings(base: Value, over: Value, path: &Path<'_>) -> Result<Value, Diagnostic> {
    let (mut base, over) = match (base, over) {
        (Value { kind: Kind::Map(map), origin, mark }, Value { kind: Kind::Map(over), .. }) => {
            (Value { kind: Kind::Map(map), origin, mark }, over)
        }
        (base, over) => return plain(base, over, path),
    };
    if let Some(map) = base.as_map_mut() {
        for (key, value) in over {
            let merged = match map.get_mut(&key) {
                Some(slot) if !path.key(&key).is_extension() => {
                    let before = std::mem::replace(slot, Value::new(Kind::Null, &Origin::default()));
                    merge(before, value, &path.key(&key))?
                }
                _ => value,
            };
            map.insert(key, merged);
        }
    }
    Ok(base)
}

/// A mapping as sorted `key=value`, a text as a list of one.
fn sequence(value: Value) -> Vec<Value> {
    match value.kind {
        Kind::List(items) => items,
        Kind::Map(map) => {
            let mut entries: Vec<(String, Value)> = map.into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            let mut items = Vec::with_capacity(entries.len());
            for (key, value) in entries.into_iter().filter(|(_, value)| value.mark != Mark::Reset) {
                match &value.kind {
                    Kind::List(several) => items.extend(several.iter().map(|item| {
                        Value::string(
                            format!("{key}={}", item.scalar_text().unwrap_or_default()),
                            &item.origin,
                        )
                    })),
                    _ => items.push(match value.scalar_text() {
                        Some(text) => Value::string(format!("{key}={text}"), &value.origin),
                        None => Value::string(key, &value.origin),
                    }),
                }
            }
            items
        }
        Kind::Null => Vec::new(),
        _ => vec![value],
    }
}

fn by_name(value: Value, default: fn(&Origin) -> Kind) -> Value {
    let Value { kind: Kind::List(items), origin, mark } = value else { return value };
    let mut map = Map::new();
    for item in items {
        if let Some(name) = item.scalar_text() {
            map.insert(name, Value::new(default(&item.origin), &item.origin));
        }
    }
    Value { kind: Kind::Map(map), origin, mark }
}

pub(crate) fn nothing(_: &Origin) -> Kind {
    Kind::Null
}

pub(crate) fn dependency(origin: &Origin) -> Kind {
    Kind::Map(Map::from([
        ("condition".to_owned(), Value::string("service_started", origin)),
        ("required".to_owned(), Value::new(Kind::Bool(true), origin)),
    ]))
}

fn build(value: Value) -> Value {
    match &value.kind {
        Kind::String(_) => {
            let origin = value.origin.clone();
            Value::new(Kind::Map(Map::from([("context".to_owned(), value)])), &origin)
        }
        _ => value,
    }
}

/// Pools of one subnet join. For the rest the later file's pools count, family by family: a bridge can have one subnet
/// of each, so that a later IPv4 subnet takes the place of the earlier one and leaves IPv6 as it is. An empty list
/// clears them.
fn pools(base: Value, over: Value, path: &Path<'_>) -> Result<Value, Diagnostic> {
    let (Kind::List(_), Kind::List(_)) = (&base.kind, &over.kind) else { return plain(base, over, path) };
    let Value { kind: Kind::List(earlier), .. } = base else { return Ok(over) };
    let origin = over.origin.clone();
    let Value { kind: Kind::List(more), .. } = over else {
        return Ok(Value::new(Kind::List(earlier), &origin));
    };
    let mut pools: Vec<Value> = Vec::new();
    let replaced: HashSet<Family> = more.iter().map(family).collect();
    let mut left = earlier;
    for pool in more {
        // a gateway alone belongs to the only subnet of its family
        let alone =
            subnet(&pool).is_none() && left.iter().filter(|one| family(one) == family(&pool)).count() == 1;
        let same = left
            .iter()
            .position(|one| subnet(one) == subnet(&pool) || (alone && family(one) == family(&pool)));
        let at = pools.len();
        pools.push(match same {
            Some(same) => mappings(left.remove(same), pool, &path.item(at))?,
            None => pool,
        });
    }
    if !pools.is_empty() {
        left.retain(|pool| !replaced.contains(&family(pool)));
        left.append(&mut pools);
        pools = left;
    }
    Ok(Value::new(Kind::List(pools), &origin))
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Family {
    V4,
    V6,
}

fn subnet(pool: &Value) -> Option<String> {
    pool.get("subnet").and_then(Value::scalar_text)
}

/// The family of a pool's addresses, by whichever of them it has.
fn family(pool: &Value) -> Family {
    let texts = ["subnet", "ip_range", "gateway"].into_iter().filter_map(|key| pool.get(key)?.scalar_text());
    if texts.into_iter().any(|text| text.contains(':')) { Family::V6 } else { Family::V4 }
}
