//! Licences of the packages that are linked into the binary: most of them want their text to go with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::licences;

/// A text of a licence is no longer than that, in bytes.
const MAX_TEXT: u64 = 256 * 1024;

/// Every text once, below the packages that come with it.
pub(super) fn text() -> Result<String> {
    let metadata = licences::metadata()?;
    let linked = linked(&metadata, "plimsoll")?;
    let mut by_text: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut without = Vec::new();
    for package in list(&metadata["packages"])? {
        // packages of the workspace have no source
        if package["source"].is_null() || !linked.contains(word(&package["id"])) {
            continue;
        }
        let name = format!(
            "{} {} ({})",
            word(&package["name"]),
            word(&package["version"]),
            word(&package["license"])
        );
        let folder =
            Path::new(word(&package["manifest_path"])).parent().context("a package without a folder")?;
        let texts = texts(folder)?;
        if texts.is_empty() {
            without.push(name.clone());
        }
        for text in texts {
            by_text.entry(text).or_default().push(name.clone());
        }
    }
    Ok(render(&by_text, &without))
}

fn render(by_text: &BTreeMap<String, Vec<String>>, without: &[String]) -> String {
    let mut sections: Vec<(&Vec<String>, &str)> =
        by_text.iter().map(|(text, names)| (names, text.as_str())).collect();
    sections.sort();
    let mut all = "Plimsoll is linked with these packages.\n".to_owned();
    for (names, text) in sections {
        // writing to a String cannot fail
        let _ = write!(all, "\n{}\n{}\n\n{}\n", "=".repeat(80), names.join("\n"), text.trim_end());
    }
    if !without.is_empty() {
        let _ = write!(all, "\n{}\nWithout a text of their own:\n{}\n", "=".repeat(80), without.join("\n"));
    }
    all
}

/// Ids of the packages that `name` needs when it runs, and of those that these need.
fn linked<'a>(metadata: &'a Value, name: &str) -> Result<BTreeSet<&'a str>> {
    let packages = list(&metadata["packages"])?;
    let first = packages.iter().find(|package| package["name"] == name && package["source"].is_null());
    let first = first.with_context(|| format!("the workspace has no package {name}"))?;
    let mut needs: BTreeMap<&str, &Value> = BTreeMap::new();
    for node in list(&metadata["resolve"]["nodes"])? {
        needs.insert(word(&node["id"]), &node["deps"]);
    }
    let mut found = BTreeSet::new();
    let mut waiting = vec![word(&first["id"])];
    while let Some(id) = waiting.pop() {
        if !found.insert(id) {
            continue;
        }
        for need in list(needs.get(id).context("a package is not in the graph")?)? {
            // those for tests and build scripts have a kind
            if list(&need["dep_kinds"])?.iter().any(|kind| kind["kind"].is_null()) {
                waiting.push(word(&need["pkg"]));
            }
        }
    }
    Ok(found)
}

/// Texts of licences in a package's folder, in the order of their names.
fn texts(folder: &Path) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_lowercase();
        let is_licence = ["license", "licence", "copying", "copyright", "notice", "unlicense"]
            .iter()
            .any(|start| name.starts_with(start));
        let meta = entry.metadata()?;
        if is_licence && meta.is_file() && meta.len() <= MAX_TEXT {
            paths.push(entry.path());
        }
    }
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            Ok(String::from_utf8_lossy(&bytes).replace("\r\n", "\n"))
        })
        .collect()
}

fn list(value: &Value) -> Result<&Vec<Value>> {
    value.as_array().context("cargo metadata has another form")
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_linked_is_named_with_its_text_and_what_only_tests_need_is_not() {
        let text = text().expect("the notices");
        let has = |name: &str| text.lines().any(|line| line.starts_with(&format!("{name} ")));
        // needed by a need, needed by the binary, needed by nothing but tests
        assert!(has("clap_builder") && has("serde_json"), "{}", &text[..2000]);
        assert!(!has("insta") && !has("proptest"));
        assert!(text.contains("Permission is hereby granted, free of charge"));
    }

    #[test]
    fn a_text_stands_once_below_all_that_come_with_it() {
        let by_text = BTreeMap::from([
            ("b text\n".to_owned(), vec!["one 1.0.0 (MIT)".to_owned(), "two 1.0.0 (MIT)".to_owned()]),
            ("a text\n".to_owned(), vec!["three 1.0.0 (ISC)".to_owned()]),
        ]);
        let text = render(&by_text, &["four 1.0.0 (MIT)".to_owned()]);
        let line = "=".repeat(80);
        assert_eq!(
            text,
            format!(
                "Plimsoll is linked with these packages.\n\
                 \n{line}\none 1.0.0 (MIT)\ntwo 1.0.0 (MIT)\n\nb text\n\
                 \n{line}\nthree 1.0.0 (ISC)\n\na text\n\
                 \n{line}\nWithout a text of their own:\nfour 1.0.0 (MIT)\n"
            )
        );
    }
}
