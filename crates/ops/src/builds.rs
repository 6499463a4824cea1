//! The images of a stack: those that are built here, all at once, and those that others made.

mod budgets;
mod options;

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use indexmap::IndexMap;
use plimsoll_build::{BuildRequest, Builder, NamedContext, ResolvedImage};
use plimsoll_buildx::prepared::{Prepared, PreparedError, prepare};
use plimsoll_compose::{Project, Service};
use plimsoll_image::{Image, ImageRecord, Origin, Reference, Store};
use plimsoll_source::{Diagnostic, Source};

pub use budgets::{Verdict, hold_to_budgets};

use self::options::Subject;
use crate::{
    Event, Failure, Reporter,
    images::{Images, Surroundings, project_folder},
    interrupt, is_in_place,
    project::check_names,
    storage::{self, Budget},
};

/// An image that is to be built, with the services that run it.
pub struct Wanted<'s> {
    /// Who runs it.
    pub services: Vec<String>,
    /// Its first name.
    pub name: Reference,
    /// Named contexts that are images of services.
    made_of: Vec<(String, String)>,
    /// The same, and siblings that the Dockerfile names: context and image.
    siblings: Vec<(String, Reference)>,
    prepared: Prepared<'s>,
    /// Values of secrets, until the end.
    _kept: Vec<tempfile::TempPath>,
}

/// An image that was built, or found to be up to date.
pub struct Built {
    /// Who runs it.
    pub services: Vec<String>,
    /// Its first name.
    pub name: Reference,
    /// All its names.
    pub names: Vec<Reference>,
    /// What the name means on this machine.
    pub record: ImageRecord,
    /// One for each platform.
    pub records: Vec<ImageRecord>,
    /// Steps that ran.
    pub ran: usize,
    /// Steps that were taken from the cache.
    pub cached: usize,
    /// How long it took.
    pub elapsed: Duration,
}

/// How a verb wants the project's images built.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Only the images of these services, and those that they are made of; empty is all.
    pub services: Vec<String>,
    /// Nothing is taken from the cache.
    pub no_cache: bool,
    /// An image is for the one platform that its service runs on.
    pub one_platform: bool,
    /// Options of `image build` from the command line, which beat the file's: `--build-arg=V=2`.
    pub words: Vec<String>,
}

impl Wanted<'_> {
    /// The build checks of its Dockerfile, printed; the exit code tells whether there are findings.
    pub fn check(&self, store: &Store) -> Result<plimsoll_buildx::call::Answer, Failure> {
        self.prepared.check(store)
    }
}

/// What the project's services need built; each image once, whoever runs it, and each after those that it is made of.
/// Everything that is wrong is told at once.
pub fn wanted<'s>(
    store: &'s Store,
    home: &Path,
    project: &Project,
    asked: &Asked,
    reporter: &dyn Reporter,
) -> Result<Vec<Wanted<'s>>, Failure> {
    check_names(project, asked.services.iter())?;
    let mut found: IndexMap<Reference, Wanted<'s>> = IndexMap::new();
    let mut faults = Vec::new();
    let mut todo: Vec<&str> = project.services.keys().map(String::as_str).collect();
    todo.retain(|name| asked.services.is_empty() || asked.services.iter().any(|asked| asked == name));
    todo.reverse();
    let mut seen: Vec<&str> = Vec::new();
    while let Some(name) = todo.pop() {
        let Some((name, service)) = service_of(project, name).filter(|(_, service)| service.build.is_some())
        else {
            continue;
        };
        if seen.contains(&name) {
            continue;
        }
        seen.push(name);
        let image = image_name(project, name, service)?;
        if let Some(same) = found.get_mut(&image) {
            same.services.push(name.to_owned());
            continue;
        }
        match one(store, home, Subject { project, name, service }, &image, asked, reporter) {
            Ok(wanted) => {
                // an image that it is made of is built although nobody asked for it
                for (_, other) in &wanted.made_of {
                    todo.extend(service_of(project, other).map(|(name, _)| name));
                }
                found.insert(image, wanted);
            }
            Err(mut more) => faults.append(&mut more),
        }
    }
    if faults.is_empty() { in_order(project, found) } else { Err(Failure::from(faults)) }
}

