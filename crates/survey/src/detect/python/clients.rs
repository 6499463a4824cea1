//! Variables that a client of Redis is given as its address, whatever their names are: `Redis.from_url(…)`, Django's
//! `CACHES` and `CHANNEL_LAYERS`.

use super::{
    paths,
    project::Project,
    templates::{Range, variable},
};
use crate::{
    model::Service,
    python::{Kind, Module},
};

/// Variables that are looked for in one project.
const MAX_FOUND: usize = 20;

/// Tokens of a dictionary that are looked at.
const MAX_TOKENS: usize = 400;

/// Names of the variables that lead to a Redis.
pub(super) fn of_redis(project: &Project, service: &Service) -> Vec<String> {
    let modules =
        project.modules.iter().filter(|module| !super::environment::is_for_development(module.source.name()));
    let mut found: Vec<String> = Vec::new();
    for module in modules {
        for at in 0..module.tokens.len() {
            let Some(range) = from_url(module, at).or_else(|| setting(module, at)) else { continue };
            found.extend(variable(project, service, module, range, 0).filter(|name| !found.contains(name)));
            if found.len() >= MAX_FOUND {
                return found;
            }
        }
    }
    found
}

/// `redis.Redis.from_url(…)`, `RedisSettings.from_dsn(…)`: the tokens of the address.
fn from_url(module: &Module, at: usize) -> Option<Range> {
    if at > 0 && module.is(at - 1, ".") {
        return None;
    }
    let (name, open) = module.resolved(at).filter(|(_, next)| module.is(*next, "("))?;
    let (owner, method) = name.rsplit_once('.')?;
    if !matches!(method, "from_url" | "from_dsn") || !owner.to_lowercase().contains("redis") {
        return None;
    }
    let arguments = module.arguments(open);
    let first = arguments.iter().find(|argument| matches!(argument.name, None | Some("url" | "dsn")))?;
    Some((first.at, first.end))
}

/// `"LOCATION": …` and `"hosts": […]` beside a backend of Redis.
fn setting(module: &Module, at: usize) -> Option<Range> {
    if module.kind(at) != Some(Kind::String) || !module.is(at + 1, ":") {
        return None;
    }
    let name = module.string(at)?;
    let levels = match name.as_str() {
        "LOCATION" => 1,
        // `"CONFIG": {"hosts": …}`
        "hosts" => 2,
        _ => return None,
    };
    let backend = (0..levels)
        .try_fold(at, |inner, _| module.dictionary_around(inner, MAX_TOKENS))
        .filter(|open| is_of_redis(module, *open));
    backend?;
    let value = at + 2;
    // `[("127.0.0.1", 6379)]` is no address in one text.
    if module.is(value, "[") && module.is(value + 1, "(") {
        return None;
    }
    let end = match module.close(value) {
        Some(close) if module.is(value, "[") => close,
        _ => paths::value_end(module, value),
    };
    Some((value, end))
}

/// `"BACKEND": "django_redis.cache.RedisCache"`.
fn is_of_redis(module: &Module, open: usize) -> bool {
    let end = module.close(open).unwrap_or(open).min(open + MAX_TOKENS);
    (open..end).any(|at| {
        matches!(module.string(at).as_deref(), Some("BACKEND"))
            && module.is(at + 1, ":")
            && module.string(at + 2).is_some_and(|backend| backend.to_lowercase().contains("redis"))
    })
}
