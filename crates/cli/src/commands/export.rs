//! `plimsoll export`: a container's files as a tar.

use std::{
    fs,
    io::{self, IsTerminal as _, Write},
    path::PathBuf,
    process::ExitCode,
};

use futures_util::StreamExt as _;
use plimsoll_ops::{
    Failure,
    pick::{self, Pick},
    stack,
};

use crate::project::ProjectArgs;

/// Write the files of a service's container as a tar; volumes are not in it
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Service
    service: String,
    /// File instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Number of the container, if the service has several
    #[arg(long, value_name = "N")]
    index: Option<u32>,
    /// Print what would be written and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let target = stack::target(&args.project, std::slice::from_ref(&args.service))?;
    if args.output.is_none() && !args.dry_run && io::stdout().is_terminal() {
        return Err(Failure::new(
            "a tar is not for a terminal",
            "give a file with --output, or send standard output somewhere",
        ));
    }
    stack::with_engine(|engine| async move {
        let pick = Pick { service: &args.service, index: args.index, one_offs: false, running: false };
        let container = pick::one(&engine, &target, pick).await?;
        if args.dry_run {
            outln!("would write the files of {}", container.name);
            return Ok(ExitCode::SUCCESS);
        }
        let mut out: Box<dyn Write + Send> = match &args.output {
            Some(path) => {
                Box::new(fs::File::create(path).map_err(|error| Failure::cannot_write(path, &error))?)
            }
            None => Box::new(io::stdout()),
        };
        let place = args.output.clone().unwrap_or_else(|| PathBuf::from("standard output"));
        let mut pieces = engine.export_container(&container.id);
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            out.write_all(&piece).map_err(|error| Failure::cannot_write(&place, &error))?;
        }
        out.flush().map_err(|error| Failure::cannot_write(&place, &error))?;
        Ok(ExitCode::SUCCESS)
    })
}
