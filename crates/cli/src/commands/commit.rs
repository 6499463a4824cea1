//! `plimsoll commit`: an image of what a container's files are now.

use std::process::ExitCode;

use plimsoll_engine::CommitSpec;
use plimsoll_ops::{
    Failure,
    pick::{self, Pick},
    stack,
};

use crate::project::ProjectArgs;

/// Make an image of a service's container as it is now; volumes are not in it
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Service
    service: String,
    /// Name of the image, `REPOSITORY[:TAG]`
    image: Option<String>,
    /// Who made it
    #[arg(short, long)]
    author: Option<String>,
    /// Dockerfile instruction for its configuration: `CMD`, `ENV`, `LABEL`, ...; may be given several times
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// Number of the container, if the service has several
    #[arg(long, value_name = "N")]
    index: Option<u32>,
    /// Why
    #[arg(short, long)]
    message: Option<String>,
    /// The container is frozen meanwhile; the default
    #[arg(long, hide = true)]
    pause: bool,
    /// The container goes on meanwhile: files may not fit each other
    #[arg(long)]
    no_pause: bool,
    /// Print what would be made and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let target = stack::target(&args.project, std::slice::from_ref(&args.service))?;
    stack::with_engine(|engine| async move {
        let pick = Pick { service: &args.service, index: args.index, one_offs: false, running: false };
        let container = pick::one(&engine, &target, pick).await?;
        if args.dry_run {
            let name = args.image.as_deref().unwrap_or("an image without a name");
            outln!("would make {name} of {}", container.name);
            return Ok(ExitCode::SUCCESS);
        }
        let spec = CommitSpec {
            name: args.image,
            author: args.author,
            message: args.message,
            changes: args.change,
            pause: !args.no_pause,
        };
        let id = engine.commit_container(&container.id, &spec).await?;
        outln!("{id}");
        Ok(ExitCode::SUCCESS)
    })
}
