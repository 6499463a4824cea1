//! React Router as a framework, and Remix.

use super::{Found, next::setting};
use crate::{
    context::join,
    detect::node::{
        command,
        services::{self, Candidate},
    },
    model::{Role, Ships},
};

pub(super) fn find(candidate: &Candidate<'_>) -> Option<Found> {
    let router = candidate.manifest.any_dependency("@react-router/dev").is_some();
    let package = if router { "@react-router/dev" } else { "@remix-run/dev" };
    let tool = services::framework(candidate.manifest, package, "renders pages")?;
    let program = if router { "react-router" } else { "remix" };
    if !candidate.builds_with(program) && !candidate.builds_with("remix") && !candidate.builds_with("vite") {
        return None;
    }
    let settings = candidate.config("react-router.config").or_else(|| candidate.config("vite.config"));
    let files = settings.is_some_and(|script| {
        (0..script.tokens.len())
            .any(|at| script.is(at, "ssr") && script.is(at + 1, ":") && script.is(at + 2, "false"))
    });
    if files {
        let mut found = Found::new(Role::Site, tool);
        found.output = Some(found.by_convention("build/client".to_owned(), "where the build writes"));
        found.single_page = true;
        found.hashed_assets =
            Some(found.by_convention("/assets/".to_owned(), "files with a hash in their name"));
        return Some(found);
    }
    let mut found = Found::new(Role::Server, tool);
    let layout = Layout::of(candidate, router);
    found.output = Some(found.by_convention(layout.folder().to_owned(), "where the build writes"));
    found.hashed_assets =
        Some(found.by_convention(layout.assets.to_owned(), "files with a hash in their name"));
    if layout.serves_public {
        found.ships =
            vec![Ships { from: "public".to_owned(), to: join(&candidate.manifest.folder, "public") }];
    }
    // What the start script says counts, with its arguments; `start` of the services reads it.
    let started = command::started(candidate.context, candidate.manifest, &services::STARTS);
    let own = started.as_ref().and_then(|started| started.line.programs.last());
    let serves = own.is_some_and(|program| {
        program
            .iter()
            .filter_map(|word| command::linked_package(word))
            .any(|(name, _)| name.ends_with("-serve"))
    });
    let (name, package) = if router {
        ("react-router-serve", "@react-router/serve")
    } else {
        ("remix-serve", "@remix-run/serve")
    };
    let unsaid = started.is_none() && candidate.manifest.dependency(package).is_some();
    if unsaid {
        found.command(&["node", &command::linked(name), &layout.server]);
    }
    if unsaid || serves {
        found.listens(3000, "PORT");
        found.binds("HOST");
        found.set("HOST", "0.0.0.0", "the server listens there");
    }
    Some(found)
}

/// What a build writes, and where.
struct Layout {
    /// The file of the server.
    server: String,
    /// URL prefix of files with a hash in their name.
    assets: &'static str,
    /// Whether the server reads `public/` when it runs: the classic compiler writes the browser's files there, Vite
    /// copies it into its own output.
    serves_public: bool,
}

impl Layout {
    fn of(candidate: &Candidate<'_>, router: bool) -> Self {
        let vite = candidate.config("vite.config");
        if !router && vite.is_none() {
            let file =
                candidate.config("remix.config").and_then(|script| setting(&script, "serverBuildPath"));
            let server = file.map_or_else(|| "build/index.js".to_owned(), |file| clean(&file.value));
            return Self { server: format!("./{server}"), assets: "/build/", serves_public: true };
        }
        let settings = candidate.config("react-router.config").filter(|_| router).or(vite);
        let folder = settings.and_then(|script| setting(&script, "buildDirectory"));
        let folder = folder.map_or_else(|| "build".to_owned(), |folder| clean(&folder.value));
        Self { server: format!("./{folder}/server/index.js"), assets: "/assets/", serves_public: false }
    }

    /// The folder of everything that the build writes.
    fn folder(&self) -> &str {
        let path = self.server.trim_start_matches("./");
        let path = path.strip_suffix("/server/index.js").unwrap_or(path);
        path.rsplit_once('/').filter(|_| self.serves_public).map_or(path, |(folder, _)| folder)
    }
}

fn clean(path: &str) -> String {
    path.trim_start_matches("./").trim_end_matches('/').to_owned()
}
