//! `build --print`: the builds of a project as a file of `docker buildx bake`.

use std::process::ExitCode;

use plimsoll_compose::{Project, Service};
use plimsoll_ops::{Failure, builds};
use serde_json::{Map, Value, json};

/// Prints the targets of these services, of all if none is named.
pub(super) fn print(project: &Project, services: &[String]) -> Result<ExitCode, Failure> {
    let mut targets = Map::new();
    for (name, service) in &project.services {
        if service.build.is_some() && (services.is_empty() || services.contains(name)) {
            targets.insert(name.clone(), target(project, name, service)?);
        }
    }
    let names: Vec<&String> = targets.keys().collect();
    let file = json!({ "group": { "default": { "targets": names } }, "target": targets });
    let text = serde_json::to_string_pretty(&file)?;
    println!("{text}");
    Ok(ExitCode::SUCCESS)
}

fn target(project: &Project, name: &str, service: &Service) -> Result<Value, Failure> {
    let build = service.build.clone().unwrap_or_default();
    let mut tags = vec![builds::image_name(project, name, service)?.familiar()];
    tags.extend(build.tags.iter().filter(|tag| !tags.contains(tag)).cloned().collect::<Vec<_>>());
    let mut target = Map::new();
    let mut put = |key: &str, value: Value| {
        let empty = match &value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(map) => map.is_empty(),
            Value::Bool(on) => !on,
            Value::Number(_) => false,
        };
        if !empty {
            target.insert(key.to_owned(), value);
        }
    };
    put("context", json!(build.context.unwrap_or_else(|| ".".to_owned())));
    match build.dockerfile_inline {
        Some(text) => put("dockerfile-inline", json!(text)),
        None => put("dockerfile", json!(build.dockerfile.unwrap_or_else(|| "Dockerfile".to_owned()))),
    }
    let args: Map<String, Value> =
        build.args.0.into_iter().filter_map(|(key, value)| Some((key, json!(value?)))).collect();
    put("args", Value::Object(args));
    let labels: Map<String, Value> =
        build.labels.0.into_iter().map(|(key, value)| (key, json!(value))).collect();
    put("labels", Value::Object(labels));
    let contexts: Map<String, Value> = build
        .additional_contexts
        .0
        .into_iter()
        .map(|(key, value)| {
            // bake calls the image of another target so
            let value = value.strip_prefix("service:").map_or(value.clone(), |of| format!("target:{of}"));
            (key, json!(value))
        })
        .collect();
    put("contexts", Value::Object(contexts));
    put("tags", json!(tags));
    put("cache-from", json!(build.cache_from));
    put("cache-to", json!(build.cache_to));
    put("target", json!(build.target));
    put("platforms", json!(build.platforms));
    put("ssh", json!(build.ssh));
    put("network", json!(build.network));
    put("no-cache", json!(build.no_cache));
    put("pull", json!(build.pull));
    let secrets: Vec<String> = build
        .secrets
        .iter()
        .filter_map(|reference| {
            let source = reference.source.as_deref()?;
            let id = reference.target.as_deref().unwrap_or(source);
            let found = project.secrets.get(source)?;
            match (&found.file, &found.environment) {
                (Some(file), _) => Some(format!("id={id},type=file,src={file}")),
                (None, Some(variable)) => Some(format!("id={id},type=env,env={variable}")),
                (None, None) => None,
            }
        })
        .collect();
    put("secret", json!(secrets));
    put("output", json!(["type=docker"]));
    Ok(Value::Object(target))
}
