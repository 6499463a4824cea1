//! Parts of a project as lines.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use plimsoll_compose::{
    LoadOptions, Project, Value, ValueKind,
    interpolate::{Variable, variables as variables_of},
};
use plimsoll_ops::{Failure, project::Disk};

use super::{Format, lines};

/// The variables of a load, sorted.
pub(super) fn environment(options: &LoadOptions) -> String {
    let pairs: BTreeSet<String> = options.env.iter().map(|(key, value)| format!("{key}={value}")).collect();
    lines(pairs)
}

/// The profiles that services name, sorted.
pub(super) fn profiles(project: &Project) -> String {
    let all: BTreeSet<&String> = project.services.values().flat_map(|service| &service.profiles).collect();
    lines(all.into_iter().cloned())
}

/// docker compose's digest of each wanted service, `NAME DIGEST`.
pub(super) fn hashes(project: &Project, wanted: &str) -> Result<String, Failure> {
    let mut names: Vec<&str> = match wanted {
        "*" => project.services.keys().map(String::as_str).collect(),
        list => list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect(),
    };
    names.sort_unstable();
    let mut out = String::new();
    for name in names {
        let service = project.services.get(name).ok_or_else(|| {
            Failure::new(
                format!("project {} has no service {name}", project.name),
                "`plimsoll config --services` lists them",
            )
        })?;
        let [hash, _] = plimsoll_stack::compose_hashes(service);
        let _ = writeln!(out, "{name} {hash}");
    }
    Ok(out)
}

/// Services by name, each behind what it depends on.
pub(super) fn in_order(project: &Project) -> Vec<String> {
    let mut names: Vec<&String> = project.services.keys().collect();
    names.sort();
    let mut order: Vec<String> = Vec::new();
    while order.len() < project.services.len() {
        let before = order.len();
        for name in &names {
            let ready = project.services[*name]
                .depends_on
                .keys()
                .all(|dependency| order.contains(dependency) || !project.services.contains_key(dependency));
            if ready && !order.contains(name) {
                order.push((*name).clone());
            }
        }
        if order.len() == before {
            // A circle, which only an unchecked project has.
            order.extend(
                names
                    .iter()
                    .filter(|name| !order.contains(name))
                    .map(|name| (*name).clone())
                    .collect::<Vec<_>>(),
            );
        }
    }
    order
}

/// JSON as docker compose indents it here.
fn indented(data: &impl serde::Serialize) -> Result<String, Failure> {
    let mut text = Vec::new();
    let form = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    data.serialize(&mut serde_json::Serializer::with_formatter(&mut text, form))?;
    Ok(String::from_utf8_lossy(&text).into_owned() + "\n")
}

/// Every variable that the files use, once; the first use that says more than its name counts. JSON and YAML have docker
/// compose's keys.
pub(super) fn variables(options: &LoadOptions, format: Option<Format>) -> Result<String, Failure> {
    let options = LoadOptions {
        interpolate: false,
        normalize: false,
        resolve_paths: false,
        check_consistency: false,
        ..options.clone()
    };
    let tree = plimsoll_compose::load_tree(&options, &Disk)?;
    let mut found: Vec<Variable> = Vec::new();
    collect(&tree, &mut found)?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    match format {
        Some(Format::Json) => {
            let all: BTreeMap<&str, serde_json::Value> = found
                .iter()
                .map(|variable| {
                    let said = serde_json::json!({
                        "Name": variable.name,
                        "DefaultValue": text(&variable.default),
                        "PresenceValue": text(&variable.alternate),
                        "Required": variable.required,
                    });
                    (variable.name.as_str(), said)
                })
                .collect();
            return indented(&all);
        }
        Some(Format::Yaml) => {
            let mut out = String::new();
            for variable in &found {
                // a JSON string is a YAML string
                let quoted = |text: &str| serde_json::Value::from(text).to_string();
                let _ = writeln!(
                    out,
                    "{name}:\n    name: {name}\n    defaultvalue: {}\n    presencevalue: {}\n    required: {}",
                    quoted(&text(&variable.default)),
                    quoted(&text(&variable.alternate)),
                    variable.required,
                    name = variable.name,
                );
            }
            return Ok(if out.is_empty() { "{}\n".to_owned() } else { out });
        }
        None => {}
    }
    let mut rows = vec![["NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE"].map(str::to_owned)];
    rows.extend(found.into_iter().map(|variable| {
        [
            variable.name,
            variable.required.to_string(),
            variable.default.unwrap_or_default(),
            variable.alternate.unwrap_or_default(),
        ]
    }));
    let widths: Vec<usize> =
        (0..3).map(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or_default()).collect();
    let mut out = String::new();
    for [name, required, default, alternate] in rows {
        let [a, b, c] = [widths[0], widths[1], widths[2]];
        let line = format!("{name:a$}  {required:b$}  {default:c$}  {alternate}");
        out.push_str(line.trim_end());
        out.push('\n');
    }
    Ok(out)
}

fn collect(value: &Value, found: &mut Vec<Variable>) -> Result<(), Failure> {
    match &value.kind {
        ValueKind::Map(map) => map.values().try_for_each(|value| collect(value, found)),
        ValueKind::List(items) => items.iter().try_for_each(|value| collect(value, found)),
        ValueKind::String(text) => {
            let new = variables_of(text).map_err(|error| -> Failure {
                value.origin.error(error.to_string()).hint("write `$$` for a dollar sign").into()
            })?;
            for variable in new {
                match found.iter_mut().find(|known| known.name == variable.name) {
                    None => found.push(variable),
                    Some(known) => {
                        known.required |= variable.required;
                        known.default = known.default.take().or(variable.default);
                        known.alternate = known.alternate.take().or(variable.alternate);
                    }
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// One line a value of the canonical tree: path, file, line, column.
pub(super) fn origins(project: &Project) -> String {
    let mut out = String::new();
    each_origin(project.tree(), &mut Vec::new(), &mut out);
    out
}

fn each_origin(value: &Value, path: &mut Vec<String>, out: &mut String) {
    match &value.kind {
        ValueKind::Map(map) => {
            for (key, value) in map {
                path.push(key.clone());
                each_origin(value, path, out);
                path.pop();
            }
        }
        ValueKind::List(items) => {
            for (at, value) in items.iter().enumerate() {
                path.push(at.to_string());
                each_origin(value, path, out);
                path.pop();
            }
        }
        _ => {
            let place = match value.origin.place() {
                Some(place) => {
                    let at = place.source.line_col(place.span.start);
                    format!("{}:{}:{}", place.source.name(), at.line, at.column)
                }
                None => "made by default".to_owned(),
            };
            let _ = writeln!(out, "{}  {place}", path.join("."));
        }
    }
}
