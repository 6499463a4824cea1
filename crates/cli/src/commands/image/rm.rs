//! `plimsoll image rm`: takes names and images out of the store.

use std::{fmt::Write as _, process::ExitCode};

use plimsoll_image::Reference;
use plimsoll_ops::Failure;

use super::store;

/// Remove names; an image goes with its last name. Its layers go with `image prune`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Names or ids
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    /// Remove an image named by its id although it has several names
    #[arg(short, long)]
    force: bool,
}

pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let store = store::open()?;
    let mut text = String::new();
    for name in &args.images {
        let image = store::find(&store, name)?;
        // find takes names before ids, so this is how it was found
        let named = Reference::parse(name).ok().filter(|name| image.references.contains(name));
        if named.is_none() && image.references.len() > 1 && !args.force {
            let names: Vec<String> = image.references.iter().map(ToString::to_string).collect();
            return Err(Failure::new(
                format!("image {} has several names: {}", image.id.short(), names.join(", ")),
                "name them, or give --force",
            ));
        }
        if let Some(name) = &named {
            store.untag(name)?;
            let _ = writeln!(text, "name removed: {name}");
        }
        if named.is_none() || image.references.len() == 1 {
            store.remove_image(&image.id)?;
            let _ = writeln!(text, "image removed: {}", image.id);
        }
    }
    store::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
