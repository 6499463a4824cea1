//! Short syntaxes to long ones. Running it again changes nothing.

use std::cell::Cell;

use plimsoll_source::Diagnostic;

use crate::{
    merge::{dependency, nothing},
    model::{Mount, Port},
    mounts,
    path::Path,
    ports,
    value::{Kind, Map, Mark, Origin, Value},
    words,
};

type Rule = fn(Value, &Path<'_>, &Context) -> Result<Value, Diagnostic>;

/// Outer places stand before the places inside them: a rule sees its value before the rules inside it run.
const RULES: &[(&str, Rule)] = &[
    ("services.*.annotations", key_values),
    ("services.*.build", build),
    ("services.*.build.additional_contexts", contexts),
    ("services.*.build.args", environment),
    ("services.*.build.labels", key_values),
    ("services.*.build.secrets.*", file_reference),
    ("services.*.build.ssh", ssh),
    ("services.*.command", command),
    ("services.*.configs.*", file_reference),
    ("services.*.depends_on", depends_on),
    ("services.*.deploy.labels", key_values),
    ("services.*.deploy.resources.reservations.devices.*.count", count),
    ("services.*.deploy.resources.reservations.devices.*.options", key_values),
    ("services.*.develop.watch.*.exec.command", command),
    ("services.*.develop.watch.*.exec.environment", environment),
    ("services.*.develop.watch.*.ignore", texts),
    ("services.*.develop.watch.*.include", texts),
    ("services.*.devices.*", device),
    ("services.*.dns", texts),
    ("services.*.dns_search", texts),
    ("services.*.entrypoint", command),
    ("services.*.env_file", texts),
    ("services.*.env_file.*", env_file),
    ("services.*.environment", environment),
    ("services.*.extends", extends),
    ("services.*.gpus", gpus),
    ("services.*.gpus.*.count", count),
    ("services.*.gpus.*.options", key_values),
    ("services.*.healthcheck.test", health_test),
    ("services.*.label_file", texts),
    ("services.*.labels", key_values),
    ("services.*.memswap_limit", swap),
    ("services.*.models", by_name),
    ("services.*.networks", by_name),
    ("services.*.ports", port_list),
    ("services.*.post_start.*.command", command),
    ("services.*.post_start.*.environment", environment),
    ("services.*.pre_start.*.command", command),
    ("services.*.pre_start.*.environment", environment),
    ("services.*.pre_stop.*.command", command),
    ("services.*.pre_stop.*.environment", environment),
    ("services.*.secrets.*", file_reference),
    ("services.*.sysctls", key_values),
    ("services.*.tmpfs", texts),
    ("services.*.volumes.*", mount),
    ("services.*.volumes.*.volume.labels", key_values),
    ("networks.*", external),
    ("networks.*.labels", key_values),
    ("volumes.*", external),
    ("volumes.*.labels", key_values),
    ("secrets.*", external),
    ("secrets.*.labels", key_values),
    ("configs.*", external),
    ("configs.*.labels", key_values),
];

/// How many single ports the ranges of one tree may stand for: all that a host has, once.
const MAX_PORTS: usize = 65_536;

/// What holds for one run.
pub(crate) struct Context {
    /// Texts that can't be read because they hold variables stay as they are.
    lenient: bool,
    ports: Cell<usize>,
}

/// Writes every short syntax of a tree out.
pub(crate) fn tree(tree: Value, lenient: bool) -> Result<Value, Diagnostic> {
    canonicalise(tree, &Path::ROOT, &Context { lenient, ports: Cell::new(0) })
}

fn canonicalise(value: Value, path: &Path<'_>, context: &Context) -> Result<Value, Diagnostic> {
    if value.mark == Mark::Reset || path.is_extension() {
        return Ok(value);
    }
    let mark = value.mark;
    let mut value = match path.find(RULES) {
        Some(rule) => rule(value, path, context)?,
        None => value,
    };
    value.mark = mark;
    match &mut value.kind {
        Kind::Map(map) => {
            for (key, slot) in map.iter_mut() {
                let inner = std::mem::replace(slot, Value::new(Kind::Null, &Origin::default()));
                *slot = canonicalise(inner, &path.key(key), context)?;
            }
        }
        Kind::List(items) => {
            for (at, slot) in items.iter_mut().enumerate() {
                let inner = std::mem::replace(slot, Value::new(Kind::Null, &Origin::default()));
                *slot = canonicalise(inner, &path.item(at), context)?;
            }
        }
        _ => {}
    }
    Ok(value)
}

/// Lists whose empty texts are left by variables without a value.
pub(crate) fn omit_empty(tree: &mut Value) {
    for (_, service) in tree.get_mut("services").and_then(Value::as_map_mut).into_iter().flatten() {
        let Some(service) = service.as_map_mut() else { continue };
        let empty = |value: &Value| value.is_null() || value.as_str() == Some("");
        if service.get("dns").is_some_and(empty) {
            service.shift_remove("dns");
        }
        if let Some(items) = service.get_mut("dns").and_then(Value::as_list_mut) {
            items.retain(|item| !empty(item));
        }
    }
}

fn map(origin: &Origin, entries: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::new(Kind::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()), origin)
}

