//! What pages need: variables that the build writes into them, other hosts, inline scripts, and the servers behind their
//! development proxy.

use std::collections::BTreeMap;

use super::{evidence::refuses, placeholders};
use crate::{
    context::{Context, has_extension, join},
    javascript::{Kind, Script, values::is_variable},
    model::{CALLS_AS_ITS_OWN, Ecosystem, Edge, Evidence, Fact, Role, Service, Survey, Variable},
};

/// Prefixes of variables that bundlers write into pages, by framework.
const PREFIXES: [(&str, &str); 8] = [
    ("vite", "VITE_"),
    ("next", "NEXT_PUBLIC_"),
    ("react-scripts", "REACT_APP_"),
    ("@craco/craco", "REACT_APP_"),
    ("@vue/cli-service", "VUE_APP_"),
    ("astro", "PUBLIC_"),
    ("@sveltejs/kit", "PUBLIC_"),
    ("gatsby", "GATSBY_"),
];

/// Facts of one kind that are kept.
const MAX_COUNT: usize = 100;
/// At most so many pages are read.
const MAX_PAGES: usize = 100;
/// At most so many style sheets are read.
const MAX_STYLES: usize = 100;

pub(in crate::detect) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let mut services = std::mem::take(&mut survey.services);
    for service in services.iter_mut().filter(|service| service.ecosystem == Ecosystem::Node) {
        let inlined = inlined(context, survey, service);
        // What is fixed at the build cannot be set at run time.
        service.environment.retain(|variable| !inlined.iter().any(|fixed| fixed.name == variable.name));
        service.inlined = inlined;
        if service.role == Role::Site {
            service.page_sources = page_sources(context, service);
        }
    }
    for service in services.iter_mut().filter(|service| service.ecosystem == Ecosystem::Plain) {
        service.page_sources = page_sources(context, service);
    }
    survey.services = services;
    let edges: Vec<Edge> =
        survey.services.iter().flat_map(|service| super::edges::of(context, survey, service)).collect();
    for edge in edges {
        if !survey
            .edges
            .iter()
            .any(|known| known.to == edge.to && known.prefix == edge.prefix && known.from == edge.from)
        {
            survey.edges.push(edge);
        }
    }
}

fn inlined(context: &Context<'_>, survey: &Survey, service: &Service) -> Vec<Variable> {
    let prefixes: Vec<&str> = PREFIXES
        .iter()
        .filter(|(package, prefix)| {
            service.frameworks.iter().any(|tool| tool.name == *package)
                || *prefix == "VITE_" && service.frameworks.iter().any(|tool| tool.name == "astro")
        })
        .map(|(_, prefix)| *prefix)
        .collect();
    let mut found: BTreeMap<String, Variable> = BTreeMap::new();
    if prefixes.is_empty() {
        return Vec::new();
    }
    let program = context.closure(survey, &service.path);
    for (module, other) in program.modules.iter().enumerate() {
        let script = &other.script;
        for at in 0..script.tokens.len() {
            let Some((name, last)) = crate::javascript::values::environment_read(script, at) else {
                continue;
            };
            // An object called `env` may be another one here.
            let known = script.is(at, "process") || script.is(at, "import");
            if !known || !prefixes.iter().any(|prefix| name.starts_with(prefix)) || found.len() == MAX_COUNT {
                continue;
            }
            let value = program.value(module, at);
            let default = value
                .filter(|value| value.variable.as_deref() == Some(&name))
                .and_then(|value| value.literal);
            let evidence =
                Evidence::new(&script.source, script.span(at, last), "the build writes its value here");
            let variable = found.entry(name.clone()).or_insert_with(|| Variable::named(&name, Vec::new()));
            variable.default = variable.default.take().or(default);
            variable.required |= placeholders::is_asserted(script, last)
                || program.schemas.get(&variable.name).is_some_and(|schema| schema.required)
                || refuses(script, at, last);
            if variable.evidence.len() < MAX_COUNT {
                variable.evidence.push(evidence);
            }
        }
    }
    for file in [".env.production", ".env", ".env.example", ".env.sample"] {
        defaults_of(context, service, file, &mut found);
    }
    for variable in found.values_mut() {
        variable.required &= variable.default.is_none();
    }
    found.into_values().collect()
}

