//! Routes of Flask, FastAPI and their kin: decorators on applications, blueprints and routers, with the prefixes under
//! which these are mounted.

use std::{collections::BTreeMap, rc::Rc};

use super::project::Project;
use crate::{
    model::{Evidence, Fact, Route},
    python::{Kind, Module},
};

const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

const MAX_ROUTES: usize = 2000;
const MAX_MOUNTS: usize = 500;
const MAX_DEPTH: usize = 8;

/// Something that routes hang on, by file and name.
type Node = (String, String);

/// What the code of a project says about its routes.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) routes: Vec<Route>,
    pub(super) websockets: Vec<Fact<String>>,
    pub(super) gaps: Vec<(String, Evidence)>,
}

/// An application, a blueprint or a router.
#[derive(Debug)]
struct Router {
    prefix: String,
    /// It answers by itself; the others must be mounted.
    root: bool,
}

#[derive(Debug)]
struct Mount {
    parent: Node,
    child: Node,
    /// Nothing where it is no text.
    prefix: Option<String>,
    /// It stands for the child's own prefix and is not put in front of it (Flask).
    replaces: bool,
    evidence: Evidence,
}

/// Makers of routers: the full name and whether what they make answers by itself.
fn maker(name: &str) -> Option<bool> {
    Some(match name {
        "flask.Flask"
        | "quart.Quart"
        | "fastapi.FastAPI"
        | "fastapi.applications.FastAPI"
        | "starlette.applications.Starlette"
        | "litestar.Litestar"
        | "sanic.Sanic"
        | "apiflask.APIFlask"
        | "flask_openapi3.OpenAPI"
        | "bottle.Bottle"
        | "falcon.App"
        | "falcon.asgi.App"
        | "robyn.Robyn"
        | "fasthtml.FastHTML"
        | "connexion.FlaskApp"
        | "aiohttp.web.Application" => true,
        "flask.Blueprint"
        | "quart.Blueprint"
        | "fastapi.APIRouter"
        | "fastapi.routing.APIRouter"
        | "apiflask.APIBlueprint"
        | "sanic.Blueprint"
        | "flask_smorest.Blueprint"
        | "ninja.Router"
        | "ninja.NinjaAPI"
        | "flask_sock.Sock" => false,
        _ => return None,
    })
}

/// Reads all routes of a project.
pub(super) fn find(project: &Project) -> Found {
    let constants = constants(project);
    let mut routers: BTreeMap<Node, Router> = BTreeMap::new();
    for module in &project.modules {
        routers.extend(made(module, &constants));
    }
    let mounts = mounts(project, &routers, &constants);
    let mut found = Found::default();
    let mut lost: BTreeMap<&str, (usize, Evidence)> = BTreeMap::new();
    for module in &project.modules {
        for route in decorators(module) {
            let node = (module.source.name().to_owned(), route.on.clone());
            let node = resolve(project, module, &route.on, &routers).unwrap_or(node);
            if found.routes.len() + found.websockets.len() >= MAX_ROUTES || !routers.contains_key(&node) {
                continue;
            }
            let prefixes = prefixes(&node, &routers, &mounts, 0);
            if prefixes.is_empty() {
                lost.entry(module.source.name()).or_insert_with(|| (0, route.evidence.clone())).0 += 1;
            }
            for prefix in prefixes {
                add(&mut found, &route, &prefix);
            }
        }
    }
    for (_, (count, evidence)) in lost {
        let routes = if count == 1 { "1 route is".to_owned() } else { format!("{count} routes are") };
        found
            .gaps
            .push((format!("{routes} left out: under which path they are mounted is not known"), evidence));
    }
    for mount in mounts.iter().filter(|mount| mount.prefix.is_none()) {
        found
            .gaps
            .push(("a prefix of routes is no text that can be read".to_owned(), mount.evidence.clone()));
    }
    found.routes.sort_by(|a, b| (&a.path, &a.method).cmp(&(&b.path, &b.method)));
    found.routes.dedup_by(|a, b| a.path == b.path && a.method == b.method);
    found.websockets.sort_by(|a, b| a.value.cmp(&b.value));
    found.websockets.dedup_by(|a, b| a.value == b.value);
    found
}

fn add(found: &mut Found, route: &Decorated, prefix: &str) {
    let path = joined(prefix, &route.path);
    if route.websocket {
        found.websockets.push(Fact::new(
            path,
            Evidence { reason: "takes websockets".to_owned(), ..route.evidence.clone() },
        ));
        return;
    }
    for method in &route.methods {
        let evidence = Evidence { reason: format!("answers {method} {path}"), ..route.evidence.clone() };
        found.routes.push(Route {
            method: method.clone(),
            path: path.clone(),
            stream: route.stream,
            evidence: vec![evidence],
        });
    }
}

