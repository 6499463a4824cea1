//! `plimsoll image inspect`: everything that is known of images, as JSON.

use std::process::ExitCode;

use plimsoll_ops::Failure;
use serde_json::json;

use super::store;

/// Print everything about images, as JSON
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Names or ids
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let store = store::open()?;
    let mut found = Vec::new();
    for name in &args.images {
        let image = store::find(&store, name)?;
        let mut layers = Vec::new();
        for (id, diff_id) in image.layers.iter().zip(&image.config.rootfs.diff_ids) {
            let layer = store.require_layer(id)?;
            layers.push(json!({
                "id": id,
                "diff_id": diff_id,
                "bytes": layer.bytes,
                "entries": layer.entries,
                "path": layer.path,
            }));
        }
        found.push(json!({
            "id": image.id,
            "names": image.references.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "bytes": image.bytes,
            "layers": layers,
            "config": image.config,
        }));
    }
    store::print_json(&found.into())?;
    Ok(ExitCode::SUCCESS)
}
