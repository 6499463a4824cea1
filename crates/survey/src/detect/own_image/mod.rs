//! Components in other languages that bring a Dockerfile of their own: a project of a language that has one in its folder,
//! and what the development compose file builds. Those of Node.js and Python are recognised before; their Dockerfiles are
//! evidence alone.

use std::collections::BTreeMap;

use plimsoll_dockerfile::Lines;
use plimsoll_source::Source;

use super::{
    compose_file::{self, DevService, File, Recipe},
    languages::{self, Project},
    platform::{is_apart, words},
    secret,
    stores::{self, others},
};
use crate::{
    context::{Context, host_name, join},
    model::{
        Confidence, Ecosystem, Evidence, Fact, Gap, OwnImage, Question, Role, Service, StoreKind, Survey,
        is_below,
    },
    rules, toml,
};

mod addresses;
mod bases;
mod roles;
mod stage;
mod variables;

/// Names of a Dockerfile, in the order in which builders look for them.
const NAMES: [&str; 2] = ["Dockerfile", "Containerfile"];
/// At most so many components are taken.
const MAX_COUNT: usize = 50;

/// Something that is built from a Dockerfile of the team.
struct Component<'a> {
    /// Its folder; empty for the root.
    path: String,
    dockerfile: String,
    recipe: Option<&'a Recipe>,
    project: Option<&'a Project>,
    /// Its service in the development compose file.
    dev: Option<&'a DevService>,
}

/// What the whole repository says.
struct Team<'a> {
    context: &'a Context<'a>,
    file: Option<&'a File>,
    /// Stores of the development compose file.
    started: Vec<(String, StoreKind)>,
}

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    // What cannot be read is said where the stores are looked for.
    let file = compose_file::read(context).ok().flatten();
    let projects = languages::projects(context);
    let started = file.as_ref().map(stores::names_in).unwrap_or_default();
    let mut components: Vec<Component<'_>> = Vec::new();
    for dev in file.iter().flat_map(|file| &file.services) {
        let is_store = started.iter().any(|(name, _)| *name == dev.name);
        if !is_store && !dev.is_for_tests() && !others::is_dashboard(dev) {
            components.extend(in_compose(context, survey, &projects, dev));
        }
    }
    for project in &projects {
        let known = components.iter().any(|component| {
            component.path == project.folder || component.project.is_some_and(|it| it.file == project.file)
        });
        if !known {
            components.extend(in_folder(context, survey, project));
        }
    }
    if components.is_empty() {
        return;
    }
    components.truncate(MAX_COUNT);
    let team = Team { context, file: file.as_ref(), started };
    for component in &components {
        let shared = components.iter().filter(|other| is_same_image(component, other)).count() > 1;
        add(&team, component, shared, survey);
    }
    survey.services.sort_by(|a, b| (&a.path, a.ecosystem).cmp(&(&b.path, b.ecosystem)));
}

fn is_same_image(one: &Component<'_>, other: &Component<'_>) -> bool {
    let target = |component: &Component<'_>| {
        component.recipe.and_then(|recipe| recipe.target.as_ref().map(|(target, _)| target.clone()))
    };
    one.dockerfile == other.dockerfile && target(one) == target(other)
}

/// What a service of the development compose file builds, where nothing that was recognised covers it.
fn in_compose<'a>(
    context: &Context<'_>,
    survey: &Survey,
    projects: &'a [Project],
    dev: &'a DevService,
) -> Option<Component<'a>> {
    let recipe = dev.recipe.as_ref()?;
    let usual = || {
        let mut files = NAMES.iter().map(|name| join(&recipe.context, name));
        files.find(|file| context.repository.contains(file))
    };
    let dockerfile = recipe.dockerfile.clone().or_else(usual)?;
    if !context.repository.contains(&dockerfile) {
        return None;
    }
    let folder = dockerfile.rsplit_once('/').map_or("", |(folder, _)| folder);
    let project = [folder, &recipe.context]
        .iter()
        .find_map(|folder| projects.iter().find(|project| project.folder == **folder));
    let path = project.map_or_else(|| recipe.context.clone(), |project| project.folder.clone());
    let covered = survey.services.iter().any(|known| match project {
        Some(_) => known.path == path,
        None => known.path == path || is_below(&known.path, &path) || is_below(&path, &known.path),
    });
    (!covered && !is_apart(&path)).then_some(Component {
        path,
        dockerfile,
        recipe: Some(recipe),
        project,
        dev: Some(dev),
    })
}

