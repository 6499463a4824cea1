//! Licences of what is linked or used to build and test, held to the list in deny.toml. cargo-deny judges more
//! (advisories, sources, bans) and is not installed everywhere; this needs cargo alone.

use std::{collections::BTreeSet, fs};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::shell;

/// Fails with the names of packages whose licence the list does not allow.
pub(crate) fn check() -> Result<()> {
    let path = shell::root().join("deny.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let allowed = allowed(&text).with_context(|| format!("{} has no list of licences", path.display()))?;
    let refused = refused(&metadata()?, &allowed)?;
    if !refused.is_empty() {
        bail!("licences that deny.toml does not allow:\n{}", refused.join("\n"));
    }
    Ok(())
}

/// The packages of the platform that the binary is made for, and who needs whom, as `cargo metadata` has it.
pub(crate) fn metadata() -> Result<Value> {
    let mut metadata = shell::cargo();
    metadata.args(["metadata", "--locked", "--format-version", "1"]);
    metadata.args(["--filter-platform", "x86_64-unknown-linux-gnu"]);
    Ok(serde_json::from_slice(&shell::read(&mut metadata)?)?)
}

fn allowed(deny: &str) -> Result<BTreeSet<String>> {
    let deny: toml::Table = deny.parse()?;
    let list =
        deny.get("licenses").and_then(|licenses| licenses.get("allow")).and_then(toml::Value::as_array);
    let list = list.context("licenses.allow is missing")?;
    list.iter().map(|name| Ok(name.as_str().context("a licence is no text")?.to_owned())).collect()
}

/// Packages that must not be here, with their licences.
fn refused(metadata: &Value, allowed: &BTreeSet<String>) -> Result<Vec<String>> {
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    let refused = packages.iter().filter_map(|package| {
        let licence = package["license"].as_str().unwrap_or_default();
        let name = format!("  {} {}: ", text(&package["name"]), text(&package["version"]));
        match is_allowed(licence, allowed) {
            Some(true) => None,
            Some(false) => Some(format!("{name}{licence}")),
            None => Some(format!("{name}{licence:?} is no expression of licences")),
        }
    });
    Ok(refused.collect())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

/// Whether the SPDX expression can be kept by licences of the list; `None` if it cannot be read. `/` is an old `OR`.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> Option<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = Words { words: spaced.split_whitespace().collect(), at: 0, allowed };
    let result = words.any()?;
    (words.at == words.words.len()).then_some(result)
}

/// A reader of expressions: `AND` binds closer than `OR`, `WITH` closer than both.
struct Words<'a> {
    words: Vec<&'a str>,
    at: usize,
    allowed: &'a BTreeSet<String>,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let word = self.words.get(self.at).copied();
        self.at += 1;
        word
    }

    /// Takes the word if it is the next one.
    fn take(&mut self, word: &str) -> bool {
        let is_next = self.words.get(self.at) == Some(&word);
        self.at += usize::from(is_next);
        is_next
    }

    fn any(&mut self) -> Option<bool> {
        let mut result = self.all()?;
        while self.take("OR") {
            result |= self.all()?;
        }
        Some(result)
    }

    fn all(&mut self) -> Option<bool> {
        let mut result = self.one()?;
        while self.take("AND") {
            result &= self.one()?;
        }
        Some(result)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let result = self.any()?;
            return self.take(")").then_some(result);
        }
        let name = self.next().filter(|word| !["AND", "OR", "WITH", ")"].contains(word))?;
        if self.take("WITH") {
            let exception = self.next()?;
            return Some(self.allowed.contains(&format!("{name} WITH {exception}")));
        }
        Some(self.allowed.contains(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> BTreeSet<String> {
        ["MIT", "Apache-2.0", "Unicode-3.0"].map(str::to_owned).into()
    }

    #[test]
    fn expressions_are_read_as_spdx_has_them() {
        for (expression, expected) in [
            ("MIT", Some(true)),
            ("GPL-3.0-only", Some(false)),
            ("GPL-2.0-only OR MIT", Some(true)),
            ("Unlicense/MIT", Some(true)),
            ("MIT AND GPL-2.0-only", Some(false)),
            ("MIT OR GPL-2.0-only AND GPL-3.0-only", Some(true)),
            ("(MIT OR GPL-2.0-only) AND GPL-3.0-only", Some(false)),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", Some(true)),
            ("Apache-2.0 WITH LLVM-exception", Some(false)),
            ("Apache-2.0 WITH LLVM-exception OR MIT", Some(true)),
            ("", None),
            ("MIT OR", None),
            ("MIT Apache-2.0", None),
            ("(MIT", None),
            ("MIT)", None),
            ("MIT WITH", None),
        ] {
            assert_eq!(is_allowed(expression, &list()), expected, "{expression}");
        }
    }

    #[test]
    fn packages_with_other_licences_are_named() {
        let metadata = serde_json::json!({ "packages": [
            { "name": "good", "version": "1.0.0", "license": "MIT" },
            { "name": "bad", "version": "2.0.0", "license": "GPL-3.0-only" },
            { "name": "mute", "version": "3.0.0", "license": null },
        ]});
        let found = refused(&metadata, &list()).expect("packages");
        assert_eq!(found, ["  bad 2.0.0: GPL-3.0-only", "  mute 3.0.0: \"\" is no expression of licences"]);
        assert!(refused(&serde_json::json!({}), &list()).is_err());
    }

    #[test]
    fn what_this_workspace_uses_is_allowed() {
        check().expect("deny.toml allows all");
    }
}
