//! Languages that are recognised and for which nothing is generated yet: one gap each that says so.

use crate::{
    context::Context,
    detect::platform::is_apart,
    model::{Evidence, Gap, Survey, is_below},
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

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let mut said: Vec<(&str, String)> = Vec::new();
    for path in context.repository.files() {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let marked = MARKS.iter().find(|(file, _)| *file == name).map(|(_, language)| *language);
        let language = marked.or_else(|| {
            let extension = name.rsplit_once('.').map(|(_, extension)| extension);
            matches!(extension, Some("csproj" | "fsproj" | "vbproj")).then_some(".NET")
        });
        let Some(language) = language.filter(|_| !is_apart(folder)) else { continue };
        // Members of a workspace are said by its root.
        if said.iter().any(|(known, above)| *known == language && is_below(folder, above)) || said.len() == 20
        {
            continue;
        }
        said.push((language, folder.to_owned()));
        survey.gaps.push(gap(context, path, folder, language));
    }
}

fn gap(context: &Context<'_>, path: &str, folder: &str, language: &str) -> Gap {
    // The first line that says something: `module example.com/shop`, `[package]`.
    let evidence = context.repository.source(path).and_then(|source| {
        let number = source.text().lines().position(|line| !line.trim().is_empty())? + 1;
        Some(Evidence::new(&source, source.line_span(number), format!("a project of {language}")))
    });
    Gap {
        subject: if folder.is_empty() { "the repository".to_owned() } else { folder.to_owned() },
        message: format!("a project in {language}: it is recognised, and nothing is generated for it yet"),
        hint: "Plimsoll generates for Node.js, Python and plain pages so far; write its image and service by hand".to_owned(),
        evidence: vec![evidence.unwrap_or_else(|| Evidence::file(path, format!("a project of {language}")))],
    }
}
