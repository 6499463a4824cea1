//! Vite: a package with an index.html that Vite builds is a static site.

use super::services;
use crate::{
    context::{Context, join},
    model::{Evidence, Fact, Framework, Role, Survey},
};

const CONFIGS: [&str; 4] = ["vite.config.ts", "vite.config.js", "vite.config.mts", "vite.config.mjs"];

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    for folder in services::folders(survey) {
        let Some(manifest) = context.manifest(&folder) else { continue };
        let page = join(&folder, "index.html");
        let Some(dependency) = manifest.any_dependency("vite").filter(|_| context.repository.contains(&page))
        else {
            continue;
        };
        // A server that renders pages with Vite stays a server.
        if survey.service_mut(&folder).is_some() {
            continue;
        }
        let mut tool: Framework = services::framework(manifest, &dependency, "builds pages");
        tool.evidence.push(Evidence::file(&page, "the page that Vite builds"));
        let output = output(context, &folder)
            .unwrap_or_else(|| Fact { value: "dist".to_owned(), evidence: tool.evidence.clone() });
        services::add(survey, manifest, Role::Site, tool);
        if let Some(service) = survey.service_mut(&folder) {
            service.output = Some(output);
        }
    }
}

/// `outDir` of the configuration.
fn output(context: &Context<'_>, folder: &str) -> Option<Fact<String>> {
    let script = CONFIGS.iter().find_map(|file| context.script(&join(folder, file)))?;
    let at = (0..script.tokens.len()).find(|&at| script.is(at, "outDir") && script.is(at + 1, ":"))?;
    let value = script.string(at + 2)?.trim_start_matches("./").to_owned();
    let evidence = Evidence::new(&script.source, script.span(at, at + 2), "where Vite writes");
    Some(Fact::new(value, evidence))
}
