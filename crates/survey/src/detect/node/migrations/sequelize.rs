//! Sequelize, by its command line.

use super::{Found, Owner};
use crate::{
    context::join,
    model::{Evidence, Fact, Migration},
};

pub(super) fn find(place: &Owner<'_>) -> Option<Found> {
    let tool = place.tool("sequelize-cli")?;
    let names = ["migrations", "db/migrations", "src/migrations", "src/db/migrations", "database/migrations"];
    let folder = place.folder(&names.map(str::to_owned), |file| file.ends_with("js"))?;
    let script = place.script();
    let own = script.as_ref().and_then(|(_, command, _)| command.clone());
    let cli = place.cli("sequelize-cli", &["node", "node_modules/sequelize-cli/lib/sequelize", "db:migrate"]);
    let files = [".sequelizerc", "config/config.json", "config/config.js"].iter().filter_map(|file| {
        let path = join(&place.manifest.folder, file);
        let there = place.context.repository.contains(&path);
        there.then(|| Fact::new(place.path(file), Evidence::file(&path, "settings of Sequelize")))
    });
    Some(Found {
        migration: Migration {
            tool,
            script: script.map(|(script, ..)| script),
            command: own.or(cli),
            folder: Some(folder),
            files: files.collect(),
        },
        gap: None,
    })
}
