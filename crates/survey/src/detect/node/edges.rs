//! Which requests of a page go to which server: the tables of development proxies say it, since they do in development
//! what the front does in production.

use std::rc::Rc;

use plimsoll_source::json;

use crate::{
    context::{Context, join},
    javascript::Script,
    model::{Edge, Evidence, Role, Service, Survey},
};

/// A prefix with the address behind it.
struct Rule {
    prefix: String,
    target: String,
    strip: bool,
    evidence: Evidence,
}

/// Rules of one file that are kept.
const MAX_RULES: usize = 50;

/// The edges that a service's files name.
pub(super) fn of(context: &Context<'_>, survey: &Survey, service: &Service) -> Vec<Edge> {
    let config = |stem: &str| {
        ["ts", "js", "mjs", "mts", "cjs"]
            .iter()
            .find_map(|extension| context.script(&join(&service.path, &format!("{stem}.{extension}"))))
    };
    let mut rules = Vec::new();
    for stem in ["vite.config", "vue.config", "rsbuild.config"] {
        rules.extend(config(stem).map(|script| proxy_table(&script)).unwrap_or_default());
    }
    rules.extend(config("next.config").map(|script| rewrites(&script)).unwrap_or_default());
    rules.extend(angular(context, service));
    rules.extend(create_react_app(context, service));
    rules.truncate(MAX_RULES);
    rules
        .into_iter()
        .filter_map(|rule| Some((target(survey, service, &rule.target)?, rule)))
        .flat_map(|(to, rule)| {
            let prefixes =
                if rule.prefix.is_empty() { first_segments(survey, &to) } else { vec![rule.prefix.clone()] };
            prefixes.into_iter().map(move |prefix| Edge {
                from: Some(service.name.clone()),
                to: to.clone(),
                prefix,
                strip: rule.strip,
                evidence: vec![rule.evidence.clone()],
            })
        })
        .collect()
}

/// `/api` and `/auth` of a server's routes.
fn first_segments(survey: &Survey, server: &str) -> Vec<String> {
    let routes =
        survey.services.iter().filter(|service| service.name == server).flat_map(|service| &service.routes);
    let mut segments: Vec<String> = routes
        .filter_map(|route| route.path.split('/').nth(1))
        .filter(|segment| !segment.is_empty() && !segment.starts_with([':', '*']))
        .map(|segment| format!("/{segment}"))
        .collect();
    segments.sort();
    segments.dedup();
    segments.truncate(MAX_RULES);
    segments
}

/// The server behind an address: the one that listens on its port, else the only one.
fn target(survey: &Survey, from: &Service, address: &str) -> Option<String> {
    let servers: Vec<&Service> = survey
        .services
        .iter()
        .filter(|service| service.role == Role::Server && service.name != from.name)
        .collect();
    let (_, rest) = address.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let (host, port) =
        authority.rsplit_once(':').map_or((authority, None), |(host, port)| (host, port.parse::<u16>().ok()));
    let by_port: Vec<&&Service> = servers
        .iter()
        .filter(|server| server.port.as_ref().is_some_and(|fact| Some(fact.value) == port))
        .collect();
    if let [server] = by_port[..] {
        return Some(server.name.clone());
    }
    if let Some(server) = servers.iter().find(|server| server.name == host) {
        return Some(server.name.clone());
    }
    // An address on the internet is no server of the stack.
    let local = matches!(host, "localhost" | "127.0.0.1" | "0.0.0.0" | "[::1]") || !host.contains('.');
    match servers[..] {
        [server] if local => Some(server.name.clone()),
        _ => None,
    }
}

/// `proxy: { "/api": { target: "http://localhost:3000", rewrite: … } }`.
fn proxy_table(script: &Rc<Script>) -> Vec<Rule> {
    let mut rules = Vec::new();
    for at in 0..script.tokens.len() {
        if !script.is(at, "proxy") || !script.is(at + 1, ":") || !script.is(at + 2, "{") {
            continue;
        }
        for key in script.arguments(at + 2) {
            let Some(prefix) =
                script.string(key).or_else(|| script.is_word(key).then(|| script.text(key).to_owned()))
            else {
                continue;
            };
            let Some(prefix) = clean(&prefix).filter(|_| script.is(key + 1, ":")) else { continue };
            let Some((target, strip)) = proxied(script, key + 2) else { continue };
            if rules.len() < MAX_RULES {
                let evidence =
                    Evidence::new(&script.source, script.span(key, key + 2), "the development proxy");
                rules.push(Rule { prefix, target, strip, evidence });
            }
        }
    }
    rules
}

/// The target of one entry, and whether the prefix is taken away.
fn proxied(script: &Script, at: usize) -> Option<(String, bool)> {
    if !script.is(at, "{") {
        return Some((text_of(script, at)?, false));
    }
    let close = script.close(at)?;
    let target = (at..close).find(|&at| script.is(at, "target") && script.is(at + 1, ":"))?;
    let rewrites = (at..close).any(|at| {
        let rewrite = script.is(at, "rewrite") || script.is(at, "pathRewrite");
        // `(path) => path.replace(/^\/api/, "")`, `{ "^/api": "" }`
        rewrite && (at..close).any(|at| script.string(at).is_some_and(|text| text.is_empty() || text == "/"))
    });
    Some((text_of(script, target + 2)?, rewrites))
}

