//! The Python that a project runs on: every source that names one, and the version that is chosen.

use super::{install::Locked, pins, project::Project};
use crate::{
    context::{Context, join},
    detect::platform::Platform,
    model::{Confidence, Evidence, Fact, Gap, Question, is_below},
    rules,
};

/// Versions that Plimsoll has a base for, the newest first.
const OFFERED: [u32; 2] = [13, 11];
/// Versions whose image comes from its registry alone: for projects that accept no other.
const PULLED: [u32; 2] = [14, 12];

/// One source.
struct Named {
    fact: Fact<String>,
    /// A pin of a tool that chooses among installed versions (`.python-version`), and no demand of the project.
    pin: bool,
}

/// What the sources come to.
#[derive(Debug, Default)]
pub(super) struct Runtime {
    pub(super) written: Option<Fact<String>>,
    pub(super) version: Option<Fact<String>>,
    pub(super) gaps: Vec<Gap>,
    pub(super) questions: Vec<Question>,
}

/// Reads all sources of a project and chooses.
pub(super) fn choose(
    context: &Context<'_>,
    platform: &Platform,
    project: &Project,
    locked: &Locked,
) -> Runtime {
    let sources = sources(context, platform, project);
    let mut runtime = Runtime::default();
    if let Some(first) = sources.first() {
        let evidence = sources.iter().flat_map(|source| source.fact.evidence.clone()).collect();
        runtime.written = Some(Fact { value: first.fact.value.clone(), evidence });
    }
    let accepted = |minor: u32, pins: bool| {
        sources
            .iter()
            .filter(|source| pins || !source.pin)
            .all(|source| accepts(&source.fact.value, minor) != Some(false))
    };
    let old = pins::too_old_for_newest(project, locked);
    let fits = |pins: bool| {
        let fits: Vec<u32> = OFFERED.iter().copied().filter(|minor| accepted(*minor, pins)).collect();
        // A package without a wheel for the newest decides where there is a choice.
        if !old.is_empty() && fits.contains(&11) { Some(11) } else { fits.first().copied() }
    };
    let evidence = |minor: u32| {
        let mut evidence: Vec<Evidence> =
            sources.iter().flat_map(|source| source.fact.evidence.clone()).collect();
        evidence.extend(old.iter().take(5).filter(|_| minor == 11).cloned());
        evidence
    };
    if let Some(minor) = fits(true) {
        let evidence = evidence(minor);
        let evidence = if evidence.is_empty() { project_evidence(project) } else { evidence };
        runtime.version = Some(Fact { value: format!("3.{minor}"), evidence });
        if !old.is_empty() && accepted(11, true) && accepted(13, true) {
            runtime.questions.push(by_pins(&subject(&project.folder), old));
        }
        return runtime;
    }
    let pulled = PULLED.into_iter().find(|minor| fits(false).is_none() && accepted(*minor, false));
    if let Some(minor) = pulled {
        by_registry(project, minor, evidence(minor), &mut runtime);
        return runtime;
    }
    let Some(refusing) = sources
        .iter()
        .find(|source| OFFERED.iter().all(|minor| accepts(&source.fact.value, *minor) == Some(false)))
        .or(sources.first())
    else {
        return runtime;
    };
    refuse(project, refusing, fits(false).filter(|_| refusing.pin), accepted(11, false), &mut runtime);
    runtime
}

/// Takes a version that the project demands and that no base has.
fn by_registry(project: &Project, minor: u32, evidence: Vec<Evidence>, runtime: &mut Runtime) {
    runtime.gaps.push(Gap {
        rule: rules::RUNTIME_VERSION,
        subject: subject(&project.folder),
        message: format!(
            "it runs on Python 3.{minor} alone: its image comes from a registry, no base has this version"
        ),
        hint: "where no registry is reached, let the project run on 3.13 or 3.11".to_owned(),
        evidence: evidence.clone(),
    });
    runtime.version = Some(Fact { value: format!("3.{minor}"), evidence });
}

/// What is said where no offered version fits all sources.
fn refuse(project: &Project, refusing: &Named, other: Option<u32>, accepts_old: bool, runtime: &mut Runtime) {
    let subject = subject(&project.folder);
    let value = &refusing.fact.value;
    runtime.gaps.push(Gap {
        rule: rules::RUNTIME_VERSION,
        subject: subject.clone(),
        message: format!("Python {value} is asked for, and stacks run on 3.11 or 3.13 so far"),
        hint: "let the project run on one of these versions".to_owned(),
        evidence: refusing.fact.evidence.clone(),
    });
    let Some(newest) = other else { return };
    // What was pinned to an old one is nearer to 3.11 than to the newest.
    let pinned = numbers(value).get(1).copied();
    let minor = if pinned.is_some_and(|pinned| pinned < 11) && accepts_old { 11 } else { newest };
    // The manager of versions on a developer's machine pins one; nothing says that the project needs it.
    runtime.version = Some(Fact { value: format!("3.{minor}"), evidence: refusing.fact.evidence.clone() });
    runtime.questions.push(Question {
        id: format!("{subject}.python"),
        text: format!("{value} is pinned for development. Which Python runs it?"),
        options: OFFERED.iter().rev().map(|minor| format!("3.{minor}")).collect(),
        default: Some(format!("3.{minor}")),
        confidence: Confidence::Open,
        evidence: refusing.fact.evidence.clone(),
    });
}