/// A prefix and a path as one path.
pub(super) fn joined(prefix: &str, path: &str) -> String {
    let prefix = prefix.trim_end_matches('/');
    let path = format!("{prefix}{}{path}", if path.starts_with('/') || path.is_empty() { "" } else { "/" });
    if path.is_empty() {
        "/".to_owned()
    } else if path.starts_with('/') {
        path
    } else {
        format!("/{path}")
    }
}

/// Texts that a name stands for in the whole project: `API_V1_STR: str = "/api/v1"`. A name with two values has none.
fn constants(project: &Project) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, Option<String>> = BTreeMap::new();
    for module in &project.modules {
        for at in module.lines() {
            let Some(value) = module.assigned(at) else { continue };
            let Some(text) = module.string(value).filter(|text| text.starts_with('/')) else { continue };
            let entry = found.entry(module.text(at).to_owned()).or_insert_with(|| Some(text.clone()));
            if entry.as_deref() != Some(&text) {
                *entry = None;
            }
        }
    }
    found.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Assignments that make a router: on the top level and in functions.
fn made(module: &Module, constants: &BTreeMap<String, String>) -> Vec<(Node, Router)> {
    let mut found = Vec::new();
    for at in module.lines() {
        let Some(value) = module.assigned(at) else { continue };
        let Some((name, open)) = module.resolved(value).filter(|(_, next)| module.is(*next, "(")) else {
            continue;
        };
        let Some(root) = maker(&name) else { continue };
        let given = ["prefix", "url_prefix"].iter().find_map(|name| module.keyword(open, name));
        let prefix =
            given.and_then(|argument| text(module, argument.at, argument.end, constants)).unwrap_or_default();
        let node = (module.source.name().to_owned(), module.text(at).to_owned());
        found.push((node, Router { prefix, root: root || name == "flask_sock.Sock" }));
    }
    found
}

/// A text, or a name that stands for one.
fn text(module: &Module, at: usize, end: usize, constants: &BTreeMap<String, String>) -> Option<String> {
    if module.kind(at) == Some(Kind::String) {
        return module.string(at);
    }
    if let Some(format) = module.format(at) {
        return constant_format(format, constants);
    }
    let (name, next) = module.dotted(at)?;
    let last = name.rsplit('.').next()?;
    (next == end).then(|| constants.get(last).cloned())?
}

/// `f"{settings.API_V1_STR}/users"`.
fn constant_format(format: &str, constants: &BTreeMap<String, String>) -> Option<String> {
    let mut out = String::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('{') {
        let (field, behind) = after.split_once('}')?;
        out.push_str(before);
        out.push_str(constants.get(field.rsplit('.').next()?)?);
        rest = behind;
    }
    Some(out + rest)
}

/// `app.include_router(router, prefix="/x")` and `app.register_blueprint(bp, url_prefix="/x")`.
fn mounts(
    project: &Project,
    routers: &BTreeMap<Node, Router>,
    constants: &BTreeMap<String, String>,
) -> Vec<Mount> {
    let mut mounts = Vec::new();
    for module in &project.modules {
        for at in 0..module.tokens.len() {
            let Some((name, open)) = module.dotted(at).filter(|(_, next)| module.is(*next, "(")) else {
                continue;
            };
            let Some((object, method)) = name.rsplit_once('.') else { continue };
            let (keyword, replaces) = match method {
                "include_router" => ("prefix", false),
                "register_blueprint" | "blueprint" => ("url_prefix", true),
                "add_router" => ("prefix", false),
                _ => continue,
            };
            if mounts.len() == MAX_MOUNTS {
                return mounts;
            }
            let arguments = module.arguments(open);
            let child = arguments.iter().find(|argument| {
                argument.name.is_none_or(|name| matches!(name, "router" | "blueprint"))
                    && module.is_word(argument.at)
            });
            let Some(child) = child else { continue };
            let Some((child_name, _)) = module.dotted(child.at) else { continue };
            let Some(child) = resolve(project, module, &child_name, routers) else { continue };
            let own = (module.source.name().to_owned(), object.to_owned());
            let parent = resolve(project, module, object, routers).unwrap_or(own);
            let given = module
                .keyword(open, keyword)
                .or_else(|| arguments.first().copied().filter(|_| method == "add_router"));
            let prefix = match given {
                Some(argument) => text(module, argument.at, argument.end, constants),
                None => Some(String::new()),
            };
            let evidence = Evidence::new(&module.source, module.span(at, open), "mounts routes");
            mounts.push(Mount { parent, child, prefix, replaces: replaces && given.is_some(), evidence });
        }
    }
    mounts
}

/// The router that a name means in a module: its own, or an imported one.
fn resolve(
    project: &Project,
    module: &Rc<Module>,
    name: &str,
    routers: &BTreeMap<Node, Router>,
) -> Option<Node> {
    let own = (module.source.name().to_owned(), name.to_owned());
    if routers.contains_key(&own) {
        return Some(own);
    }
    let full = module.full_name(name);
    follow(project, module, &full, routers, 0)
}

