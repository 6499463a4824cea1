//! The development compose file: the team's own statement of what the application needs beside it.

use plimsoll_dockerfile::parse_port;
use plimsoll_source::{
    Diagnostic, Source, Span,
    yaml::{Expanded, ExpandedKind},
};

use super::yaml_file::{entries, get, items, parse, scalar};
use crate::{
    context::{Context, join},
    model::{Evidence, Fact},
};

/// In the order in which Compose looks for them; behind them what teams call a file that is for development alone.
const FILES: [&str; 10] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
    "docker-compose.dev.yml",
    "docker-compose.local.yml",
    "compose.dev.yaml",
    "local.yml",
    "docker/docker-compose.yml",
    "docker/compose.yaml",
];

/// The file with its services.
#[derive(Debug)]
pub(super) struct File {
    pub(super) source: Source,
    pub(super) services: Vec<DevService>,
}

/// One of its services.
#[derive(Debug)]
pub(super) struct DevService {
    pub(super) name: String,
    /// Where it is named.
    pub(super) place: Span,
    /// Its image, with defaults of variables put in.
    pub(super) image: Option<(String, Span)>,
    /// The folder that it is built from.
    pub(super) build: Option<String>,
    pub(super) command: Option<(String, Span)>,
    /// Its variables with literal values.
    pub(super) environment: Vec<(String, String, Span)>,
    pub(super) profiles: Vec<String>,
    /// Ports of the developer's machine at which it is reached.
    pub(super) published: Vec<u16>,
    /// How its image is built from a Dockerfile of the repository.
    pub(super) recipe: Option<Recipe>,
    /// Entrypoint and command as words, where they are lists.
    pub(super) entrypoint_words: Option<(Vec<String>, Span)>,
    pub(super) command_words: Option<(Vec<String>, Span)>,
    /// All of its variables. No value: the host's is passed on. A reference that has no default stays in the text.
    pub(super) variables: Vec<(String, Option<String>, Span)>,
    /// Files with further variables, in the repository.
    pub(super) env_files: Vec<(String, Span)>,
    /// Ports of the container at which it is reached.
    pub(super) ports: Vec<(u16, Span)>,
    /// Services that it waits for, with what it waits for.
    pub(super) waits_for: Vec<(String, Option<String>, Span)>,
    pub(super) restart: Option<String>,
}

/// How the file builds an image.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    /// Folder of the context in the repository.
    pub(super) context: String,
    /// The Dockerfile, where it is named.
    pub(super) dockerfile: Option<String>,
    pub(super) target: Option<(String, Span)>,
    /// Build arguments; without a value the host's is taken.
    pub(super) arguments: Vec<(String, Option<String>, Span)>,
    pub(super) place: Span,
}

/// Reads the file that Compose would take, if there is one.
pub(super) fn read(context: &Context<'_>) -> Result<Option<File>, Diagnostic> {
    let read = |file: String| context.repository.source(&file).map(|source| (file, source));
    let root = FILES.iter().find_map(|file| read((*file).to_owned()));
    let Some((path, source)) = root.or_else(|| read(elsewhere(context)?)) else { return Ok(None) };
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let Some(root) = parse(&source)? else { return Ok(None) };
    let mut services: Vec<DevService> = entries(get(&root, "services").map(|(_, services)| services))
        .take(200)
        .map(|(name, place, service)| dev_service(folder, name, place, service))
        .collect();
    share_images(&mut services);
    Ok(Some(File { source, services }))
}

/// A service whose image another one builds is built from that one's folder.
fn share_images(services: &mut [DevService]) {
    let built: Vec<(String, String, Option<Recipe>)> = services
        .iter()
        .filter_map(|service| {
            Some((service.image.as_ref()?.0.clone(), service.build.clone()?, service.recipe.clone()))
        })
        .collect();
    for service in services.iter_mut().filter(|service| service.build.is_none()) {
        let image = service.image.as_ref().map(|(image, _)| image.as_str());
        let Some((_, folder, recipe)) = built.iter().find(|(name, ..)| Some(name.as_str()) == image) else {
            continue;
        };
        service.build = Some(folder.clone());
        service.recipe = service.recipe.take().or_else(|| recipe.clone());
    }
}

/// The one file of a folder below, where the whole application lies in it. Of several nothing says which one counts.
fn elsewhere(context: &Context<'_>) -> Option<String> {
    let usual = |path: &str| {
        let (folder, name) = path.rsplit_once('/')?;
        let fits = FILES.iter().take(4).any(|file| *file == name) && folder.split('/').count() <= 3;
        let apart = [
            "test",
            "tests",
            "e2e",
            "example",
            "examples",
            "docs",
            "ci",
            "regtest",
            "testing",
            "extras",
            "demo",
            ".devcontainer",
            ".github",
        ];
        (fits && !folder.split('/').any(|part| apart.contains(&part))).then(|| path.to_owned())
    };
    let mut found = context.repository.files().filter_map(usual);
    found.next().filter(|_| found.next().is_none())
}

