//! What an image says of itself: version, tags, labels, and how a container of it starts.

use std::collections::BTreeMap;

use plimsoll_image::{Empty, History, ImageConfig, Reference, RuntimeConfig};

use crate::bases::Made;
use crate::date;
use crate::index::Origin;
use crate::recipes::Recipe;
use crate::record::Record;
use crate::suite::Suite;
use crate::version::Version;

/// The upstream version without what Debian adds to it: `20.19.2+dfsg` is `20.19.2`, `13.8+deb13u7` is `13.8`.
pub(crate) fn plain_version(version: &Version) -> String {
    let upstream = version.upstream();
    upstream.split(['+', '~']).next().unwrap_or(upstream).to_owned()
}

/// The base's tags.
pub(crate) fn tags(recipe: &Recipe, version: &str, suite: Suite) -> Vec<String> {
    let numbers: Vec<_> = version.split('.').collect();
    let numbered = |count: &usize| {
        let tag = numbers[..numbers.len().min(*count)].join(".");
        // Debian's releases have versions of their own of everything but what is not theirs.
        if recipe.npm.is_empty() { tag } else { suite.tag(&tag) }
    };
    let mut tags: Vec<_> = recipe.tag_numbers.iter().map(numbered).collect();
    tags.extend(recipe.tags.iter().map(|tag| suite.tag(tag)));
    tags.dedup();
    tags
}

/// The names that are valid; all of ours are.
pub(crate) fn references(names: &[String]) -> Vec<Reference> {
    names.iter().filter_map(|name| Reference::parse(name).ok()).collect()
}

/// The configuration of a base's image.
pub(crate) fn image_config(recipe: &Recipe, record: &Record, parent: Option<&Made>) -> ImageConfig {
    let created = date::rfc3339(record.epoch);
    let start = &recipe.start;
    let list =
        |words: &[&str]| (!words.is_empty()).then(|| words.iter().map(|word| (*word).to_owned()).collect());
    let set = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), Empty {})).collect();
    let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let labels = BTreeMap::from([
        label("org.opencontainers.image.title", recipe.name),
        label(
            "org.opencontainers.image.description",
            &Suite::parse(&record.suite).unwrap_or_default().summary(recipe.summary),
        ),
        label("org.opencontainers.image.version", &record.version),
        label("org.opencontainers.image.created", &created),
        label("org.opencontainers.image.vendor", "Plimsoll, from Debian packages"),
        label("org.plimsoll.base", recipe.name),
        label("org.plimsoll.base.suite", &record.suite),
    ]);
    let config = RuntimeConfig {
        user: start.user.to_owned(),
        exposed_ports: set(start.ports),
        env: start
            .env
            .iter()
            .map(|(name, value)| format!("{name}={}", value.replace("{version}", &record.version)))
            .collect(),
        entrypoint: list(start.entrypoint),
        cmd: list(start.command),
        volumes: set(start.volumes),
        working_dir: start.directory.to_owned(),
        labels,
        stop_signal: (!start.stop_signal.is_empty()).then(|| start.stop_signal.to_owned()),
        ..RuntimeConfig::default()
    };
    let mut history = parent.map_or_else(Vec::new, |parent| parent.image.config.history.clone());
    let own = || record.packages.iter().filter(|package| !package.inherited);
    let of_npm = own().filter(|package| package.origin == Origin::Npm).count();
    let of_debian = own().count() - of_npm;
    let and_npm = if of_npm > 0 { format!(" and {of_npm} of npm") } else { String::new() };
    history.push(History {
        created: Some(created.clone()),
        created_by: Some(format!(
            "plimsoll base make {} # {of_debian} packages of Debian {}{and_npm}",
            recipe.name, record.suite
        )),
        ..History::default()
    });
    ImageConfig { created: Some(created), config, history, ..ImageConfig::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipes;

    #[test]
    fn versions_and_tags() {
        let version = |text: &str| plain_version(&Version::parse(text).unwrap());
        assert_eq!(version("20.19.2+dfsg-1+deb13u2"), "20.19.2");
        assert_eq!(version("5:8.0.2-3+deb13u2"), "8.0.2");
        assert_eq!(version("13.8+deb13u7"), "13.8");
        assert_eq!(tags(recipes::named("postgres").unwrap(), "17.11", Suite::Trixie), ["17", "17.11"]);
        let debian = recipes::named("debian").unwrap();
        assert_eq!(tags(debian, "13.8", Suite::Trixie), ["13", "trixie-slim"]);
        let node = recipes::named("node-24").unwrap();
        assert_eq!(tags(node, "24.22.3", Suite::Trixie), ["24", "24.22.3"]);
        // the same version on both releases of Debian
        assert_eq!(tags(node, "24.22.3", Suite::Bookworm), ["24-bookworm", "24.22.3-bookworm"]);
        assert_eq!(tags(debian, "12.11", Suite::Bookworm), ["12", "bookworm-slim"]);
    }
}
