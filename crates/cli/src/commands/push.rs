//! `plimsoll push`: the images that are built here to their registries.

use std::process::ExitCode;

use plimsoll_image::Reference;
use plimsoll_ops::{
    Failure, builds,
    home::{home, open_store},
    policy::Root,
    project::needed,
};

use crate::{commands::image, globals, project::ProjectArgs, render};

/// Send the images of services that are built here to their registries, each under all of its names
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only the images of these services
    services: Vec<String>,
    /// The images of what the named services depend on too
    #[arg(long)]
    include_deps: bool,
    /// Go on and succeed although some image cannot be sent
    #[arg(long)]
    ignore_push_failures: bool,
    /// Say nothing but errors
    #[arg(short, long)]
    quiet: bool,
    /// Print what would be sent and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    // it reads the store's layers
    plimsoll_ops::rootless::enter(false);
    let root = Root::find()?;
    let project = args.project.load(&root)?;
    for name in &args.services {
        if !project.services.contains_key(name) {
            return Err(Failure::new(
                format!("project {} has no service {name}", project.name),
                "`plimsoll config --services` lists them",
            ));
        }
    }
    let mut chosen: Vec<&str> = Vec::new();
    for service in &args.services {
        chosen.extend(needed(&project, service, !args.include_deps));
    }
    let mut names: Vec<Reference> = Vec::new();
    for (name, service) in &project.services {
        if !args.services.is_empty() && !chosen.contains(&name.as_str()) {
            continue;
        }
        let Some(build) = &service.build else { continue };
        if service.image.is_none() {
            if !args.quiet {
                let said = format!("note  {name} has no `image:`, so its image has no registry to go to");
                globals::tell(name, &said);
            }
            continue;
        }
        let mut all = vec![builds::image_name(&project, name, service)?];
        for tag in &build.tags {
            all.push(Reference::parse(tag)?);
        }
        names.extend(all.into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>());
    }
    if args.dry_run {
        for name in &names {
            outln!("would push {}", name.familiar());
        }
        return Ok(ExitCode::SUCCESS);
    }
    let store = open_store(&home()?)?;
    let mut failures = 0;
    for name in &names {
        let sent = image::send(&store, name).and_then(|sent| {
            sent.ok_or_else(|| {
                Failure::new(format!("{} has not been built here", name.familiar()), "run `plimsoll build`")
            })
        });
        match sent {
            Ok(address) if !args.quiet => globals::tell(&name.familiar(), &format!("pushed {address}")),
            Ok(_) => {}
            Err(error) => {
                failures += usize::from(!args.ignore_push_failures);
                render::error(&error);
            }
        }
    }
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
