//! What is known of versions of packages: on which Python each runs, and which later release of another package breaks
//! it. Facts of the index, a line each.

use super::{install::Locked, project::Project, requirement::Requirement, runtime::numbers};
use crate::{
    model::{Evidence, Fact, Gap},
    rules,
};

/// What becomes of a version without a wheel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Without {
    /// It is compiled, with a compiler of C.
    Compiled,
    /// It needs what no image has (a compiler of Rust), or does not run on that Python at all.
    Nothing,
}
use Without::{Compiled, Nothing};

/// The first release of a package with a wheel for (or that runs on) Python 3.11 and 3.13; empty for any.
const FIRST: [(&str, &str, &str, Without); 31] = [
    ("psycopg2-binary", "2.9.5", "2.9.10", Compiled),
    ("psycopg2", "", "2.9.10", Nothing),
    ("psycopg-binary", "3.1.4", "3.2.2", Nothing),
    ("psycopg[binary]", "3.1.4", "3.2.2", Nothing),
    ("asyncpg", "0.27", "0.30", Compiled),
    ("sqlalchemy", "", "2.0.31", Nothing),
    ("numpy", "1.23.2", "2.1", Compiled),
    ("pandas", "1.5", "2.2.3", Compiled),
    ("scipy", "1.9.2", "1.14.1", Nothing),
    ("scikit-learn", "1.1.3", "1.5.2", Nothing),
    ("matplotlib", "3.6", "3.9.2", Compiled),
    ("pydantic-core", "", "2.20", Nothing),
    ("pydantic", "", "2.8", Nothing),
    ("orjson", "3.7.12", "3.10.7", Nothing),
    // Their C does not fit the interpreter of 3.11 before these.
    ("greenlet", "1.1.3", "1.1.3", Nothing),
    ("greenlet", "1.1.3", "3.1", Compiled),
    ("gevent", "21.12", "21.12", Nothing),
    ("gevent", "22.10", "24.10.1", Compiled),
    ("cffi", "1.15", "1.15", Nothing),
    ("lxml", "4.9.1", "5.3", Compiled),
    ("pillow", "9.2", "10.4", Compiled),
    ("cffi", "1.15.1", "1.17", Compiled),
    ("pyyaml", "6.0", "6.0.2", Nothing),
    ("uvloop", "0.17", "0.21", Compiled),
    ("httptools", "0.5", "0.6.2", Compiled),
    ("aiohttp", "3.8.3", "3.10.5", Nothing),
    ("grpcio", "1.49.1", "1.66.2", Compiled),
    ("django", "3.0", "4.2", Nothing),
    ("celery", "", "5.3", Nothing),
    ("kombu", "", "5.3", Nothing),
    ("eventlet", "", "0.37", Nothing),
];

/// A package before a version, and the other package whose release breaks it. The last word says whether it brings
/// that one itself; else it counts where the project asks for it.
const BREAKS: [(&str, &str, &str, &str, bool); 17] = [
    ("flask", "2.2.4", "werkzeug", "3", true),
    ("flask", "2.0", "werkzeug", "2.1", true),
    ("flask", "1.0", "werkzeug", "1", true),
    ("flask", "2.0", "jinja2", "3.1", true),
    ("flask", "2.0", "itsdangerous", "2.1", true),
    ("flask", "2.0", "markupsafe", "2.1", true),
    ("jinja2", "3.0", "markupsafe", "2.1", true),
    ("flask-sqlalchemy", "3.0", "sqlalchemy", "2", true),
    ("flask-sqlalchemy", "3.0", "flask", "3", true),
    ("flask-sqlalchemy", "2.5", "sqlalchemy", "1.4", true),
    ("flask-sqlalchemy", "2.5", "werkzeug", "2", true),
    ("flask-sqlalchemy", "2.5", "markupsafe", "2.1", true),
    ("flask-login", "0.6", "werkzeug", "2.1", true),
    ("flask-login", "0.6.3", "werkzeug", "3", true),
    ("pandas", "2.2.2", "numpy", "2", true),
    // A later kombu wants a client of Redis that Celery 5.2 was never run with.
    ("celery", "5.3", "kombu", "5.3", true),
    ("passlib", "1.7.5", "bcrypt", "5", false),
];

/// The newest version of a package that its project allows: one, or all below a bound.
struct Newest {
    /// As a person reads it: `2.9.3`, `below 4.2`.
    text: String,
    numbers: Vec<u32>,
    below: bool,
    evidence: Evidence,
}