/// A project with a Dockerfile in its folder.
fn in_folder<'a>(context: &Context<'_>, survey: &Survey, project: &'a Project) -> Option<Component<'a>> {
    let mut files = NAMES.iter().map(|name| join(&project.folder, name));
    let dockerfile = files.find(|file| context.repository.contains(file))?;
    let covered = survey.services.iter().any(|known| known.path == project.folder);
    (!covered).then(|| Component {
        path: project.folder.clone(),
        dockerfile,
        recipe: None,
        project: Some(project),
        dev: None,
    })
}

/// Adds the component as a service, or the reason why it is none.
fn add(team: &Team<'_>, component: &Component<'_>, shared: bool, survey: &mut Survey) {
    let Some(source) = team.context.repository.source(&component.dockerfile) else { return };
    let target = component.recipe.and_then(|recipe| recipe.target.as_ref());
    let arguments = component.recipe.map(|recipe| &recipe.arguments[..]).unwrap_or_default();
    let values: BTreeMap<String, String> = arguments
        .iter()
        .filter_map(|(name, value, _)| Some((name.clone(), value.clone()?)))
        .filter(|(_, value)| !value.contains('$'))
        .collect();
    let read = stage::read(&source, target.map(|(target, _)| target.as_str()), values);
    let stage = match read {
        Ok(stage) => stage,
        Err(problem) => {
            let mut gap = Gap::unreadable(&problem);
            if gap.evidence.is_empty() {
                gap.subject.clone_from(&component.dockerfile);
                gap.evidence.push(Evidence::file(&component.dockerfile, "the team's own image"));
            }
            survey.gaps.push(gap);
            return;
        }
    };
    let name = unique(&name(team.context, component), survey);
    let gateway = others::is_gateway(&stage.base.value);
    if gateway && component.project.is_none() {
        // Said where the services of the compose file are gone through: the generated front takes its place.
        return;
    }
    if bases::is_fastcgi(&stage.base.value) {
        survey.gaps.push(fastcgi(&name, &stage.base));
        return;
    }
    let mut service = Service::new(name, component.path.clone(), Ecosystem::Image, Role::Server);
    service.own_image = Some(Box::new(image(team, component, &source, &stage, shared)));
    service.command = started_as(team, component, &stage, shared);
    service.writes = variables::volumes(&stage);
    variables::fill(team, component, &stage, &mut service, &mut survey.gaps);
    survey.gaps.extend(other_command(team, component, &service));
    roles::decide(team, component, &stage, shared, &mut service, survey);
    questions(&service, survey);
    survey.services.push(service);
}

/// What the Dockerfile says, and the compose file of its build.
fn image(
    team: &Team<'_>,
    component: &Component<'_>,
    source: &Source,
    stage: &stage::Stage,
    shared: bool,
) -> OwnImage {
    let base = bases::of(&stage.base.value);
    let in_compose = |span, reason: &str| team.file.map(|file| Evidence::new(&file.source, span, reason));
    let here = Evidence::new(source, source.line_span(first_line(source)), "the team's own image");
    let build = component
        .recipe
        .and_then(|recipe| in_compose(recipe.place, "the development compose file builds it"));
    let context = component.recipe.map_or(component.path.as_str(), |recipe| &recipe.context);
    let target = component.recipe.and_then(|recipe| recipe.target.as_ref());
    let language = component.project.map(|project| {
        let place = languages::evidence(team.context, &project.file, project.language);
        Fact::new(project.language.to_owned(), place)
    });
    let shell =
        if base.bare { "an image without a shell" } else { "no image that is known to have no shell" };
    let place = stage.base.evidence.first().cloned().unwrap_or_else(|| here.clone());
    let arguments = component.recipe.map(|recipe| &recipe.arguments[..]).unwrap_or_default();
    OwnImage {
        language,
        context: Fact::new(context.to_owned(), build.unwrap_or_else(|| here.clone())),
        dockerfile: Fact::new(component.dockerfile.clone(), here),
        target: target.and_then(|(target, span)| {
            Some(Fact::new(target.clone(), in_compose(*span, "the stage that is built")?))
        }),
        arguments: arguments
            .iter()
            .map(|(name, value, span)| {
                let open = value.as_ref().filter(|value| !secret::is_secret(name) && !value.contains('$'));
                let fact = open.and_then(|value| {
                    Some(Fact::new(value.clone(), in_compose(*span, "an argument of the build")?))
                });
                (name.clone(), fact)
            })
            .collect(),
        shell: Fact::new(!base.bare, Evidence { reason: shell.to_owned(), ..place }),
        passes_on: base.passes_on,
        given: given(team, component, stage, shared),
        base: stage.base.clone(),
        entrypoint: stage.entrypoint.clone(),
        command: stage.command.clone(),
        user: stage.user.clone(),
        healthcheck: stage.healthcheck.clone(),
        variables: variables::of_image(stage),
        forms: Vec::new(),
        keeps_user: false,
        secrets_in_environment: false,
    }
}

