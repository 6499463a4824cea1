//! Workspaces: patterns of folders (in pnpm-workspace.yaml, or in `workspaces` of a package.json as npm, Yarn and Bun
//! read it), and packages that use one another.

use super::{npm_workspaces, packages, pnpm_workspace, tsconfig};
use crate::{
    context::Context,
    manifest::Manifest,
    model::{Evidence, Fact, Gap, Survey, Workspace, is_below},
    rules,
};

pub(in crate::detect) fn detect(context: &Context<'_>, survey: &mut Survey) {
    for manifest in &context.manifests {
        if packages::is_left_out(&manifest.folder) {
            continue;
        }
        // pnpm does not read the other key where it has a file of its own.
        let patterns = pnpm_workspace::patterns(context, &manifest.folder, survey)
            .unwrap_or_else(|| npm_workspaces::patterns(manifest));
        add(context, survey, &manifest.folder, &patterns);
    }
    survey.workspaces.sort_by(|a, b| a.path.cmp(&b.path));
    survey.workspaces.dedup_by(|a, b| a.path == b.path);
}

/// A pattern of folders with what it rests on.
pub(super) struct Pattern {
    pub(super) text: String,
    pub(super) evidence: Evidence,
}

/// Adds every package below `root` whose folder matches.
fn add(context: &Context<'_>, survey: &mut Survey, root: &str, patterns: &[Pattern]) {
    let members: Vec<(&Manifest, &Pattern)> = context
        .manifests
        .iter()
        .filter(|manifest| manifest.folder != root && is_below(&manifest.folder, root))
        .filter_map(|manifest| {
            let below = manifest.folder.get(root.len()..)?.trim_start_matches('/');
            let deciding = patterns
                .iter()
                .rev()
                .find(|pattern| matches(pattern.text.strip_prefix('!').unwrap_or(&pattern.text), below))?;
            (!deciding.text.starts_with('!')).then_some((manifest, deciding))
        })
        .collect();
    for pattern in patterns.iter().filter(|pattern| !pattern.text.starts_with('!')) {
        if !context.manifests.iter().any(|manifest| {
            let below = manifest.folder.strip_prefix(root).map(|below| below.trim_start_matches('/'));
            below.is_some_and(|below| matches(&pattern.text, below))
        }) {
            survey.gaps.push(Gap {
                rule: rules::EMPTY_WORKSPACE,
                subject: "the workspace".to_owned(),
                message: format!("no package lies in {}", pattern.text),
                hint: "correct the pattern, or take it away".to_owned(),
                evidence: vec![pattern.evidence.clone()],
            });
        }
    }
    let packages: Vec<(String, &str)> = members
        .iter()
        .filter_map(|(manifest, _)| Some((manifest.name()?.value, manifest.folder.as_str())))
        .collect();
    for (manifest, pattern) in members {
        // A package without a name is called by its path, as npm and pnpm take it.
        let name = manifest
            .name()
            .unwrap_or_else(|| Fact { value: format!("./{}", manifest.folder), evidence: Vec::new() });
        let mut evidence = name.evidence;
        evidence.push(pattern.evidence.clone());
        survey.workspaces.push(Workspace {
            uses: uses(context, manifest, &packages),
            scripts: scripts(manifest),
            name: name.value,
            path: manifest.folder.clone(),
            output: None,
            evidence,
        });
    }
}

/// The packages of the repository, by name and folder, that one needs: by its dependencies, and by its TypeScript settings.
fn uses(context: &Context<'_>, manifest: &Manifest, packages: &[(String, &str)]) -> Vec<Fact<String>> {
    let dependencies = manifest
        .all("dependencies")
        .filter(|dependency| packages.iter().any(|(name, _)| name == dependency.name));
    let mut uses: Vec<Fact<String>> = dependencies
        .map(|dependency| {
            let evidence = Evidence::new(&manifest.source, dependency.span, "a package of this repository");
            Fact::new(dependency.name.to_owned(), evidence)
        })
        .collect();
    let outside = tsconfig::outside(context, &manifest.folder);
    let by_file = outside.files.into_iter().filter_map(|file| {
        let owner = packages.iter().filter(|(_, folder)| is_below(&file.value, folder));
        let (name, _) = owner.max_by_key(|(_, folder)| folder.len())?;
        Some(Fact { value: name.clone(), evidence: file.evidence })
    });
    let by_name = outside.named.into_iter().filter_map(|text| {
        let inside = |name: &str| {
            text.value.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let (name, _) = packages.iter().find(|(name, _)| inside(name))?;
        Some(Fact { value: name.clone(), evidence: text.evidence })
    });
    let own = manifest.name().map(|name| name.value);
    for used in by_file.chain(by_name) {
        if Some(&used.value) != own.as_ref() && uses.iter().all(|known| known.value != used.value) {
            uses.push(used);
        }
    }
    uses
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
