//! render.yaml: services with their start commands and health paths.

use plimsoll_source::{
    Source,
    yaml::{Expanded, ExpandedKind},
};

use super::{Platform, add};
use crate::{
    context::join,
    detect::yaml_file::{get, items, parse, scalar},
    model::{Evidence, Fact},
};

pub(super) fn read(source: &Source, folder: &str, platform: &mut Platform) {
    let Ok(Some(root)) = parse(source) else { return };
    let Some((_, services)) = get(&root, "services") else { return };
    for service in items(services).iter().filter(|item| matches!(item.kind, ExpandedKind::Mapping(_))) {
        read_service(source, folder, service, platform);
    }
}

fn read_service(source: &Source, folder: &str, service: &Expanded, platform: &mut Platform) {
    let text = |key: &str| {
        get(service, key).and_then(|(key, value)| Some((key.to(value.span), scalar(value)?.to_owned())))
    };
    let root = text("rootDir").map_or_else(String::new, |(_, root)| root.trim_matches(['.', '/']).to_owned());
    let folder = if root.is_empty() { folder.to_owned() } else { join(folder, &root) };
    let process = match text("type").map(|(_, kind)| kind).as_deref() {
        Some("web" | "pserv") => "web",
        Some("worker") => "worker",
        _ => return,
    };
    for (key, process) in [("startCommand", process), ("preDeployCommand", "release")] {
        if let Some((span, command)) = text(key) {
            add(
                platform,
                process,
                &folder,
                &command,
                Evidence::new(source, span, "Render starts it so"),
                false,
            );
        }
    }
    if let Some((span, path)) = text("healthCheckPath").filter(|(_, path)| path.starts_with('/')) {
        let fact = Fact::new(path, Evidence::new(source, span, "Render asks this path for health"));
        platform.health.push((folder, fact));
    }
}