impl Newest {
    /// `name`, or `name[extra]` for what an extra brings.
    fn of(project: &Project, locked: &Locked, name: &str) -> Option<Self> {
        let (name, extra) =
            name.strip_suffix(']').and_then(|name| name.split_once('[')).unwrap_or((name, ""));
        let requirement = project.needs(&[name]);
        if !extra.is_empty() && !requirement.is_some_and(|needs| needs.extras.iter().any(|own| own == extra))
        {
            return None;
        }
        if let Some((version, evidence)) = locked.get(name) {
            let (text, numbers) = (version.clone(), trimmed(numbers(version)));
            return (!numbers.is_empty()).then(|| Self {
                text,
                numbers,
                below: false,
                evidence: evidence.clone(),
            });
        }
        let requirement = requirement?;
        let numbers = bound(&requirement.versions)?;
        let text: Vec<String> = numbers.iter().map(u32::to_string).collect();
        let text = format!("below {}", text.join("."));
        Some(Self { text, numbers, below: true, evidence: requirement.evidence.clone() })
    }

    fn is_before(&self, first: &str) -> bool {
        let first = trimmed(numbers(first));
        !first.is_empty() && if self.below { self.numbers <= first } else { self.numbers < first }
    }
}

/// `2.3.0` is the same as `2.3`.
fn trimmed(mut numbers: Vec<u32>) -> Vec<u32> {
    while numbers.len() > 1 && numbers.last() == Some(&0) {
        numbers.pop();
    }
    numbers
}

/// The version below which a text of PEP 440 or of Poetry keeps a package.
fn bound(versions: &str) -> Option<Vec<u32>> {
    if versions.contains(['|', '@']) {
        return None;
    }
    versions.split(',').filter_map(|part| upper(part.trim())).min()
}

fn upper(part: &str) -> Option<Vec<u32>> {
    let operator = ["==", "~=", "<=", "<", "^", "~"].iter().find(|operator| part.starts_with(**operator))?;
    let version = numbers(part.strip_prefix(operator)?.trim());
    let next = |count: usize| {
        let mut next: Vec<u32> = version.iter().copied().take(count).collect();
        let last = next.last_mut()?;
        *last = last.checked_add(1)?;
        Some(next)
    };
    match *operator {
        "<" => Some(trimmed(version)).filter(|version| !version.is_empty()),
        "<=" => Some(version.iter().copied().chain([1]).collect()),
        "==" if part.ends_with(".*") => next(version.len()),
        "~=" => next(version.len().saturating_sub(1)),
        // Of a version that begins with a zero the next number counts.
        "^" => next(version.iter().position(|number| *number > 0)? + 1),
        "~" => next(version.len().min(2)),
        _ => None,
    }
}

/// What is too old for the newest Python.
pub(super) fn too_old_for_newest(project: &Project, locked: &Locked) -> Vec<Evidence> {
    rows(project, locked, 13).map(|(_, reason, newest)| Evidence { reason, ..newest.evidence }).collect()
}

/// Packages that have no wheel for a Python, and are compiled.
pub(super) fn compiled(project: &Project, locked: &Locked, minor: u32) -> Vec<Fact<String>> {
    let found = rows(project, locked, minor).filter(|(row, ..)| row.3 == Compiled);
    found
        .map(|(row, _, newest)| {
            let reason =
                format!("{} {} has no wheel for Python 3.{minor}: it is compiled", row.0, newest.text);
            Fact::new(row.0.to_owned(), Evidence { reason, ..newest.evidence })
        })
        .collect()
}

/// Says what runs on no Python that a stack can have.
pub(super) fn gaps(project: &Project, locked: &Locked, minor: u32, subject: &str) -> Vec<Gap> {
    let found = rows(project, locked, minor).filter(|(row, ..)| row.3 == Nothing);
    found
        .map(|(_, message, newest)| Gap {
            rule: rules::OUTDATED_PACKAGE,
            subject: subject.to_owned(),
            message,
            hint: "take a later version of it: its image may not be built, or not start".to_owned(),
            evidence: vec![newest.evidence],
        })
        .collect()
}

