//! Django's `urlpatterns`: `path("api/", include("shop.urls"))`, Django REST framework's routers, and Channels' paths.

use std::rc::Rc;

use super::{
    django::{self, Site},
    project::Project,
    routes::joined,
};
use crate::{
    model::{Evidence, Fact, Route},
    python::{Kind, Module},
};

const MAX_ROUTES: usize = 2000;
const MAX_DEPTH: usize = 8;

/// What the URLs of a site come to.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) routes: Vec<Route>,
    pub(super) websockets: Vec<Fact<String>>,
    /// Paths that are no text that can be read.
    pub(super) lost: Vec<Evidence>,
}

/// Routes and websockets of a site.
pub(super) fn find(project: &Project, site: &Site) -> Found {
    let mut walk = Walk { project, site, routes: Vec::new(), lost: Vec::new(), left: MAX_VISITS };
    let root = django::setting(site, "ROOT_URLCONF").and_then(|(module, at)| module.string(at));
    if let Some(module) = root.and_then(|name| named(project, site, &name)) {
        walk.patterns(module, "", 0);
    }
    let Walk { mut routes, lost, .. } = walk;
    routes.sort_by(|a, b| (&a.path, &a.method).cmp(&(&b.path, &b.method)));
    routes.dedup_by(|a, b| a.path == b.path && a.method == b.method);
    let mut websockets: Vec<Fact<String>> = project.modules.iter().flat_map(channels).collect();
    websockets.sort_by(|a, b| a.value.cmp(&b.value));
    websockets.dedup_by(|a, b| a.value == b.value);
    Found { routes, websockets, lost }
}

fn named<'a>(project: &'a Project, site: &Site, dotted: &str) -> Option<&'a Rc<Module>> {
    let path = crate::context::join(&site.folder, &dotted.replace('.', "/"));
    project.module(&format!("{path}.py")).or_else(|| project.module(&format!("{path}/__init__.py")))
}

/// Modules of URLs that are looked at: one that includes itself must come to an end.
const MAX_VISITS: usize = 300;

struct Walk<'a> {
    project: &'a Project,
    site: &'a Site,
    routes: Vec<Route>,
    lost: Vec<Evidence>,
    left: usize,
}

impl Walk<'_> {
    /// Everything in a module of URLs, under a prefix.
    fn patterns(&mut self, module: &Rc<Module>, prefix: &str, depth: usize) {
        if self.left == 0 || depth > MAX_DEPTH {
            return;
        }
        self.left -= 1;
        for at in 0..module.tokens.len() {
            if self.routes.len() >= MAX_ROUTES {
                return;
            }
            let Some(pattern) = pattern(module, at) else {
                self.lost.extend(unreadable(module, at).filter(|_| self.lost.len() < MAX_ROUTES));
                continue;
            };
            let full = joined(prefix, &pattern.text);
            match include(module, pattern.view) {
                Some(Included::Module(name)) => {
                    if let Some(target) = named(self.project, self.site, &name) {
                        self.patterns(target, &full, depth + 1);
                    }
                }
                Some(Included::Router) => registered(module, &full, &mut self.routes),
                // The administration and other lists of a package: their root is enough.
                Some(Included::Other) | None => self.routes.push(route(module, at, pattern.last, &full)),
            }
        }
    }
}

struct Pattern {
    text: String,
    /// First token of what answers.
    view: usize,
    last: usize,
}

fn pattern(module: &Module, at: usize) -> Option<Pattern> {
    let (name, open) = module.dotted(at)?;
    if !matches!(name.as_str(), "path" | "re_path" | "url") || !module.is(open, "(") {
        return None;
    }
    let arguments = module.arguments(open);
    let (first, second) = (arguments.first()?, arguments.get(1)?);
    let text = module.string(first.at)?;
    // A websocket's consumer.
    if is_consumer(module, (second.at, second.end)) {
        return None;
    }
    let text = if name == "path" { text } else { plain(&text)? };
    Some(Pattern { text: format!("/{}", text.trim_start_matches('/')), view: second.at, last: first.at })
}

/// A path that is computed.
fn unreadable(module: &Module, at: usize) -> Option<Evidence> {
    let (name, open) = module.dotted(at)?;
    let arguments = module.arguments(open);
    let first = arguments
        .first()
        .filter(|_| matches!(name.as_str(), "path" | "re_path" | "url") && arguments.len() > 1)?;
    let literal = module.kind(first.at) == Some(Kind::String);
    let consumer = (first.at..module.close(open)?.min(first.at + 200)).any(|at| module.is(at, "as_asgi"));
    let readable = consumer || (literal && name == "path");
    (!readable).then(|| Evidence::new(&module.source, module.span(at, first.at), "a path that is computed"))
}