/// A service, whatever its profiles.
fn service_of<'p>(project: &'p Project, name: &str) -> Option<(&'p str, &'p Service)> {
    let found =
        project.services.get_key_value(name).or_else(|| project.disabled_services.get_key_value(name))?;
    Some((found.0, found.1))
}

/// The build of one service.
fn one<'s>(
    store: &'s Store,
    home: &Path,
    subject: Subject<'_>,
    image: &Reference,
    asked: &Asked,
    reporter: &dyn Reporter,
) -> Result<Wanted<'s>, Vec<Diagnostic>> {
    let mut options = options::options(subject, asked.one_platform)?;
    // before the context, which comes last
    let end = options.words.iter().rposition(|word| word == "--").unwrap_or(options.words.len());
    options.words.splice(end..end, asked.words.iter().cloned());
    for note in &options.notes {
        reporter.line(&format!("note  {note}"));
    }
    let prepared = prepare(&options.words, options.inline.as_deref(), store, home, &Surroundings, &|line| {
        reporter.line(line);
    });
    let mut prepared = prepared.map_err(|error| placed(subject, error))?;
    let build = subject.service.build.clone().unwrap_or_default();
    let request = &mut prepared.request;
    if build.dockerfile_inline.is_none() {
        request.dockerfile = named_from_here(&request.dockerfile);
    }
    request.no_cache |= asked.no_cache;
    request.tags = vec![image.clone()];
    // a name that stands in a repository's file counts in that repository alone
    request.origin = Some(Origin::Project { folder: project_folder(subject.project.working_dir.as_ref()) });
    for tag in &build.tags {
        match Reference::parse(tag) {
            Ok(tag) if request.tags.contains(&tag) => {}
            Ok(tag) => request.tags.push(tag),
            Err(error) => return Err(vec![subject.error("tags", error)]),
        }
    }
    Ok(Wanted {
        services: vec![subject.name.to_owned()],
        name: image.clone(),
        made_of: options.services,
        siblings: Vec::new(),
        prepared,
        _kept: options.kept,
    })
}

/// What cannot be prepared, under its service and the line of what it is about.
fn placed(subject: Subject<'_>, error: Failure) -> Vec<Diagnostic> {
    let each = error.diagnostics.into_iter().map(|diagnostic| {
        // a fault of the Dockerfile has a place of its own
        if !diagnostic.labels.is_empty() {
            return diagnostic.note(format!("while preparing the build of {}", subject.name));
        }
        let about = [
            ("--cache-to", "cache_to"),
            ("--cache-from", "cache_from"),
            ("--ulimit", "ulimits"),
            ("--ssh", "ssh"),
            ("--secret", "secrets"),
            ("the secret", "secrets"),
            ("--build-context", "additional_contexts"),
            ("--add-host", "extra_hosts"),
            ("/etc/hosts", "extra_hosts"),
            ("is no limit", "ulimits"),
            ("attest", "provenance"),
            ("Dockerfile", "dockerfile"),
        ];
        let found = about.into_iter().find(|(word, _)| diagnostic.title.contains(word));
        let placed = subject.error(found.map_or("context", |(_, attribute)| attribute), &diagnostic.title);
        Diagnostic { labels: placed.labels, title: placed.title, ..diagnostic }
    });
    each.collect()
}

/// Each image after those that it is made of: named contexts `service:NAME`, and names of siblings in FROM, COPY and
/// RUN, which mean what is built here and not what was built before or lies in a registry.
fn in_order<'s>(
    project: &Project,
    mut found: IndexMap<Reference, Wanted<'s>>,
) -> Result<Vec<Wanted<'s>>, Failure> {
    let names: Vec<Reference> = found.keys().cloned().collect();
    for wanted in found.values_mut() {
        for image in images_in(&wanted.prepared.request) {
            let Ok(reference) = Reference::parse(&image) else { continue };
            let given = |name: &String| Reference::parse(name).is_ok_and(|name| name == reference);
            let request = &wanted.prepared.request;
            let known = wanted.made_of.iter().any(|(name, _)| given(name))
                || request.contexts.iter().any(|(name, _)| given(name));
            if !known && reference != wanted.name && names.contains(&reference) {
                wanted.siblings.push((image, reference));
            }
        }
        for (context, service) in &wanted.made_of {
            let of = service_of(project, service).map(|(name, service)| image_name(project, name, service));
            if let Some(image) = of.transpose()? {
                wanted.siblings.push((context.clone(), image));
            }
        }
    }
    let mut ordered: Vec<Wanted<'s>> = Vec::new();
    while !found.is_empty() {
        let free =
            found.values().position(|one| one.siblings.iter().all(|(_, image)| !found.contains_key(image)));
        let Some((_, next)) = free.and_then(|at| found.shift_remove_index(at)) else {
            let circle: Vec<String> = found.values().map(|one| one.services.join(", ")).collect();
            return Err(Failure::new(
                format!("the images of {} are made of each other", circle.join(", ")),
                "take one of the contexts out",
            ));
        };
        ordered.push(next);
    }
    Ok(ordered)
}

