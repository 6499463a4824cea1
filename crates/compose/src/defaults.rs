//! Values that the specification gives to attributes that are not there.

use crate::{
    path::Path,
    value::{Kind, Origin, Value},
};

#[derive(Clone, Copy)]
enum Default {
    Context,
    SecretTarget,
    Port,
    Device,
    Bind,
}

const DEFAULTS: &[(&str, Default)] = &[
    ("services.*.build", Default::Context),
    ("services.*.secrets.*", Default::SecretTarget),
    ("services.*.ports.*", Default::Port),
    ("services.*.deploy.resources.reservations.devices.*", Default::Device),
    ("services.*.gpus.*", Default::Device),
    ("services.*.volumes.*.bind", Default::Bind),
];

pub(crate) fn set(tree: &mut Value) {
    walk(tree, &Path::ROOT);
}

fn walk(value: &mut Value, path: &Path<'_>) {
    if let Some(default) = path.find(DEFAULTS) {
        apply(*default, value);
    }
    match &mut value.kind {
        Kind::Map(map) => map.iter_mut().for_each(|(key, value)| walk(value, &path.key(key))),
        Kind::List(items) => items.iter_mut().enumerate().for_each(|(at, value)| walk(value, &path.item(at))),
        _ => {}
    }
}

fn apply(default: Default, value: &mut Value) {
    let Some(map) = value.as_map_mut() else { return };
    let made = Origin::default();
    let mut add = |key: &str, kind: Kind| {
        map.entry(key.to_owned()).or_insert_with(|| Value::new(kind, &made));
    };
    match default {
        Default::Context => add("context", Kind::String(".".to_owned())),
        Default::SecretTarget => {
            let source = map.get("source").and_then(Value::as_str).map(str::to_owned);
            if let Some(source) = source {
                map.entry("target".to_owned())
                    .or_insert_with(|| Value::string(format!("/run/secrets/{source}"), &made));
            }
        }
        Default::Port => {
            add("protocol", Kind::String("tcp".to_owned()));
            add("mode", Kind::String("ingress".to_owned()));
        }
        Default::Device => {
            if !map.contains_key("count") && !map.contains_key("device_ids") {
                map.insert("count".to_owned(), Value::new(Kind::Int(-1), &made));
            }
        }
        Default::Bind => add("create_host_path", Kind::Bool(true)),
    }
}
