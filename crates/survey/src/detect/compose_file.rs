//! The development compose file: the team's own statement of what the application needs beside it.

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
    let built: Vec<(String, String)> = services
        .iter()
        .filter_map(|service| Some((service.image.as_ref()?.0.clone(), service.build.clone()?)))
        .collect();
    for service in services.iter_mut().filter(|service| service.build.is_none()) {
        let image = service.image.as_ref().map(|(image, _)| image.as_str());
        service.build =
            built.iter().find(|(name, _)| Some(name.as_str()) == image).map(|(_, folder)| folder.clone());
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
    }
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
