//! `plimsoll pull`: images from their registries.

use std::{collections::BTreeMap, process::ExitCode};

use futures_util::future::join_all;
use plimsoll_compose::Project;

use crate::{
    commands::run::needed,
    error::CommandError,
    policy::Root,
    project::{ProjectArgs, check_names},
    stack,
};

/// Let the engine pull the images of services that are not built here
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only these services
    services: Vec<String>,
    /// Only images that the engine lacks
    #[arg(long, value_name = "POLICY", value_parser = ["missing", "always"], default_value = "always")]
    policy: String,
    /// Also the images of services that can be built here
    #[arg(long)]
    include_buildable: bool,
    /// Nothing to do about buildable services: that is the default; accepted for the habit
    #[arg(long, hide = true)]
    ignore_buildable: bool,
    /// The images of what the named services depend on too
    #[arg(long)]
    include_deps: bool,
    /// Go on and succeed although some image cannot be had
    #[arg(long)]
    ignore_pull_failures: bool,
    /// Say nothing but errors
    #[arg(short, long)]
    quiet: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, CommandError> {
    let project = args.project.load_for(&Root::find()?, &args.services)?;
    check_names(&project, args.services.iter())?;
    let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut names: Vec<&str> = Vec::new();
    for service in &args.services {
        names.extend(needed(&project, service, !args.include_deps));
    }
    for (name, service) in &project.services {
        let asked = args.services.is_empty() || names.contains(&name.as_str());
        let built = service.build.is_some() && !args.include_buildable;
        if let (Some(image), true, false) = (&service.image, asked, built) {
            wanted.entry(image.clone()).or_default().push(name.clone());
        }
    }
    let failures = stack::with_engine(|engine| async move {
        let engine = &engine;
        let missing_only = args.policy == "missing";
        let project = &project;
        let done = join_all(wanted.iter().map(|(image, services)| async move {
            if missing_only && engine.inspect_image(image).await.is_ok() {
                return (image, services, Ok(false));
            }
            (image, services, engine.pull_image_for(image, platform(project, services)).await.map(|()| true))
        }))
        .await;
        let mut failures = 0;
        for (image, services, pulled) in done {
            let users = services.join(", ");
            match pulled {
                Ok(_) if args.quiet => {}
                Ok(true) => outln!("{image}  pulled for {users}"),
                Ok(false) => outln!("{image}  is there already, for {users}"),
                Err(error) => {
                    failures += usize::from(!args.ignore_pull_failures);
                    errln!("{image} of {users} cannot be pulled: {error}");
                }
            }
        }
        Ok(failures)
    })?;
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// What an image is pulled for, if a service or the environment says it.
fn platform<'p>(project: &'p Project, services: &[String]) -> Option<&'p str> {
    let own = services.iter().find_map(|name| project.services.get(name)?.platform.as_deref());
    let default = project.environment.0.get("DOCKER_DEFAULT_PLATFORM").map(String::as_str);
    own.or(default).filter(|platform| !platform.is_empty())
}
