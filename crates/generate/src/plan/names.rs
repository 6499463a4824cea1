//! Names that a stack gives: unique, and fit for a host name.

use std::collections::BTreeSet;

use plimsoll_survey::Survey;

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

/// The compose project's name.
pub(super) fn project(survey: &Survey) -> String {
    // Without a name of its own it is called after what it serves; the folder's name differs from clone to clone.
    let services: Vec<&str> = survey.services.iter().map(|service| service.name.as_str()).collect();
    let name = match &survey.name {
        Some(name) => &name.value,
        None => common(&services).or(services.first().copied()).unwrap_or("app"),
    };
    // `@scope/name` is no project name for Compose.
    slug(name.rsplit('/').next().unwrap_or(name))
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