fn dev_service(folder: &str, name: &str, place: Span, service: &Expanded) -> DevService {
    let image = get(service, "image")
        .and_then(|(key, image)| Some((with_defaults(scalar(image)?), key.to(image.span))));
    let build = get(service, "build").and_then(|(_, build)| {
        let context = match &build.kind {
            ExpandedKind::Scalar(scalar) => scalar.text.clone(),
            _ => get(build, "context").and_then(|(_, context)| scalar(context)).unwrap_or(".").to_owned(),
        };
        let below = context.trim_start_matches("./").trim_end_matches('/');
        let below = if below == "." { "" } else { below };
        (!below.starts_with(".."))
            .then(|| if below.is_empty() { folder.to_owned() } else { join(folder, below) })
    });
    let command = get(service, "command").map(|(key, command)| {
        let text = match &command.kind {
            ExpandedKind::Scalar(scalar) => scalar.text.clone(),
            _ => items(command).iter().filter_map(scalar).map(quoted).collect::<Vec<_>>().join(" "),
        };
        // `$$` is Compose's way to write `$`.
        (text.replace("$$", "$"), key.to(command.span))
    });
    let profiles = get(service, "profiles").map_or(&[][..], |(_, profiles)| items(profiles));
    DevService {
        name: name.to_owned(),
        place,
        image,
        build,
        command,
        environment: environment(service),
        profiles: profiles.iter().filter_map(scalar).map(str::to_owned).collect(),
        published: published(service),
        recipe: recipe(folder, service),
        entrypoint_words: words(service, "entrypoint"),
        command_words: words(service, "command"),
        variables: variables(service, "environment"),
        env_files: env_files(folder, service),
        ports: container_ports(service),
        waits_for: waits_for(service),
        restart: get(service, "restart").and_then(|(_, restart)| scalar(restart)).map(str::to_owned),
    }
}

/// `build` as a recipe; nothing where its context or its Dockerfile is no file of the repository.
fn recipe(folder: &str, service: &Expanded) -> Option<Recipe> {
    let (key, build) = get(service, "build")?;
    let context = match &build.kind {
        ExpandedKind::Scalar(scalar) => scalar.text.as_str(),
        _ => get(build, "context").and_then(|(_, context)| scalar(context)).unwrap_or("."),
    };
    let context = inside(folder, &with_defaults(context))?;
    if get(build, "dockerfile_inline").is_some() {
        return None;
    }
    let dockerfile = match get(build, "dockerfile").and_then(|(_, file)| scalar(file)) {
        Some(file) => Some(inside(&context, &with_defaults(file))?),
        None => None,
    };
    let target = get(build, "target").and_then(|(key, target)| {
        Some((with_defaults(scalar(target)?), key.to(target.span))).filter(|(target, _)| !target.is_empty())
    });
    let arguments = variables(build, "args");
    Some(Recipe { context, dockerfile, target, arguments, place: key.to(build.span) })
}

