//! The port that a server listens on: the default of `PORT`, or a number at `listen`.

use crate::{
    context::Context,
    javascript::{Kind, Script},
    model::{Evidence, Fact, Role, Service, Survey},
};

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    for service in survey.services.iter_mut().filter(|service| service.role == Role::Server) {
        service.port = from_variable(service)
            .or_else(|| context.program(&service.path).iter().find_map(|script| from_listen(script)));
    }
}

fn from_variable(service: &Service) -> Option<Fact<u16>> {
    let variable = service.environment.iter().find(|variable| variable.name == "PORT")?;
    let port = variable.default.as_ref()?.parse().ok()?;
    Some(Fact { value: port, evidence: variable.evidence.clone() })
}

fn from_listen(script: &Script) -> Option<Fact<u16>> {
    let at = (0..script.tokens.len()).find(|&at| script.is(at, "listen") && script.is(at + 1, "("))?;
    let close = script.close(at + 1)?;
    let number = (at + 2..close).find(|&at| {
        script.kind(at) == Some(Kind::Number) && (script.is(at - 1, "(") || script.is(at - 1, ":"))
    })?;
    let port = script.text(number).parse().ok()?;
    Some(Fact::new(port, Evidence::new(&script.source, script.span(at, number), "listens on this port")))
}
