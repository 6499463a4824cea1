//! Knex.

use super::{Found, Owner};
use crate::{
    context::{has_extension, join},
    model::{Evidence, Fact, Migration},
};

pub(super) fn find(place: &Owner<'_>) -> Option<Found> {
    let tool = place.tool("knex")?;
    let names = ["migrations", "db/migrations", "src/migrations", "src/db/migrations", "database/migrations"];
    let folder = place.folder(&names.map(str::to_owned), |file| {
        [".js", ".ts", ".cjs", ".mjs"].iter().any(|end| file.ends_with(end))
    })?;
    let config = ["knexfile.js", "knexfile.cjs", "knexfile.mjs", "knexfile.ts"]
        .iter()
        .find(|file| place.context.repository.contains(&join(&place.manifest.folder, file)));
    let script = place.script();
    let own = script.as_ref().and_then(|(_, command, _)| command.clone());
    let cli = place.cli("knex", &["node", "node_modules/knex/bin/cli.js", "migrate:latest"]);
    let typed =
        config.is_some_and(|file| has_extension(file, "ts")) || has_extension(&folder.evidence[0].file, "ts");
    let gap = (typed && own.is_none()).then(|| {
        place.gap(
            "Knex's settings or migrations are TypeScript: its command line cannot read them in production",
            "write them in JavaScript, or add a program that is built and applies them",
            folder.evidence.clone(),
        )
    });
    let files = config.map(|file| {
        let path = join(&place.manifest.folder, file);
        Fact::new(place.path(file), Evidence::file(&path, "settings of Knex"))
    });
    Some(Found {
        migration: Migration {
            tool,
            script: script.map(|(script, ..)| script),
            command: own.or(cli.filter(|_| !typed)),
            folder: Some(folder),
            files: files.into_iter().collect(),
        },
        gap,
    })
}
