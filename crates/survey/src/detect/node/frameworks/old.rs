//! Tools for pages that are older than the Node.js that stacks run on: what they need, and what they cannot do.

use super::Found;
use crate::{context::join, detect::node::services::Candidate, model::Evidence, rules};

/// Packages that build with webpack 4 before this major version.
const WEBPACK_4: [(&str, u32); 5] = [
    ("react-scripts", 5),
    ("@vue/cli-service", 5),
    ("webpack", 5),
    ("@angular-devkit/build-angular", 12),
    ("laravel-mix", 6),
];

/// Lock files that name the versions of everything.
const LOCKS: [&str; 4] = ["package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml"];

/// Adds what an old tool needs, and says what does not work.
pub(super) fn say(candidate: &Candidate<'_>, found: &mut Found) {
    let manifest = candidate.manifest;
    let place = |name: &str| {
        let dependency = manifest.any_dependency(name)?;
        Some(vec![Evidence::new(&manifest.source, dependency.span, format!("{name} {}", dependency.range))])
    };
    let old = WEBPACK_4.iter().find(|(name, first)| {
        let range = manifest.any_dependency(name).map(|dependency| dependency.range);
        range.and_then(major).is_some_and(|major| major < *first)
    });
    let vite = candidate.builds_with("vite");
    if let Some((name, _)) =
        old.filter(|_| !vite && found.settings.iter().all(|it| it.name != "NODE_OPTIONS"))
    {
        found.set_at_build(
            "NODE_OPTIONS",
            "--openssl-legacy-provider",
            "webpack 4 hashes with MD4, which Node.js 17 and later refuse without it",
        );
        if let Some((lock, version)) = postcss(candidate) {
            let mut evidence = place(name).unwrap_or_default();
            evidence.push(Evidence::file(&lock, "the lock file"));
            found.gap(rules::OUTDATED_PACKAGE,
                &format!(
                    "{lock} holds postcss {version}, which Node.js 17 and later cannot load as {name} does: its build fails"
                ),
                "take the next major version of it, or renew postcss in the lock file",
                evidence,
            );
        }
    }
    if let Some(evidence) = place("node-sass") {
        found.gap(
            rules::OUTDATED_PACKAGE,
            "node-sass is made for Node.js up to 20 and compiled where it has no binary: its build may fail",
            "take the package `sass`, which does the same",
            evidence,
        );
    }
}

pub(super) fn major(range: &str) -> Option<u32> {
    range.trim_start_matches(['^', '~', 'v', '=', '>']).split(['.', ' ']).next()?.parse().ok()
}

/// A postcss before 8.3 in a lock file: it maps its folders in a way that Node.js 17 took away.
fn postcss(candidate: &Candidate<'_>) -> Option<(String, String)> {
    LOCKS.iter().find_map(|lock| {
        let path = join(&candidate.manifest.folder, lock);
        let source = candidate.context.repository.source(&path)?;
        let text = source.text();
        ["/postcss-8.0.", "/postcss-8.1.", "/postcss-8.2.", " postcss@8.2.", "/postcss/8.2.", "/postcss@8.2."]
            .iter()
            .find_map(|start| {
                let at = text.find(start)? + start.len();
                let end = text[at..].find(|c: char| !c.is_ascii_digit())?;
                let beginning = start.trim_start_matches(|c: char| !c.is_ascii_digit());
                Some((path.clone(), format!("{beginning}{}", &text[at..at + end])))
            })
    })
}
