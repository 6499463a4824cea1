//! Servers of Node.js that answer with pages of their own: a template that they render, or a file in HTML that they send.

use crate::{
    context::{Context, has_extension},
    javascript::{Kind, Script},
    model::{Ecosystem, Evidence, Fact, Role, Service, Survey},
};

/// Tokens of an argument in which a file's name is looked for.
const MAX_TOKENS: usize = 60;

pub(in crate::detect) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let mut services = std::mem::take(&mut survey.services);
    let sites: Vec<Service> = services.iter().filter(|service| service.role == Role::Site).cloned().collect();
    for service in services.iter_mut().filter(|service| service.ecosystem == Ecosystem::Node) {
        if service.role != Role::Server {
            continue;
        }
        let program = context.closure(survey, &service.path);
        service.page = program.scripts().find_map(|script| page(script));
        service.foreign_page = program.scripts().find_map(|script| foreign(script, &sites));
    }
    survey.services = services;
}

/// `res.render("index")`, `res.sendFile(resolve(__dirname, "views/index.html"))`.
fn page(script: &Script) -> Option<Fact<String>> {
    (0..script.tokens.len()).find_map(|at| {
        if at == 0 || !script.is(at - 1, ".") || !script.is(at + 1, "(") {
            return None;
        }
        let end = script.close(at + 1)?.min(at + MAX_TOKENS);
        let name = match script.text(at) {
            "render" => script.string(at + 2)?,
            "sendFile" | "sendfile" => {
                (at..end).filter_map(|inner| script.string(inner)).find(|text| has_extension(text, "html"))?
            }
            _ => return None,
        };
        Some(Fact::new(name, Evidence::new(&script.source, script.span(at, at), "it answers with a page")))
    })
}

/// `app.get("*", (request, response) => response.sendFile(path.join(__dirname, "../client/build/index.html")))` of pages
/// that are a service of their own.
fn foreign(script: &Script, sites: &[Service]) -> Option<Fact<String>> {
    let catches = |at: usize| {
        let open = at + 1;
        if at == 0 || !script.is(at - 1, ".") || !matches!(script.text(at), "get" | "all" | "use") {
            return None;
        }
        let everything = match script.string(open + 1) {
            Some(path) => path == "/" || path.contains('*'),
            None => script.is(at, "use") || script.kind(open + 1) == Some(Kind::Regex),
        };
        script.close(open).filter(|_| everything).map(|close| (open, close))
    };
    (0..script.tokens.len()).filter_map(catches).find_map(|(open, close)| {
        let sends =
            |at: &usize| matches!(script.text(*at), "sendFile" | "sendfile") && script.is(at + 1, "(");
        let at = (open..close).find(sends)?;
        let end = script.close(at + 1)?.min(at + MAX_TOKENS);
        let texts: Vec<String> = (at..end).filter_map(|inner| script.string(inner)).collect();
        let path = texts.join("/");
        has_extension(&path, "html").then_some(())?;
        let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect();
        let is_of = |site: &Service| {
            let output = site.output.as_ref().map_or("dist", |output| output.value.as_str());
            let folder = site.path.rsplit('/').next().unwrap_or_default();
            let mut own = folder.split('/').chain(output.split('/')).filter(|part| !part.is_empty());
            own.all(|part| parts.contains(&part))
        };
        sites.iter().any(is_of).then_some(())?;
        let reason = "it sends a file that another service builds";
        Some(Fact::new(parts.join("/"), Evidence::new(&script.source, script.span(at, at), reason)))
    })
}
