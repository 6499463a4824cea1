//! Procfile: `name: command`, one a line.

use plimsoll_source::Source;

use super::{Platform, add};
use crate::model::Evidence;

pub(super) fn read(source: &Source, folder: &str, platform: &mut Platform) {
    for number in 1..=source.text().lines().count().min(200) {
        let span = source.line_span(number);
        let Some((name, command)) = source.slice(span).split_once(':') else { continue };
        let name = name.trim();
        let named = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        if !named || name.is_empty() || command.trim().is_empty() {
            continue;
        }
        let evidence = Evidence::new(source, span, format!("the Procfile starts `{name}` so"));
        add(platform, name, folder, command.trim(), evidence, false);
    }
}