/// A text, the default behind `??` or `||`, or the value of a constant.
fn text_of(script: &Script, at: usize) -> Option<String> {
    if let Some(text) = script.string(at) {
        return Some(text);
    }
    let default = (at..at + 12)
        .take_while(|&at| !matches!(script.text(at), "," | "}" | ";"))
        .find(|&at| matches!(script.text(at), "??" | "||"));
    if let Some(default) = default {
        return script.string(default + 1);
    }
    let declared = (1..script.tokens.len()).find(|&index| {
        script.is(index, script.text(at))
            && script.is(index + 1, "=")
            && matches!(script.text(index - 1), "const" | "let" | "var")
    })?;
    if declared + 2 == at {
        return None;
    }
    (declared + 2..declared + 14)
        .take_while(|&at| !script.is(at, ";"))
        .find_map(|at| script.string(at).filter(|text| text.contains("://")))
}

/// A prefix as a location of the front: no pattern, a `/` at its beginning.
fn clean(prefix: &str) -> Option<String> {
    let prefix = prefix.trim_start_matches('^').trim_end_matches("/*").trim_end_matches("/**");
    let plain = !prefix.is_empty() && !prefix.contains(['*', '(', '[', '\\', '|', '$', ':']);
    plain.then(|| if prefix.starts_with('/') { prefix.to_owned() } else { format!("/{prefix}") })
}

/// `rewrites: [{ source: "/api/:path*", destination: "http://api:4000/:path*" }]`.
fn rewrites(script: &Rc<Script>) -> Vec<Rule> {
    let mut rules = Vec::new();
    for at in 0..script.tokens.len() {
        if !script.is(at, "source") || !script.is(at + 1, ":") {
            continue;
        }
        let Some(source) = script.string(at + 2) else { continue };
        let Some(key) = (at..script.tokens.len().min(at + 12))
            .find(|&at| script.is(at, "destination") && script.is(at + 1, ":"))
        else {
            continue;
        };
        let text = script.text(key + 2).trim_matches(['"', '\'', '`']).to_owned();
        let target = if text.starts_with("${") { text_in_template(script, &text) } else { Some(text) };
        let Some(target) = target.filter(|target| target.contains("://")) else { continue };
        let Some(prefix) = source.split("/:").next().and_then(clean) else { continue };
        let kept = target.split_once("://").is_some_and(|(_, rest)| rest.contains(prefix.as_str()));
        if rules.len() < MAX_RULES {
            let evidence = Evidence::new(&script.source, script.span(at, key + 2), "a rewrite of Next.js");
            rules.push(Rule { prefix, target, strip: !kept, evidence });
        }
    }
    rules
}

/// `${API_URL}/api/:path*` with the constant's own address in front.
fn text_in_template(script: &Script, template: &str) -> Option<String> {
    let (name, rest) = template.strip_prefix("${")?.split_once('}')?;
    let name = name.split(['.', ' ', '|', '?']).next_back()?.trim_matches(['"', '\'']);
    if name.starts_with("http") {
        return Some(format!("{name}{rest}"));
    }
    let declared = (1..script.tokens.len()).find(|&at| script.is(at, name) && script.is(at + 1, "="))?;
    let base =
        (declared + 2..declared + 14).find_map(|at| script.string(at).filter(|text| text.contains("://")))?;
    Some(format!("{base}{rest}"))
}

/// proxy.conf.json of Angular.
fn angular(context: &Context<'_>, service: &Service) -> Vec<Rule> {
    let Some(source) = ["proxy.conf.json", "src/proxy.conf.json"]
        .iter()
        .find_map(|file| context.repository.source(&join(&service.path, file)))
    else {
        return Vec::new();
    };
    let Ok(root) = json::parse(&source) else { return Vec::new() };
    root.members()
        .iter()
        .filter_map(|member| {
            let target = member.value.get("target")?.value.str()?.to_owned();
            let strip = member.value.get("pathRewrite").is_some_and(|rewrite| {
                rewrite.value.members().iter().any(|rule| matches!(rule.value.str(), Some("" | "/")))
            });
            let evidence = Evidence::new(&source, member.span(), "the development proxy");
            Some(Rule { prefix: clean(&member.key)?, target, strip, evidence })
        })
        .take(MAX_RULES)
        .collect()
}

/// `"proxy": "http://localhost:5000"` of Create React App: what the server answers goes there.
fn create_react_app(context: &Context<'_>, service: &Service) -> Option<Rule> {
    let fact = context.manifest(&service.path)?.string(&["proxy"], "the development proxy")?;
    let evidence = fact.evidence.into_iter().next()?;
    Some(Rule { prefix: String::new(), target: fact.value, strip: false, evidence })
}