/// A regular expression as a path, where its fixed part and named groups are all there is.
fn plain(pattern: &str) -> Option<String> {
    let pattern = pattern.trim_start_matches('^').trim_end_matches('$').trim_end_matches("\\Z");
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find('(') {
        out.push_str(&rest[..at]);
        let group = rest[at..].strip_prefix("(?P<")?;
        let (name, behind) = group.split_once('>')?;
        out.push_str(&format!("<{name}>"));
        let mut open = 1_usize;
        let end = behind.char_indices().find(|(_, c)| {
            match c {
                '(' => open += 1,
                ')' => open -= 1,
                _ => {}
            }
            open == 0
        })?;
        rest = &behind[end.0 + 1..];
    }
    out.push_str(rest);
    let out = out.replace("\\.", ".").replace("\\-", "-").replace("/?", "/");
    (!out.contains(['\\', '[', '*', '+', '?', '|'])).then_some(out)
}

enum Included {
    Module(String),
    Router,
    Other,
}

fn include(module: &Module, at: usize) -> Option<Included> {
    if !module.is(at, "include") || !module.is(at + 1, "(") {
        return None;
    }
    let inner = if module.is(at + 2, "(") { at + 3 } else { at + 2 };
    if let Some(name) = module.string(inner) {
        return Some(Included::Module(name));
    }
    let (name, _) = module.dotted(inner)?;
    if name.rsplit('.').next() == Some("urls") && !module.imports.contains_key(name.split('.').next()?) {
        return Some(Included::Router);
    }
    // `include(shop.urls)` of an imported module.
    let full = module.full_name(&name);
    Some(if full.contains('.') && !full.starts_with('.') { Included::Module(full) } else { Included::Other })
}

/// `router.register("users", UserViewSet)`.
fn registered(module: &Module, prefix: &str, routes: &mut Vec<Route>) {
    for at in 0..module.tokens.len() {
        let Some((name, open)) =
            module.dotted(at).filter(|(name, next)| name.ends_with(".register") && module.is(*next, "("))
        else {
            continue;
        };
        let Some(first) = module.arguments(open).first().copied() else { continue };
        let Some(text) = module.string(first.at).filter(|_| !name.starts_with("admin")) else { continue };
        let Some(text) = plain(&text).filter(|_| routes.len() < MAX_ROUTES) else { continue };
        let path = joined(prefix, &format!("/{}/", text.trim_matches('/')));
        routes.push(route(module, at, first.at, &path));
    }
}

fn route(module: &Module, from: usize, to: usize, path: &str) -> Route {
    let evidence = Evidence::new(&module.source, module.span(from, to), format!("answers {path}"));
    // Which methods a view takes, its own code decides.
    Route { method: "ALL".to_owned(), path: path.to_owned(), stream: false, evidence: vec![evidence] }
}

/// Whether the view of a path is one of Channels': `ChatConsumer.as_asgi()`, before its third version `ChatConsumer`.
fn is_consumer(module: &Module, (at, end): (usize, usize)) -> bool {
    let called = (at..end).any(|at| module.is(at, "as_asgi"));
    let class = || {
        module.dotted(at).filter(|(_, next)| *next == end).is_some_and(|(name, _)| name.ends_with("Consumer"))
    };
    called || class()
}

/// Channels: `re_path(r"ws/chat/(?P<room>\w+)/$", ChatConsumer.as_asgi())`.
fn channels(module: &Rc<Module>) -> Vec<Fact<String>> {
    let mut found = Vec::new();
    for at in 0..module.tokens.len() {
        let Some((name, open)) = module.dotted(at).filter(|(_, next)| module.is(*next, "(")) else {
            continue;
        };
        let arguments = module.arguments(open);
        let (Some(first), Some(second)) = (arguments.first(), arguments.get(1)) else { continue };
        if !is_consumer(module, (second.at, second.end)) || module.kind(first.at) != Some(Kind::String) {
            continue;
        }
        let Some(text) = module.string(first.at) else { continue };
        let text = if name == "path" { Some(text) } else { plain(&text) };
        let Some(text) = text else { continue };
        let evidence = Evidence::new(&module.source, module.span(at, first.at), "takes websockets");
        found.push(Fact::new(format!("/{}", text.trim_start_matches('/')), evidence));
    }
    found
}
