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

/// The glob patterns that workspaces use: `*` for one folder, `**` for any number.
fn matches(pattern: &str, folder: &str) -> bool {
    let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
    let pattern: Vec<&str> = pattern.split('/').collect();
    let folder: Vec<&str> = folder.split('/').collect();
    parts_match(&pattern, &folder)
}

fn parts_match(pattern: &[&str], folder: &[&str]) -> bool {
    match (pattern.split_first(), folder.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => (0..=folder.len()).any(|skip| parts_match(rest, &folder[skip..])),
        (Some((part, pattern)), Some((name, folder))) => {
            part_matches(part, name) && parts_match(pattern, folder)
        }
        _ => false,
    }
}

fn part_matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).filter_map(|at| rest.get(at..)).any(|rest| part_matches(after, rest))
        }),
    }
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
    }
}
