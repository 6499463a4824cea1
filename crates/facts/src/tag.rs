//! What a tag says: a version, the distribution below, and what was left out of it.

use crate::Version;

/// A tag, `17.2-alpine3.21`, `24-bookworm-slim`, `4.2-management`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag<'a> {
    /// As it is written.
    pub text: &'a str,
    /// The version at its beginning, without a `v` before it.
    pub version: Option<&'a str>,
    /// The distribution, where the tag names it.
    pub distribution: Option<Distribution<'a>>,
    /// Without the tools that the full image has.
    pub slim: bool,
}

/// A distribution that a tag names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution<'a> {
    /// Debian, by the name of its release.
    Debian(&'a str),
    /// Ubuntu, by the name of its release.
    Ubuntu(&'a str),
    /// Alpine Linux; its version where the tag has it.
    Alpine(Option<&'a str>),
}

const DEBIAN: [&str; 10] =
    ["jessie", "stretch", "buster", "bullseye", "bookworm", "trixie", "forky", "sid", "stable", "oldstable"];
const UBUNTU: [&str; 6] = ["xenial", "bionic", "focal", "jammy", "noble", "resolute"];

impl<'a> Tag<'a> {
    /// Reads a tag. No text is refused.
    pub fn read(text: &'a str) -> Self {
        let distribution = text.split('-').find_map(distribution);
        let first = text.split('-').next().unwrap_or_default().trim_start_matches('v');
        Self {
            text,
            version: is_numbered(first).then_some(first),
            distribution,
            slim: text.split('-').any(|word| word == "slim"),
        }
    }

    /// A version behind letters, `pg17` of `2.17.2-pg17`: what an image of an extension runs.
    pub fn version_behind(&self, letters: &str) -> Option<&'a str> {
        self.text.split('-').find_map(|word| word.strip_prefix(letters).filter(|rest| is_numbered(rest)))
    }

    /// Whether the tag names Alpine Linux.
    pub fn is_alpine(&self) -> bool {
        matches!(self.distribution, Some(Distribution::Alpine(_)))
    }

    /// The version as numbers.
    pub fn numbers(&self) -> Option<Version> {
        Version::parse(self.version?)
    }
}

fn distribution(word: &str) -> Option<Distribution<'_>> {
    if let Some(rest) = word.strip_prefix("alpine") {
        return match rest {
            "" => Some(Distribution::Alpine(None)),
            version => is_numbered(version).then_some(Distribution::Alpine(Some(version))),
        };
    }
    match word {
        _ if DEBIAN.contains(&word) => Some(Distribution::Debian(word)),
        _ if UBUNTU.contains(&word) => Some(Distribution::Ubuntu(word)),
        _ => None,
    }
}

fn is_numbered(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_digit() || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_say_version_distribution_and_size() {
        let read = |text| {
            let tag = Tag::read(text);
            (tag.version, tag.distribution, tag.slim)
        };
        let alpine = Distribution::Alpine;
        for (text, version, distribution, slim) in [
            ("17", Some("17"), None, false),
            ("17.2-alpine3.21", Some("17.2"), Some(alpine(Some("3.21"))), false),
            ("24-alpine", Some("24"), Some(alpine(None)), false),
            ("24-bookworm-slim", Some("24"), Some(Distribution::Debian("bookworm")), true),
            ("3.13-slim-trixie", Some("3.13"), Some(Distribution::Debian("trixie")), true),
            ("3.13-slim", Some("3.13"), None, true),
            ("bookworm", None, Some(Distribution::Debian("bookworm")), false),
            ("8.0-noble", Some("8.0"), Some(Distribution::Ubuntu("noble")), false),
            ("1.27-alpine-slim", Some("1.27"), Some(alpine(None)), true),
            ("v3.7.1", Some("3.7.1"), None, false),
            ("8.4-fpm-alpine", Some("8.4"), Some(alpine(None)), false),
            ("4.2-management-alpine", Some("4.2"), Some(alpine(None)), false),
            ("latest", None, None, false),
            ("alpinist", None, None, false),
            ("17rc1", None, None, false),
            ("", None, None, false),
        ] {
            assert_eq!(read(text), (version, distribution, slim), "{text}");
        }
    }

    #[test]
    fn a_version_may_stand_behind_letters() {
        for (text, version) in
            [("pg17", Some("17")), ("2.17.2-pg16", Some("16")), ("pg17-trixie", Some("17")), ("17", None)]
        {
            assert_eq!(Tag::read(text).version_behind("pg"), version, "{text}");
        }
    }
}
