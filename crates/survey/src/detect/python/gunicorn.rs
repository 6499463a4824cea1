//! gunicorn.conf.py: where the project's own settings of gunicorn bind.

use crate::{
    context::{Context, join},
    model::{Evidence, Fact},
    python::{Kind, Module},
};

/// What the settings say.
#[derive(Debug)]
pub(super) struct Conf {
    pub(super) bind: Option<Bound>,
}

/// An address of `bind`.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    /// It is reached from outside of its container.
    pub(super) open: bool,
    pub(super) port: Option<Fact<u16>>,
    /// The variable that sets the port.
    pub(super) variable: Option<Fact<String>>,
}

/// Reads gunicorn's settings of a folder, which it finds by itself.
pub(super) fn read(context: &Context<'_>, folder: &str) -> Option<Conf> {
    let module = Module::new(context.repository.source(&join(folder, "gunicorn.conf.py"))?);
    let bind = module.assignments().find(|(name, _)| module.is(*name, "bind"));
    Some(Conf { bind: bind.map(|(name, value)| bound(&module, name, value)) })
}

fn bound(module: &Module, name: usize, value: usize) -> Bound {
    let end = module.line_end(name);
    let evidence = |reason: &str| Evidence::new(&module.source, module.span(name, end - 1), reason);
    let written =
        module.string(value).or_else(|| module.format(value).map(str::to_owned)).unwrap_or_default();
    let open =
        !(written.starts_with("127.") || written.starts_with("localhost") || written.starts_with("unix:"));
    let number = written.rsplit(':').next().and_then(|port| port.parse().ok());
    if let Some(number) = number {
        return Bound {
            open,
            port: Some(Fact::new(number, evidence("gunicorn binds to it"))),
            variable: None,
        };
    }
    // The port comes from a variable: in the line itself, or in one above that the line names.
    let range = (value..end).chain(above(module, value, end));
    let read = range.filter(|&at| module.kind(at) == Some(Kind::String)).find(|&at| {
        module.string(at).is_some_and(|text| text.ends_with("PORT"))
            && (module.is(at - 1, "(") || module.is(at - 1, "["))
    });
    let Some(at) = read else { return Bound { open, port: None, variable: None } };
    let default =
        module.is(at + 1, ",").then(|| module.literal(at + 2)).flatten().and_then(|text| text.parse().ok());
    let variable =
        module.string(at).map(|name| Fact::new(name, evidence("gunicorn's port comes from this variable")));
    Bound { open, port: default.map(|port| Fact::new(port, evidence("gunicorn binds to it"))), variable }
}

/// Tokens of the assignments whose names stand in the line.
fn above(module: &Module, value: usize, end: usize) -> Vec<usize> {
    let names: Vec<&str> = (value..end).filter(|&at| module.is_word(at)).map(|at| module.text(at)).collect();
    let lines = module.assignments().filter(|(name, _)| *name < value && names.contains(&module.text(*name)));
    lines.take(5).flat_map(|(name, value)| value..module.line_end(name)).collect()
}