/// The line of the first instruction.
fn first_line(source: &Source) -> usize {
    let parsed = plimsoll_dockerfile::parse_lenient(source);
    let lines: Option<Lines> = parsed.dockerfile.stages.first().map(|stage| stage.lines);
    lines.map_or(1, |lines| lines.first)
}

/// The command of the development compose file, where the image has none of its own or is one of several processes': else
/// it may be one for development.
fn given(
    team: &Team<'_>,
    component: &Component<'_>,
    stage: &stage::Stage,
    shared: bool,
) -> Option<Fact<Vec<String>>> {
    let dev = component.dev.filter(|_| shared || !stage.starts_something())?;
    let (words, span) = dev_command(dev)?;
    let evidence = Evidence::new(&team.file?.source, span, "the development compose file starts it so");
    (!words.is_empty()).then(|| Fact::new(words, evidence))
}

/// Entrypoint and command of the development compose file, on the same conditions.
fn started_as(
    team: &Team<'_>,
    component: &Component<'_>,
    stage: &stage::Stage,
    shared: bool,
) -> Option<Fact<Vec<String>>> {
    let dev = component.dev.filter(|_| shared || !stage.starts_something())?;
    let (entrypoint, span) = dev.entrypoint_words.as_ref().filter(|(words, _)| !words.is_empty())?;
    let evidence = Evidence::new(&team.file?.source, *span, "the development compose file starts it so");
    let arguments = dev_command(dev).map(|(words, _)| words).unwrap_or_default();
    Some(Fact::new([entrypoint.clone(), arguments].concat(), evidence))
}

/// The words of a service's command; a text that only a shell can read is given to one.
fn dev_command(dev: &DevService) -> Option<(Vec<String>, plimsoll_source::Span)> {
    if let Some((words, span)) = &dev.command_words {
        return Some((words.clone(), *span));
    }
    let (text, span) = dev.command.as_ref()?;
    let line = words::line(text).filter(|line| {
        line.before.is_empty()
            && line.variables.is_empty()
            && line.port.is_none()
            && !line.words.iter().any(|word| word.contains(words::PORT))
    });
    Some((line?.words, *span))
}

/// Its name in the compose file, that of its folder, that of its package.
fn name(context: &Context<'_>, component: &Component<'_>) -> String {
    if let Some(dev) = component.dev {
        // Others reach it under this name.
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
        let fits = dev.name.len() <= 40
            && dev.name.starts_with(|c: char| c.is_ascii_lowercase())
            && dev.name.ends_with(|c: char| c.is_ascii_alphanumeric())
            && dev.name.chars().all(plain);
        return if fits { dev.name.clone() } else { host_name(&dev.name) };
    }
    let folder = component.path.rsplit('/').next().filter(|name| !name.is_empty());
    // Never the checkout's folder: it differs from machine to machine.
    let package = || component.project.and_then(|project| package(context, project));
    folder.map(str::to_owned).or_else(package).map_or_else(|| "app".to_owned(), |name| host_name(&name))
}

