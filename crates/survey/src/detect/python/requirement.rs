//! What a project says it needs: PEP 508 requirements and files of them.

use std::collections::BTreeSet;

use plimsoll_source::{Source, Span};

use crate::{context::Context, model::Evidence};

/// One package that a project needs when it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Requirement {
    /// Normalised by PEP 503: small letters, hyphens.
    pub(super) name: String,
    pub(super) extras: Vec<String>,
    /// The versions, as written; empty for any.
    pub(super) versions: String,
    /// Where it stands.
    pub(super) evidence: Evidence,
}

impl Requirement {
    /// The version, where exactly one is allowed.
    pub(super) fn pinned(&self) -> Option<&str> {
        let version = self.versions.strip_prefix("==")?.trim_start_matches('=').trim();
        (!version.contains([',', '*'])).then_some(version)
    }
}

/// A name as package indexes compare it.
pub(super) fn normalised(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.trim().chars() {
        match c {
            '-' | '_' | '.' if out.ends_with('-') => {}
            '-' | '_' | '.' => out.push('-'),
            c => out.extend(c.to_lowercase()),
        }
    }
    out
}

/// One requirement; nothing for other texts and for those of another system than Linux or of an old Python.
pub(super) fn parse(source: &Source, span: Span, text: &str) -> Option<Requirement> {
    let (text, marker) = text.split_once(';').map_or((text, ""), |(text, marker)| (text, marker));
    if is_elsewhere(marker) {
        return None;
    }
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).unwrap_or(text.len());
    let (name, mut rest) = text.split_at(end);
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    rest = rest.trim_start();
    let mut extras = Vec::new();
    if let Some((inside, behind)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        extras = inside.split(',').map(normalised).filter(|extra| !extra.is_empty()).collect();
        rest = behind.trim_start();
    }
    let rest = rest.trim_start_matches('(').trim_end_matches(')').trim();
    if !(rest.is_empty() || rest.starts_with(['=', '<', '>', '!', '~', '@'])) {
        return None;
    }
    let versions = rest.chars().filter(|c| !c.is_whitespace()).collect();
    let evidence = Evidence::new(source, span, "the project needs it when it runs");
    Some(Requirement { name: normalised(name), extras, versions, evidence })
}

/// Whether a marker holds nowhere in a Linux container with a Python of today.
fn is_elsewhere(marker: &str) -> bool {
    if marker.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "or") {
        return false;
    }
    let marker: String = marker.chars().filter(|c| !c.is_whitespace()).collect();
    let marker = marker.replace('\'', "\"");
    let system = [
        "sys_platform==\"win32\"",
        "sys_platform==\"darwin\"",
        "platform_system==\"Windows\"",
        "platform_system==\"Darwin\"",
        "os_name==\"nt\"",
    ];
    let old = (0..=11).any(|minor| {
        marker.contains(&format!("python_version<\"3.{minor}\""))
            || (minor < 11 && marker.contains(&format!("python_version<=\"3.{minor}\"")))
    });
    old || system.iter().any(|system| marker.contains(system))
}

/// A requirements file with those that it names.
#[derive(Debug, Default)]
pub(super) struct RequirementsFile {
    pub(super) requirements: Vec<Requirement>,
    /// Further files, with the line that names each.
    pub(super) includes: Vec<(String, Evidence)>,
    /// Lines that install from a folder: `-e .`, `./lib`.
    pub(super) local: Vec<Evidence>,
    /// One of them is the project itself, with all that it declares.
    pub(super) installs_project: bool,
    /// Requirements without one exact version.
    pub(super) open: Vec<Evidence>,
    /// It was written by a resolver out of another file.
    pub(super) compiled: bool,
}

impl RequirementsFile {
    /// Whether it asks for no package by its name.
    pub(super) fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }
}

/// Files that one requirements file may lead to.
const MAX_FILES: usize = 30;
const MAX_LINES: usize = 5000;

