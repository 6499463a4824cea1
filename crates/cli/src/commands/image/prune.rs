//! `plimsoll image prune`: frees the room of what nothing needs.

use std::process::ExitCode;

use plimsoll_build::Builder;
use plimsoll_image::PruneOptions;
use serde_json::json;

use super::store;
use crate::{builds::megabytes, error::CommandError, home::home};

/// Remove images without a name and layers that neither an image nor the build cache needs
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also remove the layers of the build cache that no image needs: the next build runs those steps again
    #[arg(long)]
    cache: bool,
    /// Also remove every image
    #[arg(short, long)]
    all: bool,
    /// Remove nothing; say what would go
    #[arg(long)]
    dry_run: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> Result<ExitCode, CommandError> {
    let store = store::open()?;
    let mut options = PruneOptions {
        nameless_images: true,
        all_images: args.all,
        dry_run: args.dry_run,
        ..PruneOptions::default()
    };
    if !args.cache {
        let builder =
            Builder::new(&store, home()?.join("build")).map_err(|error| CommandError::from_error(&error))?;
        options.keep_layers = builder.cached_layers();
    }
    let pruned = store.prune(&options).map_err(|error| store::store_error(&error))?;
    if args.json {
        store::print_json(&json!({
            "images": pruned.images,
            "layers": pruned.layers,
            "blobs": pruned.blobs,
            "leftovers": pruned.leftovers,
            "bytes": pruned.bytes,
            "dry_run": args.dry_run,
        }))?;
    } else {
        let verb = if args.dry_run { "would free" } else { "freed" };
        store::print(&format!(
            "{verb} {}: images {}, layers {}, blobs {}, leftovers {}\n",
            megabytes(pruned.bytes),
            pruned.images.len(),
            pruned.layers.len(),
            pruned.blobs.len(),
            pruned.leftovers
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
