//! Next.js: a server that is shipped alone (`output: "standalone"`), or exported files.

use super::{Found, choice, old};
use crate::{
    context::join,
    detect::node::{
        installs,
        services::{self, Candidate},
    },
    javascript::Script,
    model::{Bind, Evidence, Fact, Role, Shape, Ships},
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
    if let Some(export) = export {
        let folder = config.as_ref().and_then(|script| setting(script, "distDir"));
        found.output =
            folder.or_else(|| Some(Fact { value: "out".to_owned(), evidence: export.evidence.clone() }));
        return Some(found);
    }
    if let Some(place) = open {
        found.gap(
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
            "a server of the project's own around Next.js: it needs all packages at run time",
            "start it with `next start`, or set `output: \"standalone\"`, where no own server is needed",
            own.map(|(_, span)| vec![Evidence::new(&candidate.manifest.source, span, "starts the service")])
                .unwrap_or_default(),
        );
        return Some(found);
    }
    let range = candidate.manifest.any_dependency("next").map(|dependency| dependency.range);
    if range.and_then(old::major).is_some_and(|major| major < STANDALONE) {
        whole(&mut found);
    } else {
        standalone(candidate, &mut found, output);
    }
    Some(found)
}

/// The first major version that makes a server with nothing but the packages that it needs.
const STANDALONE: u32 = 12;

/// An older one is started by its own command line, with all packages and the files that its settings name.
fn whole(found: &mut Found) {
    found.settings.retain(|setting| setting.name != "HOSTNAME");
    found.bind = Bind::Any;
    // Not every old one reads PORT.
    found.port_variable = None;
    found.command(&["node", "node_modules/next/dist/bin/next", "start", "-p", "3000"]);
    found.set_at_build(
        "NODE_OPTIONS",
        "--openssl-legacy-provider",
        "its webpack hashes with MD4, which Node.js 17 and later refuse without it",
    );
}

fn standalone(candidate: &Candidate<'_>, found: &mut Found, output: Option<Fact<String>>) {
    match output {
        Some(output) if output.value == "standalone" => {
            found.output = Some(Fact { value: ".next".to_owned(), evidence: output.evidence });
        }
        _ => {
            found.output = Some(found.by_convention(".next".to_owned(), "where Next.js writes"));
            found.set_at_build(
                "NEXT_PRIVATE_STANDALONE",
                "1",
                "the same as `output: \"standalone\"`: the server with nothing but the packages that it needs",
            );
        }
    }
    // The standalone server lies as deep as its package below the nearest lock file: there Next.js starts to trace.
    let folder = below_lock(candidate);
    let inside = |path: &str| join(&folder, path);
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

/// The package's folder below that of the nearest lock file.
fn below_lock(candidate: &Candidate<'_>) -> String {
    let own = candidate.manifest.folder.as_str();
    let mut folder = own;
    loop {
        if installs::has_lock(candidate.context, folder) {
            return own.strip_prefix(folder).unwrap_or(own).trim_start_matches('/').to_owned();
        }
        match folder.rsplit_once('/') {
            Some((above, _)) => folder = above,
            None if folder.is_empty() => return String::new(),
            None => folder = "",
        }
    }
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
