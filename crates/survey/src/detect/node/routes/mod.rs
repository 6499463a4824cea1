//! HTTP routes in source text, with the prefixes under which plugins, routers and controllers are mounted; and among
//! them the paths at which a service says how it is.

mod files;
mod health;
mod nest;

use crate::{
    javascript::{Script, modules::Origin, values::Program},
    model::{Evidence, Route, Service},
};

const METHODS: [&str; 8] = ["get", "post", "put", "patch", "delete", "head", "options", "all"];

/// A service with more routes or mounts than this is cut: a text that was made to be slow must not be.
const MAX_COUNT: usize = 1000;
const MAX_MOUNTS: usize = 100;

/// Tokens of one handler that are looked through.
const MAX_HANDLER: usize = 20_000;

/// Names of objects on which `.get("/x", …)` asks another server instead of answering.
const CLIENTS: [&str; 9] = ["axios", "http", "https", "client", "fetch", "got", "ky", "request", "agent"];

/// Fills routes and health paths.
pub(super) fn detect(program: &Program, service: &mut Service) {
    let mounts = mounts(program);
    let mut found: Vec<Route> = Vec::new();
    for module in 0..program.modules.len() {
        if found.len() < MAX_COUNT {
            found.extend(routes(program, module, &mounts));
        }
    }
    found.extend(nest::routes(program));
    found.extend(files::routes(program, service));
    found.truncate(MAX_COUNT);
    for route in &mut found {
        // `/health/` and `/health` are one route for every server here.
        if route.path.len() > 1 && route.path.ends_with('/') {
            route.path.pop();
        }
    }
    found.sort_by(|a, b| (&a.path, &a.method).cmp(&(&b.path, &b.method)));
    found.dedup_by(|a, b| a.path == b.path && a.method == b.method);
    service.routes = found;
    service.health = health::choose(program, service);
}

/// A part of a file that is mounted under a prefix.
struct Mount {
    file: String,
    from: usize,
    to: usize,
    prefix: String,
    /// File and token of the call that mounts it.
    stands: (String, usize),
}

fn routes(program: &Program, module: usize, mounts: &[Mount]) -> Vec<Route> {
    let script = &program.modules[module].script;
    let own = own_prefix(script);
    let mut routes = Vec::new();
    for at in 0..script.tokens.len() {
        let Some(found) = route_at(program, module, script, at) else { continue };
        if routes.len() >= MAX_COUNT {
            break;
        }
        let mounted = mounts
            .iter()
            .filter(|mount| mount.file == script.source.name() && (mount.from..=mount.to).contains(&at));
        let mut prefix: String = mounted.map(|mount| mount.prefix.trim_end_matches('/')).collect();
        prefix.push_str(&own);
        let close = script.close(found.open).unwrap_or(found.last).min(found.open + MAX_HANDLER);
        let stream = (found.open..close).any(|at| script.text(at).contains("text/event-stream"));
        for path in &found.paths {
            let joined =
                if path == "/" && !prefix.is_empty() { prefix.clone() } else { format!("{prefix}{path}") };
            for method in &found.methods {
                let reason = format!("answers {method} {joined}");
                let evidence = Evidence::new(&script.source, script.span(at, found.last), reason);
                routes.push(Route {
                    method: method.clone(),
                    path: joined.clone(),
                    stream,
                    evidence: vec![evidence],
                });
            }
        }
    }
    routes
}

/// `new Router({ prefix: "/api" })` of Koa.
fn own_prefix(script: &Script) -> String {
    let at = (1..script.tokens.len()).find(|&at| {
        script.is(at, "Router")
            && script.is(at - 1, "new")
            && script.is(at + 1, "(")
            && script.is(at + 2, "{")
    });
    let prefix = at.and_then(|at| prefix_option(script, at + 2));
    prefix.map(|prefix| prefix.trim_end_matches('/').to_owned()).unwrap_or_default()
}

struct RouteAt {
    methods: Vec<String>,
    paths: Vec<String>,
    /// The bracket around the handlers.
    open: usize,
    /// The last token of what names the route.
    last: usize,
}

fn route_at(program: &Program, module: usize, script: &Script, at: usize) -> Option<RouteAt> {
    if !script.is(at, ".") || at == 0 {
        return None;
    }
    let object = script.text(at - 1);
    if CLIENTS.contains(&object) || object.is_empty() {
        return None;
    }
    if script.is(at + 1, "route") && script.is(at + 2, "(") {
        return if script.is(at + 3, "{") {
            declared(script, at)
        } else {
            chained(program, module, script, at)
        };
    }
    let method = METHODS.iter().find(|method| script.is(at + 1, method))?;
    let open = script.skip_type_arguments(at + 2);
    let arguments = if script.is(open, "(") { script.arguments(open) } else { return None };
    // A call with the path alone reads something: `map.get("/a")`, `app.get("setting")`.
    let argument = *arguments.first().filter(|_| arguments.len() > 1)?;
    let paths = paths(program, module, script, argument)?;
    Some(RouteAt { methods: vec![method.to_uppercase()], paths, open, last: argument })
}