/// The name in go.mod or Cargo.toml.
fn package(context: &Context<'_>, project: &Project) -> Option<String> {
    let source = context.repository.source(&project.file)?;
    match project.language {
        "Go" => {
            let line = source.text().lines().find_map(|line| line.trim().strip_prefix("module "))?;
            let path = line.split("//").next()?.trim().trim_matches('"');
            let version = |part: &str| {
                part.strip_prefix('v')
                    .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
            };
            path.rsplit('/').find(|part| !version(part)).map(str::to_owned)
        }
        "Rust" => toml::parse(&source).ok()?.at(&["package", "name"])?.str().map(str::to_owned),
        _ => None,
    }
}

/// The command of development that the stack does not take.
fn other_command(team: &Team<'_>, component: &Component<'_>, service: &Service) -> Option<Gap> {
    let (file, dev, image) = (team.file?, component.dev?, service.own_image.as_ref()?);
    let entrypoint = dev.entrypoint_words.as_ref().map(|(words, span)| (words.join(" "), *span));
    let (text, span) = dev.command.clone().or(entrypoint)?;
    (image.given.is_none() && service.command.is_none()).then(|| Gap {
        rule: rules::DEVELOPMENT_COMMAND,
        subject: service.name.clone(),
        message: format!("development starts it with `{text}`; the stack runs the command of its image"),
        hint: format!("`--answer {}.command=\"…\"` says what runs in production", service.name),
        evidence: vec![Evidence::new(&file.source, span, "the development compose file starts it so")],
    })
}

fn unique(name: &str, survey: &Survey) -> String {
    let taken = |name: &str| {
        survey.services.iter().any(|service| {
            service.name == name || service.processes.iter().any(|process| process.name == name)
        })
    };
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.to_owned())
        .chain(numbered)
        .find(|name| !taken(name))
        .unwrap_or_else(|| name.to_owned())
}

fn fastcgi(name: &str, base: &Fact<String>) -> Gap {
    Gap { rule: rules::NOT_GENERATED,
        subject: name.to_owned(),
        message: format!(
            "its image is made from {}, which speaks FastCGI: the front passes on HTTP alone",
            base.value
        ),
        hint: "serve it with a web server in its image (FrankenPHP, Apache, nginx), or write its service by hand; it is kept"
            .to_owned(),
        evidence: base.evidence.clone(),
    }
}

/// What has to be known before its secrets can be handed over.
fn questions(service: &Service, survey: &mut Survey) {
    let Some(image) = &service.own_image else { return };
    let secrets = variables::secrets(service);
    if secrets.is_empty() {
        return;
    }
    let place = |evidence: &[Evidence]| {
        evidence.first().map(|place| format!(" ({}:{})", place.file, place.line)).unwrap_or_default()
    };
    let name = &service.name;
    let lines: Vec<String> = secrets.iter().map(|secret| format!("`{secret}: ${{{secret}:?}}`")).collect();
    if !image.shell.value {
        survey.questions.push(Question {
            id: format!("{name}.secrets"),
            text: format!(
                "The image of {name} has no shell{}: nothing in it can read {} from a file before the program starts. \
                 `environment` gives the service {}, which `docker inspect` shows; without an answer it is left out.",
                place(&image.shell.evidence),
                secrets.join(" and "),
                lines.join(" and "),
            ),
            options: vec!["environment".to_owned()],
            default: None,
            confidence: Confidence::Open,
            evidence: image.shell.evidence.clone(),
        });
    } else if service.command.is_none() && image.runs().is_none() {
        let known = image.command.as_ref().or(image.entrypoint.as_ref());
        let evidence = known.map_or(&image.base.evidence, |words| &words.evidence);
        survey.questions.push(Question {
            id: format!("{name}.command"),
            text: format!(
                "What the image of {name} runs is not known: it rests on {}{}, which may have an entrypoint of its own, and \
                 {} have to be read from files before the program starts. Which program does it run, with which arguments?",
                image.base.value,
                place(&image.base.evidence),
                secrets.join(" and "),
            ),
            options: Vec::new(),
            default: None,
            confidence: Confidence::Open,
            evidence: evidence.clone(),
        });
    }
}
