//! Prisma: its command line applies what `prisma migrate dev` wrote.

use super::{Found, Owner};
use crate::{
    context::has_extension,
    detect::node::clients::prisma::schema,
    model::{Evidence, Fact, Migration},
};

pub(super) fn find(place: &Owner<'_>) -> Option<Found> {
    let manifest = place.manifest;
    manifest.any_dependency("prisma")?;
    let schema = schema(place.context, manifest)?;
    let folder = schema.rsplit_once('/').map_or("", |(folder, _)| folder);
    let below = folder.get(manifest.folder.len()..)?.trim_start_matches('/').to_owned();
    let names = [if below.is_empty() { "migrations".to_owned() } else { format!("{below}/migrations") }];
    let migrations = place.folder(&names, |file| has_extension(file, "sql"));
    let tool = place.tool("prisma")?;
    let script = place.script();
    let Some(migrations) = migrations else {
        // Prisma has no migrations for MongoDB: a collection is there with its first document.
        if is_mongodb(place, &schema) {
            let gap = place.gap(
                "Prisma keeps no migrations for MongoDB: no job makes the indexes of its schema",
                "run `prisma db push` once against the new database where the schema has `@unique` or `@@index`",
                vec![Evidence::file(&schema, "the schema")],
            );
            let migration = Migration { tool, script: None, command: None, folder: None, files: Vec::new() };
            return Some(Found { migration, gap: Some(gap) });
        }
        // `prisma db push` changes a database without a record.
        let gap = place.gap(
            "a Prisma schema without migrations: nothing makes the tables in production",
            "write them with `prisma migrate dev` and commit the folder",
            vec![Evidence::file(&schema, "the schema")],
        );
        let migration = Migration { tool, script: None, command: None, folder: None, files: Vec::new() };
        return Some(Found { migration, gap: Some(gap) });
    };
    let cli = place.cli("prisma", &["node", "node_modules/prisma/build/index.js", "migrate", "deploy"]);
    let own = script.as_ref().and_then(|(_, command, _)| command.clone());
    let mut files = vec![Fact::new(place.path(&below), Evidence::file(&schema, "the schema"))];
    for config in ["prisma.config.ts", "prisma.config.js", "prisma.config.mjs"] {
        let path = crate::context::join(&manifest.folder, config);
        if place.context.repository.contains(&path) {
            files.push(Fact::new(place.path(config), Evidence::file(&path, "settings of Prisma")));
        }
    }
    Some(Found {
        migration: Migration {
            tool,
            script: script.map(|(script, ..)| script),
            command: own.or(cli),
            folder: Some(migrations),
            files,
        },
        gap: None,
    })
}

fn is_mongodb(place: &Owner<'_>, schema: &str) -> bool {
    place.context.repository.source(schema).is_some_and(|source| {
        source.text().lines().any(|line| {
            let mut words = line.split(['=', ' ', '\t', '"']).filter(|word| !word.is_empty());
            words.next() == Some("provider") && words.next() == Some("mongodb")
        })
    })
}
