//! Names in settings that must be there: a budget for a service that does not exist would hold nobody to anything.

use std::path::Path;

use plimsoll_disk::{Links, read_text};
use plimsoll_source::{Diagnostic, Source, Span};
use plimsoll_verify::{
    Project,
    promises::{Promise, PromiseFile},
    smoke::SmokeFile,
};

use crate::{
    Failure,
    policy::{FILE, Root},
};

/// Neither file is read beyond this.
const MAX_BYTES: u64 = 1 << 20;

/// The services that `plimsoll.toml` names.
pub fn check(root: &Root, project: &Project) -> Result<(), Failure> {
    let budgets = root.policy.budgets.images.keys().map(|name| (name.as_str(), "a budget"));
    let front = root.policy.smoke.front.as_deref().map(|front| front.split(':').next().unwrap_or(front));
    let named = budgets.chain(front.map(|name| (name, "`smoke.front`")));
    let path = root.dir.join(FILE);
    all_known(&source(&path), named, project)
}

/// The services that smoke checks name.
pub fn check_smoke(source: &Source, file: &SmokeFile, project: &Project) -> Result<(), Failure> {
    let named = file.checks.iter().flat_map(|check| {
        let at = check.at.as_deref().and_then(|at| at.rsplit_once(':')).map(|(service, _)| service);
        at.into_iter().chain(check.disturbed())
    });
    all_known(source, named.map(|name| (name, "a check")), project)
}

/// The services that promises name.
pub fn check_promises(source: &Source, file: &PromiseFile, project: &Project) -> Result<(), Failure> {
    let named = file.promises.iter().flat_map(Promise::named_services);
    all_known(source, named.map(|name| (name, "a promise")), project)
}

/// Every name, with what names it, is a service's.
fn all_known<'a>(
    source: &Source,
    named: impl Iterator<Item = (&'a str, &'a str)>,
    project: &Project,
) -> Result<(), Failure> {
    let wrong: Vec<_> = named
        .filter(|(name, _)| !is_service(project, name))
        .map(|(name, what)| unknown(source, name, what, project))
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.into()) }
}

/// Also of profiles that are not active: they are in the file.
fn is_service(project: &Project, name: &str) -> bool {
    project.services.contains_key(name) || project.disabled_services.contains_key(name)
}

fn source(path: &Path) -> Source {
    Source::new(path.display().to_string(), read_text(path, MAX_BYTES, Links::Follow).unwrap_or_default())
}

fn unknown(source: &Source, name: &str, what: &str, project: &Project) -> Diagnostic {
    let at = place(source.text(), name);
    let label = format!("{what} for `{name}`, which is no service of {}", project.name);
    let diagnostic =
        Diagnostic::error("a setting names a service that does not exist").label(source, at, label);
    match nearest(name, project) {
        Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
        None => {
            let services: Vec<&str> = project.services.keys().map(String::as_str).collect();
            diagnostic.hint(format!("the services are {}", services.join(", ")))
        }
    }
}

/// Where the name stands as a word of its own, outside of a comment.
fn place(text: &str, name: &str) -> Span {
    let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || "-_".contains(c));
    let found = text.match_indices(name).map(|(at, _)| at).find(|at| {
        let line = text[..*at].rsplit('\n').next().unwrap_or_default();
        !line.trim_start().starts_with('#')
            && !word(text[..*at].chars().next_back())
            && !word(text[at + name.len()..].chars().next())
    });
    found.map_or_else(Span::default, |at| Span::new(at, at + name.len()))
}

fn nearest<'a>(name: &str, project: &'a Project) -> Option<&'a str> {
    let near = project.services.keys().map(|service| (distance(name, service), service.as_str())).min()?;
    (near.0 <= 1 + name.chars().count() / 4).then_some(near.1)
}

/// Letters to add, take away, change or swap with their neighbour (optimal string alignment).
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows = vec![(0..=other.len()).collect::<Vec<usize>>()];
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let mut least = (rows[i][j] + usize::from(a != b)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapped_letters_are_near() {
        assert_eq!(distance("bakcend", "backend"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("web", "web"), 0);
    }

    #[test]
    fn a_name_is_found_as_a_word() {
        let text = "# web\nmyweb = 1\n[budgets.images]\nweb = 2\n";
        assert_eq!(place(text, "web"), Span::new(33, 36));
    }
}
