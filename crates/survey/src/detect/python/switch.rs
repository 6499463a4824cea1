//! The variable that chooses what a program opens: `if os.getenv("DB") == "postgres"`, and Django's `ENGINE` from the
//! environment. The stack sets it to what it starts: without a value the program takes a file of its own.

use std::rc::Rc;

use super::{
    conditions::{self, Condition},
    environment::{Read, Shape, enclosing, is_for_development},
    project::Project,
};
use crate::{
    model::{Address, Part, Service, Setting, StoreKind},
    python::{Kind, Module},
};

/// Names that programs give to the databases that stacks start.
pub(super) fn named(text: &str) -> Option<StoreKind> {
    let text = text.to_lowercase();
    Some(match text.rsplit("db.backends.").next()?.split('+').next()? {
        "postgres"
        | "postgresql"
        | "postgis"
        | "psql"
        | "pgsql"
        | "pg"
        | "psycopg2"
        | "psycopg"
        | "postgresql_psycopg2" => StoreKind::Postgresql,
        "mysql" | "mariadb" => StoreKind::Mysql,
        "sqlite" | "sqlite3" | "spatialite" => StoreKind::Sqlite,
        _ => return None,
    })
}

/// Sets what chooses the one database of a service, where its default chooses another one.
pub(super) fn add(project: &Project, reads: &[Read], service: &mut Service) {
    let relational = |kind: StoreKind| matches!(kind, StoreKind::Postgresql | StoreKind::Mysql);
    let wired: Vec<(StoreKind, String)> = service
        .stores
        .iter()
        .filter(|used| relational(used.kind))
        .flat_map(|used| variables(used.address.as_ref()).into_iter().map(move |name| (used.kind, name)))
        .collect();
    let Some((kind, _)) = wired.first().cloned() else { return };
    if wired.iter().any(|(other, _)| *other != kind) {
        return;
    }
    let names: Vec<&str> = wired.iter().map(|(_, name)| name.as_str()).collect();
    let modules: Vec<&Rc<Module>> =
        project.modules.iter().filter(|module| !is_for_development(module.source.name())).collect();
    let mut found: Vec<Setting> = Vec::new();
    for module in &modules {
        for at in 0..module.tokens.len() {
            found.extend(engine(project, reads, module, at, kind));
        }
    }
    for module in &modules {
        found.extend(compared(project, reads, module, kind));
    }
    if found.is_empty() {
        found.extend(around(project, reads, &modules, &names, kind));
    }
    for setting in found {
        if names.contains(&setting.name.as_str())
            || service.settings.iter().any(|known| known.name == setting.name && !known.at_build)
        {
            continue;
        }
        // What it is set to while static files are collected must be an engine, too.
        for known in service.settings.iter_mut().filter(|known| known.name == setting.name) {
            known.value.clone_from(&setting.value);
        }
        service.settings.push(setting);
    }
}

fn variables(address: Option<&Address>) -> Vec<String> {
    match address {
        Some(Address::Url { variable, .. }) => vec![variable.value.clone()],
        Some(Address::Parts { variables, .. }) => {
            // A variable for the name alone is read for a file of SQLite as well.
            let read = variables.iter().filter(|(part, _)| *part != Part::Database);
            let mut names: Vec<String> = read.map(|(_, variable)| variable.value.clone()).collect();
            names.sort();
            names
        }
        Some(Address::Fixed { .. }) | None => Vec::new(),
    }
}

fn setting(read: &Read, value: String, kind: StoreKind) -> Setting {
    let reason = format!(
        "With it the program opens the stack's {} ({}:{}).",
        kind.label(),
        read.evidence.file,
        read.evidence.line
    );
    Setting { name: read.name.clone(), value, reason, at_build: false }
}

/// `"ENGINE": os.environ.get("SQL_ENGINE", "django.db.backends.sqlite3")`, also with the beginning in front of it.
fn engine(project: &Project, reads: &[Read], module: &Module, at: usize, kind: StoreKind) -> Option<Setting> {
    let key = module.kind(at) == Some(Kind::String)
        && module.string(at).as_deref() == Some("ENGINE")
        && module.is(at + 1, ":");
    let value = if key { at + 2 } else { return None };
    let end = super::paths::value_end(module, value);
    let read = conditions::in_range(project, reads, module, (value, end))?.read;
    let default = read.default.as_deref().unwrap_or_default();
    if named(default) == Some(kind) {
        return None;
    }
    let short = match module.kind(value)? {
        Kind::String => module.string(value)?.ends_with('.'),
        Kind::Format => module.format(value)?.contains(".{"),
        _ => !default.is_empty() && !default.contains('.'),
    };
    let maps = default.contains("gis.") || default.ends_with("spatialite");
    let name = match kind {
        StoreKind::Mysql => "mysql",
        _ if maps => "postgis",
        _ => "postgresql",
    };
    let beginning = default.rsplit_once("backends.").map_or("django.db.", |(beginning, _)| beginning);
    let whole = format!("{beginning}backends.{name}");
    Some(setting(read, if short { name.to_owned() } else { whole }, kind))
}

