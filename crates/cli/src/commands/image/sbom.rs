//! `plimsoll image sbom`: the packages of an image.

use std::process::ExitCode;

use plimsoll_image::report::spdx;
use plimsoll_ops::Failure;

use super::store;

/// Print the packages of an image as SPDX 2.3 (JSON): Debian's, Alpine's, npm's, Python's
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Name or id in the store
    image: String,
}

pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let store = store::open()?;
    let image = store::find(&store, &args.image)?;
    let sbom = spdx::of_image(&store, &image, &args.image)?;
    store::print_json(&sbom)?;
    Ok(ExitCode::SUCCESS)
}