fn key_values(value: Value, path: &Path<'_>, _: &Context) -> Result<Value, Diagnostic> {
    pairs(value, path, |_, _, _| Ok(()))
}

/// Further contexts of a build: each has a name and a place.
fn contexts(value: Value, path: &Path<'_>, context: &Context) -> Result<Value, Diagnostic> {
    let bare = value.as_list().into_iter().flatten().find(|item| {
        item.as_str().is_some_and(|text| !(text.contains('=') || context.lenient && text.contains('$')))
    });
    if let Some(bare) = bare {
        let text = bare.as_str().unwrap_or_default();
        return Err(bare
            .origin
            .error(format!("`{text}` in `{path}` is not a named context"))
            .hint("write `name=path`"));
    }
    let value = key_values(value, path, context)?;
    for (name, place) in value.as_map().into_iter().flatten() {
        if place.as_str().is_none() {
            let error = place.origin.error(format!(
                "`{}` must be a path or an address, but is {}",
                path.key(name),
                place.type_name()
            ));
            return Err(error);
        }
    }
    Ok(value)
}

/// As `key=value`, but a blank in front of the `=` is a mistake that would go unnoticed.
fn environment(value: Value, path: &Path<'_>, _: &Context) -> Result<Value, Diagnostic> {
    pairs(value, path, |key, item, path| {
        if key.ends_with(char::is_whitespace) {
            let error =
                item.origin.error(format!("variable `{key}` in `{path}` has a trailing space in its name"));
            return Err(error.hint("remove the space in front of `=`"));
        }
        Ok(())
    })
}