/// Values of a committed file stand in for what the code does not say.
fn defaults_of(context: &Context<'_>, service: &Service, file: &str, found: &mut BTreeMap<String, Variable>) {
    let Some(source) = context.repository.source(&join(&service.path, file)) else { return };
    for (at, line) in source.text().lines().enumerate() {
        let Some((name, value)) = line.trim().trim_start_matches("export ").split_once('=') else { continue };
        let Some(variable) = found.get_mut(name.trim()).filter(|_| is_variable(name.trim())) else {
            continue;
        };
        let value = value.trim().trim_matches(['"', '\'']);
        // What points to a developer's own machine is no value of production.
        let local = value.contains("localhost") || value.contains("127.0.0.1");
        if variable.default.is_none() && !value.is_empty() && !local {
            variable.default = Some(value.to_owned());
            variable.evidence.push(Evidence::new(&source, source.line_span(at + 1), "a value for it"));
        }
    }
}

/// Other hosts in pages, and inline scripts and styles.
fn page_sources(context: &Context<'_>, service: &Service) -> Vec<Fact<String>> {
    let mut found: Vec<Fact<String>> = Vec::new();
    let pages: Vec<&str> = context
        .repository
        .under(&service.path)
        .filter(|path| has_extension(path, "html"))
        .filter(|path| {
            let below = path.get(service.path.len()..).unwrap_or(path).trim_start_matches('/');
            service.ecosystem == Ecosystem::Plain
                || below == "index.html"
                || below.starts_with("public/")
                || below.starts_with("src/")
        })
        .take(MAX_PAGES)
        .collect();
    for path in pages {
        let Some(source) = context.repository.source(path) else { continue };
        let text = source.text();
        let lower = text.to_ascii_lowercase();
        let mut from = 0;
        while let Some(open) = lower.get(from..).and_then(|rest| rest.find('<')).map(|at| from + at) {
            if lower[open..].starts_with("<!--") {
                from = lower[open..].find("-->").map_or(lower.len(), |end| open + end + 3);
                continue;
            }
            let Some(end) = lower[open..].find('>').map(|end| open + end) else { break };
            let tag = &text[open..end];
            from = end + 1;
            let name: String = lower[open + 1..end].chars().take_while(char::is_ascii_alphanumeric).collect();
            let mut add = |value: String, reason: &str| {
                if found.len() < MAX_COUNT && !found.iter().any(|fact| fact.value == value) {
                    let span = plimsoll_source::Span::new(open, end + 1);
                    found.push(Fact::new(value, Evidence::new(&source, span, reason)));
                }
            };
            match name.as_str() {
                "script"
                    if attribute(tag, "src").is_none()
                        && attribute(tag, "type").as_deref() != Some("application/json") =>
                {
                    let close = lower[end..].find("</script").map_or(lower.len(), |at| end + at);
                    if !text[end + 1..close].trim().is_empty() {
                        add("inline script".to_owned(), "a script inside of the page");
                    }
                    from = close;
                }
                "style" => add("inline style".to_owned(), "a style inside of the page"),
                "script" | "link" | "img" | "iframe" | "source" | "video" => {
                    let place = attribute(tag, "src").or_else(|| attribute(tag, "href"));
                    // `rel="canonical"` and the like load nothing.
                    let loads = name != "link"
                        || attribute(tag, "rel").is_none_or(|rel| {
                            ["stylesheet", "icon", "preload", "modulepreload", "manifest"]
                                .iter()
                                .any(|kind| rel.contains(kind))
                        });
                    if let Some(origin) = place.filter(|_| loads).and_then(|place| origin(&place)) {
                        let rel = attribute(tag, "rel").unwrap_or_default();
                        add(format!("{} {origin}", directive(&name, &rel)), "the page loads from there");
                    }
                }
                _ => {}
            }
        }
    }
    let scripts: Vec<_> = if service.ecosystem == Ecosystem::Plain {
        // Whatever the folder is called: a browser loads them as they are.
        let files = context.repository.under(&service.path);
        let files = files.filter(|path| ["js", "mjs"].iter().any(|kind| has_extension(path, kind)));
        files.take(MAX_PAGES).filter_map(|path| context.script(path)).collect()
    } else {
        context.scripts_of(&service.path)
    };
    for script in &scripts {
        in_script(script, &mut found);
    }
    super::loaded::detect(context, &scripts, &mut found);
    in_styles(context, service, &mut found);
    found
}

