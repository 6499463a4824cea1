//! Drizzle: migrations that the run-time migrator applies, or at least the SQL files of drizzle-kit.

use crate::{
    context::{Context, has_extension, join},
    detect::{package_scripts::node_file, services},
    javascript::Script,
    manifest::Manifest,
    model::{Evidence, Fact, Migration, Survey},
};

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    for service in &mut survey.services {
        let Some(manifest) = context.manifest(&service.path) else { continue };
        let Some(dependency) = manifest.dependency("drizzle-orm") else { continue };
        let folder = folder(context, &service.path);
        let script = script(manifest);
        let command = script
            .as_ref()
            .and_then(|script| {
                let command = manifest.script(&script.value)?.0;
                let command = vec!["node".to_owned(), node_file(command)?.to_owned()];
                Some(Fact { value: command, evidence: script.evidence.clone() })
            })
            .or_else(|| migrator(context, &service.path, service.output.as_ref()?.value.as_str()));
        if folder.is_none() && command.is_none() {
            continue;
        }
        let tool = services::framework(manifest, &dependency, "applies migrations");
        service.migration = Some(Migration { tool, script, command, folder, files: Vec::new() });
    }
}

/// The script that production should run: the one for CI first, then the plain one.
fn script(manifest: &Manifest) -> Option<Fact<String>> {
    ["db:migrate:ci", "db:migrate", "migrate"].iter().find_map(|name| {
        let (command, span) = manifest.script(name)?;
        let evidence = Evidence::new(&manifest.source, span, format!("applies the migrations: {command}"));
        Some(Fact::new((*name).to_owned(), evidence))
    })
}

/// `out` of drizzle.config.ts, where there are SQL files.
fn folder(context: &Context<'_>, service: &str) -> Option<Fact<String>> {
    let config = ["drizzle.config.ts", "drizzle.config.js", "drizzle.config.mjs"]
        .iter()
        .find_map(|file| context.script(&join(service, file)));
    let named = config.and_then(|script| {
        let at = (0..script.tokens.len()).find(|&at| script.is(at, "out") && script.is(at + 1, ":"))?;
        let value = script.string(at + 2)?.trim_start_matches("./").trim_end_matches('/').to_owned();
        let evidence =
            Evidence::new(&script.source, script.span(at, at + 2), "where drizzle-kit writes migrations");
        Some(Fact::new(value, evidence))
    });
    let (name, mut evidence) =
        named.map_or_else(|| ("drizzle".to_owned(), Vec::new()), |named| (named.value, named.evidence));
    let first = context.repository.under(&join(service, &name)).find(|file| has_extension(file, "sql"))?;
    evidence.push(Evidence::file(first, "a migration"));
    Some(Fact { value: name, evidence })
}

/// A source file that imports the run-time migrator, as it is called after the build.
fn migrator(context: &Context<'_>, service: &str, output: &str) -> Option<Fact<Vec<String>>> {
    context.program(service).iter().find_map(|script: &std::rc::Rc<Script>| {
        let at = (0..script.tokens.len()).find(|&at| {
            script
                .string(at)
                .is_some_and(|text| text.starts_with("drizzle-orm/") && text.ends_with("/migrator"))
        })?;
        let name = script.source.name().strip_prefix(&join(service, "src/"))?;
        let stem = name.rsplit_once('.')?.0;
        let evidence = Evidence::new(&script.source, script.span(at, at), "imports the run-time migrator");
        Some(Fact::new(vec!["node".to_owned(), format!("{output}/{stem}.js")], evidence))
    })
}