/// Asks for the Python that old versions of packages decided, where the project would take the newest too.
fn by_pins(subject: &str, old: Vec<Evidence>) -> Question {
    let first = old.first().map_or("", |evidence| evidence.reason.as_str());
    let more = match old.len() {
        0 | 1 => String::new(),
        count => format!(", and {} more like it", count - 1),
    };
    Question {
        id: format!("{subject}.python"),
        text: format!("{first}{more}. Which Python runs it?"),
        options: OFFERED.iter().rev().map(|minor| format!("3.{minor}")).collect(),
        default: Some("3.11".to_owned()),
        confidence: Confidence::Likely,
        evidence: old.into_iter().take(5).collect(),
    }
}

/// A folder as a question or gap names it.
pub(super) fn subject(folder: &str) -> String {
    if folder.is_empty() { "root".to_owned() } else { folder.to_owned() }
}

fn project_evidence(project: &Project) -> Vec<Evidence> {
    let manifest = project.manifests.iter().map(|manifest| manifest.source.name().to_owned());
    let file = project.file.iter().map(|(path, _)| path.clone());
    let reason = "no file names a version of Python: the newest is taken";
    manifest.chain(file).take(1).map(|path| Evidence::file(&path, reason)).collect()
}

fn sources(context: &Context<'_>, platform: &Platform, project: &Project) -> Vec<Named> {
    let mut sources = Vec::new();
    let folders = if project.folder.is_empty() {
        vec![""]
    } else {
        vec![project.folder.as_str(), project.install.as_str(), ""]
    };
    let file = |name: &str, read: fn(&str) -> Option<&str>, reason: &str| {
        let source = folders.iter().find_map(|folder| context.repository.source(&join(folder, name)))?;
        (1..=source.text().lines().count().min(50)).find_map(|number| {
            let span = source.line_span(number);
            let value = read(source.slice(span))?.trim().to_owned();
            Some(Fact::new(value, Evidence::new(&source, span, reason.to_owned())))
        })
    };
    let pin = |fact: Option<Fact<String>>| fact.map(|fact| Named { fact, pin: true });
    sources.extend(pin(file(".python-version", version_line, "the version of Python for development")));
    for manifest in &project.manifests {
        // A Pipfile has the Python that its developers had when they made it, and Pipenv takes another one that is named.
        let pin = manifest.is_pipfile();
        sources.extend(manifest.python.clone().map(|fact| Named { fact, pin }));
    }
    sources.extend(pin(file(
        "runtime.txt",
        |line| line.trim().strip_prefix("python-"),
        "the version of Python on Heroku",
    )));
    sources.extend(pin(file(
        ".tool-versions",
        |line| line.trim().strip_prefix("python "),
        "the version of Python for development",
    )));
    let image = platform.python.iter().find(|(folder, _)| {
        *folder == project.folder || (is_below(&project.folder, folder) && folder.is_empty())
    });
    sources.extend(pin(image.map(|(_, fact)| fact.clone())));
    sources.retain(|source| accepts(&source.fact.value, 13).is_some());
    sources
}

fn version_line(line: &str) -> Option<&str> {
    let line = line.trim();
    let line = line.strip_prefix("python-").or_else(|| line.strip_prefix("cpython-")).unwrap_or(line);
    line.starts_with(|c: char| c.is_ascii_digit()).then_some(line)
}

/// Whether a version, range or set of ranges accepts a Python 3.`minor`; nothing for a text that is none.
fn accepts(text: &str, minor: u32) -> Option<bool> {
    let mut any = false;
    for choice in text.split("||").flat_map(|choice| choice.split(" or ")) {
        let mut all = true;
        for part in choice.split(',').flat_map(split_ranges) {
            all &= part_accepts(&part, minor)?;
        }
        any |= all;
    }
    Some(any)
}

/// `>=3.10 <4` is two parts; `>= 3.10` is one.
fn split_ranges(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match parts.last_mut() {
            Some(last) if !last.contains(|c: char| c.is_ascii_digit()) => last.push_str(word),
            _ => parts.push(word.to_owned()),
        }
    }
    parts
}

