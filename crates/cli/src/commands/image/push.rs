//! `plimsoll image push`: sends an image to a registry.

use std::process::ExitCode;

use plimsoll_image::LayerCompression;

use super::{save::compression, store};
use crate::{builds::megabytes, error::CommandError};

/// Send an image to a registry, with Docker's credentials. Blobs that are there do not travel
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Name or id in the store
    image: String,
    /// Name in the registry [default: the same name]
    destination: Option<String>,
    /// Layers: keep, none, gzip[:LEVEL], zstd[:LEVEL]
    #[arg(long, value_name = "FORM", default_value = "keep", value_parser = compression)]
    compression: LayerCompression,
    /// Speak plain HTTP with the registry; this machine's own needs no permission
    #[arg(long)]
    insecure: bool,
}

pub(super) fn run(args: Args) -> Result<ExitCode, CommandError> {
    let store = store::open()?;
    let image = store::find(&store, &args.image)?;
    let name = store::reference(args.destination.as_deref().unwrap_or(&args.image))?;
    let registry = store::registry(&name, args.insecure)?;
    let pushed = registry
        .push(&store, &image, &name, args.compression, &store::tell)
        .map_err(|error| store::registry_error(&error))?;
    eprintln!(
        "{} sent, {} there already, {}",
        pushed.sent,
        pushed.known + pushed.mounted,
        megabytes(pushed.bytes)
    );
    store::print(&format!("{}@{}\n", name.familiar_name(), pushed.digest))?;
    Ok(ExitCode::SUCCESS)
}
