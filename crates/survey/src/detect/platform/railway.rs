//! railway.json and railway.toml: the start command, what runs before a release, the health path.

use plimsoll_source::{Source, Span, json};

use super::{Platform, add};
use crate::{
    model::{Evidence, Fact},
    toml,
};

pub(super) fn read_json(source: &Source, folder: &str, platform: &mut Platform) {
    let Ok(root) = json::parse(source) else { return };
    let Some(deploy) = root.get("deploy") else { return };
    for key in KEYS {
        if let Some(member) = deploy.value.get(key)
            && let Some(text) = member.value.str()
        {
            said(source, folder, platform, (key, text, member.span()));
        }
    }
}

pub(super) fn read_toml(source: &Source, folder: &str, platform: &mut Platform) {
    let Ok(root) = toml::parse(source) else { return };
    for key in KEYS {
        if let Some(value) = root.at(&["deploy", key])
            && let Some(text) = value.str()
        {
            said(source, folder, platform, (key, text, value.span));
        }
    }
}

const KEYS: [&str; 3] = ["startCommand", "preDeployCommand", "healthcheckPath"];

fn said(source: &Source, folder: &str, platform: &mut Platform, (key, text, span): (&str, &str, Span)) {
    match key {
        "startCommand" => {
            add(platform, "web", folder, text, Evidence::new(source, span, "Railway starts it so"), false);
        }
        "preDeployCommand" => {
            let evidence = Evidence::new(source, span, "Railway runs it before each release");
            add(platform, "release", folder, text, evidence, false);
        }
        _ if text.starts_with('/') => {
            let evidence = Evidence::new(source, span, "Railway asks this path for health");
            platform.health.push((folder.to_owned(), Fact::new(text.to_owned(), evidence)));
        }
        _ => {}
    }
}
