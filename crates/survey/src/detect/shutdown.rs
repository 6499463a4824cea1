//! Whether a server handles SIGTERM: process 1 of a container ignores signals that it does not handle.

use crate::{
    context::Context,
    model::{Evidence, Fact, Role, Survey},
};

pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    for service in survey.services.iter_mut().filter(|service| service.role == Role::Server) {
        service.stops_gracefully = context.program(&service.path).iter().find_map(|script| {
            let at = (0..script.tokens.len()).find(|&at| {
                script.is(at, "process")
                    && (script.is(at + 2, "on") || script.is(at + 2, "once"))
                    && script.string(at + 4).as_deref() == Some("SIGTERM")
            })?;
            let evidence = Evidence::new(&script.source, script.span(at, at + 4), "handles the stop signal");
            Some(Fact::new("SIGTERM".to_owned(), evidence))
        });
    }
}
