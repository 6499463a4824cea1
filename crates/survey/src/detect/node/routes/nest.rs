//! Routes of NestJS: decorators of controllers and their methods, below the global prefix.

use crate::{
    javascript::{Script, values::Program},
    model::{Evidence, Route},
};

const METHODS: [(&str, &str); 8] = [
    ("Get", "GET"),
    ("Post", "POST"),
    ("Put", "PUT"),
    ("Patch", "PATCH"),
    ("Delete", "DELETE"),
    ("Head", "HEAD"),
    ("All", "ALL"),
    ("Sse", "GET"),
];

pub(super) fn routes(program: &Program) -> Vec<Route> {
    let mut prefix = String::new();
    let mut excluded = Vec::new();
    for script in program.scripts() {
        for at in 1..script.tokens.len() {
            if script.is(at, "setGlobalPrefix") && script.is(at - 1, ".") && script.is(at + 1, "(") {
                let Some(text) = script.string(at + 2) else { continue };
                prefix = format!("/{}", text.trim_matches('/'));
                let close = script.close(at + 1).unwrap_or(at);
                excluded = (at + 3..close).filter_map(|at| script.string(at)).collect();
            }
        }
    }
    program.scripts().flat_map(|script| of_script(script, &prefix, &excluded)).collect()
}

fn of_script(script: &Script, prefix: &str, excluded: &[String]) -> Vec<Route> {
    let mut routes = Vec::new();
    let mut controller: Option<String> = None;
    for at in 0..script.tokens.len() {
        if !script.is(at, "@") || !script.is(at + 2, "(") {
            continue;
        }
        let path = || {
            let text = script.string(at + 3).or_else(|| {
                // @Controller({ path: "users" })
                let close = script.close(at + 3).filter(|_| script.is(at + 3, "{"))?;
                let key = (at + 3..close).find(|&at| script.is(at, "path") && script.is(at + 1, ":"))?;
                script.string(key + 2)
            });
            text.unwrap_or_default().trim_matches('/').to_owned()
        };
        if script.is(at + 1, "Controller") {
            controller = Some(path());
            continue;
        }
        let Some((name, method)) = METHODS.iter().find(|(name, _)| script.is(at + 1, name)) else { continue };
        let Some(controller) = &controller else { continue };
        let parts: Vec<String> =
            [controller.clone(), path()].into_iter().filter(|part| !part.is_empty()).collect();
        let inner = parts.join("/");
        let outside = excluded.iter().any(|path| path.trim_matches('/') == inner);
        let path = if outside { format!("/{inner}") } else { format!("{prefix}/{inner}") };
        let evidence =
            Evidence::new(&script.source, script.span(at, at + 3), format!("answers {method} {path}"));
        routes.push(Route {
            method: (*method).to_owned(),
            path,
            stream: *name == "Sse",
            evidence: vec![evidence],
        });
        if routes.len() >= super::MAX_COUNT {
            break;
        }
    }
    routes
}
