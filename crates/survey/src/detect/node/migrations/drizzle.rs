//! Drizzle: migrations that the run-time migrator applies, or at least the SQL files of drizzle-kit.

use std::rc::Rc;

use super::{Found, Owner};
use crate::{
    context::{has_extension, join},
    detect::node::build,
    javascript::Script,
    model::{Evidence, Fact, Migration},
};

pub(super) fn find(place: &Owner<'_>) -> Option<Found> {
    let dependency = place.manifest.dependency("drizzle-orm")?;
    let folder = folder(place);
    let script = place.script();
    let config = config(place);
    let command = script
        .as_ref()
        .and_then(|(_, command, _)| command.clone())
        .or_else(|| migrator(place))
        .or_else(|| kit(place, config.as_ref().filter(|_| folder.is_some())?));
    if folder.is_none() && command.is_none() {
        let config = config?;
        let gap = place.gap(
            "a Drizzle schema without migrations: nothing makes the tables, and the stack begins with an empty database",
            "write them with `drizzle-kit generate` and commit the folder",
            vec![Evidence::file(config.source.name(), "settings of drizzle-kit")],
        );
        let tool = place.tool(dependency.name)?;
        let migration = Migration { tool, script: None, command: None, folder: None, files: Vec::new() };
        return Some(Found { migration, gap: Some(gap) });
    }
    let gap = command.is_none().then(|| {
        place.gap(
            "its migrations cannot be run in production, and the stack begins with an empty database: there is no program that applies them",
            "add a program with the run-time migrator, and a script `db:migrate:ci`: \"node dist/migrate.js\"",
            folder.as_ref().map(|folder| folder.evidence.clone()).unwrap_or_default(),
        )
    });
    let tool = place.tool(dependency.name)?;
    let script = script.map(|(script, ..)| script);
    Some(Found { migration: Migration { tool, script, command, folder, files: Vec::new() }, gap })
}

/// Its file of settings.
fn config(place: &Owner<'_>) -> Option<Rc<Script>> {
    ["drizzle.config.ts", "drizzle.config.js", "drizzle.config.mjs"]
        .iter()
        .find_map(|file| place.context.script(&join(&place.manifest.folder, file)))
}

/// `drizzle-kit migrate`, which reads its settings, whatever they import, and the SQL files.
fn kit(place: &Owner<'_>, config: &Script) -> Option<Fact<Vec<String>>> {
    let kit = place.manifest.any_dependency("drizzle-kit")?;
    // In a library of the repository its packages lie elsewhere.
    (place.manifest.folder == place.service.path).then_some(())?;
    let file = config.source.name().rsplit('/').next()?;
    let words = ["node", "node_modules/drizzle-kit/bin.cjs", "migrate", "--config", file].map(str::to_owned);
    let evidence = Evidence::new(&place.manifest.source, kit.span, "applies migrations");
    Some(Fact::new(words.to_vec(), evidence))
}

/// `out` of drizzle.config.ts, where there are SQL files.
fn folder(place: &Owner<'_>) -> Option<Fact<String>> {
    let named = config(place).and_then(|script| {
        let at = (0..script.tokens.len()).find(|&at| script.is(at, "out") && script.is(at + 1, ":"))?;
        let value = script.string(at + 2)?.trim_start_matches("./").trim_end_matches('/').to_owned();
        let evidence =
            Evidence::new(&script.source, script.span(at, at + 2), "where drizzle-kit writes migrations");
        Some(Fact::new(value, evidence))
    });
    let (name, mut evidence) =
        named.map_or_else(|| ("drizzle".to_owned(), Vec::new()), |named| (named.value, named.evidence));
    let found = place.folder(std::slice::from_ref(&name), |file| has_extension(file, "sql"))?;
    evidence.extend(found.evidence);
    Some(Fact { value: found.value, evidence })
}

/// A source file that imports the run-time migrator, as it is called after the build.
fn migrator(place: &Owner<'_>) -> Option<Fact<Vec<String>>> {
    place.context.scripts_of(&place.manifest.folder).iter().find_map(|script: &Rc<Script>| {
        let at = (0..script.tokens.len()).find(|&at| {
            script
                .string(at)
                .is_some_and(|text| text.starts_with("drizzle-orm/") && text.ends_with("/migrator"))
        })?;
        let below = script.source.name().get(place.manifest.folder.len()..)?.trim_start_matches('/');
        // A server that migrates at its start has no program of its own for it.
        let stem = below.rsplit('/').next()?.split('.').next()?;
        stem.contains("migrat").then_some(())?;
        let plain = [".js", ".mjs", ".cjs"].iter().any(|end| below.ends_with(end));
        let file = if plain { below.to_owned() } else { build::built(place.context, place.manifest, below)? };
        let evidence = Evidence::new(&script.source, script.span(at, at), "imports the run-time migrator");
        Some(Fact::new(place.in_service(vec!["node".to_owned(), file]), evidence))
    })
}
