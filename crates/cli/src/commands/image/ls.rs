//! `plimsoll image ls`: what is in the store.

use std::{fmt::Write as _, process::ExitCode};

use serde_json::json;

use super::store;
use crate::{builds::megabytes, error::CommandError};

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

pub(super) fn run(args: Args) -> Result<ExitCode, CommandError> {
    let images = store::open()?.images().map_err(|error| store::store_error(&error))?;
    if args.json {
        let rows = images.iter().map(|image| {
            json!({
                "id": image.id,
                "names": image.references.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "bytes": image.bytes,
                "layers": image.layers.len(),
                "created": image.config.created,
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
        let rows: Vec<(String, String, String, String)> = images
            .iter()
            .flat_map(|image| {
                let names: Vec<String> = match image.references.as_slice() {
                    [] => vec!["<no name>".to_owned()],
                    names => names.iter().map(ToString::to_string).collect(),
                };
                names.into_iter().map(|name| {
                    let created = image.config.created.clone().unwrap_or_else(|| "-".to_owned());
                    (name, image.id.short(), megabytes(image.bytes), created)
                })
            })
            .collect();
        let width = rows.iter().map(|row| row.0.chars().count()).max().unwrap_or(0).max(4);
        let _ = writeln!(text, "{:width$}  {:12}  {:>10}  CREATED", "NAME", "ID", "SIZE");
        for (name, id, size, created) in rows {
            let _ = writeln!(text, "{name:width$}  {id}  {size:>10}  {created}");
        }
    }
    store::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
