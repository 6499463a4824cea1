//! Vite: a package with an index.html that `vite build` builds is a site. Without that it is a playground.

use super::{Found, next::setting};
use crate::{
    context::{has_extension, join},
    detect::node::{
        services::{self, Candidate},
        tsconfig,
    },
    model::{Evidence, Fact, Role, is_below},
    rules,
};

pub(super) fn find(candidate: &Candidate<'_>) -> Option<Found> {
    let mut tool = services::framework(candidate.manifest, "vite", "builds pages")?;
    let config = candidate.config("vite.config");
    let root = config.as_ref().and_then(|script| setting(script, "root")).map(|root| clean(&root.value));
    let page = match root.as_deref().filter(|root| !root.is_empty()) {
        Some(root) => format!("{root}/index.html"),
        None => "index.html".to_owned(),
    };
    let library = config.as_ref().is_some_and(|script| {
        (1..script.tokens.len())
            .any(|at| script.is(at, "lib") && script.is(at + 1, ":") && script.is(at + 2, "{"))
    });
    if !candidate.has(&page) || library {
        return None;
    }
    if of_another_page(candidate, config.as_deref()).is_some() {
        return None;
    }
    let unreadable = if candidate.builds_with("vite") { None } else { Some(unreadable(candidate)?) };
    tool.evidence.push(Evidence::file(&join(&candidate.manifest.folder, &page), "the page that Vite builds"));
    let mut found = Found::new(Role::Site, tool);
    found.single_page = true;
    if let Some(place) = unreadable {
        found.gap(rules::BUILD_UNCLEAR,
            "what its build script runs is not known: it is taken for a build by Vite, which is among its packages",
            "write `vite build` into the script `build`, or check the folder that the image copies",
            vec![place],
        );
    }
    let named = flag(candidate).or_else(|| config.as_ref().and_then(|script| setting(script, "outDir")));
    found.output = Some(match named {
        Some(named) => {
            // `outDir` is read below `root`.
            let value = match (&root, clean(&named.value)) {
                (Some(root), value) if !root.is_empty() => below(root, &value),
                (_, value) => value,
            };
            Fact { value, ..named }
        }
        None => {
            let folder = root
                .as_deref()
                .filter(|root| !root.is_empty())
                .map_or_else(|| "dist".to_owned(), |root| format!("{root}/dist"));
            Fact { value: folder, evidence: found.evidence() }
        }
    });
    if let Some(output) = found.output.clone().filter(|output| output.value.starts_with("..")) {
        let own = join(&candidate.manifest.folder, "package.json");
        match tsconfig::inside(&own, &output.value).filter(|full| !full.is_empty()) {
            Some(full) => found.gap(
                rules::BUILD_OUTPUT,
                &format!(
                    "its build writes into {full}: the front serves it from there, and no other image has it"
                ),
                "build it into its own folder, unless a server of yours hands it out",
                output.evidence,
            ),
            None => {
                found.output = None;
                found.gap(
                    rules::BUILD_OUTPUT,
                    "its build writes outside of the repository",
                    "build it into its own folder",
                    output.evidence,
                );
            }
        }
    }
    let assets = config.as_ref().and_then(|script| setting(script, "assetsDir"));
    found.hashed_assets = Some(match assets {
        Some(assets) => Fact { value: format!("/{}/", clean(&assets.value)), ..assets },
        None => found.by_convention("/assets/".to_owned(), "files with a hash in their name"),
    });
    Some(found)
}

/// Pages below a path of another package's server: their build writes them into its folder, and only it hands them out.
/// The folder that the build writes, and the place that says so.
pub(super) fn of_another_page(
    candidate: &Candidate<'_>,
    config: Option<&crate::javascript::Script>,
) -> Option<(String, Evidence)> {
    let script = config?;
    let written = setting(script, "outDir").filter(|written| written.value.starts_with(".."))?;
    let base = setting(script, "base").filter(|base| base.value.trim_matches('/').len() > 1)?;
    let whole = base.value.contains("://") || base.value.starts_with('.');
    let own = join(&candidate.manifest.folder, "package.json");
    let full = tsconfig::inside(&own, &written.value).filter(|_| !whole)?;
    let others = candidate.context.manifests.iter().filter(|other| {
        !other.folder.is_empty()
            && other.folder != candidate.manifest.folder
            && is_below(&full, &other.folder)
    });
    others.into_iter().next()?;
    Some((full, base.evidence.into_iter().next()?))
}

fn clean(path: &str) -> String {
    path.trim_start_matches("./").trim_end_matches('/').to_owned()
}

/// `../dist` below `client` is `dist`.
fn below(root: &str, path: &str) -> String {
    let mut parts: Vec<&str> = root.split('/').collect();
    let mut outside = String::new();
    for part in path.split('/') {
        if part == ".." {
            if parts.pop().is_none() {
                outside.push_str("../");
            }
        } else if part != "." {
            parts.push(part);
        }
    }
    format!("{outside}{}", parts.join("/"))
}

/// `--outDir` of what the build script runs.
fn flag(candidate: &Candidate<'_>) -> Option<Fact<String>> {
    let (_, span) = candidate.manifest.script("build")?;
    let commands = candidate.build_commands();
    let words = commands.iter().find(|words| words.iter().any(|word| word == "vite"))?;
    let value = words.iter().enumerate().find_map(|(at, word)| match word.split_once('=') {
        Some(("--outDir", value)) => Some(value),
        None if word == "--outDir" => words.get(at + 1).map(String::as_str),
        _ => None,
    })?;
    Some(Fact::new(value.to_owned(), Evidence::new(&candidate.manifest.source, span, "where Vite writes")))
}

/// Programs whose own files say what they do.
const OPAQUE: [&str; 12] =
    ["node", "sh", "bash", "make", "gulp", "zx", "tsx", "ts-node", "deno", "just", "task", "nx"];
/// Other programs that make the files of pages.
const OTHERS: [&str; 8] = [
    "webpack",
    "rollup",
    "parcel",
    "esbuild",
    "react-scripts",
    "@angular/cli",
    "@vue/cli-service",
    "@rspack/core",
];

/// The build script where nobody can read what it runs: the one bundler among the packages is then taken.
fn unreadable(candidate: &Candidate<'_>) -> Option<Evidence> {
    let (line, span) = candidate.manifest.script("build")?;
    let commands = candidate.build_commands();
    let opaque = |words: &Vec<String>| {
        let program = words.first().map_or("", String::as_str);
        OPAQUE.contains(&program) || has_extension(program, "sh") || program.starts_with("./")
    };
    let other = OTHERS.iter().any(|name| candidate.manifest.any_dependency(name).is_some());
    (!other && commands.iter().any(opaque))
        .then(|| Evidence::new(&candidate.manifest.source, span, format!("builds the service: {line}")))
}
