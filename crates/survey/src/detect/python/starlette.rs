//! Which Starlette a program's pages are written for: version 1 takes the request before a template's name.

use super::{install::Locked, pins::says_more, project::Project, requirement::Requirement, runtime::numbers};
use crate::{
    model::{Evidence, Fact},
    python::{Argument, Module},
};

/// The bound that a program needs whose calls give the name first: with Starlette 1 each of its pages is an error.
pub(super) fn bound(project: &Project, locked: &Locked) -> Option<Fact<String>> {
    let (starlette, fastapi) = (project.needs(&["starlette"]), project.needs(&["fastapi"]));
    starlette.or(fastapi)?;
    let decided = locked.contains_key("starlette")
        || starlette.is_some_and(|needs| needs.pinned().is_some() || says_more(needs, &[1]))
        || fastapi.is_some_and(|needs| needs.pinned().is_some() || asks_for_it(needs));
    if decided {
        return None;
    }
    let (module, at) = project.modules.iter().find_map(|module| {
        let calls = (0..module.tokens.len())
            .filter(|&at| module.is(at, "TemplateResponse") && module.is(at + 1, "("));
        calls.into_iter().find(|&at| names_first(module, at + 1)).map(|at| (module, at))
    })?;
    let reason =
        "it gives the template's name before the request, which starlette 1 does not take".to_owned();
    let evidence = Evidence::new(&module.source, module.span(at, at + 2), reason);
    Some(Fact::new("starlette<1".to_owned(), evidence))
}

/// Whether a requirement of FastAPI wants one that comes with Starlette 1.
fn asks_for_it(requirement: &Requirement) -> bool {
    // Around here FastAPI begins to take Starlette 1; a later one wants it.
    const FIRST: [u32; 2] = [0, 133];
    requirement.versions.split(',').any(|part| {
        let least = part.trim().trim_start_matches(['^', '~', '=', '>']);
        !part.trim().starts_with('<') && numbers(least).as_slice() >= FIRST.as_slice()
    })
}

/// Whether the call whose brackets open at `open` is `(name, context)` and not `(request, name, context)`.
fn names_first(module: &Module, open: usize) -> bool {
    let arguments = module.arguments(open);
    let has = |name: &str| arguments.iter().any(|argument| argument.name == Some(name));
    let mut unnamed = arguments.iter().filter(|argument| argument.name.is_none());
    match (unnamed.next(), unnamed.next()) {
        // Every argument has a keyword.
        (None, _) => has("name") && !has("request"),
        (Some(first), second) => {
            is(module, first, open, &is_text)
                || second.is_some_and(|second| is(module, second, open, &is_context))
        }
    }
}

/// Whether an argument has the form itself, or is a name that is given such a value before the call.
fn is(module: &Module, argument: &Argument<'_>, call: usize, form: &dyn Fn(&Module, usize) -> bool) -> bool {
    let name = (argument.end == argument.at + 1).then(|| module.text(argument.at));
    let given = |line: usize| name.is_some_and(|name| module.is(line, name));
    let values = module.lines().take_while(|&line| line < call).filter(|&line| given(line));
    form(module, argument.at)
        || values.filter_map(|line| module.assigned(line)).last().is_some_and(|value| form(module, value))
}

fn is_text(module: &Module, at: usize) -> bool {
    module.string(at).is_some() || module.format(at).is_some()
}

/// `{"request": request, …}`, `dict(request=request)`: the second of the new call is a name.
fn is_context(module: &Module, at: usize) -> bool {
    module.is(at, "{") || module.is(at, "dict") && module.is(at + 1, "(")
}
