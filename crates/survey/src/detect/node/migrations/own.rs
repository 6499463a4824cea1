//! SQL files that a program of the project applies, or nothing does.

use super::{Found, Owner};
use crate::{
    context::has_extension,
    model::{Evidence, Framework, Migration},
};

/// Folders by their usual names.
const FOLDERS: [&str; 10] = [
    "migrations",
    "db/migrations",
    "sql/migrations",
    "database/migrations",
    "db/migrate",
    "src/migrations",
    "src/db/migrations",
    "sql",
    "db",
    "database",
];

pub(super) fn find(place: &Owner<'_>) -> Option<Found> {
    let folder = place.folder(&FOLDERS.map(str::to_owned), |file| has_extension(file, "sql"));
    let script = place.script();
    if folder.is_none() && script.is_none() {
        return None;
    }
    // A script alone may do anything; with SQL files, or as a program of its own, it changes the schema.
    let command = script.as_ref().and_then(|(_, command, _)| command.clone());
    let runner = ["node-pg-migrate", "umzug", "postgrates", "dbmate", "pg-migrate"];
    let tool = runner.iter().find_map(|package| place.tool(package)).unwrap_or_else(|| Framework {
        name: "own program".to_owned(),
        version: String::new(),
        evidence: script
            .as_ref()
            .map(|(script, ..)| script.evidence.clone())
            .or_else(|| folder.as_ref().map(|folder| folder.evidence.clone()))
            .unwrap_or_default(),
    });
    let refused = script.as_ref().and_then(|(_, _, refused)| refused.clone());
    let gap = command.is_none().then(|| {
        let evidence: Vec<Evidence> = tool.evidence.clone();
        match refused {
            Some(reason) => place.gap(
                &format!("its migrations cannot be run in production: {reason}"),
                "add a script `migrate` of the form `node <file>`",
                evidence,
            ),
            None => place.gap(
                "SQL files are there and nothing applies them in production",
                "add a program that applies them, and a script `migrate`: \"node <file>\"",
                evidence,
            ),
        }
    });
    let script = script.map(|(script, ..)| script);
    Some(Found { migration: Migration { tool, script, command, folder, files: Vec::new() }, gap })
}
