//! `plimsoll image pull`: gets an image from a registry.

use std::process::ExitCode;

use plimsoll_ops::Failure;

use super::store;

/// Get an image from a registry, with Docker's credentials. Layers that are in the store do not travel
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Name of the image
    image: String,
    /// Which image of several, like linux/arm64 [default: this machine's]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    /// Speak plain HTTP with the registry; this machine's own needs no permission
    #[arg(long)]
    insecure: bool,
}

pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let store = store::open()?;
    let name = store::reference(&args.image)?;
    let platform = store::platform(args.platform.as_deref())?;
    let registry = store::registry(&name, args.insecure)?;
    let pulled = registry.pull(&store, &name, &platform, &store::tell)?;
    store::print(&format!("{}@{}  {}\n", name.familiar_name(), pulled.digest, pulled.record.id))?;
    Ok(ExitCode::SUCCESS)
}
