//! Routes by files: `app/api/health/route.ts` and `pages/api/health.ts` of Next.js, `server/api/health.get.ts` of Nuxt.

use crate::{
    context::has_extension,
    javascript::values::{Program, stem},
    model::{Evidence, Route, Service},
};

pub(super) fn routes(program: &Program, service: &Service) -> Vec<Route> {
    let tool = service.frameworks.first().map_or("", |tool| tool.name.as_str());
    let mut routes = Vec::new();
    for script in program.scripts() {
        let name = script.source.name();
        let below = name.get(service.path.len()..).unwrap_or(name).trim_start_matches('/');
        let below = stem(below.strip_prefix("src/").unwrap_or(below));
        let (path, method) = match tool {
            "next" => {
                let app = below.strip_prefix("app/").and_then(|path| path.strip_suffix("/route"));
                let pages = below.strip_prefix("pages/api/").map(|path| format!("api/{path}"));
                let Some(path) = app.map(str::to_owned).or(pages) else { continue };
                (path, "GET")
            }
            "nuxt" => {
                let Some(path) = below
                    .strip_prefix("server/api/")
                    .map(|path| format!("api/{path}"))
                    .or_else(|| below.strip_prefix("server/routes/").map(str::to_owned))
                else {
                    continue;
                };
                let method = if has_extension(&path, "post") { "POST" } else { "GET" };
                (path.trim_end_matches(".get").trim_end_matches(".post").to_owned(), method)
            }
            // Its pages are files of the same folder: only what is called like a health route counts.
            "@remix-run/dev" | "@react-router/dev" => {
                let Some(path) = below.strip_prefix("app/routes/") else { continue };
                let path = path.replace("+/", "/").replace('.', "/");
                if !super::health::is_name(&path) {
                    continue;
                }
                (path, "GET")
            }
            _ => return routes,
        };
        // Groups in brackets are no part of the path.
        let parts: Vec<&str> = path
            .split('/')
            .filter(|part| !(part.starts_with('(') && part.ends_with(')')) && *part != "index")
            .filter(|part| !part.is_empty() && (tool == "next" || tool == "nuxt" || !part.starts_with('_')))
            .collect();
        let path = format!("/{}", parts.join("/"));
        let handled = tool != "next" || !below.starts_with("app/") || {
            (1..script.tokens.len()).any(|at| script.is(at, "GET") && script.text(at - 1) != ".")
        };
        if handled && routes.len() < super::MAX_COUNT {
            let evidence = Evidence::file(name, format!("answers {method} {path}"));
            routes.push(Route { method: method.to_owned(), path, stream: false, evidence: vec![evidence] });
        }
    }
    routes
}