/// Reads a requirements file and those that it names with `-r` and `-c`.
pub(super) fn read_file(context: &Context<'_>, path: &str) -> RequirementsFile {
    let mut file = RequirementsFile::default();
    let mut seen = BTreeSet::from([path.to_owned()]);
    let mut queue = vec![(path.to_owned(), false)];
    while let Some((path, constraints)) = queue.pop() {
        let Some(source) = context.repository.source(&path) else { continue };
        let head: String = source.text().lines().take(6).collect();
        file.compiled |= ["pip-compile", "uv export", "uv pip compile", "poetry export", "pdm export"]
            .iter()
            .any(|tool| head.contains(tool));
        for (text, span) in lines(&source) {
            if let Some((target, constraints)) = included(&text) {
                let target = resolve(&path, target);
                if seen.len() < MAX_FILES
                    && seen.insert(target.clone())
                    && context.repository.contains(&target)
                {
                    file.includes.push((
                        target.clone(),
                        Evidence::new(&source, span, "the requirements file reads it"),
                    ));
                    queue.push((target, constraints));
                }
            } else if let Some(folder) = local(&text).filter(|_| !constraints) {
                file.installs_project |= matches!(folder, "." | "./");
                file.local.push(Evidence::new(&source, span, "installs from a folder"));
            } else if constraints || text.starts_with("--") {
                // Constraints choose versions of what is asked for elsewhere.
            } else if let Some(requirement) = parse(&source, span, without_options(&text)) {
                if requirement.pinned().is_none() {
                    file.open.push(requirement.evidence.clone());
                }
                file.requirements.push(requirement);
            }
        }
    }
    file
}

/// Logical lines without comments.
fn lines(source: &Source) -> Vec<(String, Span)> {
    let mut lines: Vec<(String, Span)> = Vec::new();
    let mut open = false;
    for number in 1..=source.text().lines().count().min(MAX_LINES) {
        let span = source.line_span(number);
        let text = source.slice(span);
        let text = text.split(" #").next().unwrap_or(text);
        let text = if text.trim_start().starts_with('#') { "" } else { text.trim() };
        let continued = text.ends_with('\\');
        let text = text.trim_end_matches('\\').trim();
        match lines.last_mut().filter(|_| open) {
            Some((line, _)) => {
                line.push(' ');
                line.push_str(text);
            }
            None if text.is_empty() => {}
            None => lines.push((text.trim_start_matches('\u{feff}').to_owned(), span)),
        }
        open = continued && !lines.is_empty();
    }
    lines
}

fn included(line: &str) -> Option<(&str, bool)> {
    let options = [("--requirement", false), ("-r", false), ("--constraint", true), ("-c", true)];
    options.iter().find_map(|(option, constraints)| {
        let rest = line.strip_prefix(option)?;
        let target = rest.trim_start_matches('=').trim();
        (!target.is_empty()).then_some((target, *constraints))
    })
}

/// The folder that a line installs: `-e .`, `--editable=./lib`, `.[extra]`; not what comes from elsewhere (`-e git+https:…`).
fn local(line: &str) -> Option<&str> {
    let editable = line.strip_prefix("--editable").or_else(|| line.strip_prefix("-e"));
    let is_folder = editable.is_some() || line.starts_with('.') || line.starts_with("file:");
    let target = editable.unwrap_or(line).trim_start_matches('=').trim();
    let target = target.split(['[', ' ', '#']).next().unwrap_or(target);
    let elsewhere = target.contains("://") && !target.starts_with("file:");
    (is_folder && !elsewhere).then_some(target)
}

fn without_options(line: &str) -> &str {
    line.split(" --").next().unwrap_or(line)
}

/// A path that stands in a file, from the repository's root.
pub(super) fn resolve(file: &str, target: &str) -> String {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Option<(String, Vec<String>, String)> {
        let source = Source::new("r.txt", text);
        parse(&source, Span::new(0, text.len()), text).map(|r| (r.name, r.extras, r.versions))
    }

    #[test]
    fn requirements_are_read_by_their_grammar() {
        assert_eq!(
            one("Flask_SQLAlchemy[Async] >= 3, <4 ; python_version >= '3.9'").unwrap(),
            ("flask-sqlalchemy".into(), vec!["async".into()], ">=3,<4".into())
        );
        assert_eq!(one("zope.interface (==5)").unwrap().0, "zope-interface");
        assert_eq!(one("x @ https://a.example/x.whl").unwrap().0, "x");
        assert_eq!(one("pywin32==1 ; sys_platform == 'win32'"), None);
        assert_eq!(one("tomli; python_version < \"3.11\""), None);
        assert_eq!(one("not a requirement"), None);
        assert_eq!(one("-e ."), None);
    }

    #[test]
    fn a_pin_is_one_exact_version() {
        let source = Source::new("r.txt", "a");
        let pinned = |text: &str| parse(&source, Span::new(0, 1), text).unwrap().pinned().map(str::to_owned);
        assert_eq!(pinned("a==1.2").as_deref(), Some("1.2"));
        assert_eq!(pinned("a==1.*"), None);
        assert_eq!(pinned("a>=1"), None);
    }
}
