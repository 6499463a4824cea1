//! Names that a stack gives: unique, and fit for a host name.

use std::collections::BTreeSet;

use plimsoll_survey::Survey;

use crate::Policy;

/// The names that are given.
#[derive(Debug, Default)]
pub(super) struct Names {
    given: BTreeSet<String>,
}

impl Names {
    /// The services, their processes and the stores have theirs from the survey.
    pub(super) fn new(survey: &Survey) -> Self {
        let services = survey.services.iter().map(|service| slug(&service.name));
        let processes = survey.services.iter().flat_map(|service| &service.processes);
        let stores = survey.stores.iter().map(|store| slug(&store.name));
        let given = services.chain(processes.map(|process| slug(&process.name))).chain(stores).collect();
        Self { given }
    }

    /// The first name that nobody has.
    pub(super) fn take(&mut self, wanted: &[&str]) -> String {
        let free = wanted.iter().find(|name| !self.given.contains(**name)).map(|name| (*name).to_owned());
        let last = wanted.last().copied().unwrap_or("service");
        let name = free.unwrap_or_else(|| {
            let numbered = (2..).map(|number| format!("{last}-{number}"));
            numbered.into_iter().find(|name| !self.given.contains(name)).unwrap_or_else(|| last.to_owned())
        });
        self.given.insert(name.clone());
        name
    }
}

/// The compose project's name: what a person chose, what the manifests say, what the services have in common, the
/// folder's name. It is kept in plimsoll.toml, since the folder's differs from clone to clone.
pub(super) fn project(survey: &Survey, policy: &Policy) -> String {
    let services: Vec<&str> = survey.services.iter().map(|service| service.name.as_str()).collect();
    let named = policy.project.as_deref().or(survey.name.as_ref().map(|name| name.value.as_str()));
    let folder = policy.folder.as_deref().filter(|folder| tells(folder));
    let name = named.or_else(|| common(&services)).or(folder).or(services.first().copied()).unwrap_or("app");
    // `@scope/name` is no project name for Compose.
    slug(name.rsplit('/').next().unwrap_or(name))
}

/// Whether the name of a folder says what is in it.
fn tells(folder: &str) -> bool {
    let usual = [
        "app",
        "apps",
        "backend",
        "build",
        "checkout",
        "clone",
        "code",
        "git",
        "home",
        "main",
        "master",
        "project",
        "repo",
        "repository",
        "root",
        "server",
        "source",
        "src",
        "temp",
        "test",
        "tmp",
        "work",
        "workspace",
        "www",
    ];
    let letters = folder.chars().filter(char::is_ascii_alphabetic).count();
    letters > 1 && !folder.starts_with('.') && !usual.contains(&folder.to_ascii_lowercase().as_str())
}

/// What all names begin with: `shop` of `shop-web` and `shop-api`.
fn common<'a>(names: &[&'a str]) -> Option<&'a str> {
    let [first, rest @ ..] = names else { return None };
    let fits = |end: usize| rest.iter().all(|name| name.starts_with(&first[..=end]));
    let end = first.rmatch_indices('-').map(|(at, _)| at).find(|&at| at > 1 && fits(at))?;
    (!rest.is_empty()).then(|| &first[..end])
}

/// Lower case letters, digits and hyphens, with a letter or digit at its beginning.
pub(super) fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().take(60) {
        match c {
            'a'..='z' | '0'..='9' | '_' => slug.push(c),
            'A'..='Z' => slug.push(c.to_ascii_lowercase()),
            _ if slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    let slug = slug.trim_matches(|c| c == '-' || c == '_');
    if slug.is_empty() { "app".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_with_one_beginning_are_a_project() {
        assert_eq!(common(&["shop-web", "shop-api"]), Some("shop"));
        assert_eq!(common(&["my-shop-web", "my-shop-api"]), Some("my-shop"));
        assert_eq!(common(&["web", "worker"]), None);
        assert_eq!(common(&["shop-web"]), None);
        assert_eq!(common(&["shop-web", "shopping"]), None);
        assert_eq!(common(&[]), None);
    }

    #[test]
    fn a_project_is_called_what_tells_most() {
        use plimsoll_survey::{Repository, survey};
        let manifest = |name: &str| {
            format!(
                r#"{{ {name} "scripts": {{ "start": "node s.js" }}, "dependencies": {{ "express": "5" }} }}"#
            )
        };
        let program = "require('express')().listen(3000)";
        let of = |name: &str, policy: &Policy| {
            let files = [("api/package.json", manifest(name)), ("api/s.js", program.to_owned())];
            project(&survey(&Repository::from_files("x", files)), policy)
        };
        let folder = |name: &str| Policy { folder: Some(name.to_owned()), ..Policy::default() };
        assert_eq!(of("", &folder("Tea Shop")), "tea-shop");
        assert_eq!(of("", &folder("src")), "api");
        assert_eq!(of("", &folder(".tmp81")), "api");
        assert_eq!(of("", &Policy { project: Some("chosen".to_owned()), ..folder("shop") }), "chosen");
    }

    #[test]
    fn every_text_has_a_slug() {
        assert_eq!(slug("My Shop!"), "my-shop");
        assert_eq!(slug("a\nservices:"), "a-services");
        assert_eq!(slug("é"), "app");
        assert_eq!(slug("snake_case"), "snake_case");
    }

    #[test]
    fn names_are_given_once() {
        let mut names = Names::default();
        assert_eq!(names.take(&["migrate", "api-migrate"]), "migrate");
        assert_eq!(names.take(&["migrate", "api-migrate"]), "api-migrate");
        assert_eq!(names.take(&["migrate", "api-migrate"]), "api-migrate-2");
    }
}
