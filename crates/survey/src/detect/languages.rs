//! Languages that are recognised and for which no Dockerfile is generated yet. A project that brings one of its own is a
//! service (`own_image`); of each other one a gap says so.

use crate::{
    context::Context,
    detect::platform::is_apart,
    model::{Evidence, Gap, Survey, is_below},
    rules,
};

/// The file that marks a project of a language.
const MARKS: [(&str, &str); 14] = [
    ("go.mod", "Go"),
    ("Cargo.toml", "Rust"),
    ("Gemfile", "Ruby"),
    ("composer.json", "PHP"),
    ("pom.xml", "Java"),
    ("build.gradle", "Java"),
    ("build.gradle.kts", "Kotlin"),
    ("mix.exs", "Elixir"),
    ("deno.json", "Deno"),
    ("deno.jsonc", "Deno"),
    ("Package.swift", "Swift"),
    ("build.sbt", "Scala"),
    ("project.clj", "Clojure"),
    ("gleam.toml", "Gleam"),
];

/// A project of another language.
pub(super) struct Project {
    /// Its folder; empty for the root.
    pub(super) folder: String,
    /// The file that marks it.
    pub(super) file: String,
    pub(super) language: &'static str,
}

/// Every project, the outermost of a language alone.
pub(super) fn projects(context: &Context<'_>) -> Vec<Project> {
    let mut said: Vec<Project> = Vec::new();
    for path in context.repository.files() {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let marked = MARKS.iter().find(|(file, _)| *file == name).map(|(_, language)| *language);
        let language = marked.or_else(|| {
            let extension = name.rsplit_once('.').map(|(_, extension)| extension);
            matches!(extension, Some("csproj" | "fsproj" | "vbproj")).then_some(".NET")
        });
        let Some(language) = language.filter(|_| !is_apart(folder)) else { continue };
        // Members of a workspace are said by its root.
        let above = |known: &Project| known.language == language && is_below(folder, &known.folder);
        if said.iter().any(above) || said.len() == 20 {
            continue;
        }
        said.push(Project { folder: folder.to_owned(), file: path.to_owned(), language });
    }
    said
}

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    // What is built from a Dockerfile of the team's is there, with all that its folder or its context holds.
    let built: Vec<String> = survey
        .services
        .iter()
        .filter_map(|service| Some((service, service.own_image.as_ref()?)))
        .flat_map(|(service, image)| {
            let context = Some(image.context.value.clone()).filter(|context| !context.is_empty());
            [Some(service.path.clone()), context]
        })
        .flatten()
        .collect();
    let covers = |built: &String, folder: &str| {
        if built.is_empty() { folder.is_empty() } else { is_below(folder, built) }
    };
    for project in projects(context) {
        if !built.iter().any(|built| covers(built, &project.folder)) {
            survey.gaps.push(gap(context, &project.file, &project.folder, project.language));
        }
    }
}

/// The place that shows the language: the first line of its file that says something (`module example.com/shop`).
pub(super) fn evidence(context: &Context<'_>, path: &str, language: &str) -> Evidence {
    let reason = format!("a project of {language}");
    let first = context.repository.source(path).and_then(|source| {
        let number = source.text().lines().position(|line| !line.trim().is_empty())? + 1;
        Some(Evidence::new(&source, source.line_span(number), reason.clone()))
    });
    first.unwrap_or_else(|| Evidence::file(path, reason))
}

fn gap(context: &Context<'_>, path: &str, folder: &str, language: &str) -> Gap {
    Gap { rule: rules::NOT_GENERATED,
        subject: if folder.is_empty() { "the repository".to_owned() } else { folder.to_owned() },
        message: format!("a project in {language}: it is recognised, and nothing is generated for it yet"),
        hint: "Plimsoll generates for Node.js, Python and plain pages so far; write its image and service by hand".to_owned(),
        evidence: vec![evidence(context, path, language)],
    }
}