type Row = (&'static str, &'static str, &'static str, Without);

/// The rows of which the project has a version that is too old for a Python, each with its reason.
fn rows(
    project: &Project,
    locked: &Locked,
    minor: u32,
) -> impl Iterator<Item = (&'static Row, String, Newest)> {
    FIRST.iter().filter_map(move |row| {
        let (name, first) = (row.0, if minor == 11 { row.1 } else { row.2 });
        let newest = Newest::of(project, locked, name)?;
        // SQLAlchemy 1.4 and pydantic 1 are lines of their own.
        let other_line = matches!(name, "sqlalchemy" | "pydantic") && newest.numbers.first() == Some(&1);
        if other_line || !newest.is_before(first) {
            return None;
        }
        let text = &newest.text;
        let reason = format!("{name} {text} is not made for Python 3.{minor}: {first} is the first that is");
        Some((row, reason, newest))
    })
}

/// Constraints that an installation needs where old packages are pinned and what they need is not.
pub(super) fn constraints(project: &Project, locked: &Locked) -> Vec<Fact<String>> {
    let mut found: Vec<(&str, Vec<u32>, Fact<String>)> = Vec::new();
    for (name, before, other, bound, brings) in BREAKS {
        let Some(newest) = Newest::of(project, locked, name).filter(|newest| newest.is_before(before)) else {
            continue;
        };
        let requirement = project.needs(&[other]);
        let extra =
            || project.needs(&[name]).is_some_and(|needs| needs.extras.iter().any(|own| own == other));
        let wanted = brings || requirement.is_some() || extra();
        let limit = numbers(bound);
        // What the project itself says of it counts.
        let decided = locked.contains_key(other) || requirement.is_some_and(|other| says_more(other, &limit));
        if !wanted || decided {
            continue;
        }
        let reason = format!("{name} {} does not run with {other} {bound}", newest.text);
        let fact = Fact::new(format!("{other}<{bound}"), Evidence { reason, ..newest.evidence });
        match found.iter_mut().find(|(known, ..)| *known == other) {
            Some(known) if known.1 > limit => *known = (other, limit, fact),
            Some(_) => {}
            None => found.push((other, limit, fact)),
        }
    }
    let driver = driver(project).filter(|_| !locked.contains_key("sqlalchemy"));
    let undecided = project.needs(&["sqlalchemy"]).is_none_or(|needs| !says_more(needs, &[2, 1]));
    let known = found.iter().any(|(other, ..)| *other == "sqlalchemy");
    let constraints = found.into_iter().map(|(_, _, fact)| fact);
    constraints
        .chain(driver.filter(|_| undecided && !known))
        .chain(super::starlette::bound(project, locked))
        .collect()
}

/// SQLAlchemy 2.1 takes psycopg for an address that names no driver, where the project has psycopg2 alone.
fn driver(project: &Project) -> Option<Fact<String>> {
    let driver = project.needs(&["psycopg2", "psycopg2-binary"])?;
    project.needs(&["sqlalchemy", "sqlmodel", "flask-sqlalchemy"])?;
    let other = project.needs(&["psycopg", "psycopg-binary"]).is_some();
    let writes = || project.modules.iter().any(|module| module.source.text().contains("postgresql://"));
    let reason = format!("{} is not the driver that sqlalchemy 2.1 takes for postgresql://", driver.name);
    let evidence = Evidence { reason, ..driver.evidence.clone() };
    (!other && writes()).then(|| Fact::new("sqlalchemy<2.1".to_owned(), evidence))
}

/// Whether a requirement keeps below a limit by itself, or wants what is above.
pub(super) fn says_more(requirement: &Requirement, limit: &[u32]) -> bool {
    let below = bound(&requirement.versions).is_some_and(|bound| bound.as_slice() <= limit);
    let above = requirement.versions.split(',').any(|part| {
        let least = part.strip_prefix(">=").or_else(|| part.strip_prefix('>'));
        least.is_some_and(|least| numbers(least).as_slice() >= limit)
    });
    below || above || requirement.versions.contains('@')
}

#[cfg(test)]
mod tests {
    use super::bound;

    #[test]
    fn a_range_ends_where_its_tool_ends_it() {
        let ends = |text: &str| {
            bound(text).map(|numbers| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join("."))
        };
        let is = |text: &str, end: &str| assert_eq!(ends(text).as_deref(), Some(end), "{text}");
        is(">=4.0,<4.1", "4.1");
        is("<5,<=4.2.1", "4.2.1.1");
        is("~=2.2", "3");
        is("~=2.2.1", "2.3");
        is("==2.2.*", "2.3");
        is("^2.1", "3");
        is("^0.5.1", "0.6");
        is("~1.4", "1.5");
        assert_eq!((ends(">=3"), ends(""), ends("^1 || ^2"), ends("!=1.4.*")), (None, None, None, None));
    }
}
