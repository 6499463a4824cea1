//! fly.toml: processes, the release command, the inner port and health checks.

use plimsoll_source::Source;

use super::{Expected, Platform, add};
use crate::{
    model::{Evidence, Fact},
    toml,
};

pub(super) fn read(source: &Source, folder: &str, platform: &mut Platform) {
    let Ok(root) = toml::parse(source) else { return };
    for member in root.at(&["processes"]).map_or(&[][..], toml::Value::members) {
        let Some(text) = member.value.str() else { continue };
        let process = if member.key == "app" { "web" } else { &member.key };
        let evidence = Evidence::new(source, member.key_span.to(member.value.span), "Fly.io starts it so");
        add(platform, process, folder, text, evidence, false);
    }
    if let Some(release) = root.at(&["deploy", "release_command"])
        && let Some(text) = release.str()
    {
        let evidence = Evidence::new(source, release.span, "Fly.io runs it before each release");
        add(platform, "release", folder, text, evidence, false);
    }
    let service = root.at(&["http_service"]).or_else(|| root.at(&["services"])?.items().first());
    let Some(service) = service else { return };
    if let Some(port) = service.at(&["internal_port"])
        && let Some(number) = port.scalar().and_then(|text| text.parse().ok())
    {
        let port = Fact::new(number, Evidence::new(source, port.span, "the port that Fly.io asks"));
        platform.ports.push(Expected { folder: folder.to_owned(), port });
    }
    for check in
        ["checks", "http_checks"].iter().filter_map(|key| service.at(&[key])).flat_map(toml::Value::items)
    {
        if let Some(path) = check.at(&["path"])
            && let Some(text) = path.str().filter(|text| text.starts_with('/'))
        {
            let fact = Fact::new(
                text.to_owned(),
                Evidence::new(source, path.span, "Fly.io asks this path for health"),
            );
            platform.health.push((folder.to_owned(), fact));
        }
    }
}
