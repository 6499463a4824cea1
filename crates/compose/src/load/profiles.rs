use std::collections::HashSet;

use plimsoll_source::Diagnostic;

use crate::{options::LoadOptions, value::Value};

/// The names of the services that take part: those of active profiles, and of these only what the caller selected,
/// with what it depends on. A selected service is enabled whatever its profiles, and they are active then.
pub(super) fn enabled(tree: &Value, options: &LoadOptions) -> Result<HashSet<String>, Vec<Diagnostic>> {
    let mut enabled = HashSet::new();
    let Some(services) = tree.get("services").and_then(Value::as_map) else { return Ok(enabled) };
    let all = options.profiles.iter().any(|profile| profile == "*");
    let of = |service: &'_ Value| -> Vec<String> {
        let profiles = service.get("profiles").and_then(Value::as_list).unwrap_or_default();
        profiles.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut active: HashSet<String> = options.profiles.iter().cloned().collect();
    active.extend(options.services.iter().filter_map(|name| services.get(name)).flat_map(of));
    for (name, service) in services {
        let profiles = of(service);
        let active = profiles.iter().any(|profile| active.contains(profile));
        if all || profiles.is_empty() || active {
            enabled.insert(name.clone());
        }
    }
    if options.services.is_empty() {
        return Ok(enabled);
    }
    let mut selected = HashSet::new();
    let mut todo: Vec<(&str, bool)> = options.services.iter().map(|name| (name.as_str(), true)).collect();
    while let Some((name, wanted)) = todo.pop() {
        let Some(service) = services.get(name) else {
            if wanted {
                let known: Vec<&str> = services.keys().map(String::as_str).collect();
                let error = Diagnostic::error(format!("no such service: `{name}`"));
                return Err(vec![error.note(format!("services of the project: {}", known.join(", ")))]);
            }
            continue;
        };
        if (!wanted && !enabled.contains(name)) || !selected.insert(name.to_owned()) {
            continue;
        }
        let dependencies = service.get("depends_on").and_then(Value::as_map);
        todo.extend(dependencies.into_iter().flat_map(|map| map.keys()).map(|name| (name.as_str(), false)));
    }
    Ok(selected)
}
