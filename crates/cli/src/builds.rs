//! The images of a stack: those that are built here, all at once, and those that others made.

mod budgets;
mod progress;

use std::{path::Path, thread, time::Duration};

use indexmap::IndexMap;
use plimsoll_build::{BuildError, BuildOutcome, BuildRequest, Builder, Secret, SecretSource};
use plimsoll_compose::{Project, Service};
use plimsoll_image::{ImageRecord, Origin, Reference, Store};
use plimsoll_sandbox::ExtraHost;
use plimsoll_source::{Diagnostic, Source};

pub(crate) use budgets::{Verdict, hold_to_budgets, megabytes};
pub(crate) use progress::Shown;

use crate::{
    error::CommandError,
    images::{Images, project_folder},
    interrupt,
    storage::{self, Budget},
};

/// An image that is to be built, with the services that run it.
pub(crate) struct Wanted {
    pub(crate) services: Vec<String>,
    pub(crate) name: Reference,
    request: BuildRequest,
}

/// An image that was built, or found to be up to date.
pub(crate) struct Built {
    pub(crate) services: Vec<String>,
    pub(crate) name: Reference,
    pub(crate) record: ImageRecord,
    pub(crate) ran: usize,
    pub(crate) cached: usize,
    pub(crate) elapsed: Duration,
}

/// What the project's services need built; each image once, whoever runs it.
pub(crate) fn wanted(
    project: &Project,
    only: &[String],
    no_cache: bool,
) -> Result<Vec<Wanted>, CommandError> {
    if let Some(unknown) = only.iter().find(|service| !project.services.contains_key(service.as_str())) {
        let known = project.services.keys().cloned().collect::<Vec<_>>().join(", ");
        return Err(CommandError::new(
            format!("there is no service {unknown}"),
            format!("there are {known}"),
        ));
    }
    let mut found: IndexMap<Reference, Wanted> = IndexMap::new();
    for (name, service) in &project.services {
        if service.build.is_none() || (!only.is_empty() && !only.contains(name)) {
            continue;
        }
        let image = image_name(project, name, service)?;
        let request = request(project, service, &image, no_cache)?;
        found
            .entry(image.clone())
            .or_insert_with(|| Wanted { services: Vec::new(), name: image, request })
            .services
            .push(name.clone());
    }
    Ok(found.into_values().collect())
}

/// The name of a service's image, as the engine is to know it.
pub(crate) fn image_name(
    project: &Project,
    name: &str,
    service: &Service,
) -> Result<Reference, CommandError> {
    let text = service.image.clone().unwrap_or_else(|| format!("{}-{name}", project.name));
    Reference::parse(&text).map_err(|error| {
        CommandError::new(
            format!("service {name}: {error}"),
            "write `image:` as NAME[:TAG] in the compose file",
        )
    })
}

fn request(
    project: &Project,
    service: &Service,
    image: &Reference,
    no_cache: bool,
) -> Result<BuildRequest, CommandError> {
    let build = service.build.clone().unwrap_or_default();
    let context = Path::new(&project.working_dir).join(build.context.as_deref().unwrap_or("."));
    let mut request = match &build.dockerfile_inline {
        Some(text) => {
            let mut request = BuildRequest::open(&context, Some(Path::new("/dev/null"))).map_err(failed)?;
            request.dockerfile = Source::new("dockerfile_inline", text.clone());
            request
        }
        None => {
            let file = context.join(build.dockerfile.as_deref().unwrap_or("Dockerfile"));
            let mut request = BuildRequest::open(&context, Some(&file)).map_err(failed)?;
            request.dockerfile = named_from_here(&request.dockerfile);
            request
        }
    };
    request.target.clone_from(&build.target);
    request.tags = vec![image.clone()];
    // a name that stands in a repository's file counts in that repository alone
    request.origin = Some(Origin::Project { folder: project_folder(project.working_dir.as_ref()) });
    for tag in &build.tags {
        request.tags.push(Reference::parse(tag).map_err(|error| CommandError::from_error(&error))?);
    }
    request.build_args =
        build.args.0.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?))).collect();
    request.labels = build.labels.0.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    request.no_cache = no_cache || build.no_cache;
    request.offline = build.network.as_deref() == Some("none");
    for (name, addresses) in &build.extra_hosts.0 {
        let hosts =
            addresses.iter().map(|address| ExtraHost { name: name.clone(), address: address.clone() });
        request.hosts.extend(hosts);
    }
    for reference in &build.secrets {
        request.secrets.push(secret(project, reference.source.as_deref().unwrap_or_default())?);
    }
    Ok(request)
}

