//! `plimsoll image ls`: what is in the store.

use std::{collections::BTreeMap, fmt::Write as _, process::ExitCode};

use plimsoll_image::Origin;
use plimsoll_ops::{Failure, sizes::megabytes};
use serde_json::json;

use super::store;

/// List the images
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the ids
    #[arg(short, long)]
    quiet: bool,
    /// Print as JSON
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
}

pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let store = store::open()?;
    let images = store.images()?;
    let origins = images.iter().map(|image| store.origins_of(image)).collect::<Result<Vec<_>, _>>()?;
    if args.json {
        let rows = images.iter().zip(&origins).map(|(image, origins)| {
            json!({
                "id": image.id,
                "names": image.references.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "bytes": image.bytes,
                "layers": image.layers.len(),
                "created": image.config.created,
                "origins": origins.iter().map(|(name, origin)| (name.to_string(), origin)).collect::<BTreeMap<_, _>>(),
            })
        });
        store::print_json(&rows.collect())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    if args.quiet {
        for image in &images {
            let _ = writeln!(text, "{}", image.id);
        }
    } else {
        // an image with several names has a line for each, as people look for names
        let rows: Vec<[String; 5]> = images
            .iter()
            .zip(&origins)
            .flat_map(|(image, origins)| {
                let names: Vec<(String, Option<&Origin>)> = match image.references.as_slice() {
                    [] => vec![("<no name>".to_owned(), None)],
                    names => names.iter().map(|name| (name.to_string(), origins.get(name))).collect(),
                };
                names.into_iter().map(|(name, origin)| {
                    let created = image.config.created.clone().unwrap_or_else(|| "-".to_owned());
                    let origin = origin.map_or_else(|| "-".to_owned(), shown);
                    [name, image.id.short(), megabytes(image.bytes), created, origin]
                })
            })
            .collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let (names, created) = (width(0).max(4), width(3).max(7));
        let _ =
            writeln!(text, "{:names$}  {:12}  {:>10}  {:created$}  FROM", "NAME", "ID", "SIZE", "CREATED");
        for [name, id, size, time, origin] in rows {
            let _ = writeln!(text, "{name:names$}  {id}  {size:>10}  {time:created$}  {origin}");
        }
    }
    store::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// A folder's name is anybody's text: what would move the terminal's cursor is written out.
fn shown(origin: &Origin) -> String {
    let text = origin.to_string();
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}