/// The directive of a policy (CSP level 3, section 6.1) that allows what an element loads.
fn directive(element: &str, rel: &str) -> &'static str {
    match element {
        "script" => "script-src",
        "iframe" => "frame-src",
        "source" | "video" => "media-src",
        "link" if rel.contains("stylesheet") => "style-src",
        "link" if rel.contains("modulepreload") => "script-src",
        "link" if rel.contains("manifest") => "manifest-src",
        // A preload does not say of what without its `as`; most are fonts and styles.
        "link" if rel.contains("preload") => "style-src",
        _ => "img-src",
    }
}

/// Style sheets that a style sheet asks another host for.
fn in_styles(context: &Context<'_>, service: &Service, found: &mut Vec<Fact<String>>) {
    let styles = context.repository.under(&service.path).filter(|path| {
        ["css", "scss", "sass", "less"].iter().any(|extension| has_extension(path, extension))
    });
    for path in styles.take(MAX_STYLES) {
        let Some(source) = context.repository.source(path) else { continue };
        for (at, line) in source.text().lines().enumerate() {
            let Some(rest) = line.trim_start().strip_prefix("@import") else { continue };
            let address = rest.trim_start().trim_start_matches("url(").trim_start_matches(['"', '\'']);
            let Some(origin) = origin(address) else { continue };
            let value = format!("style-src {origin}");
            if found.len() < MAX_COUNT && !found.iter().any(|fact| fact.value == value) {
                let span = source.line_span(at + 1);
                found
                    .push(Fact::new(value, Evidence::new(&source, span, "the style sheet loads from there")));
            }
        }
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let lower = tag.to_ascii_lowercase();
    let at = lower.match_indices(name).find(|(at, _)| {
        let before = tag[..*at].chars().next_back();
        before.is_some_and(char::is_whitespace) && tag[at + name.len()..].trim_start().starts_with('=')
    })?;
    let rest = tag[at.0 + name.len()..].trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next()?;
    let value = match quote {
        '"' | '\'' => rest[1..].split(quote).next()?,
        _ => rest.split(char::is_whitespace).next()?,
    };
    Some(value.to_owned())
}

/// `https://fonts.example` of `https://fonts.example/css?x`, also `//host/…`.
pub(super) fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme @ ("https" | "http" | "wss"), rest)) => (scheme, rest),
        None => ("https", url.strip_prefix("//")?),
        _ => return None,
    };
    let host = rest
        .split(['/', '?', '#', '"', '\'', ')'])
        .next()
        .filter(|host| host.contains('.') && !host.contains(['{', '%', '$']))?;
    if own_machine(&format!("{scheme}://{host}")).is_some() {
        return None;
    }
    Some(format!("{scheme}://{host}"))
}

/// `http://localhost:5000` of an address at the machine that it is opened on.
fn own_machine(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    let name = host.split(':').next()?;
    matches!(name, "localhost" | "127.0.0.1" | "0.0.0.0").then(|| format!("{scheme}://{host}"))
}

