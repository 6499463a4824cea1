//! aiohttp: a program that is its own server, `web.run_app(app, port=8080)`.

use std::rc::Rc;

use super::{
    apps,
    pages::Page,
    project::{Project, below},
};
use crate::{
    model::{Bind, Evidence, Fact},
    python::{Kind, Module},
};

/// Its own port.
const PORT: u16 = 8080;

/// The program of a project, if it starts aiohttp's server.
pub(super) fn find(project: &Project) -> Option<Page> {
    project.needs(&["aiohttp"])?;
    let (module, at, open) = project.modules.iter().find_map(|module| {
        (0..module.tokens.len()).find_map(|at| {
            let (name, open) = module.resolved(at)?;
            (matches!(name.as_str(), "aiohttp.web.run_app" | "aiohttp.web_runner.run_app")
                && module.is(open, "("))
            .then_some((module, at, open))
        })
    })?;
    let evidence = Evidence::new(&module.source, module.span(at, open), "starts its own server");
    let given = module.keyword(open, "port");
    let number = given.and_then(|port| {
        let mut tokens = port.at..port.end;
        tokens.find_map(|at| {
            if module.kind(at) == Some(Kind::Number) { module.text(at).parse().ok() } else { None }
        })
    });
    let host = module.keyword(open, "host").and_then(|host| Some((module.string(host.at)?, host)));
    let loopback = host.filter(|(text, _)| matches!(text.as_str(), "localhost" | "127.0.0.1"));
    Some(Page {
        package: "aiohttp",
        command: command(project, module)?,
        port: number.unwrap_or(PORT),
        open_port: given.is_some() && number.is_none(),
        live: "/",
        websocket: websocket(project),
        settings: Vec::new(),
        bind: loopback.map(|(text, host)| Bind::Loopback {
            address: Fact::new(
                text,
                Evidence::new(&module.source, module.span(host.at, host.at), "where it listens"),
            ),
        }),
        evidence,
    })
}

/// `python -m PACKAGE` where the package says how it is started, else the file itself.
fn command(project: &Project, module: &Rc<Module>) -> Option<Vec<String>> {
    let file = module.source.name();
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let python = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
    let dotted = apps::dotted(file, &project.folder)?;
    let main = project.module(&format!("{folder}/__main__.py")).is_some();
    let package = dotted.rsplit_once('.').map(|(package, _)| package).filter(|_| main);
    if let Some(package) = package {
        return python(&["python", "-m", package]);
    }
    let relative = module.imports.values().any(|import| import.level > 0);
    if relative {
        return python(&["python", "-m", &dotted]);
    }
    python(&["python", below(file, &project.folder)?])
}

/// The path of its websockets: one that is called so, in a program that answers them.
fn websocket(project: &Project) -> Option<String> {
    let answers = |module: &Rc<Module>| (0..module.tokens.len()).any(|at| module.is(at, "WebSocketResponse"));
    if !project.modules.iter().any(answers) {
        return None;
    }
    let called = project.modules.iter().find_map(|module| {
        (0..module.tokens.len()).find_map(|at| {
            let text = module.string(at).filter(|_| module.kind(at) == Some(Kind::String))?;
            (text.starts_with("/ws") || text.starts_with('/') && text.contains("socket")).then_some(text)
        })
    });
    // Without a path that is called so it is the one whose handler answers them, else any.
    called.or_else(|| handled(project)).or_else(|| Some("/".to_owned()))
}

/// `add_get("/chat", handler)` where the function of that name makes a `WebSocketResponse`.
fn handled(project: &Project) -> Option<String> {
    let answers = |name: &str| {
        project.modules.iter().any(|module| {
            let defined = module.lines().find(|&at| {
                (module.is(at, "def") && module.is(at + 1, name))
                    || module.is(at + 2, name) && module.is(at, "async")
            });
            defined.is_some_and(|def| {
                let indent = module.tokens[def].indent;
                let end = module
                    .lines()
                    .find(|&line| line > def && module.tokens[line].indent <= indent)
                    .unwrap_or(module.tokens.len());
                (def..end).any(|at| module.is(at, "WebSocketResponse"))
            })
        })
    };
    project.modules.iter().find_map(|module| {
        (0..module.tokens.len()).find_map(|at| {
            let adds = matches!(module.text(at), "add_get" | "add_route" | "get" | "route" | "view");
            if !adds || !module.is(at + 1, "(") {
                return None;
            }
            let arguments = module.arguments(at + 1);
            let path =
                arguments.iter().find_map(|it| module.string(it.at).filter(|text| text.starts_with('/')))?;
            let handler = arguments.iter().skip(1).any(|it| answers(module.text(it.end - 1)));
            handler.then_some(path)
        })
    })
}
