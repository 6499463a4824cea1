//! HTTP routes of Fastify and Express in source text, with the prefixes under which plugins and routers are mounted;
//! and among them the paths at which a service says how it is.

use std::rc::Rc;

use crate::{
    context::Context,
    javascript::Script,
    model::{Evidence, Fact, Health, Role, Route, Survey},
};

const METHODS: [&str; 8] = ["get", "post", "put", "patch", "delete", "head", "options", "all"];

/// A service with more routes or mounts than this is cut: a text that was made to be slow must not be.
const MAX_COUNT: usize = 1000;
const MAX_MOUNTS: usize = 100;

/// Tokens of one handler that are looked through.
const MAX_HANDLER: usize = 20_000;

/// Names of objects on which `.get("/x", …)` asks another server instead of answering.
const CLIENTS: [&str; 6] = ["axios", "http", "https", "client", "fetch", "got"];

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    for service in survey.services.iter_mut().filter(|service| service.role == Role::Server) {
        let program = context.program(&service.path);
        let mounts = mounts(&program);
        service.routes = program.iter().flat_map(|script| routes(script, &mounts)).collect();
        service.routes.sort_by(|a, b| (&a.path, &a.method).cmp(&(&b.path, &b.method)));
        service.routes.dedup_by(|a, b| a.path == b.path && a.method == b.method);
        service.health = health(&service.routes);
    }
}

fn health(routes: &[Route]) -> Health {
    let find = |names: &[&str]| {
        let found = names.iter().find_map(|name| {
            routes.iter().find(|route| route.method == "GET" && route.path.rsplit('/').next() == Some(name))
        });
        found.map(|route| Fact { value: route.path.clone(), evidence: route.evidence.clone() })
    };
    Health {
        live: find(&["health", "healthz", "live", "livez"]),
        ready: find(&["ready", "readyz", "readiness"]),
        metrics: find(&["metrics"]),
    }
}

/// A part of a file that is mounted under a prefix.
struct Mount {
    file: String,
    from: usize,
    to: usize,
    prefix: String,
}

fn routes(script: &Script, mounts: &[Mount]) -> Vec<Route> {
    let mut routes = Vec::new();
    for at in 0..script.tokens.len() {
        let Some((method, path, open, argument)) = route_at(script, at) else { continue };
        if routes.len() == MAX_COUNT {
            break;
        }
        let prefix: String = mounts
            .iter()
            .filter(|mount| mount.file == script.source.name() && (mount.from..=mount.to).contains(&at))
            .map(|mount| mount.prefix.trim_end_matches('/'))
            .collect();
        let close = script.close(open).unwrap_or(argument).min(open + MAX_HANDLER);
        let stream = (open..close).any(|at| script.text(at).contains("text/event-stream"));
        let reason = format!("answers {method} {prefix}{path}");
        let evidence = Evidence::new(&script.source, script.span(at, argument), reason);
        routes.push(Route { method, path: format!("{prefix}{path}"), stream, evidence: vec![evidence] });
    }
    routes
}

/// `app.get<…>("/path", …)`: method, path, the opening bracket and the path's token.
fn route_at(script: &Script, at: usize) -> Option<(String, String, usize, usize)> {
    if !script.is_word(at) || !script.is(at + 1, ".") || CLIENTS.contains(&script.text(at)) {
        return None;
    }
    let method = METHODS.iter().find(|method| script.is(at + 2, method))?;
    let open = script.skip_type_arguments(at + 3);
    let arguments = if script.is(open, "(") { script.arguments(open) } else { return None };
    // A call with the path alone reads something: `map.get("/a")`, `app.get("setting")`.
    let argument = *arguments.first().filter(|_| arguments.len() > 1)?;
    let path = script.string(argument).filter(|path| path.starts_with('/'))?;
    Some((method.to_uppercase(), path, open, argument))
}

/// `register(plugin, { prefix: "/p" })` and `use("/p", router)`.
fn mounts(program: &[Rc<Script>]) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    let mut tried = 0;
    for script in program {
        for at in 0..script.tokens.len() {
            if !script.is(at, ".") || !script.is(at + 2, "(") {
                continue;
            }
            let arguments = script.arguments(at + 2);
            let [first, second, ..] = arguments[..] else { continue };
            let mounted = if script.is(at + 1, "register") {
                prefix_option(script, second).map(|prefix| (prefix, first))
            } else if script.is(at + 1, "use") {
                script.string(first).filter(|prefix| prefix.starts_with('/')).map(|prefix| (prefix, second))
            } else {
                None
            };
            let Some((prefix, plugin)) = mounted.filter(|_| tried < MAX_MOUNTS) else { continue };
            tried += 1;
            mounts.extend(mounted_parts(program, script, plugin, &prefix));
        }
    }
    mounts
}

fn prefix_option(script: &Script, options: usize) -> Option<String> {
    let close = script.close(options)?;
    let at = (options..close).find(|&at| script.is(at, "prefix") && script.is(at + 1, ":"))?;
    script.string(at + 2)
}

/// Where the routes of the plugin or router at `at` stand.
fn mounted_parts(program: &[Rc<Script>], script: &Script, at: usize, prefix: &str) -> Option<Mount> {
    let mount = |script: &Script, from, to| {
        Some(Mount { file: script.source.name().to_owned(), from, to, prefix: prefix.to_owned() })
    };
    let inline = script.is(at, "async") || script.is(at, "function") || script.is(at, "(");
    if inline {
        let end = (at..script.tokens.len())
            .find(|&index| script.is(index, "{") && script.close(index).is_some())?;
        return mount(script, at, script.close(end)?);
    }
    if let Some(file) = imported_from(script, script.text(at)) {
        let target = program.iter().find(|script| stem(script.source.name()) == stem(&file))?;
        return mount(target, 0, target.tokens.len());
    }
    let function = (0..script.tokens.len())
        .find(|&index| script.is(index, "function") && script.is(index + 1, script.text(at)))?;
    let body = (function..script.tokens.len()).find(|&index| script.is(index, "{"))?;
    mount(script, function, script.close(body)?)
}

/// The file that a name is imported from, below the repository's root.
fn imported_from(script: &Script, name: &str) -> Option<String> {
    let mut at = 0;
    while let Some(import) = (at..script.tokens.len()).find(|&index| script.is(index, "import")) {
        let from = (import..script.tokens.len().min(import + 200)).find(|&index| script.is(index, "from"))?;
        if (import..from).any(|index| script.is(index, name)) {
            let specifier = script.string(from + 1)?;
            let mut parts: Vec<&str> = script.source.name().split('/').collect();
            parts.pop();
            for part in specifier.split('/') {
                match part {
                    "." => {}
                    ".." => drop(parts.pop()),
                    part => parts.push(part),
                }
            }
            return specifier.starts_with('.').then(|| parts.join("/"));
        }
        at = from + 1;
    }
    None
}

/// A path without its extension: `./a.js` is written where `a.ts` is meant.
fn stem(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(stem, _)| stem)
}