/// `http://localhost:5000`, not `http://localhost`, which libraries take as a base to read addresses with.
fn has_port(url: &str) -> bool {
    own_machine(url)
        .is_some_and(|origin| origin.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_ok()))
}

/// Whether an address of another host is one that the code calls: `const API_URL = "https://…"`, `baseUrl: "https://…"`,
/// `https://…${path}`. A link has another name.
fn is_called(script: &Script, at: usize) -> bool {
    if script.kind(at) == Some(Kind::Template) && script.text(at).contains("${") {
        return true;
    }
    let named = at > 1 && (script.is(at - 1, "=") || script.is(at - 1, ":"));
    let name = if named {
        script.text(at - 2).trim_matches(['"', '\'']).to_ascii_lowercase()
    } else {
        String::new()
    };
    ["api", "base", "backend", "server", "endpoint", "graphql", "socket"]
        .iter()
        .any(|word| name.contains(word))
}

/// Whether the line asks which mode it is, or has another value for it: `import.meta.env.DEV ? "…" : ""`.
fn is_for_development(script: &Script, at: usize) -> bool {
    let source = &script.source;
    let span = source.line_span(source.line_col(script.span(at, at).start).line);
    let line = &source.text()[span.start..span.end];
    ["DEV", "NODE_ENV", "development", "PROD", "??", "||", "hostname"].iter().any(|word| line.contains(word))
}

/// Whether an address is that of the program's own server, by its use: `io("https://…")`, `axios.create({ baseURL })`,
/// `const ENDPOINT = "https://…"` that `io` gets. Of others a page asks single paths.
fn is_own_server(script: &Script, at: usize) -> bool {
    let opened = |at: usize| script.is(at, "io") && script.is(at + 1, "(");
    let base = script.is(at, "baseURL") && matches!(script.text(at + 1), ":" | "=");
    let constant = at > 1 && script.is(at - 1, "=") && script.is_word(at - 2);
    let name = if constant { script.text(at - 2) } else { "" };
    opened(at) || base || constant && (0..script.tokens.len()).any(|at| opened(at) && script.is(at + 2, name))
}

/// What the page's own code calls.
fn in_script(script: &Script, found: &mut Vec<Fact<String>>) {
    for at in 0..script.tokens.len() {
        let is_client = |at: usize| matches!(script.text(at), "axios" | "http" | "api" | "client" | "$http");
        let method = |at: usize| matches!(script.text(at), "get" | "post" | "put" | "patch" | "delete");
        let call = matches!(script.text(at), "fetch" | "WebSocket" | "EventSource" | "axios" | "io")
            && script.is(at + 1, "(")
            || at > 1 && method(at) && script.is(at - 1, ".") && is_client(at - 2) && script.is(at + 1, "(")
            || matches!(script.text(at), "baseURL") && (script.is(at + 1, ":") || script.is(at + 1, "="));
        let text_at = |at: usize| {
            matches!(script.kind(at), Some(Kind::String | Kind::Template)).then(|| {
                let text = script.text(at).trim_matches(['"', '\'', '`']);
                text.split("${").next().unwrap_or_default()
            })
        };
        // An address of this machine with a port is called, wherever it stands; but not one for development alone.
        let aside = text_at(at).filter(|text| {
            (has_port(text) || origin(text).is_some() && is_called(script, at))
                && !is_for_development(script, at)
        });
        let Some(text) = text_at(at + 2).filter(|_| call).or(aside) else { continue };
        let Some(origin) = origin(text).or_else(|| own_machine(text)) else { continue };
        let value = format!("connect-src {origin}");
        if found.len() < MAX_COUNT && !found.iter().any(|fact| fact.value == value) {
            let last = if call { at + 2 } else { at };
            let reason =
                if is_own_server(script, at) { CALLS_AS_ITS_OWN } else { "the page's code calls it" };
            let evidence = Evidence::new(&script.source, script.span(at, last), reason);
            found.push(Fact::new(value, evidence));
        }
    }
}