/// Follows imports of imports: `from .users import router as users` in a package's `__init__.py`.
fn follow(
    project: &Project,
    module: &Rc<Module>,
    full: &str,
    routers: &BTreeMap<Node, Router>,
    depth: usize,
) -> Option<Node> {
    let (path, name) = full.rsplit_once('.')?;
    let path =
        if path.is_empty() || path.chars().all(|c| c == '.') { format!("{path}.") } else { path.to_owned() };
    let target = project.find(module, &path)?;
    let node = (target.source.name().to_owned(), name.to_owned());
    if routers.contains_key(&node) {
        return Some(node);
    }
    if depth >= 3 {
        return None;
    }
    let again = target.imports.contains_key(name).then(|| target.full_name(name))?;
    follow(project, target, &again, routers, depth + 1)
}

/// Every prefix under which a router answers; none where it is mounted nowhere that is known.
fn prefixes(node: &Node, routers: &BTreeMap<Node, Router>, mounts: &[Mount], depth: usize) -> Vec<String> {
    let Some(router) = routers.get(node).filter(|_| depth < MAX_DEPTH) else {
        return Vec::new();
    };
    if router.root {
        return vec![String::new()];
    }
    let mut found = Vec::new();
    for mount in mounts.iter().filter(|mount| mount.child == *node && mount.child != mount.parent) {
        let Some(prefix) = &mount.prefix else { continue };
        // A parent that is a parameter (`def init(app):`) is the application.
        let above = if routers.contains_key(&mount.parent) {
            prefixes(&mount.parent, routers, mounts, depth + 1)
        } else {
            vec![String::new()]
        };
        let own = if mount.replaces { "" } else { &router.prefix };
        found.extend(above.iter().take(20).map(|above| {
            let outer = if prefix.is_empty() { above.clone() } else { joined(above, prefix) };
            if own.is_empty() { outer } else { joined(&outer, own) }
        }));
    }
    found.truncate(20);
    found
}

/// A route as its decorator has it.
struct Decorated {
    on: String,
    methods: Vec<String>,
    path: String,
    websocket: bool,
    stream: bool,
    evidence: Evidence,
}

/// `@x.get("/p")`, `@x.route("/p", methods=["GET"])`, `@x.websocket("/p")`.
fn decorators(module: &Module) -> Vec<Decorated> {
    let mut found = Vec::new();
    let lines: Vec<usize> = module.lines().collect();
    for (number, &at) in lines.iter().enumerate() {
        if !module.is(at, "@") {
            continue;
        }
        let Some((name, open)) = module.dotted(at + 1).filter(|(_, next)| module.is(*next, "(")) else {
            continue;
        };
        let Some((on, method)) = name.rsplit_once('.') else { continue };
        let Some(first) = module.arguments(open).first().copied() else { continue };
        let Some(path) = module.string(first.at).filter(|path| path.starts_with('/') || path.is_empty())
        else {
            continue;
        };
        let sock = module.resolved(at + 1).is_some() && on == "sock" && method == "route";
        let methods = match method {
            _ if METHODS.contains(&method) => vec![method.to_uppercase()],
            "route" | "api_route" => methods(module, open),
            "websocket" | "websocket_route" => Vec::new(),
            _ => continue,
        };
        let last = module.close(open).unwrap_or(first.at);
        let stream = streams(module, &lines, number);
        let evidence = Evidence::new(&module.source, module.span(at, last), "a route");
        let websocket = sock || method.starts_with("websocket");
        found.push(Decorated { on: on.to_owned(), methods, path, websocket, stream, evidence });
    }
    found
}

fn methods(module: &Module, open: usize) -> Vec<String> {
    let Some(list) = module.keyword(open, "methods") else { return vec!["GET".to_owned()] };
    let methods: Vec<String> =
        (list.at..list.end).filter_map(|at| module.string(at)).map(|method| method.to_uppercase()).collect();
    if methods.is_empty() { vec!["GET".to_owned()] } else { methods }
}

/// Whether the function under a decorator answers with server-sent events.
fn streams(module: &Module, lines: &[usize], number: usize) -> bool {
    let def = lines[number..].iter().take(12).position(|&at| module.is(at, "def") || module.is(at, "async"));
    let Some(def) = def.map(|offset| number + offset) else { return false };
    let indent = module.tokens[lines[def]].indent;
    let end = lines[def + 1..]
        .iter()
        .take(200)
        .find(|&&at| module.tokens[at].indent <= indent)
        .copied()
        .unwrap_or(module.tokens.len());
    (lines[def]..end.min(lines[def] + 3000)).any(|at| {
        module.is(at, "EventSourceResponse")
            || module.string(at).is_some_and(|text| text.contains("text/event-stream"))
    })
}
