//! A folder of pages that nothing builds: `index.html` at the root or in `public/`.

use crate::{
    context::{Context, host_name, join},
    detect::platform::is_apart,
    model::{Ecosystem, Evidence, Fact, Role, Service, Shape, Survey, is_below},
};

/// Files that say that something builds or serves the folder's pages.
const MANIFESTS: [&str; 17] = [
    "package.json",
    "pyproject.toml",
    "requirements.txt",
    "Pipfile",
    "setup.py",
    "manage.py",
    "go.mod",
    "Cargo.toml",
    "Gemfile",
    "composer.json",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "mix.exs",
    "deno.json",
    "angular.json",
    "_config.yml",
];

/// Folders in which pages may lie, below a component's own.
const INSIDE: [&str; 5] = ["", "public", "www", "site", "html"];

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let pages: Vec<String> = context
        .repository
        .files()
        .filter(|path| *path == "index.html" || path.ends_with("/index.html"))
        .take(500)
        .map(str::to_owned)
        .collect();
    for page in pages {
        let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
        let (path, output) = component(folder);
        if is_apart(folder)
            || !stands_alone(context, survey, folder, path)
            || source_of_a_build(context, &page)
        {
            continue;
        }
        survey.services.push(service(path, output, &page));
        survey.services.sort_by(|a, b| (&a.path, a.ecosystem).cmp(&(&b.path, b.ecosystem)));
    }
}

/// The component that a folder of pages belongs to, and the folder below it.
fn component(folder: &str) -> (&str, &str) {
    let (above, last) = folder.rsplit_once('/').unwrap_or(("", folder));
    if INSIDE.contains(&last) { (above, if last.is_empty() { "." } else { last }) } else { (folder, ".") }
}

/// Nothing in or above the folder builds it, and no other service has it. Only the root and folders in it count: deeper
/// pages are parts of something.
fn stands_alone(context: &Context<'_>, survey: &Survey, folder: &str, path: &str) -> bool {
    let manifest =
        |folder: &str| MANIFESTS.iter().any(|file| context.repository.contains(&join(folder, file)));
    let mut above = folder;
    while !above.is_empty() {
        if manifest(above) {
            return false;
        }
        above = above.rsplit_once('/').map_or("", |(above, _)| above);
    }
    // A manifest in the root may be that of another part, but what lies in the root itself belongs to it.
    let rooted = path.is_empty() && manifest("");
    let taken = survey
        .services
        .iter()
        .any(|service| is_below(folder, &service.path) && (!service.path.is_empty() || path.is_empty()));
    // Templates of a server that lives in the root.
    let template = survey
        .services
        .iter()
        .any(|service| service.path.is_empty() && service.ecosystem != Ecosystem::Plain);
    !rooted && !taken && !template && path.matches('/').count() < 1
}

/// A page that a bundler reads: its scripts are no JavaScript that a browser runs.
fn source_of_a_build(context: &Context<'_>, page: &str) -> bool {
    let Some(source) = context.repository.source(page) else { return true };
    let text = source.text();
    ["/src/main.ts", "/src/main.tsx", "/src/main.jsx", "/src/index.tsx", "%PUBLIC_URL%", "{{", "{%", "<%"]
        .iter()
        .any(|mark| text.contains(mark))
}

fn service(path: &str, output: &str, page: &str) -> Service {
    let name =
        // Never the checkout's folder: it differs from machine to machine.
        path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("site");
    let evidence = Evidence::file(page, "the page that a web server hands out first");
    let mut service = Service::new(host_name(name), path.to_owned(), Ecosystem::Plain, Role::Site);
    service.shape = Shape::Files;
    service.output = Some(Fact::new(output.to_owned(), evidence));
    service
}
