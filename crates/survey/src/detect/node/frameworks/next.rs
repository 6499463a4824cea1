//! Next.js: a server that is shipped alone (`output: "standalone"`), or exported files.

mod layout;

use layout::Layout;

use super::{Found, choice};
use crate::{
    context::join,
    detect::node::services::{self, Candidate},
    javascript::Script,
    model::{Bind, BuildCache, Evidence, Fact, Role, Shape, Ships},
    rules,
};

pub(super) fn find(candidate: &Candidate<'_>) -> Option<Found> {
    candidate.manifest.any_dependency("next")?;
    let config = candidate.config("next.config");
    // A root that names it for its workspaces builds nothing with it.
    if !candidate.builds_with("next") && config.is_none() {
        return None;
    }
    let tool = services::framework(candidate.manifest, "next", "renders pages")?;
    let output = config.as_ref().and_then(|script| setting(script, "output"));
    let export = output.as_ref().filter(|output| output.value == "export");
    let open = config.as_ref().filter(|_| output.is_none()).and_then(|script| chosen_export(script));
    let mut found = Found::new(if export.is_some() { Role::Site } else { Role::Server }, tool);
    found.also(candidate, &[("react", "a library for pages")]);
    found.hashed_assets =
        Some(found.by_convention("/_next/static/".to_owned(), "files with a hash in their name"));
    found.build_cache = Some(BuildCache {
        folder: found.by_convention(".next/cache".to_owned(), "what Next.js has compiled before"),
        forget: Some("fetch-cache".to_owned()),
    });
    if let Some(export) = export {
        let folder = config.as_ref().and_then(|script| setting(script, "distDir"));
        found.output =
            folder.or_else(|| Some(Fact { value: "out".to_owned(), evidence: export.evidence.clone() }));
        return Some(found);
    }
    if let Some(place) = open {
        found.gap(
            rules::BUILD_UNCLEAR,
            "a condition that only the build knows chooses `output: \"export\"`: it is taken for a server",
            "set `output` without a condition, or by a variable that the build of an image does not have",
            vec![place],
        );
    }
    // A server of the project's own around Next.js is started as it is.
    let own = ["start:prod", "start"].iter().find_map(|name| candidate.manifest.script(name));
    found.listens(3000, "PORT");
    found.binds("HOSTNAME");
    found.set(
        "HOSTNAME",
        "0.0.0.0",
        "the engine sets HOSTNAME to the container's id, and Next.js listens there",
    );
    if own.is_some_and(|(line, _)| {
        line.split_whitespace().any(|word| word == "node") && !line.contains("standalone")
    }) {
        found.gap(
            rules::CUSTOM_SERVER,
            "a server of the project's own around Next.js: it needs all packages at run time",
            "start it with `next start`, or set `output: \"standalone\"`, where no own server is needed",
            own.map(|(_, span)| vec![Evidence::new(&candidate.manifest.source, span, "starts the service")])
                .unwrap_or_default(),
        );
        return Some(found);
    }
    match layout::of(candidate, config.as_deref(), output.as_ref()) {
        Layout::Whole { webpack_4 } => whole(&mut found, webpack_4),
        Layout::Alone { folder, written } => {
            standalone(candidate, &mut found, &folder, written, output);
        }
        Layout::Unknown { place } => {
            found.gap(rules::BUILD_UNCLEAR,
                "where the server lies in `.next/standalone` cannot be read: it is taken for the folder below the lock file",
                "write `outputFileTracingRoot` as `path.join(__dirname, \"..\")`, with as many `..` as needed",
                vec![place],
            );
            let folder = layout::below_lock(candidate);
            standalone(candidate, &mut found, &folder, output.is_some(), output);
        }
    }
    Some(found)
}

/// An older one is started by its own command line, with all packages and the files that its settings name.
fn whole(found: &mut Found, webpack_4: bool) {
    found.settings.retain(|setting| setting.name != "HOSTNAME");
    found.bind = Bind::Any;
    // Not every old one reads PORT.
    found.port_variable = None;
    found.command(&["node", "node_modules/next/dist/bin/next", "start", "-p", "3000"]);
    if webpack_4 {
        found.set_at_build(
            "NODE_OPTIONS",
            "--openssl-legacy-provider",
            "its webpack hashes with MD4, which Node.js 17 and later refuse without it",
        );
    }
}

/// The server with nothing but the packages that it needs; it lies in `folder` of what Next.js puts together.
fn standalone(
    candidate: &Candidate<'_>,
    found: &mut Found,
    folder: &str,
    written: bool,
    output: Option<Fact<String>>,
) {
    let by_convention = || found.by_convention(".next".to_owned(), "where Next.js writes");
    let output = output.map(|output| Fact { value: ".next".to_owned(), evidence: output.evidence });
    found.output = Some(output.unwrap_or_else(by_convention));
    if !written {
        found.set_at_build(
            "NEXT_PRIVATE_STANDALONE",
            "1",
            "the same as `output: \"standalone\"`: the server with nothing but the packages that it needs",
        );
    }
    let inside = |path: &str| join(folder, path);
    let ship = |from: &str, to: String| Ships { from: from.to_owned(), to };
    found.shape = Shape::Bundle;
    found.ships = vec![ship(".next/standalone", String::new()), ship(".next/static", inside(".next/static"))];
    let public = join(&candidate.manifest.folder, "public");
    if candidate.context.repository.under(&public).next().is_some() {
        found.ships.push(ship("public", inside("public")));
    }
    found.command(&["node", "server.js"]);
    found.stops_gracefully();
}

/// Where a condition that cannot be said may choose files instead of a server.
fn chosen_export(script: &Script) -> Option<Evidence> {
    let at = choice::of_key(script, "output").filter(|&at| choice::taken(script, at).is_none())?;
    (at..script.tokens.len().min(at + 40))
        .take_while(|&at| !matches!(script.text(at), "," | ";" | "}"))
        .any(|at| script.string(at).as_deref() == Some("export"))
        .then(|| Evidence::new(&script.source, script.span(at - 2, at), "chooses `output`"))
}

/// A text among the settings.
pub(super) fn setting(script: &Script, key: &str) -> Option<Fact<String>> {
    let at = (1..script.tokens.len()).find(|&at| {
        script.is(at, key) && script.is(at + 1, ":") && matches!(script.text(at - 1), "{" | ",")
    })?;
    let value = choice::taken(script, at + 2).and_then(|at| script.string(at))?;
    Some(Fact::new(value, Evidence::new(&script.source, script.span(at, at + 2), format!("sets `{key}`"))))
}