fn part_accepts(part: &str, minor: u32) -> Option<bool> {
    if part == "*" {
        return Some(true);
    }
    let operator = ["===", "==", ">=", "<=", "!=", "~=", ">", "<", "^", "~", "="]
        .iter()
        .find(|operator| part.starts_with(**operator))
        .copied();
    let version = part.strip_prefix(operator.unwrap_or_default())?.trim();
    let mut numbers = version
        .split('.')
        .map(|number| number.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default());
    let major: u32 = numbers.next()?.parse().ok()?;
    let given = numbers.next().and_then(|number| number.parse::<u32>().ok());
    let patch = numbers.next().and_then(|number| number.parse::<u32>().ok());
    let same = major == 3 && given.is_none_or(|given| given == minor);
    let wanted = (3, minor);
    let bound = (major, given.unwrap_or(0));
    Some(match operator.unwrap_or("==") {
        "===" | "==" | "=" | "~" => same,
        "!=" => !(same && given.is_some() && patch.is_none()),
        ">=" => wanted >= bound,
        ">" => wanted > bound || (wanted == bound && patch.is_some()),
        "<" => wanted < bound || (wanted == bound && patch.is_some_and(|patch| patch > 0)),
        "<=" => wanted < bound || (wanted == bound && patch.is_some()),
        "~=" if patch.is_some() => same,
        "~=" | "^" => major == 3 && wanted >= bound,
        _ => return None,
    })
}

/// Releases from which packages do without `pkg_resources`, which setuptools has no more since its 81st; nothing for those
/// that never do.
const NEEDS_PKG_RESOURCES: [(&str, Option<&str>); 8] = [
    ("gunicorn", Some("21.0.0")),
    ("djangorestframework-simplejwt", Some("5.3.1")),
    ("flask-restx", Some("1.1.0")),
    ("opentelemetry-instrumentation", Some("0.49")),
    ("razorpay", Some("1.4.2")),
    ("supervisor", None),
    ("zope-interface", Some("7.1.0")),
    ("drf-yasg", Some("1.21.6")),
];

/// The last setuptools with `pkg_resources`.
const SETUPTOOLS: &str = "setuptools==80.9.0";

/// A setuptools for old packages, where one is installed that looks for its own files by `pkg_resources`, or a module of
/// the project does.
pub(super) fn setuptools(project: &Project, locked: &Locked) -> Option<Fact<String>> {
    let pinned = locked.get("setuptools").is_some_and(|(version, _)| numbers(version) < vec![81]);
    if pinned {
        return None;
    }
    let package = NEEDS_PKG_RESOURCES.iter().find_map(|(name, without)| {
        let (version, evidence) = locked.get(*name)?;
        let needs = without.is_none_or(|without| numbers(version) < numbers(without));
        let reason =
            format!("{name} {version} needs pkg_resources, which setuptools had until its 80th release");
        needs.then(|| Evidence { reason, ..evidence.clone() })
    });
    let module = || {
        project.modules.iter().find_map(|module| {
            let at = module.lines().find(|&at| {
                matches!(module.text(at), "import" | "from") && module.is(at + 1, "pkg_resources")
            })?;
            let reason = "pkg_resources was a part of setuptools until its 80th release";
            Some(Evidence::new(&module.source, module.span(at, at + 1), reason))
        })
    };
    Some(Fact::new(SETUPTOOLS.to_owned(), package.or_else(module)?))
}

pub(super) fn numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .map_while(|part| part.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::accepts;

    #[test]
    fn versions_and_ranges_accept_as_their_tools_do() {
        let both = |text: &str| (accepts(text, 11), accepts(text, 13));
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(both("3.12"), (no, no));
        assert_eq!(both("3.11.9"), (yes, no));
        assert_eq!(both(">=3.9"), (yes, yes));
        assert_eq!(both(">=3.10,<3.13"), (yes, no));
        assert_eq!(both(">= 3.10 <4"), (yes, yes));
        assert_eq!(both("^3.12"), (no, yes));
        assert_eq!(both("~3.11"), (yes, no));
        assert_eq!(both("~=3.11"), (yes, yes));
        assert_eq!(both("~=3.11.0"), (yes, no));
        assert_eq!(both("==3.12.*"), (no, no));
        assert_eq!(both(">=3.14"), (no, no));
        assert_eq!(both("!=3.13.*"), (yes, no));
        assert_eq!(both("^3.8 || ^2.7"), (yes, yes));
        assert_eq!(both("<=3.13"), (yes, no));
        assert_eq!(both("*"), (yes, yes));
        assert_eq!(both("my-env"), (None, None));
    }
}
