//! Heroku's app.json: the scripts that it runs.

use plimsoll_source::{Source, json};

use super::{Platform, add};
use crate::model::Evidence;

pub(super) fn read(source: &Source, folder: &str, platform: &mut Platform) {
    let Ok(root) = json::parse(source) else { return };
    let Some(scripts) = root.get("scripts") else { return };
    let Some(script) = scripts.value.get("postdeploy") else { return };
    let Some(text) = script.value.str() else { return };
    let evidence = Evidence::new(source, script.span(), "Heroku runs it after the first release");
    add(platform, "postdeploy", folder, text, evidence, true);
}
