//! `plimsoll images`: what the project's containers run.

use std::{collections::BTreeMap, process::ExitCode};

use plimsoll_stack::labels;
use serde::Serialize;

use crate::{
    error::CommandError,
    project::ProjectArgs,
    stack::{self, failed},
    table::{bytes, table},
};

/// List the images of the project's containers
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only these services
    services: Vec<String>,
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Shown {
    container: String,
    image: String,
    id: String,
    size: u64,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, CommandError> {
    let name = stack::project_name(&args.project)?;
    let filter = [format!("{}={name}", labels::PROJECT), format!("{}=False", labels::ONEOFF)];
    let (containers, images) = stack::with_engine(|engine| async move {
        let found = tokio::try_join!(engine.containers_labelled(&filter), engine.images(&[]));
        found.map_err(|error| failed(error.into()))
    })?;
    let sizes: BTreeMap<&str, u64> = images.iter().map(|image| (image.id.as_str(), image.size)).collect();
    let mut shown: Vec<Shown> = containers
        .iter()
        .filter(|container| {
            let service = container.label(labels::SERVICE).unwrap_or_default();
            args.services.is_empty() || args.services.iter().any(|asked| asked == service)
        })
        .map(|container| Shown {
            container: container.name.clone(),
            image: container.label(labels::IMAGE_NAME).map_or_else(|| container.image.clone(), str::to_owned),
            id: container.image_id.clone(),
            size: sizes.get(container.image_id.as_str()).copied().unwrap_or(0),
        })
        .collect();
    shown.sort_by(|a, b| a.container.cmp(&b.container));
    if args.json {
        let text = serde_json::to_string_pretty(&shown).map_err(|error| CommandError::from_error(&error))?;
        outln!("{text}");
    } else if args.quiet {
        let mut ids: Vec<&str> = shown.iter().map(|image| image.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            outln!("{id}");
        }
    } else {
        let short = |id: &str| id.trim_start_matches("sha256:").chars().take(12).collect::<String>();
        let rows: Vec<[String; 4]> = shown
            .iter()
            .map(|one| [one.container.clone(), one.image.clone(), short(&one.id), bytes(one.size)])
            .collect();
        out!("{}", table(["CONTAINER", "IMAGE", "ID", "SIZE"], &rows));
    }
    Ok(ExitCode::SUCCESS)
}
