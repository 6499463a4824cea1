//! A script among a page's public files that sets a global: `window.__CONFIG__ = { apiBaseUrl: "/api" }`. The page
//! loads it before its own code, so that one image serves every installation.

use std::rc::Rc;

use crate::{
    context::{Context, has_extension, join},
    javascript::{Kind, Script},
    model::{Evidence, Role, RuntimeConfig, RuntimeSetting, Survey},
};

pub(in crate::detect) fn detect(context: &Context<'_>, survey: &mut Survey) {
    for service in survey.services.iter_mut().filter(|service| service.role == Role::Site) {
        let public = join(&service.path, "public");
        let Some(page) = context.repository.source(&join(&service.path, "index.html")) else { continue };
        service.runtime_config = context.repository.under(&public).find_map(|file| {
            let path = file.strip_prefix(public.as_str()).filter(|path| has_extension(path, "js"))?;
            let loaded = page.text().find(&format!("src=\"{path}\""))?;
            let mut config = settings(&context.script(file)?, path)?;
            let line = page.line_span(page.line_col(loaded).line);
            config.evidence.push(Evidence::new(&page, line, "the page loads it"));
            Some(config)
        });
    }
}

/// `window.NAME = { key: "value", … }`, and nothing but strings in it.
fn settings(script: &Rc<Script>, path: &str) -> Option<RuntimeConfig> {
    let at = (0..script.tokens.len()).find(|&at| {
        (script.is(at, "window") || script.is(at, "globalThis"))
            && script.is(at + 3, "=")
            && script.is(at + 4, "{")
    })?;
    let global = format!("{}.{}", script.text(at), script.text(at + 2));
    let mut settings = Vec::new();
    for key in script.arguments(at + 4) {
        let value = (key + 2..key + 3).find(|&at| script.kind(at) == Some(Kind::String))?;
        settings.push(RuntimeSetting {
            key: script.string(key).unwrap_or_else(|| script.text(key).to_owned()),
            default: script.string(value)?,
            evidence: vec![Evidence::new(&script.source, script.span(key, value), "the development value")],
        });
    }
    let evidence =
        Evidence::new(&script.source, script.span(at, at + 2), "settings that the page reads at run time");
    (!settings.is_empty()).then(|| RuntimeConfig {
        path: path.to_owned(),
        global,
        settings,
        evidence: vec![evidence],
    })
}
