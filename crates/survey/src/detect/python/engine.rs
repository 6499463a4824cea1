//! The variable that chooses Django's database: where the parts of a server's address are given and it is not set, the
//! program takes a file of SQLite, or nothing.

use super::django::Site;
use crate::{
    model::{Service, Setting, StoreKind},
    python::{Kind, Module},
};

/// Tokens of a block that are looked at.
const MAX_BLOCK: usize = 400;

/// A database: its engine in Django, and the words with which settings ask for it.
struct Engine {
    kind: StoreKind,
    name: &'static str,
    words: &'static [&'static str],
}

const ENGINES: [Engine; 2] = [
    Engine {
        kind: StoreKind::Postgresql,
        name: "django.db.backends.postgresql",
        words: &["postgres", "postgresql", "psql", "pg"],
    },
    Engine { kind: StoreKind::Mysql, name: "django.db.backends.mysql", words: &["mysql", "mariadb"] },
];

/// Sets the variable to the database that the service uses.
pub(super) fn choose(site: &Site, service: &mut Service) {
    let used = |engine: &&Engine| service.stores.iter().any(|used| used.kind == engine.kind);
    let Some(engine) = ENGINES.iter().find(used) else { return };
    let known = |name: &str| {
        service.environment.iter().any(|variable| variable.name == name)
            && service.settings.iter().all(|setting| setting.name != name || setting.at_build)
    };
    let chosen = site.modules.iter().find_map(|module| {
        (0..module.tokens.len()).find_map(|at| {
            let by_value = engine_of(module, at, engine).map(|name| (name, engine.name.to_owned()));
            by_value.or_else(|| condition(module, at, engine)).filter(|(name, _)| known(name))
        })
    });
    if let Some((name, value)) = chosen {
        let reason =
            format!("With it the settings take {}, whose address they are given.", engine.kind.label());
        service.settings.push(Setting { name, value, reason, at_build: false });
    }
}

/// `"ENGINE": os.environ.get("SQL_ENGINE", "django.db.backends.sqlite3")`: the variable.
fn engine_of(module: &Module, at: usize, engine: &Engine) -> Option<String> {
    if module.string(at).as_deref() != Some("ENGINE") || !module.is(at + 1, ":") {
        return None;
    }
    let (name, open) = module.resolved(at + 2)?;
    let called = module.is(open, "(") || (name == "os.environ" && module.is(open, "["));
    let variable = module.string(open + 1).filter(|_| called)?;
    let default =
        module.is(open + 2, ",").then(|| module.literal(module.arguments(open).get(1)?.at)).flatten();
    let fits = default.is_some_and(|default| default == engine.name);
    (!fits).then_some(variable)
}

/// `if os.getenv("DB") == "postgres":` around settings with the engine: the variable and its value.
fn condition(module: &Module, header: usize, engine: &Engine) -> Option<(String, String)> {
    let token = module.tokens.get(header)?;
    if !token.first || !matches!(module.text(header), "if" | "elif") {
        return None;
    }
    let end = module.line_end(header).min(header + 30);
    let reads = (header..end).any(|at| matches!(module.text(at), "environ" | "getenv" | "env"));
    let strings: Vec<String> = (header..end)
        .filter(|&at| module.kind(at) == Some(Kind::String))
        .filter_map(|at| module.string(at))
        .collect();
    let negated = (header..end).any(|at| matches!(module.text(at), "not" | "!="));
    let value = strings
        .iter()
        .skip(1)
        .find(|text| engine.words.contains(&text.as_str()))
        .filter(|_| reads && !negated)?;
    let inside = |at: &usize| !module.tokens[*at].first || module.tokens[*at].indent > token.indent;
    let block = (end..module.tokens.len()).take(MAX_BLOCK).take_while(inside);
    let named = block.filter_map(|at| module.string(at)).any(|text| text.starts_with(engine.name));
    named.then(|| (strings[0].clone(), value.clone()))
}
