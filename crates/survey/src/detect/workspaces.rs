//! What pnpm's and npm's workspaces have in common: patterns of folders, and packages that use one another.

use crate::{
    context::Context,
    manifest::Manifest,
    model::{Evidence, Fact, Survey, Workspace},
};

/// A pattern of folders with what it rests on.
pub(super) struct Pattern {
    pub(super) text: String,
    pub(super) evidence: Evidence,
}

/// Adds every package whose folder matches.
pub(super) fn add(context: &Context<'_>, survey: &mut Survey, patterns: &[Pattern]) {
    let members: Vec<(&Manifest, &Pattern)> = context
        .manifests
        .iter()
        .filter(|manifest| !manifest.folder.is_empty())
        .filter_map(|manifest| {
            let deciding = patterns.iter().rev().find(|pattern| {
                matches(pattern.text.strip_prefix('!').unwrap_or(&pattern.text), &manifest.folder)
            })?;
            (!deciding.text.starts_with('!')).then_some((manifest, deciding))
        })
        .collect();
    let names: Vec<String> =
        members.iter().filter_map(|(manifest, _)| manifest.name().map(|name| name.value)).collect();
    for (manifest, pattern) in members {
        let Some(name) = manifest.name() else { continue };
        let mut evidence = name.evidence;
        evidence.push(pattern.evidence.clone());
        survey.workspaces.push(Workspace {
            uses: uses(manifest, &names),
            scripts: scripts(manifest),
            name: name.value,
            path: manifest.folder.clone(),
            output: None,
            evidence,
        });
    }
}

fn uses(manifest: &Manifest, names: &[String]) -> Vec<Fact<String>> {
    manifest
        .all("dependencies")
        .filter(|dependency| names.iter().any(|name| name == dependency.name))
        .map(|dependency| {
            let evidence = Evidence::new(&manifest.source, dependency.span, "a package of this repository");
            Fact::new(dependency.name.to_owned(), evidence)
        })
        .collect()
}

fn scripts(manifest: &Manifest) -> Vec<Fact<String>> {
    manifest
        .scripts()
        .map(|(name, command, span)| {
            Fact::new(name.to_owned(), Evidence::new(&manifest.source, span, command.to_owned()))
        })
        .collect()
}

/// The glob patterns that workspaces use: `*` within one folder's name, `**` for any number of folders.
fn matches(pattern: &str, folder: &str) -> bool {
    let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
    let pattern: Vec<&str> = pattern.split('/').collect();
    let folder: Vec<&str> = folder.split('/').collect();
    wildcard(
        &pattern,
        &folder,
        |part| *part == "**",
        |part, name| {
            let (part, name): (Vec<char>, Vec<char>) = (part.chars().collect(), name.chars().collect());
            wildcard(&part, &name, |c| *c == '*', |c, other| c == other)
        },
    )
}

/// Matches items against a pattern in which some items (`any`) stand for any number of items. It only ever goes back
/// to the last of them, so that no pattern can make it slow.
fn wildcard<T>(pattern: &[T], text: &[T], any: impl Fn(&T) -> bool, same: impl Fn(&T, &T) -> bool) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry = None;
    while t < text.len() {
        if p < pattern.len() && any(&pattern[p]) {
            retry = Some((p + 1, t));
            p += 1;
        } else if p < pattern.len() && same(&pattern[p], &text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((behind, begin)) = retry {
            retry = Some((behind, begin + 1));
            (p, t) = (behind, begin + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(any)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_the_package_managers_do() {
        assert!(matches("apps/*", "apps/backend"));
        assert!(!matches("apps/*", "apps/backend/deep"));
        assert!(!matches("apps/*", "apps"));
        assert!(matches("apps/**", "apps/backend/deep"));
        assert!(matches("./packages/shared/", "packages/shared"));
        assert!(matches("packages/lib-*", "packages/lib-a"));
        assert!(!matches("packages/lib-*", "packages/app"));
        assert!(matches("**/*-a/**", "x/y-a/z") && !matches("**/*-a/**/q", "x/y-a/z"));
        let slow = "*a".repeat(100) + "b";
        assert!(!matches(&slow, &"a".repeat(200)));
    }
}
