//! `plimsoll image load`: reads images from a file.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use plimsoll_image::{
    Digest, Reference,
    output::{load, load_stream},
};
use plimsoll_ops::Failure;

use super::store;

/// Read images from a `docker save` tar or an OCI layout (a tar or a folder)
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The file or folder, or `-` for standard input
    #[arg(default_value = "-")]
    input: PathBuf,
    /// Which image of several, like linux/arm64 [default: this machine's]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
}

pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let store = store::open()?;
    let platform = store::platform(args.platform.as_deref())?;
    let before: BTreeMap<Reference, Digest> = store
        .images()?
        .into_iter()
        .flat_map(|image| image.references.into_iter().map(move |name| (name, image.id)))
        .collect();
    let images = if args.input == Path::new("-") {
        load_stream(&store, io::stdin().lock(), &platform)
    } else {
        load(&store, &args.input, &platform)
    }?;
    let mut text = String::new();
    for image in images {
        match image.references.as_slice() {
            [] => drop(writeln!(text, "loaded {}", image.id)),
            names => {
                for name in names {
                    let _ = writeln!(text, "loaded {name}  {}", image.id);
                    // the archive chose the name, not the person who loads it
                    if let Some(other) = before.get(name).filter(|other| **other != image.id) {
                        eprintln!(
                            "note: {name} was {} before; the archive gives the name to another image",
                            other.short()
                        );
                    }
                }
            }
        }
    }
    store::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
