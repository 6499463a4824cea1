//! Angular: the workspace's only application.

use super::Found;
use plimsoll_source::json::{self, Value};

use crate::{
    context::join,
    detect::node::services::{self, Candidate},
    model::{Evidence, Fact, Role},
    rules,
};

pub(super) fn find(candidate: &Candidate<'_>) -> Option<Found> {
    let tool = services::framework(candidate.manifest, "@angular/core", "makes pages")?;
    let source = candidate.context.repository.source(&join(&candidate.manifest.folder, "angular.json"))?;
    let root = json::parse(&source).ok()?;
    let projects = root.get("projects")?;
    let applications: Vec<(&str, &Value)> = projects
        .value
        .members()
        .iter()
        .filter(|project| {
            project.value.get("projectType").is_none_or(|kind| kind.value.str() == Some("application"))
                && !project.key.ends_with("-e2e")
        })
        .map(|project| (project.key.as_str(), &project.value))
        .collect();
    let mut found = Found::new(Role::Site, tool);
    found.single_page = true;
    found.hashed_assets =
        Some(found.by_convention("/".to_owned(), "files with a hash in their name lie beside the page"));
    let [(name, project)] = applications[..] else {
        let place = vec![Evidence::new(&source, projects.span(), "the workspace's projects")];
        found.gap(
            rules::BUILD_UNCLEAR,
            "several applications in one workspace: which one is meant is not known",
            "keep one application in angular.json",
            place,
        );
        return Some(found);
    };
    let targets = project.get("architect").or_else(|| project.get("targets"))?;
    let build = targets.value.get("build")?;
    let builder = build.value.get("builder").and_then(|builder| builder.value.str()).unwrap_or_default();
    let options = build.value.get("options");
    let path = options.and_then(|options| options.value.get("outputPath"));
    let written = path.and_then(|path| {
        path.value.str().or_else(|| path.value.get("base").and_then(|base| base.value.str()))
    });
    let base = written.map_or_else(|| format!("dist/{name}"), |path| path.trim_end_matches('/').to_owned());
    let inner = path.and_then(|path| path.value.get("browser")).and_then(|browser| browser.value.str());
    // The newer builder writes what browsers load into a folder of its own.
    let value = match inner {
        Some("") => base,
        Some(inner) => format!("{base}/{inner}"),
        None if builder.ends_with(":application") => format!("{base}/browser"),
        None => base,
    };
    let evidence =
        Evidence::new(&source, path.map_or(build.span(), json::Member::span), "where the build writes");
    found.output = Some(Fact::new(value, evidence));
    let renders = options
        .and_then(|options| options.value.get("ssr"))
        .or_else(|| options.and_then(|options| options.value.get("server")));
    if let Some(renders) = renders {
        let place = vec![Evidence::new(&source, renders.span(), "renders on a server")];
        found.gap(
            rules::BUILD_UNCLEAR,
            "pages that a server renders are served as files",
            "the server's entry is dist/<project>/server/server.mjs",
            place,
        );
    }
    Some(found)
}
