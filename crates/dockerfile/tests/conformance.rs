//! BuildKit's own test data: parser trees, line ranges, expansion, splitting, .dockerignore, error texts.
use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

use plimsoll_dockerfile::{
    dockerignore::Matcher,
    expand, parse,
    syntax::{self, Node},
};
use plimsoll_source::Source;
use serde_json::Value;

/// The folder with the data, or `None` with a visible reason.
fn data() -> Option<PathBuf> {
    let default = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/dockerfile");
    let folder = std::env::var_os("PLIMSOLL_CONFORMANCE").map_or(default, PathBuf::from);
    if folder.join("unit-data.json").is_file() {
        return Some(folder);
    }
    eprintln!("skipped: no conformance data at {}; set PLIMSOLL_CONFORMANCE", folder.display());
    None
}

fn unit_data() -> Option<Value> {
    let text = std::fs::read_to_string(data()?.join("unit-data.json")).expect("unit-data.json can be read");
    Some(serde_json::from_str(&text).expect("unit-data.json is JSON"))
}

fn rows<'v>(data: &'v Value, section: &str) -> &'v [Value] {
    let rows = data[section].as_array().expect("the section is an array");
    assert!(!rows.is_empty(), "{section} has rows");
    rows
}

fn text<'v>(row: &'v Value, key: &str) -> &'v str {
    row[key].as_str().unwrap_or_else(|| panic!("{key} of {row} is a string"))
}

/// Runs `check` on every row and reports all that fail at once.
fn all_pass(section: &str, rows: &[Value], check: impl Fn(&Value) -> Result<(), String>) {
    let failures: Vec<String> =
        rows.iter().filter_map(|row| check(row).err().map(|error| format!("{row}\n    {error}"))).collect();
    eprintln!("{section}: {} of {} rows", rows.len() - failures.len(), rows.len());
    assert!(failures.is_empty(), "{section}: {} rows fail:\n{}", failures.len(), failures.join("\n"));
}

fn equal<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("found {found:?}, expected {expected:?}")) }
}

/// Go's `%q`.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for ch in text.chars() {
        match ch {
            '"' | '\\' => quoted.extend(['\\', ch]),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            ch if ch < ' ' => write!(quoted, "\\x{:02x}", u32::from(ch)).expect("writing to a string"),
            ch => quoted.push(ch),
        }
    }
    quoted + "\""
}

/// A node as BuildKit's parser dumps it.
fn dump(node: &Node) -> String {
    let mut text = node.keyword.text.to_lowercase();
    if !node.flags.is_empty() {
        let flags: Vec<String> = node.flags.iter().map(|flag| quote(&flag.word.text)).collect();
        write!(text, " [{}]", flags.join(" ")).expect("writing to a string");
    }
    if let Some(trigger) = &node.trigger {
        write!(text, " ({})", dump(trigger)).expect("writing to a string");
    }
    for pair in &node.pairs {
        let separator = if pair.legacy { "" } else { "=" };
        for part in [pair.key.text.as_str(), &pair.value.text, separator] {
            text = format!("{text} {}", quote(part));
        }
    }
    for arg in &node.args {
        text = format!("{text} {}", quote(&arg.text));
    }
    text
}

#[test]
fn parser_trees() {
    let Some(data) = unit_data() else { return };
    all_pass("parser_ok", rows(&data, "parser_ok"), |row| {
        let (syntax, faults) = syntax::parse(&Source::new("Dockerfile", text(row, "dockerfile")));
        equal(&faults.len(), &0)?;
        let dumped: Vec<String> = syntax.nodes.iter().map(|node| format!("({})", dump(node))).collect();
        equal(&dumped.join("\n").as_str(), &text(row, "ast").trim_end())
    });
}

#[test]
fn parser_failures() {
    let Some(data) = unit_data() else { return };
    all_pass("parser_fail", rows(&data, "parser_fail"), |row| {
        let (_, faults) = syntax::parse(&Source::new("Dockerfile", text(row, "dockerfile")));
        if faults.is_empty() { Err("no fault".to_owned()) } else { Ok(()) }
    });
}