/// The same text under the path that a person would write: messages show it.
fn named_from_here(source: &Source) -> Source {
    let name = std::env::current_dir().ok().and_then(|here| {
        let path = Path::new(source.name()).strip_prefix(here).ok()?;
        Some(path.to_string_lossy().into_owned())
    });
    name.map_or_else(|| source.clone(), |name| Source::new(name, source.text()))
}

fn secret(project: &Project, name: &str) -> Result<Secret, CommandError> {
    let missing = || {
        CommandError::new(
            format!("the build needs secret {name}, which the compose file does not give"),
            "give it under `secrets:` with `file:` or `environment:`",
        )
    };
    let found = project.secrets.get(name).ok_or_else(missing)?;
    let source = match (&found.file, &found.environment) {
        (Some(file), _) => SecretSource::File(Path::new(&project.working_dir).join(file)),
        (None, Some(variable)) => SecretSource::Env(variable.clone()),
        (None, None) => return Err(missing()),
    };
    Ok(Secret::new(name, source))
}

/// Builds all of them at once. Every failure is told, not only the first.
pub(crate) fn build(
    store: &Store,
    home: &Path,
    images: &Images<'_>,
    wanted: &[Wanted],
    shown: &Shown,
    budget: Option<Budget>,
) -> Result<Vec<Built>, CommandError> {
    let builder = Builder::new(store, home.join("build")).map_err(failed)?;
    let cancel = interrupt::cancel_on_interrupt();
    let outcomes: Vec<Result<BuildOutcome, BuildError>> = thread::scope(|scope| {
        let builds: Vec<_> = wanted
            .iter()
            .map(|one| {
                let (builder, sink) = (&builder, shown.image(&one.name));
                let request = BuildRequest { cancel: cancel.clone(), ..one.request.clone() };
                scope.spawn(move || builder.build(&request, images, &sink))
            })
            .collect();
        let join = |build: thread::ScopedJoinHandle<'_, _>| {
            build.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        builds.into_iter().map(join).collect()
    });
    interrupt::end_at_once();
    if interrupt::is_interrupted() {
        return Err(interrupt::error());
    }
    let mut built = Vec::new();
    let mut failures: Vec<Diagnostic> = Vec::new();
    for (one, outcome) in wanted.iter().zip(outcomes) {
        match outcome {
            Ok(outcome) => {
                let ran = outcome.steps.iter().filter(|step| step.ran.is_some()).count();
                built.push(Built {
                    services: one.services.clone(),
                    name: one.name.clone(),
                    ran,
                    cached: outcome.steps.len() - ran,
                    elapsed: outcome.elapsed,
                    record: outcome.record,
                });
            }
            Err(error) => failures.extend(error.diagnostics().into_iter().map(|diagnostic| {
                diagnostic.note(format!(
                    "while building {} for {}",
                    one.name.familiar(),
                    one.services.join(", ")
                ))
            })),
        }
    }
    if let Some(budget) = budget.filter(|_| built.iter().any(|one| one.ran > 0)) {
        let ids: Vec<_> = built.iter().map(|one| one.record.id).collect();
        storage::hold(budget, home, store, &builder, &ids, &|line| shown.tell(line));
    }
    if failures.is_empty() { Ok(built) } else { Err(CommandError::from(failures)) }
}

fn failed(error: BuildError) -> CommandError {
    CommandError::from(error.diagnostics())
}