/// A path from a folder, without its dots; nothing where it leads out of the repository.
fn inside(folder: &str, path: &str) -> Option<String> {
    if path.starts_with('/') || path.contains(['$', ':', '#', '\\']) {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The words of a list; a text is for a shell to split.
fn words(service: &Expanded, name: &str) -> Option<(Vec<String>, Span)> {
    let (key, node) = get(service, name)?;
    let ExpandedKind::Sequence(items) = &node.kind else { return None };
    let words: Vec<String> =
        items.iter().filter_map(scalar).map(|word| with_defaults(word).replace("$$", "$")).collect();
    Some((words, key.to(node.span)))
}

/// Names and values in either form. A name alone has no value.
fn variables(node: &Expanded, name: &str) -> Vec<(String, Option<String>, Span)> {
    let Some((_, variables)) = get(node, name) else { return Vec::new() };
    let mut found = Vec::new();
    for (name, key, value) in entries(Some(variables)) {
        let text = scalar(value).filter(|text| !matches!(*text, "" | "~" | "null"));
        found.push((name.clone(), text.map(with_defaults), key.to(value.span)));
    }
    for item in items(variables) {
        let Some(text) = scalar(item) else { continue };
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        found.push((name.to_owned(), value.map(with_defaults), item.span));
    }
    found
}

/// `env_file`: one path, several, or several with a `path` each.
fn env_files(folder: &str, service: &Expanded) -> Vec<(String, Span)> {
    let Some((_, files)) = get(service, "env_file") else { return Vec::new() };
    let one = |node: &Expanded| {
        let path = get(node, "path").map_or(node, |(_, path)| path);
        Some((inside(folder, &with_defaults(scalar(path)?))?, path.span))
    };
    match &files.kind {
        ExpandedKind::Sequence(items) => items.iter().filter_map(one).collect(),
        _ => one(files).into_iter().collect(),
    }
}

/// The container's side of `ports`, and `expose`.
fn container_ports(service: &Expanded) -> Vec<(u16, Span)> {
    let mut found: Vec<(u16, Span)> = Vec::new();
    for list in ["ports", "expose"] {
        let ports = get(service, list).map_or(&[][..], |(_, ports)| items(ports));
        for item in ports {
            let target = get(item, "target").map_or(item, |(_, target)| target);
            let Some(text) = scalar(target) else { continue };
            let Some(port) = first_port(&with_defaults(text)) else { continue };
            if !found.iter().any(|(known, _)| *known == port) {
                found.push((port, item.span));
            }
        }
    }
    found
}

/// The first TCP port of `8080`, `9000:8080` or `8000-8010/tcp`, on the container's side. A range is never written out: each
/// may have 65,535 ports.
pub(super) fn first_port(text: &str) -> Option<u16> {
    let container = text.rsplit(':').next()?;
    let (ports, protocol) = container.split_once('/').unwrap_or((container, "tcp"));
    let first = ports.split('-').next()?;
    let port = parse_port(&format!("{first}/{protocol}")).ok()?.pop()?;
    port.strip_suffix("/tcp")?.parse().ok().filter(|port| *port > 0)
}

/// `depends_on`: names, or names with a condition.
fn waits_for(service: &Expanded) -> Vec<(String, Option<String>, Span)> {
    let Some((_, others)) = get(service, "depends_on") else { return Vec::new() };
    let condition = |node: &Expanded| {
        get(node, "condition").and_then(|(_, condition)| scalar(condition)).map(str::to_owned)
    };
    let mapped = entries(Some(others)).map(|(name, key, node)| (name.clone(), condition(node), key));
    let listed = items(others).iter().filter_map(|item| Some((scalar(item)?.to_owned(), None, item.span)));
    mapped.chain(listed).collect()
}

/// `"6380:6379"`, `"127.0.0.1:6380:6379"`, `{ target: 6379, published: 6380 }`.
fn published(service: &Expanded) -> Vec<u16> {
    let ports = get(service, "ports").map_or(&[][..], |(_, ports)| items(ports));
    let port = |item: &Expanded| {
        let text = match get(item, "published") {
            Some((_, published)) => scalar(published)?.to_owned(),
            None => with_defaults(scalar(item)?).rsplit_once(':')?.0.rsplit(':').next()?.to_owned(),
        };
        text.parse().ok()
    };
    ports.iter().filter_map(port).collect()
}

fn quoted(word: &str) -> String {
    let plain =
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,@+%$[]{}".contains(c));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// `environment`, in either form; references to the host's environment are no values.
fn environment(service: &Expanded) -> Vec<(String, String, Span)> {
    let Some((_, environment)) = get(service, "environment") else { return Vec::new() };
    let mut found = Vec::new();
    for (name, key, value) in entries(Some(environment)) {
        let Some(text) = scalar(value) else { continue };
        found.push((name.clone(), with_defaults(text), key.to(value.span)));
    }
    for item in items(environment) {
        let Some((name, value)) = scalar(item).and_then(|text| text.split_once('=')) else { continue };
        found.push((name.to_owned(), with_defaults(value), item.span));
    }
    found.retain(|(_, value, _)| !value.contains('$'));
    found
}

/// `${NAME:-default}` replaced by its default; other references stay.
fn with_defaults(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let inside = after.split_once('}');
        let default = inside
            .and_then(|(inside, _)| inside.split_once(":-").or_else(|| inside.split_once('-')))
            .map(|(_, default)| default);
        match (inside, default.filter(|default| !default.contains('$'))) {
            (Some((_, behind)), Some(default)) => {
                out.push_str(default);
                rest = behind;
            }
            _ => {
                out.push_str("${");
                rest = after;
            }
        }
    }
    out + rest
}

impl DevService {
    /// The value of a variable with its place.
    pub(super) fn variable(&self, source: &Source, name: &str, reason: &str) -> Option<Fact<String>> {
        let (_, value, span) = self.environment.iter().find(|(known, ..)| known == name)?;
        Some(Fact::new(value.clone(), Evidence::new(source, *span, reason)))
    }

    /// It is there for tests.
    pub(super) fn is_for_tests(&self) -> bool {
        let words =
            |text: &str| text.split(['-', '_']).any(|word| matches!(word, "test" | "tests" | "e2e" | "ci"));
        words(&self.name) || (!self.profiles.is_empty() && self.profiles.iter().all(|profile| words(profile)))
    }
}