#[test]
fn line_ranges() {
    let Some(data) = unit_data() else { return };
    let (syntax, _) = syntax::parse(&Source::new("Dockerfile", text(&data["line_info"], "dockerfile")));
    let lines: Vec<Value> =
        syntax.nodes.iter().map(|node| vec![node.lines.first, node.lines.last].into()).collect();
    assert_eq!(&lines, data["line_info"]["nodes"].as_array().expect("nodes"));
    eprintln!("line_info: {0} of {0} rows", lines.len());
}

fn env_of(value: &Value) -> BTreeMap<String, String> {
    match value {
        Value::Array(pairs) => pairs
            .iter()
            .filter_map(|pair| pair.as_str()?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        _ => serde_json::from_value(value.clone()).expect("an environment"),
    }
}

#[test]
fn expansion() {
    let Some(data) = unit_data() else { return };
    let env = env_of(&data["expand"]["env"]);
    all_pass("expand", rows(&data["expand"], "cases"), |row| {
        let found =
            expand(text(row, "in"), &|name| env.get(name).cloned(), '\\').ok().map(|found| found.text);
        equal(&found.as_deref(), &row["out"].as_str())
    });
}

#[test]
fn splitting() {
    let Some(data) = unit_data() else { return };
    all_pass("words", rows(&data, "words"), |row| {
        let env = env_of(&row["env"]);
        let found = match expand(text(row, "in"), &|name| env.get(name).cloned(), '\\') {
            Ok(found) => found.words,
            Err(_) => vec!["error".to_owned()],
        };
        equal(&Value::from(found), &row["words"])
    });
}

/// The value of `FOO` in a row that lost its environment: the extraction of the data stopped at the braces in it.
const LOST_FOO: (&str, &str) = (r"${FOO#()[]{\}^$.\*\?|\\}", r"()[]{}^$.*?|\x");

#[test]
fn modifiers() {
    let Some(data) = unit_data() else { return };
    all_pass("modifiers", rows(&data, "modifiers"), |row| {
        let mut env = env_of(&row["env"]);
        if text(row, "in") == LOST_FOO.0 && env.is_empty() {
            env.insert("FOO".to_owned(), LOST_FOO.1.to_owned());
        }
        let (found, unmatched) = match expand(text(row, "in"), &|name| env.get(name).cloned(), '\\') {
            Ok(found) => (Some(found.text), found.unmatched),
            Err(error) => (None, error.unmatched),
        };
        equal(&found.as_deref(), &row["out"].as_str())?;
        equal(&Value::from(Vec::from_iter(unmatched)), &row["unmatched"])
    });
}

#[test]
fn instruction_errors() {
    let Some(data) = unit_data() else { return };
    all_pass("instruction_errors", rows(&data, "instruction_errors"), |row| {
        let errors = parse(&Source::new("Dockerfile", text(row, "dockerfile"))).err().unwrap_or_default();
        let titles: Vec<String> = errors.into_iter().map(|error| error.title).collect();
        let expected = text(row, "error");
        if titles.iter().any(|title| title.contains(expected)) {
            Ok(())
        } else {
            Err(format!("found {titles:?}"))
        }
    });
}

#[test]
fn ignore_patterns() {
    let Some(data) = unit_data() else { return };
    all_pass("ignore", rows(&data, "ignore"), |row| {
        let patterns: Vec<&str> = rows(row, "patterns").iter().filter_map(Value::as_str).collect();
        let matcher = Matcher::from_patterns(patterns).map_err(|error| error.to_string())?;
        equal(&Value::from(matcher.matches(text(row, "path"))), &row["match"])
    });
}

#[test]
fn single_patterns() {
    let Some(data) = unit_data() else { return };
    all_pass("filepath_match", rows(&data, "filepath_match"), |row| {
        let matcher = Matcher::from_patterns([text(row, "pattern")]);
        equal(&Value::from(matcher.is_err()), &row["err"])?;
        equal(&Value::from(matcher.is_ok_and(|matcher| matcher.matches(text(row, "path")))), &row["match"])
    });
}
