//! Servers of Node.js that answer with pages of their own: a template that they render, or a file in HTML that they send.

use crate::{
    context::{Context, has_extension},
    javascript::Script,
    model::{Ecosystem, Evidence, Fact, Role, Survey},
};

/// Tokens of an argument in which a file's name is looked for.
const MAX_TOKENS: usize = 60;

pub(in crate::detect) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let mut services = std::mem::take(&mut survey.services);
    for service in services.iter_mut().filter(|service| service.ecosystem == Ecosystem::Node) {
        if service.role != Role::Server {
            continue;
        }
        let program = context.closure(survey, &service.path);
        service.page = program.scripts().find_map(|script| page(script));
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