/// Names of images that a Dockerfile reads from. A Dockerfile that cannot be read is told when it is built.
fn images_in(request: &BuildRequest) -> Vec<String> {
    let Ok(dockerfile) = plimsoll_dockerfile::parse(&request.dockerfile) else { return Vec::new() };
    let inputs = plimsoll_dockerfile::BuildInputs {
        build_args: request.build_args.iter().cloned().collect(),
        target: request.target.clone(),
        ..plimsoll_dockerfile::BuildInputs::default()
    };
    let Ok(globals) = dockerfile.global_args(&inputs) else { return Vec::new() };
    let Ok(graph) = dockerfile.graph(&globals) else { return Vec::new() };
    let mut images = Vec::new();
    for node in graph.nodes {
        if let plimsoll_dockerfile::Base::Image(name) = node.base {
            images.push(name);
        }
        images.extend(node.dependencies.into_iter().filter_map(|dependency| match dependency.source {
            plimsoll_dockerfile::StageSource::External(name) => Some(name),
            plimsoll_dockerfile::StageSource::Stage(_) => None,
        }));
    }
    images.sort();
    images.dedup();
    images
}

/// What is built, in docker compose's words where this program stands in for it.
pub fn tell_built(built: &[Built], reporter: &dyn Reporter) {
    for one in built.iter().filter(|_| is_in_place()) {
        let name = one.name.familiar();
        reporter.line(&format!(" Image {} Built", name.strip_suffix(":latest").unwrap_or(&name)));
    }
}

/// The name of a service's image, as the engine is to know it.
pub fn image_name(project: &Project, name: &str, service: &Service) -> Result<Reference, Failure> {
    let own = || format!("{}{}{name}", project.name, project.separator());
    let text = service.image.clone().unwrap_or_else(own);
    Reference::parse(&text).map_err(|error| {
        Failure::new(format!("service {name}: {error}"), "write `image:` as NAME[:TAG] in the compose file")
    })
}

/// The same text under the path that a person would write: messages show it.
fn named_from_here(source: &Source) -> Source {
    let name = std::env::current_dir().ok().and_then(|here| {
        let path = Path::new(source.name()).strip_prefix(here).ok()?;
        Some(path.to_string_lossy().into_owned())
    });
    name.map_or_else(|| source.clone(), |name| Source::new(name, source.text()))
}

