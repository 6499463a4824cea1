//! Drizzle: migrations that the run-time migrator applies, or at least the SQL files of drizzle-kit.

use std::rc::Rc;

use super::{Found, Place};
use crate::{
    context::{has_extension, join},
    detect::node::build,
    javascript::Script,
    model::{Evidence, Fact, Migration},
};

pub(super) fn find(place: &Place<'_>) -> Option<Found> {
    let dependency = place.manifest.dependency("drizzle-orm")?;
    let folder = folder(place);
    let script = place.script();
    let command = script.as_ref().and_then(|(_, command, _)| command.clone()).or_else(|| migrator(place));
    if folder.is_none() && command.is_none() {
        return None;
    }
    let gap = command.is_none().then(|| {
        place.gap(
            "its migrations cannot be run in production: there is no program that applies them",
            "add a program with the run-time migrator, and a script `db:migrate:ci`: \"node dist/migrate.js\"",
            folder.as_ref().map(|folder| folder.evidence.clone()).unwrap_or_default(),
        )
    });
    let tool = place.tool(dependency.name)?;
    let script = script.map(|(script, ..)| script);
    Some(Found { migration: Migration { tool, script, command, folder, files: Vec::new() }, gap })
}

/// `out` of drizzle.config.ts, where there are SQL files.
fn folder(place: &Place<'_>) -> Option<Fact<String>> {
    let config = ["drizzle.config.ts", "drizzle.config.js", "drizzle.config.mjs"]
        .iter()
        .find_map(|file| place.context.script(&join(&place.manifest.folder, file)));
    let named = config.and_then(|script| {
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
fn migrator(place: &Place<'_>) -> Option<Fact<Vec<String>>> {
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
