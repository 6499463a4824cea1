//! What a project means without saying it: the default network, implicit dependencies, names, build defaults.

use indexmap::IndexMap;

use crate::{
    paths,
    value::{Kind, Map, Origin, Value},
};

pub(super) fn normalise(tree: &mut Value, project: &str, env: &IndexMap<String, String>) {
    default_network(tree);
    for (_, service) in tree.get_mut("services").and_then(Value::as_map_mut).into_iter().flatten() {
        if let Some(service) = service.as_map_mut() {
            one_service(service, env);
        }
    }
    names(tree, project);
}

/// Services without networks join `default`, which exists only if someone is on it.
fn default_network(tree: &mut Value) {
    let mut used: Option<Origin> = None;
    for (_, value) in tree.get_mut("services").and_then(Value::as_map_mut).into_iter().flatten() {
        let origin = value.origin.clone();
        let Some(service) = value.as_map_mut() else { continue };
        if service.contains_key("provider") || service.contains_key("network_mode") {
            continue;
        }
        let joins_none =
            service.get("networks").is_none_or(|networks| networks.as_map().is_none_or(Map::is_empty));
        if joins_none {
            let default = Map::from([("default".to_owned(), Value::new(Kind::Null, &Origin::default()))]);
            service.insert("networks".to_owned(), Value::new(Kind::Map(default), &Origin::default()));
            used.get_or_insert(origin);
        } else if service.get("networks").and_then(|networks| networks.get("default")).is_some() {
            used.get_or_insert(origin);
        }
    }
    if used.is_some()
        && let Some(tree) = tree.as_map_mut()
    {
        let networks = tree
            .entry("networks".to_owned())
            .or_insert_with(|| Value::new(Kind::Map(Map::new()), &Origin::default()));
        if networks.is_null() {
            networks.kind = Kind::Map(Map::new());
        }
        if let Some(networks) = networks.as_map_mut() {
            networks
                .entry("default".to_owned())
                .or_insert_with(|| Value::new(Kind::Null, &Origin::default()));
        }
    }
}

fn one_service(service: &mut Map, env: &IndexMap<String, String>) {
    if let Some(policy) = service.get_mut("pull_policy")
        && policy.as_str() == Some("if_not_present")
    {
        policy.kind = Kind::String("missing".to_owned());
    }
    if let Some(build) = service.get_mut("build") {
        let origin = build.origin.clone();
        if let Some(build) = build.as_map_mut() {
            build.entry("context".to_owned()).or_insert_with(|| Value::string(".", &origin));
            if !build.contains_key("dockerfile") && !build.contains_key("dockerfile_inline") {
                build.insert("dockerfile".to_owned(), Value::string("Dockerfile", &Origin::default()));
            }
            if let Some(arguments) = build.get_mut("args").and_then(Value::as_map_mut) {
                fill(arguments, env);
                arguments.retain(|_, value| !value.is_null());
            }
        }
    }
    if let Some(environment) = service.get_mut("environment").and_then(Value::as_map_mut) {
        fill(environment, env);
    }
    let image = service.get("image").cloned();
    for hook in service.get_mut("pre_start").and_then(Value::as_list_mut).into_iter().flatten() {
        if let (Some(hook), Some(image)) = (hook.as_map_mut(), &image) {
            hook.entry("image".to_owned()).or_insert_with(|| image.clone());
        }
    }
    for mount in service.get_mut("volumes").and_then(Value::as_list_mut).into_iter().flatten() {
        if let Some(Value { kind: Kind::String(target), .. }) = mount.get_mut("target")
            && !target.is_empty()
        {
            *target = paths::clean(target);
        }
    }
    implicit_dependencies(service);
}

/// Gives keys without a value the value of the host's variable, if there is one.
pub(super) fn fill(map: &mut Map, env: &IndexMap<String, String>) {
    for (key, value) in map.iter_mut().filter(|(_, value)| value.is_null()) {
        if let Some(found) = env.get(key) {
            value.kind = Kind::String(found.clone());
        }
    }
}

fn implicit_dependencies(service: &mut Map) {
    let mut found: Vec<(String, bool, Origin)> = Vec::new();
    for link in service.get("links").and_then(Value::as_list).unwrap_or_default() {
        let text = link.scalar_text().unwrap_or_default();
        let name = text.split_once(':').map_or(text.as_str(), |(name, _)| name);
        found.push((name.to_owned(), true, link.origin.clone()));
    }
    for namespace in ["network_mode", "ipc", "pid", "uts", "cgroup"] {
        if let Some(value) = service.get(namespace)
            && let Some(name) = value.as_str().and_then(|text| text.strip_prefix("service:"))
        {
            found.push((name.to_owned(), true, value.origin.clone()));
        }
    }
    for from in service.get("volumes_from").and_then(Value::as_list).unwrap_or_default() {
        let text = from.scalar_text().unwrap_or_default();
        if !text.starts_with("container:") {
            let name = text.split_once(':').map_or(text.as_str(), |(name, _)| name);
            found.push((name.to_owned(), false, from.origin.clone()));
        }
    }
    if found.is_empty() {
        return;
    }
    let dependencies = service
        .entry("depends_on".to_owned())
        .or_insert_with(|| Value::new(Kind::Map(Map::new()), &Origin::default()));
    let Some(dependencies) = dependencies.as_map_mut() else { return };
    for (name, restart, origin) in found {
        dependencies.entry(name).or_insert_with(|| {
            let mut dependency = Map::from([
                ("condition".to_owned(), Value::string("service_started", &origin)),
                ("required".to_owned(), Value::new(Kind::Bool(true), &origin)),
            ]);
            if restart {
                dependency.insert("restart".to_owned(), Value::new(Kind::Bool(true), &origin));
            }
            Value::new(Kind::Map(dependency), &origin)
        });
    }
}

/// Resources are named `PROJECT_KEY` in the engine; external ones by their key.
fn names(tree: &mut Value, project: &str) {
    for section in ["networks", "volumes", "configs", "secrets"] {
        for (key, resource) in tree.get_mut(section).and_then(Value::as_map_mut).into_iter().flatten() {
            if resource.is_null() {
                resource.kind = Kind::Map(Map::new());
            }
            let Some(resource) = resource.as_map_mut() else { continue };
            if resource.get("name").is_some_and(|name| !name.is_null()) {
                continue;
            }
            let external = resource.get("external").is_some_and(|external| external.kind == Kind::Bool(true));
            let name = if external { key.clone() } else { format!("{project}_{key}") };
            resource.insert("name".to_owned(), Value::string(name, &Origin::default()));
        }
    }
}