fn pairs(
    value: Value,
    path: &Path<'_>,
    check: fn(&str, &Value, &Path<'_>) -> Result<(), Diagnostic>,
) -> Result<Value, Diagnostic> {
    let Kind::List(items) = value.kind else { return Ok(value) };
    let mut pairs = Map::with_capacity(items.len());
    for item in items {
        if item.mark == Mark::Reset {
            continue;
        }
        let Some(text) = item.scalar_text() else {
            return Err(item.origin.error(format!("`{path}` holds {}, not `key=value`", item.type_name())));
        };
        match text.split_once('=') {
            Some((key, text)) => {
                check(key, &item, path)?;
                pairs.insert(key.to_owned(), Value::string(text, &item.origin));
            }
            None => {
                check(&text, &item, path)?;
                pairs.insert(text, Value::new(Kind::Null, &item.origin));
            }
        }
    }
    Ok(Value::new(Kind::Map(pairs), &value.origin))
}

fn texts(value: Value, _: &Path<'_>, _: &Context) -> Result<Value, Diagnostic> {
    match &value.kind {
        Kind::List(_) | Kind::Map(_) | Kind::Null => Ok(value),
        _ => {
            let origin = value.origin.clone();
            let text = value.scalar_text().unwrap_or_default();
            Ok(Value::new(Kind::List(vec![Value::string(text, &origin)]), &origin))
        }
    }
}

fn command(value: Value, path: &Path<'_>, context: &Context) -> Result<Value, Diagnostic> {
    let Some(text) = value.as_str() else { return Ok(value) };
    match words::split(text) {
        Ok(words) => {
            let words = words.into_iter().map(|word| Value::string(word, &value.origin)).collect();
            Ok(Value::new(Kind::List(words), &value.origin))
        }
        Err(_) if context.lenient => Ok(value),
        Err(error) => Err(value
            .origin
            .error(format!("`{path}` is not a valid command: {error}"))
            .hint("write it as a list: `[\"program\", \"argument\"]`")),
    }
}

fn health_test(value: Value, _: &Path<'_>, _: &Context) -> Result<Value, Diagnostic> {
    match &value.kind {
        Kind::String(_) => {
            let origin = value.origin.clone();
            Ok(Value::new(Kind::List(vec![Value::string("CMD-SHELL", &origin), value]), &origin))
        }
        _ => Ok(value),
    }
}

fn build(value: Value, _: &Path<'_>, _: &Context) -> Result<Value, Diagnostic> {
    let origin = value.origin.clone();
    Ok(if value.as_str().is_some() { map(&origin, [("context", value)]) } else { value })
}

fn extends(value: Value, _: &Path<'_>, _: &Context) -> Result<Value, Diagnostic> {
    let origin = value.origin.clone();
    Ok(if value.as_str().is_some() { map(&origin, [("service", value)]) } else { value })
}

fn file_reference(value: Value, _: &Path<'_>, _: &Context) -> Result<Value, Diagnostic> {
    let origin = value.origin.clone();
    Ok(if value.as_str().is_some() { map(&origin, [("source", value)]) } else { value })
}

fn env_file(value: Value, _: &Path<'_>, _: &Context) -> Result<Value, Diagnostic> {
    let origin = value.origin.clone();
    Ok(if value.as_str().is_some() { map(&origin, [("path", value)]) } else { value })
}

fn named(value: Value, default: fn(&Origin) -> Kind) -> Value {
    let Kind::List(items) = value.kind else { return value };
    let names = items
        .into_iter()
        .filter_map(|item| Some((item.scalar_text()?, Value::new(default(&item.origin), &item.origin))))
        .collect();
    Value::new(Kind::Map(names), &value.origin)
}

fn by_name(value: Value, _: &Path<'_>, _: &Context) -> Result<Value, Diagnostic> {
    Ok(named(value, nothing))
}

fn depends_on(value: Value, _: &Path<'_>, _: &Context) -> Result<Value, Diagnostic> {
    let mut value = named(value, dependency);
    for (_, dependency) in value.as_map_mut().into_iter().flatten() {
        let origin = dependency.origin.clone();
        if let Some(dependency) = dependency.as_map_mut() {
            dependency.entry("required".to_owned()).or_insert_with(|| Value::new(Kind::Bool(true), &origin));
        }
    }
    Ok(value)
}

/// Unlimited swap as a variable brings it, and as it is printed.
fn swap(value: Value, _: &Path<'_>, _: &Context) -> Result<Value, Diagnostic> {
    let origin = value.origin.clone();
    Ok(if value.as_str() == Some("-1") { Value::new(Kind::Int(-1), &origin) } else { value })
}

fn gpus(value: Value, _: &Path<'_>, _: &Context) -> Result<Value, Diagnostic> {
    let origin = value.origin.clone();
    if value.as_str().is_none() {
        return Ok(value);
    }
    Ok(Value::new(Kind::List(vec![map(&origin, [("count", value)])]), &origin))
}

fn count(value: Value, _: &Path<'_>, _: &Context) -> Result<Value, Diagnostic> {
    let origin = value.origin.clone();
    Ok(if value.as_str() == Some("all") { Value::new(Kind::Int(-1), &origin) } else { value })
}

/// Ids and paths of SSH agents as a list of `id` or `id=path`.
fn ssh(value: Value, path: &Path<'_>, context: &Context) -> Result<Value, Diagnostic> {
    let origin = value.origin.clone();
    for item in value.as_list().into_iter().flatten() {
        let text = item.scalar_text().unwrap_or_default();
        if text != "default" && !text.contains('=') && !(context.lenient && text.contains('$')) {
            let error = item.origin.error(format!("`{text}` in `{path}` is neither `default` nor `id=path`"));
            return Err(error.hint("name the key's file or the agent's socket: `id=path`"));
        }
    }
    Ok(match value.kind {
        Kind::Map(agents) => {
            let agents = agents.into_iter().map(|(id, path)| {
                match path.scalar_text().filter(|path| !path.is_empty()) {
                    Some(text) => Value::string(format!("{id}={text}"), &path.origin),
                    None => Value::string(id, &path.origin),
                }
            });
            Value::new(Kind::List(agents.collect()), &origin)
        }
        Kind::String(text) => Value::new(Kind::List(vec![Value::string(text, &origin)]), &origin),
        _ => value,
    })
}

fn device(value: Value, path: &Path<'_>, _: &Context) -> Result<Value, Diagnostic> {
    let origin = value.origin.clone();
    let Some(text) = value.as_str() else { return Ok(value) };
    let (source, target, permissions) = match text.split(':').collect::<Vec<_>>().as_slice() {
        [source] => (*source, *source, "rwm"),
        [source, target] => (*source, *target, "rwm"),
        [source, target, permissions] => (*source, *target, *permissions),
        _ => {
            let error = origin.error(format!("`{text}` in `{path}` is not a device"));
            return Err(error.hint("write `source:target:permissions`, or the long form"));
        }
    };
    let text = |text: &str| Value::string(text, &origin);
    Ok(map(&origin, [("source", text(source)), ("target", text(target)), ("permissions", text(permissions))]))
}

fn port_list(value: Value, path: &Path<'_>, context: &Context) -> Result<Value, Diagnostic> {
    let origin = value.origin.clone();
    let Kind::List(items) = value.kind else { return Ok(value) };
    let mut all = Vec::with_capacity(items.len());
    for (at, mut item) in items.into_iter().enumerate() {
        if let Some(port) = item.as_map_mut() {
            if let Some(published) = port.get_mut("published")
                && let Some(text) = published.scalar_text()
            {
                published.kind = Kind::String(text);
            }
            all.push(item);
            continue;
        }
        let Some(text) = item.scalar_text() else {
            all.push(item);
            continue;
        };
        match ports::parse(&text) {
            Ok(ports) if ports.iter().any(|port| port.target == 0) => {
                let error = item.origin.error(format!("`{text}` in `{path}` has no port of the container"));
                return Err(error.hint("name the port that the program listens on"));
            }
            Ok(ports) => {
                context.ports.set(context.ports.get() + ports.len());
                if context.ports.get() > MAX_PORTS {
                    let error =
                        item.origin.error(format!("more than {MAX_PORTS} ports are published in all"));
                    return Err(error.hint("publish fewer or shorter ranges"));
                }
                all.extend(ports.iter().map(|port| port_value(port, &item.origin)));
            }
            Err(_) if context.lenient => all.push(item),
            Err(error) => {
                let error = item.origin.error(format!("`{}`: {error}", path.item(at)));
                return Err(error.hint("write `published:target`, for example \"8080:80\""));
            }
        }
    }
    Ok(Value::new(Kind::List(all), &origin))
}

fn port_value(port: &Port, origin: &Origin) -> Value {
    let text = |text: &Option<String>| text.as_ref().map(|text| Value::string(text.clone(), origin));
    let entries = [
        ("mode", text(&port.mode)),
        ("host_ip", text(&port.host_ip)),
        ("target", Some(Value::new(Kind::Int(port.target), origin))),
        ("published", text(&port.published)),
        ("protocol", text(&port.protocol)),
    ];
    map(origin, entries.into_iter().filter_map(|(key, value)| Some((key, value?))))
}

fn mount(value: Value, path: &Path<'_>, context: &Context) -> Result<Value, Diagnostic> {
    let Some(text) = value.as_str() else { return Ok(value) };
    match mounts::parse(text) {
        Ok(mount) => Ok(mount_value(&mount, &value.origin)),
        Err(_) if context.lenient => Ok(value),
        Err(error) => Err(value
            .origin
            .error(format!("`{path}`: {error}"))
            .hint("write `source:target` or `source:target:ro`")),
    }
}

fn mount_value(mount: &Mount, origin: &Origin) -> Value {
    let text = |text: &Option<String>| text.as_ref().map(|text| Value::string(text.clone(), origin));
    let flag = |flag: bool| flag.then(|| Value::new(Kind::Bool(true), origin));
    let bind = mount.bind.as_ref().map(|bind| {
        let entries = [
            ("selinux", text(&bind.selinux)),
            ("propagation", text(&bind.propagation)),
            ("create_host_path", Some(Value::new(Kind::Bool(true), origin))),
        ];
        map(origin, entries.into_iter().filter_map(|(key, value)| Some((key, value?))))
    });
    let volume = mount.volume.as_ref().map(|volume| {
        map(
            origin,
            [("nocopy", flag(volume.nocopy))].into_iter().filter_map(|(key, value)| Some((key, value?))),
        )
    });
    let target = mount.target.as_deref().map(|target| Value::string(crate::paths::clean(target), origin));
    let entries = [
        ("type", Some(Value::string(mount.kind.as_str(), origin))),
        ("source", text(&mount.source)),
        ("target", target),
        ("read_only", flag(mount.read_only)),
        ("bind", bind),
        ("volume", volume),
    ];
    map(origin, entries.into_iter().filter_map(|(key, value)| Some((key, value?))))
}

/// `external: {name: x}` as `external: true` with `name: x`.
fn external(mut value: Value, path: &Path<'_>, _: &Context) -> Result<Value, Diagnostic> {
    let Some(resource) = value.as_map_mut() else { return Ok(value) };
    let Some(external) = resource.get_mut("external").filter(|external| external.as_map().is_some()) else {
        return Ok(value);
    };
    let outer = external.get("name").cloned();
    external.kind = Kind::Bool(true);
    if let Some(outer) = outer {
        match resource.get("name") {
            Some(name) if *name != outer => {
                let error = outer.origin.error(format!("`{path}.external.name` and `{path}.name` differ"));
                return Err(name.origin.label(error, "the other name").hint("keep only `name`"));
            }
            Some(_) => {}
            None => {
                resource.insert("name".to_owned(), outer);
            }
        }
    }
    Ok(value)
}