/// Comparisons with the name of a database: the one of the stack's is chosen.
fn compared(project: &Project, reads: &[Read], module: &Module, kind: StoreKind) -> Option<Setting> {
    let mut other = None;
    for at in 0..module.tokens.len() {
        let Some(condition) = condition_at(project, reads, module, at) else { continue };
        let default = condition.read.default.as_deref().unwrap_or_default();
        if named(default) == Some(kind) {
            continue;
        }
        let own = condition.texts.iter().find(|text| named(text) == Some(kind));
        match own {
            Some(text) if !condition.negated => return Some(setting(condition.read, text.clone(), kind)),
            Some(_) => {}
            // `if DB == "sqlite": … else: …`
            None if condition.texts.iter().any(|text| text == default && named(text).is_some()) => {
                let name = if kind == StoreKind::Mysql { "mysql" } else { "postgresql" };
                other = other.or_else(|| Some(setting(condition.read, name.to_owned(), kind)));
            }
            None => {}
        }
    }
    other
}

/// The comparison of a line that begins with `if`, `elif` or `case`, or gives a name its value.
fn condition_at<'a>(
    project: &Project,
    reads: &'a [Read],
    module: &Module,
    at: usize,
) -> Option<Condition<'a>> {
    if module.is(at, "case") && module.tokens[at].first {
        let text = module.string(at + 1)?;
        let header = enclosing(module, at).filter(|&header| module.is(header, "match"))?;
        let to = module.line_end(header).checked_sub(1)?;
        let condition = conditions::in_range(project, reads, module, (header + 1, to))?;
        return Some(Condition { texts: vec![text], ..condition });
    }
    // Behind `if` up to the colon, also of `X if … else Y`.
    if !matches!(module.text(at), "if" | "elif") {
        return None;
    }
    let end =
        (at + 1..module.line_end(at)).find(|&at| matches!(module.text(at), ":" | "else" | "or" | "and"))?;
    conditions::in_range(project, reads, module, (at + 1, end)).filter(|found| !found.texts.is_empty())
}

/// Texts that say that the program runs elsewhere.
const ELSEWHERE: [&str; 9] =
    ["dev", "develop", "development", "local", "test", "testing", "tests", "ci", "debug"];

/// A condition around all reads of the stack's variables: `if os.getenv("APP_ENV") == "production"`, `if USE_POSTGRES`.
fn around(
    project: &Project,
    reads: &[Read],
    modules: &[&Rc<Module>],
    names: &[&str],
    kind: StoreKind,
) -> Option<Setting> {
    let mut chosen: Option<Setting> = None;
    for read in reads.iter().filter(|read| names.contains(&read.name.as_str())) {
        let Some(module) = modules.iter().find(|module| module.source.name() == read.evidence.file) else {
            continue;
        };
        let read_at = |&at: &usize| module.tokens[at].span.start >= read.evidence.start;
        let Some(at) = (0..module.tokens.len()).find(read_at) else { continue };
        let mut header = enclosing(module, at);
        while let Some(place) = header.filter(|&place| !matches!(module.text(place), "if" | "elif" | "else"))
        {
            header = enclosing(module, place);
        }
        // One that stands under no condition is read whatever the environment says.
        let place = header?;
        let to = module.line_end(place).min(at);
        let end = (place + 1..to).find(|&at| module.is(at, ":"))?;
        if module.is(place, "else") {
            continue;
        }
        let Some(condition) = conditions::in_range(project, reads, module, (place + 1, end)) else {
            continue;
        };
        let setting = decided(&condition, names, kind);
        let production = setting.as_ref().is_some_and(|setting| setting.value.starts_with("prod"));
        if chosen.is_none() || production {
            chosen = setting.or(chosen);
        }
    }
    chosen
}

fn decided(condition: &Condition<'_>, names: &[&str], kind: StoreKind) -> Option<Setting> {
    let read = condition.read;
    let default = read.default.as_deref().unwrap_or_default();
    if condition.negated || names.contains(&read.name.as_str()) {
        return None;
    }
    if let Some(text) = condition.texts.first() {
        let elsewhere = condition.texts.iter().any(|text| ELSEWHERE.contains(&text.to_lowercase().as_str()));
        // A mode that was taken for production's is set as well: what opens the store must not hang on an answer.
        let taken = read.evidence.reason == super::mode::REASON;
        return (!elsewhere && (taken || !condition.texts.iter().any(|text| text == default)))
            .then(|| setting(read, text.clone(), kind));
    }
    let of_databases = read.name.split('_').any(|word| {
        named(word).is_some() || matches!(word, "DB" | "DATABASE" | "SQL") || word.starts_with("POSTGRES")
    });
    let off = matches!(default.to_lowercase().as_str(), "" | "0" | "false" | "no" | "off");
    let value = if read.shape == Shape::Number { "1" } else { "True" };
    (of_databases && off && !read.name.contains("URL")).then(|| setting(read, value.to_owned(), kind))
}