/// A path, a list of paths, or a constant.
fn paths(program: &Program, module: usize, script: &Script, at: usize) -> Option<Vec<String>> {
    let list: Vec<String> = if script.is(at, "[") {
        script.arguments(at).into_iter().filter_map(|at| script.string(at)).collect()
    } else if let Some(path) = script.string(at) {
        vec![path]
    } else if script.is_word(at) {
        let binding = program.modules[module].binding(script.text(at), at)?;
        matches!(binding.origin, Origin::Expression(_) | Origin::Import { .. }).then_some(())?;
        vec![program.value(module, at)?.literal?]
    } else {
        return None;
    };
    let found: Vec<String> = list.into_iter().filter(|path| path.starts_with('/')).collect();
    (!found.is_empty()).then_some(found)
}

/// `app.route("/health").get(…).post(…)`.
fn chained(program: &Program, module: usize, script: &Script, at: usize) -> Option<RouteAt> {
    let paths = paths(program, module, script, at + 3)?;
    let mut methods = Vec::new();
    let mut index = script.close(at + 2)? + 1;
    for _ in 0..10 {
        if !script.is(index, ".") || !script.is(index + 2, "(") {
            break;
        }
        methods.extend(
            METHODS.iter().find(|method| script.is(index + 1, method)).map(|method| method.to_uppercase()),
        );
        index = script.close(index + 2)? + 1;
    }
    Some(RouteAt { methods, paths, open: at + 2, last: at + 3 })
}

/// `fastify.route({ method: "GET", url: "/health", handler })`.
fn declared(script: &Script, at: usize) -> Option<RouteAt> {
    let member = |key: &str| {
        script
            .arguments(at + 3)
            .into_iter()
            .find(|&at| script.is(at, key) && script.is(at + 1, ":"))
            .map(|at| at + 2)
    };
    let url = member("url").or_else(|| member("path"))?;
    let method = member("method")?;
    let methods = match script.string(method) {
        Some(method) => vec![method.to_uppercase()],
        None => script
            .arguments(method)
            .into_iter()
            .filter_map(|at| script.string(at))
            .map(|text| text.to_uppercase())
            .collect(),
    };
    let path = script.string(url).filter(|path| path.starts_with('/'))?;
    Some(RouteAt { methods, paths: vec![path], open: at + 2, last: url })
}

/// `register(plugin, { prefix: "/p" })`, `use("/p", router)`, `route("/p", app)`.
fn mounts(program: &Program) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    let mut tried = 0;
    for (module, other) in program.modules.iter().enumerate() {
        let script = &other.script;
        for at in 0..script.tokens.len() {
            if !script.is(at, ".") || !script.is(at + 2, "(") {
                continue;
            }
            let arguments = script.arguments(at + 2);
            let [first, second, ..] = arguments[..] else { continue };
            let of_list = if script.is(at + 1, "use") || script.is(at + 1, "route") {
                listed(program, module, script, (at, first, second))
            } else {
                Vec::new()
            };
            for (prefix, plugin) in of_list {
                if tried < MAX_MOUNTS {
                    tried += 1;
                    mounts.extend(mounted_parts(program, module, script, (at, plugin), &prefix));
                }
            }
            let under =
                |at: usize| paths(program, module, script, at).and_then(|paths| paths.into_iter().next());
            let mounted = match script.text(at + 1) {
                "register" => prefix_option(script, second).map(|prefix| (prefix, first)),
                "use" | "route" => under(first).map(|prefix| (prefix, *arguments.last().unwrap_or(&second))),
                _ => None,
            };
            let Some((prefix, plugin)) = mounted.filter(|_| tried < MAX_MOUNTS) else { continue };
            tried += 1;
            mounts.extend(mounted_parts(program, module, script, (at, plugin), &prefix));
        }
    }
    let prefixes: Vec<String> =
        mounts.iter().map(|mount| format!("{}{}", above(&mounts, mount, 0), mount.prefix)).collect();
    for (mount, prefix) in mounts.iter_mut().zip(prefixes) {
        mount.prefix = prefix;
    }
    mounts
}

/// Routers in routers are followed so far.
const MAX_DEPTH: usize = 6;

/// The prefix under which the router that mounts another file's is mounted itself.
fn above(mounts: &[Mount], mount: &Mount, depth: usize) -> String {
    let (file, at) = &mount.stands;
    if *file == mount.file || depth == MAX_DEPTH {
        return String::new();
    }
    let around = |other: &&Mount| other.file == *file && (other.from..=other.to).contains(at);
    mounts.iter().find(around).map_or_else(String::new, |other| {
        let prefix = format!("{}{}", above(mounts, other, depth + 1), other.prefix);
        prefix.trim_end_matches('/').to_owned()
    })
}