/// Builds all of them, at once where none is made of another. Every failure is told, not only the first.
pub fn build(
    store: &Store,
    home: &Path,
    images: &Images<'_>,
    wanted: &[Wanted<'_>],
    reporter: &dyn Reporter,
    budget: Option<Budget>,
) -> Result<Vec<Built>, Failure> {
    let builder = Builder::new(store, home.join("build"))?;
    let cancel = interrupt::cancel_on_interrupt();
    let run = Run { store, builder: &builder, images, fresh: &images.asking(), reporter };
    let mut built: Vec<Built> = Vec::new();
    let mut failures: Vec<Diagnostic> = Vec::new();
    let mut left: Vec<&Wanted<'_>> = wanted.iter().collect();
    while !left.is_empty() && !interrupt::is_interrupted() {
        let waits = |one: &&Wanted<'_>| {
            one.siblings.iter().any(|(_, image)| left.iter().any(|other| other.name == *image))
        };
        let (later, now): (Vec<_>, Vec<_>) = left.iter().copied().partition(waits);
        let requests: Vec<(&Wanted<'_>, BuildRequest)> = now
            .into_iter()
            .filter_map(|one| {
                let mut request = one.prepared.request.clone();
                request.cancel.clone_from(&cancel);
                for (context, image) in &one.siblings {
                    // what it is made of has failed, and that is told
                    let of = built.iter().find(|built| built.name == *image)?;
                    request.contexts.extend(of.records.iter().map(|record| (context.clone(), named(record))));
                }
                Some((one, request))
            })
            .collect();
        let outcomes: Vec<_> = thread::scope(|scope| {
            let builds: Vec<_> =
                requests.iter().map(|(one, request)| scope.spawn(|| run.one(one, request))).collect();
            let join = |build: thread::ScopedJoinHandle<'_, _>| {
                build.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            builds.into_iter().map(join).collect()
        });
        for ((one, _), outcome) in requests.iter().zip(outcomes) {
            match outcome {
                Ok(done) => built.push(done),
                Err(diagnostics) => failures.extend(diagnostics.into_iter().map(|diagnostic| {
                    diagnostic.note(format!(
                        "while building {} for {}",
                        one.name.familiar(),
                        one.services.join(", ")
                    ))
                })),
            }
        }
        left = later;
    }
    interrupt::end_at_once();
    if interrupt::is_interrupted() {
        return Err(interrupt::error());
    }
    // in the order of the file again
    built.sort_by_key(|one| wanted.iter().position(|wanted| wanted.name == one.name));
    if let Some(budget) = budget.filter(|_| built.iter().any(|one| one.ran > 0)) {
        let ids: Vec<_> = built.iter().flat_map(|one| &one.records).map(|record| record.id).collect();
        storage::hold(budget, home, store, &builder, &ids, reporter);
    }
    if failures.is_empty() { Ok(built) } else { Err(Failure::from(failures)) }
}

/// The image of a sibling as a named context.
fn named(record: &ImageRecord) -> NamedContext {
    let image = Image { config: record.config.clone(), layers: record.layers.clone() };
    let shown = record.id.to_string();
    NamedContext::Image(Box::new(ResolvedImage { image, shown, digest: Some(record.id) }))
}

/// What all builds of a run share.
struct Run<'a> {
    store: &'a Store,
    builder: &'a Builder,
    images: &'a Images<'a>,
    /// Asks the registry also for names that the store has.
    fresh: &'a Images<'a>,
    reporter: &'a dyn Reporter,
}

/// Passes on what happens in the build of one image.
struct Steps<'a> {
    reporter: &'a dyn Reporter,
    image: &'a Reference,
}

impl plimsoll_build::Progress for Steps<'_> {
    fn event(&self, event: &plimsoll_build::Event<'_>) {
        self.reporter.report(Event::Build { image: self.image, event });
    }
}

impl Run<'_> {
    fn one(&self, one: &Wanted<'_>, request: &BuildRequest) -> Result<Built, Vec<Diagnostic>> {
        let began = Instant::now();
        let images = if one.prepared.fresh { self.fresh } else { self.images };
        let sink = Steps { reporter: self.reporter, image: &one.name };
        let outcomes = match one.prepared.build(self.builder, request, self.store, images, &sink) {
            Ok(outcomes) => outcomes,
            Err(PreparedError::Build(error)) => return Err(error.diagnostics()),
            Err(PreparedError::After(error)) => return Err(error.diagnostics),
        };
        let tell = |line: &str| self.reporter.line(line);
        one.prepared.export(self.store, &outcomes, &tell).map_err(|error| error.diagnostics)?;
        let steps = || outcomes.iter().flat_map(|outcome| &outcome.steps);
        let ran = steps().filter(|step| step.ran.is_some()).count();
        let records: Vec<ImageRecord> = outcomes.iter().map(|outcome| outcome.record.clone()).collect();
        let Some(record) = records.first().cloned() else { return Err(Vec::new()) };
        Ok(Built {
            services: one.services.clone(),
            name: one.name.clone(),
            names: request.tags.clone(),
            ran,
            cached: steps().count() - ran,
            elapsed: began.elapsed(),
            record,
            records,
        })
    }
}
