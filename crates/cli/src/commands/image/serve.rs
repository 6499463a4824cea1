//! `plimsoll image serve`: a registry on this machine, for engines and tools that take images from one only.

use std::{path::PathBuf, process::ExitCode};

use plimsoll_image::serve::Server;
use plimsoll_ops::{Failure, home::home};

use super::store;

/// Run a registry on 127.0.0.1, until it is stopped. Everybody on this machine may pull; its user and root may push
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Port; 0 takes a free one
    #[arg(long, default_value_t = 5000)]
    port: u16,
    /// Folder that keeps the images [default: `registry` in PLIMSOLL_HOME]
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let dir = match args.dir {
        Some(dir) => dir,
        None => home()?.join("registry"),
    };
    let server = Server::start(&dir, args.port)?;
    store::print(&format!("{}\n", server.address()))?;
    eprintln!("plimsoll image push NAME {}/NAME sends an image to it", server.address());
    server.wait();
    Ok(ExitCode::SUCCESS)
}
