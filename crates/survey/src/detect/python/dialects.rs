//! The driver that SQLAlchemy takes for an address: its scheme names it, or SQLAlchemy takes one by itself.

use super::{project::Project, requirement::Requirement};
use crate::{
    model::{Address, Service, StoreKind},
    python::{Kind, Module},
};

/// Where the scheme of an address names no driver, SQLAlchemy takes one by itself: psycopg2 before 2.1 and psycopg from then
/// on, and mysqlclient. Where another one is installed, the variable must name it, unless the program writes the scheme.
pub(super) fn set(project: &Project, service: &mut Service) {
    if project.needs(&["sqlalchemy", "sqlmodel", "flask-sqlalchemy"]).is_none() {
        return;
    }
    for used in &mut service.stores {
        let Some(Address::Url { variable, scheme: scheme @ None, .. }) = &mut used.address else { continue };
        let begin = match used.kind {
            StoreKind::Postgresql => "postgresql+",
            StoreKind::Mysql => "mysql+",
            _ => continue,
        };
        let by_default =
            || project.modules.iter().find_map(|module| scheme_of_default(module, begin, &variable.value));
        let written = || project.modules.iter().any(|module| writes_scheme(module, begin, &variable.value));
        let asynchronous = variable.value.split('_').any(|word| word == "ASYNC");
        *scheme = match driver(project, used.kind, asynchronous) {
            Some(driver) if asynchronous => Some(format!("{begin}{driver}")),
            driver => by_default()
                .or_else(|| driver.filter(|_| !written()).map(|driver| format!("{begin}{driver}"))),
        };
    }
}

/// The driver that an address must name: nothing where the one is installed that SQLAlchemy takes by itself.
fn driver(project: &Project, kind: StoreKind, asynchronous: bool) -> Option<&'static str> {
    let has = |packages: &[&str]| project.needs(packages).is_some();
    // What several packages hold, in the order in which they are taken.
    let known: &[(&[&str], &str)] = match kind {
        StoreKind::Postgresql => &[
            (&["psycopg2", "psycopg2-binary"], "psycopg2"),
            (&["psycopg", "psycopg-binary"], "psycopg"),
            (&["asyncpg"], "asyncpg"),
        ],
        _ => &[
            (&["mysqlclient"], "mysqldb"),
            (&["pymysql"], "pymysql"),
            (&["mysql-connector-python"], "mysqlconnector"),
            (&["asyncmy"], "asyncmy"),
            (&["aiomysql"], "aiomysql"),
        ],
    };
    let is_asynchronous = |driver: &str| matches!(driver, "psycopg" | "asyncpg" | "asyncmy" | "aiomysql");
    let mut installed = known.iter().filter(|(packages, _)| has(packages)).map(|(_, driver)| *driver);
    let driver =
        if asynchronous { installed.rfind(|driver| is_asynchronous(driver)) } else { installed.next() }?;
    // A version that the project pins; without one the newest is installed.
    let pinned = project.needs(&["sqlalchemy"]).and_then(Requirement::pinned);
    let before = pinned.is_some_and(|version| version.starts_with("1.") || version.starts_with("2.0"));
    let by_itself = driver == "mysqldb" || (driver == "psycopg2" && before);
    (!by_itself).then_some(driver)
}

/// Whether a module says itself which driver an address is for. What stands in the place of a missing variable says nothing
/// of one that is set.
fn writes_scheme(module: &Module, begin: &str, variable: &str) -> bool {
    (0..module.tokens.len()).any(|at| {
        let string =
            matches!(module.kind(at), Some(Kind::String | Kind::Format)) && module.text(at).contains(begin);
        (string && !is_default(module, at, variable))
            || (module.is(at, "drivername") && module.is(at + 1, "="))
    })
}

/// The scheme, with its driver, of what a module takes where a variable is missing, also where that is put together:
/// `getenv("DATABASE_URL", f"postgresql+psycopg://{user}:...")`.
fn scheme_of_default(module: &Module, begin: &str, variable: &str) -> Option<String> {
    let mut strings =
        (0..module.tokens.len()).filter(|&at| matches!(module.kind(at), Some(Kind::String | Kind::Format)));
    let at = strings.find(|&at| module.text(at).contains(begin) && is_default(module, at, variable))?;
    let text = module.text(at);
    let scheme = text[text.find(begin)?..].split("://").next()?;
    scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+_".contains(c)).then(|| scheme.to_owned())
}

/// Whether a text is the second argument of a read, itself or by the name that it is assigned to.
fn is_default(module: &Module, at: usize, variable: &str) -> bool {
    let follows = |at: usize| {
        at > 1 && module.is(at - 1, ",") && module.string(at - 2).is_some_and(|name| name == variable)
    };
    let assigned = at > 1 && module.is(at - 1, "=") && module.is_word(at - 2);
    follows(at)
        || (assigned
            && (0..module.tokens.len())
                .any(|use_at| module.text(use_at) == module.text(at - 2) && follows(use_at)))
}
