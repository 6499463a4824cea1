//! Scripts of a shell that a team starts its image with (`boot.sh`, `docker-entrypoint.sh`): what they do before the server,
//! and which application the server is given.

use plimsoll_source::{Source, Span};

use super::{Launch, Platform, around, words};
use crate::model::Evidence;

/// Names of scripts that prepare or start a program where it is deployed.
const NAMES: [&str; 22] = [
    "boot.sh",
    "bootstrap.sh",
    "docker-entrypoint",
    "docker-entrypoint.sh",
    "docker-run.sh",
    "docker-start.sh",
    "docker_entrypoint.sh",
    "entrypoint",
    "entrypoint.sh",
    "gunicorn.sh",
    "init.sh",
    "prestart.sh",
    "release",
    "release.sh",
    "release-tasks.sh",
    "run-server.sh",
    "serve.sh",
    "start",
    "start.sh",
    "start-server.sh",
    "startup.sh",
    "web.sh",
];

const MAX_LINES: usize = 1000;
const MAX_STEPS: usize = 100;

/// Whether a file is such a script, and not one for a developer.
pub(super) fn is_script(path: &str) -> bool {
    let apart = |part: &str| {
        part.split(['-', '_', '.'])
            .any(|word| matches!(word, "dev" | "develop" | "development" | "local" | "test" | "ci"))
    };
    let name = path.rsplit('/').next().unwrap_or(path);
    NAMES.contains(&name) && !path.split('/').any(apart)
}

pub(super) fn read(source: &Source, folder: &str, platform: &mut Platform) {
    let mut known: Vec<(String, String)> = Vec::new();
    for (text, span) in commands(source) {
        if let Some((name, value)) = assignment(&text) {
            known.push((name, value));
            continue;
        }
        if platform.steps.len() == MAX_STEPS {
            return;
        }
        let evidence = Evidence::new(source, span, "a script starts the program so");
        let line = words::line(&text).or_else(|| words::line(&without_variables(&text, &known)));
        platform.steps.push(Launch {
            process: "start".to_owned(),
            folder: around(folder),
            line,
            text,
            evidence,
            weak: true,
        });
    }
}

/// The commands of a script, a line each, with the words of the shell's own language in front taken off.
fn commands(source: &Source) -> Vec<(String, Span)> {
    let mut found: Vec<(String, Span)> = Vec::new();
    let mut whole = String::new();
    let mut start: Option<Span> = None;
    for number in 1..=source.text().lines().count().min(MAX_LINES) {
        let span = source.line_span(number);
        let line = source.slice(span).trim();
        if whole.is_empty() && (line.is_empty() || line.starts_with('#')) {
            continue;
        }
        let first = *start.get_or_insert(span);
        whole.push_str(line.strip_suffix('\\').unwrap_or(line));
        if line.ends_with('\\') {
            whole.push(' ');
            continue;
        }
        let text = std::mem::take(&mut whole);
        let mut text = text.trim();
        for word in ["then ", "do ", "else ", "export "] {
            text = text.strip_prefix(word).unwrap_or(text).trim();
        }
        let own = [
            "if", "elif", "while", "until", "for", "case", "fi", "done", "esac", "else", "then", "do", "set",
            "echo",
        ];
        let program = text.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        if !own.contains(&program) {
            found.push((text.to_owned(), first));
        }
        start = None;
    }
    found
}

/// `NAME=value` and `NAME=${NAME:-value}` as a whole line.
fn assignment(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let value = value.trim().trim_matches(['"', '\'']);
    if !is_name || value.contains(' ') {
        return None;
    }
    let inner = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    let value = match inner {
        Some(inner) => inner.split_once(":-").or_else(|| inner.split_once('-'))?.1,
        None => value,
    };
    (!value.contains(['$', '`', '('])).then(|| (name.to_owned(), value.to_owned()))
}

/// A command without the options whose values are known only when it runs.
fn without_variables(text: &str, known: &[(String, String)]) -> String {
    let mut text = text.to_owned();
    for (name, value) in known {
        text = text.replace(&format!("${{{name}}}"), value);
        let end = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let short = format!("${name}");
        if let Some((before, behind)) = text.split_once(&short).filter(|(_, behind)| end(behind)) {
            text = format!("{before}{value}{behind}");
        }
    }
    let mut words: Vec<&str> = Vec::new();
    for word in text.split_whitespace() {
        if !word.contains('$') {
            words.push(word);
        } else if !word.starts_with('-')
            && words.last().is_some_and(|last| last.starts_with('-') && !last.contains('='))
        {
            words.pop();
        }
    }
    words.join(" ")
}
