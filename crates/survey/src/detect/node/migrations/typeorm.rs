//! TypeORM: migrations that are built, applied by its command line with the built data source.

use super::{Found, Owner};
use crate::{
    context::{has_extension, is_javascript},
    detect::node::build,
    model::{Evidence, Migration},
};

pub(super) fn find(place: &Owner<'_>) -> Option<Found> {
    let tool = place.tool("typeorm")?;
    let names =
        ["src/migrations", "migrations", "src/database/migrations", "src/db/migrations", "src/migration"];
    let folder =
        place.folder(&names.map(str::to_owned), |file| has_extension(file, "ts") || is_javascript(file))?;
    let script = place.script();
    let own = script.as_ref().and_then(|(_, command, _)| command.clone());
    let source = place.context.scripts_of(&place.manifest.folder).into_iter().find_map(|script| {
        let at = (1..script.tokens.len())
            .find(|&at| script.is(at, "DataSource") && script.is(at - 1, "new") && script.is(at + 1, "("))?;
        let below =
            script.source.name().get(place.manifest.folder.len()..)?.trim_start_matches('/').to_owned();
        Some((below, Evidence::new(&script.source, script.span(at - 1, at), "the data source")))
    });
    let command = own.or_else(|| {
        let (file, evidence) = source?;
        let built =
            if file.ends_with("js") { file } else { build::built(place.context, place.manifest, &file)? };
        let words = ["node", "node_modules/typeorm/cli.js", "migration:run", "-d", &built].map(str::to_owned);
        Some(crate::model::Fact::new(place.in_service(words.to_vec()), evidence))
    });
    let gap = command.is_none().then(|| {
        place.gap(
            "TypeORM's migrations are there and nothing applies them in production",
            "add a script `migration:run` that runs on the built files",
            folder.evidence.clone(),
        )
    });
    let script = script.map(|(script, ..)| script);
    Some(Found {
        migration: Migration { tool, script, command, folder: Some(folder), files: Vec::new() },
        gap,
    })
}