/// `list.forEach((entry) => router.use(entry.path, entry.route))`, and the same with `for (const entry of list)`: path and
/// router of each entry.
fn listed(
    program: &Program,
    module: usize,
    script: &Script,
    (at, first, second): (usize, usize, usize),
) -> Vec<(String, usize)> {
    let member = |of: usize| script.is_word(of) && script.is(of + 1, ".") && script.is_word(of + 2);
    if !member(first) || !member(second) || script.text(first) != script.text(second) {
        return Vec::new();
    }
    let list = (at.saturating_sub(30)..at).rev().find_map(|index| {
        let each = index > 0 && script.is(index, "forEach") && script.is(index - 1, ".");
        let of = script.is(index, "of") && script.is(index + 2, ")");
        each.then(|| index.checked_sub(2)).flatten().or_else(|| of.then_some(index + 1))
    });
    let Some(list) = list else { return Vec::new() };
    let binding = program.modules[module].binding(script.text(list), list);
    let Some(Origin::Expression(open)) = binding.map(|binding| &binding.origin) else { return Vec::new() };
    let keys = (script.text(first + 2), script.text(second + 2));
    let entries = script.arguments(*open).into_iter().filter(|&entry| script.is(entry, "{"));
    entries
        .take(MAX_MOUNTS)
        .filter_map(|entry| {
            let value = |key: &str| {
                let at = script.arguments(entry).into_iter().find(|&at| script.is(at, key))?;
                Some(if script.is(at + 1, ":") { at + 2 } else { at })
            };
            let path = script.string(value(keys.0)?).filter(|path| path.starts_with('/'))?;
            Some((path, value(keys.1)?))
        })
        .collect()
}

fn prefix_option(script: &Script, options: usize) -> Option<String> {
    let close = script.close(options)?;
    let at = (options..close).find(|&at| script.is(at, "prefix") && script.is(at + 1, ":"))?;
    script.string(at + 2)
}

/// Where the routes of the plugin or router at `at` stand.
fn mounted_parts(
    program: &Program,
    module: usize,
    script: &Script,
    (call, at): (usize, usize),
    prefix: &str,
) -> Option<Mount> {
    let stands = (script.source.name().to_owned(), call);
    let mount = |script: &Script, from, to| {
        let (file, stands) = (script.source.name().to_owned(), stands.clone());
        Some(Mount { file, from, to, prefix: prefix.to_owned(), stands })
    };
    let inline = script.is(at, "async") || script.is(at, "function") || script.is(at, "(");
    if inline {
        let end = (at..script.tokens.len())
            .find(|&index| script.is(index, "{") && script.close(index).is_some())?;
        return mount(script, at, script.close(end)?);
    }
    // `require("./routes/users")`
    if script.is(at, "require") && script.is(at + 1, "(") {
        let target = program.module_of(module, &script.string(at + 2)?)?;
        let target = &program.modules[target].script;
        return mount(target, 0, target.tokens.len());
    }
    let name = script.text(at);
    let own = &program.modules[module];
    if let Some(function) = own.function(name) {
        return mount(script, function.body.0, function.body.1);
    }
    let binding = own.binding(name, at)?;
    let specifier = match &binding.origin {
        Origin::Import { specifier, .. } => Some(specifier.clone()),
        Origin::Expression(from) | Origin::Member { from, .. } if script.is(*from, "require") => {
            script.string(from + 2)
        }
        _ => None,
    };
    if let Some(specifier) = specifier {
        let target = program.module_of(module, &specifier).filter(|target| *target != module)?;
        let target = &program.modules[target].script;
        return mount(target, 0, target.tokens.len());
    }
    router_here(script, name, prefix, call)
}

/// A router in the same file: the span of the calls on its name.
fn router_here(script: &Script, name: &str, prefix: &str, call: usize) -> Option<Mount> {
    let calls: Vec<usize> = (1..script.tokens.len())
        .filter(|&at| {
            script.is(at, ".")
                && script.is(at - 1, name)
                && METHODS.iter().any(|method| script.is(at + 1, method))
        })
        .collect();
    let (from, to) = (*calls.first()?, *calls.last()?);
    // Calls on another object between them would get the prefix too.
    let foreign = (from..=to).any(|at| {
        script.is(at, ".")
            && !script.is(at - 1, name)
            && METHODS.iter().any(|method| script.is(at + 1, method))
            && script.is(at + 2, "(")
            && script.string(at + 3).is_some_and(|path| path.starts_with('/'))
    });
    let file = script.source.name().to_owned();
    let stands = (file.clone(), call);
    (!foreign).then(|| Mount { file, from, to, prefix: prefix.to_owned(), stands })
}
