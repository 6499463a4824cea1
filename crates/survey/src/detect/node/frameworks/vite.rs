//! Vite: a package with an index.html that `vite build` builds is a site. Without that it is a playground.

use super::{Found, next::setting};
use crate::{
    context::join,
    detect::node::services::{self, Candidate},
    model::{Evidence, Fact, Role},
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
    if !candidate.has(&page) || !candidate.builds_with("vite") || library {
        return None;
    }
    tool.evidence.push(Evidence::file(&join(&candidate.manifest.folder, &page), "the page that Vite builds"));
    let mut found = Found::new(Role::Site, tool);
    found.single_page = true;
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
    if found.output.as_ref().is_some_and(|output| output.value.starts_with("..")) {
        let evidence = found.output.take().map(|output| output.evidence).unwrap_or_default();
        found.gap(
            "its build writes into another package: it belongs to that one",
            "build it into its own folder",
            evidence,
        );
    }
    let assets = config.as_ref().and_then(|script| setting(script, "assetsDir"));
    found.hashed_assets = Some(match assets {
        Some(assets) => Fact { value: format!("/{}/", clean(&assets.value)), ..assets },
        None => found.by_convention("/assets/".to_owned(), "files with a hash in their name"),
    });
    Some(found)
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

/// `--outDir` of the build script.
fn flag(candidate: &Candidate<'_>) -> Option<Fact<String>> {
    let (line, span) = candidate.manifest.script("build")?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let value = words.iter().enumerate().find_map(|(at, word)| match word.split_once('=') {
        Some(("--outDir", value)) => Some(value),
        None if *word == "--outDir" => words.get(at + 1).copied(),
        _ => None,
    })?;
    Some(Fact::new(value.to_owned(), Evidence::new(&candidate.manifest.source, span, "where Vite writes")))
}
