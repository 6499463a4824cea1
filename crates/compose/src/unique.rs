//! Lists whose entries have an identity: a later entry takes the place of the earlier one.

use indexmap::IndexMap;
use plimsoll_source::Diagnostic;

use crate::{
    mounts,
    path::Path,
    value::{Kind, Value},
};

#[derive(Clone, Copy)]
enum Identity {
    /// What stands in front of `=`.
    Key,
    /// The text itself.
    Text,
    /// The path in the container.
    MountTarget,
    /// The path of the device in the container.
    DeviceTarget,
    /// The path of a config or secret; the folder for a name alone.
    FileTarget(&'static str),
    /// Address, ports and protocol.
    Port,
    /// The path.
    EnvFile,
}

const UNIQUE: &[(&str, Identity)] = &[
    ("networks.*.labels", Identity::Key),
    ("networks.*.ipam.options", Identity::Key),
    ("volumes.*.labels", Identity::Key),
    ("services.*.annotations", Identity::Key),
    ("services.*.build.additional_contexts", Identity::Key),
    ("services.*.build.args", Identity::Key),
    ("services.*.build.platform", Identity::Key),
    ("services.*.build.tags", Identity::Key),
    ("services.*.build.labels", Identity::Key),
    ("services.*.build.ssh", Identity::Key),
    ("services.*.cap_add", Identity::Key),
    ("services.*.cap_drop", Identity::Key),
    ("services.*.devices", Identity::DeviceTarget),
    ("services.*.configs", Identity::FileTarget("")),
    ("services.*.deploy.labels", Identity::Key),
    ("services.*.dns", Identity::Key),
    ("services.*.dns_opt", Identity::Key),
    ("services.*.dns_search", Identity::Key),
    ("services.*.environment", Identity::Key),
    ("services.*.env_file", Identity::EnvFile),
    ("services.*.expose", Identity::Text),
    ("services.*.label_file", Identity::Text),
    ("services.*.labels", Identity::Key),
    ("services.*.links", Identity::Key),
    ("services.*.networks.*.aliases", Identity::Key),
    ("services.*.networks.*.link_local_ips", Identity::Key),
    ("services.*.ports", Identity::Port),
    ("services.*.profiles", Identity::Key),
    ("services.*.secrets", Identity::FileTarget("/run/secrets")),
    ("services.*.sysctls", Identity::Key),
    ("services.*.tmpfs", Identity::Key),
    ("services.*.volumes", Identity::MountTarget),
    ("services.*.volumes.*.volume.labels", Identity::Key),
];

/// Removes from the lists of `value` at `path` what is given again.
pub(crate) fn enforce(value: &mut Value, path: &Path<'_>) -> Result<(), Diagnostic> {
    match &mut value.kind {
        Kind::Map(map) => {
            for (key, value) in map {
                let path = path.key(key);
                if !path.is_extension() {
                    enforce(value, &path)?;
                }
            }
        }
        Kind::List(items) => {
            if let Some(identity) = path.find(UNIQUE) {
                let mut seen: IndexMap<String, Value> = IndexMap::with_capacity(items.len());
                for (at, item) in items.drain(..).enumerate() {
                    let key = key_of(*identity, &item, &path.item(at))?;
                    seen.insert(key, item);
                }
                items.extend(seen.into_values());
            }
            for (at, item) in items.iter_mut().enumerate() {
                enforce(item, &path.item(at))?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn key_of(identity: Identity, item: &Value, path: &Path<'_>) -> Result<String, Diagnostic> {
    let text = item.scalar_text();
    let field = |name: &str| item.get(name).and_then(Value::scalar_text);
    let missing = |what: &str| item.origin.error(format!("`{path}` is missing its {what}"));
    Ok(match (identity, text) {
        (Identity::Key, Some(text)) => text.split_once('=').map_or(text.as_str(), |(key, _)| key).to_owned(),
        (Identity::EnvFile, None) => field("path").ok_or_else(|| missing("path"))?,
        (Identity::MountTarget, Some(text)) => match mounts::parse(&text) {
            Ok(mount) => mount.target.unwrap_or(text),
            // A text with variables is read once they are replaced.
            Err(_) if text.contains('$') => text,
            Err(error) => return Err(item.origin.error(format!("`{path}`: {error}"))),
        },
        (Identity::MountTarget, None) => field("target").ok_or_else(|| missing("mount target"))?,
        (Identity::DeviceTarget, Some(text)) => text.split(':').nth(1).unwrap_or(&text).to_owned(),
        (Identity::DeviceTarget, None) => field("target").ok_or_else(|| missing("target"))?,
        (Identity::FileTarget(folder), Some(text)) => format!("{folder}/{text}"),
        (Identity::FileTarget(folder), None) => field("target")
            .or_else(|| field("source").map(|source| format!("{folder}/{source}")))
            .unwrap_or_default(),
        (Identity::Port, None) => {
            let target = field("target").ok_or_else(|| missing("target port"))?;
            let host = field("host_ip").unwrap_or_else(|| "0.0.0.0".to_owned());
            let protocol = field("protocol").unwrap_or_else(|| "tcp".to_owned());
            format!("{host}:{}:{target}/{protocol}", field("published").unwrap_or_default())
        }
        (_, Some(text)) => text,
        // Entries of the wrong kind are the schema's business; none may disappear before it.
        (_, None) => format!("\0{path}"),
    })
}
