//! `plimsoll pull`: images from their registries.

use std::{collections::BTreeMap, process::ExitCode};

use futures_util::StreamExt as _;
use plimsoll_compose::Project;
use plimsoll_image::Reference;
use plimsoll_ops::{
    Failure, is_in_place,
    policy::Root,
    project::{check_names, needed},
    pulls, stack,
};
use plimsoll_stack::{hook_images, image_name};

use crate::{globals, project::ProjectArgs};

/// Let the engine pull the images of services that are not built here
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only these services
    services: Vec<String>,
    /// Instead of the services' `pull_policy`; `missing` leaves out what the engine has, but not a `latest`, which moves
    #[arg(long, value_name = "POLICY", value_parser = ["missing", "always"])]
    policy: Option<String>,
    /// Also the images of services that can be built here
    #[arg(long)]
    include_buildable: bool,
    /// Nothing to do about buildable services: that is the default, but in place of docker compose
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
    /// As many at once as --parallel before the verb says; accepted for the habit
    #[arg(long, hide = true)]
    parallel: bool,
    /// One after the other
    #[arg(long, hide = true)]
    no_parallel: bool,
    /// Print what would be pulled and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let project = args.project.load_for(&Root::find()?, &args.services)?;
    check_names(&project, args.services.iter())?;
    let wanted = wanted(&args, &project);
    let failures = stack::with_engine(|engine| async move {
        let engine = &engine;
        let at_once = if args.no_parallel { 1 } else { globals::at_once(wanted.len()) };
        let (dry_run, project) = (args.dry_run, &project);
        // a line that docker compose does not have is none for scripts
        let silent = args.quiet || is_in_place();
        let pulls = wanted.iter().map(|(image, (services, ask))| async move {
            if !ask && !moves(image) && engine.inspect_image(image).await.is_ok() {
                return (image, services, Ok(false));
            }
            if dry_run {
                return (image, services, Ok(true));
            }
            let tell = |line: &str| {
                if !silent {
                    globals::tell(image, line);
                }
            };
            let pulled = pulls::pull(engine, image, platform(project, services), tell).await;
            (image, services, pulled.map(|()| true))
        });
        let done: Vec<_> = futures_util::stream::iter(pulls).buffered(at_once).collect().await;
        let (mut failures, mut to_build) = (0, Vec::<&String>::new());
        for (image, services, pulled) in done {
            let users = services.join(", ");
            match pulled {
                Ok(_) if args.quiet => {}
                Ok(true) if dry_run => outln!("{image} would be pulled for {users}"),
                Ok(true) if is_in_place() => globals::tell(image, &format!(" Image {image} Pulled")),
                Ok(true) => globals::tell(image, &format!("{image}  pulled for {users}")),
                Ok(false) => left_out(&format!("Image {image}"), "Image is already present locally"),
                Err(error) => {
                    failures += usize::from(!args.ignore_pull_failures);
                    errln!("{image} of {users} cannot be pulled: {error}");
                    to_build.extend(services.iter().filter(|name| project.services[*name].build.is_some()));
                }
            }
        }
        if !to_build.is_empty() {
            let names: Vec<&str> = to_build.into_iter().map(String::as_str).collect();
            let program = if is_in_place() { "docker compose" } else { "plimsoll" };
            errln!(
                "WARNING: Some service image(s) must be built from source by running:\n    {program} build {}",
                names.join(" ")
            );
        }
        Ok(failures)
    })?;
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Image to its services, and whether one of these wants the registry's even where the engine has one. An unset policy
/// does: who says `pull` means it.
type Wanted = BTreeMap<String, (Vec<String>, bool)>;

fn wanted(args: &Args, project: &Project) -> Wanted {
    let mut wanted = Wanted::new();
    let mut names: Vec<&str> = Vec::new();
    for service in &args.services {
        names.extend(needed(project, service, !args.include_deps));
    }
    // docker compose pulls what it could build, so that who deploys need not build
    let buildable = args.include_buildable || (is_in_place() && !args.ignore_buildable);
    let asked = |name: &String| args.services.is_empty() || names.contains(&name.as_str());
    for (name, service) in project.services.iter().filter(|(name, _)| asked(name)) {
        let policy = args.policy.as_deref().or(service.pull_policy.as_deref());
        let turn = match (&service.image, policy) {
            (None, _) => Err((name.clone(), "No image to be pulled")),
            (Some(image), Some("never" | "build")) => {
                Err((format!("Image {image}"), "Its policy is not to pull"))
            }
            (Some(image), _) if service.build.is_some() && !buildable => {
                Err((format!("Image {image}"), "Image can be built"))
            }
            (Some(image), policy) => Ok((image.clone(), policy)),
        };
        match turn {
            Ok((image, policy)) => want(&mut wanted, image, name, policy),
            // that what is built here is not pulled, everybody knows
            Err(_) if args.quiet || (service.build.is_some() && !is_in_place()) => {}
            Err((what, why)) => left_out(&what, why),
        }
    }
    // what runs before a service has its policy, and cannot be built
    for (_, service, image) in hook_images(project).into_iter().filter(|(_, service, _)| asked(service)) {
        let own = project.services.get(&service).and_then(|own| own.pull_policy.as_deref());
        let policy = args.policy.as_deref().or(own);
        let sibling =
            |name: &String| project.services[name].build.is_some() && image_name(project, name) == image;
        if policy != Some("never") && !project.services.keys().any(sibling) {
            want(
                &mut wanted,
                image,
                &service,
                policy.map(|policy| if policy == "build" { "missing" } else { policy }),
            );
        }
    }
    wanted
}

fn want(wanted: &mut Wanted, image: String, service: &str, policy: Option<&str>) {
    let (services, ask) = wanted.entry(image).or_default();
    if !services.iter().any(|known| known == service) {
        services.push(service.to_owned());
    }
    *ask |= !matches!(policy, Some("missing" | "if_not_present"));
}

/// Says that nothing is pulled, in docker compose's form where this stands in its place.
fn left_out(what: &str, why: &str) {
    if is_in_place() {
        globals::tell(what, &format!(" {what} Skipped {why}"));
    } else {
        globals::tell(what, &format!("{what}: not pulled: {why}"));
    }
}

/// Whether the name has the tag that is meant to move.
fn moves(image: &str) -> bool {
    Reference::parse(image).is_ok_and(|name| name.digest().is_none() && name.tag() == Some("latest"))
}

/// What an image is pulled for, if a service or the environment says it.
fn platform<'p>(project: &'p Project, services: &[String]) -> Option<&'p str> {
    let own = services.iter().find_map(|name| project.services.get(name)?.platform.as_deref());
    let default = project.environment.0.get("DOCKER_DEFAULT_PLATFORM").map(String::as_str);
    own.or(default).filter(|platform| !platform.is_empty())
}
