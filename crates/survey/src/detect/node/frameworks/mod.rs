//! Frameworks, one file each. The list is in the order in which they win: a Next.js application depends on React, a
//! NestJS server on Express.

mod angular;
mod astro;
mod choice;
mod cra;
mod express;
mod fastify;
mod hono;
mod koa;
mod nestjs;
mod next;
pub(super) mod nitro;
pub(super) mod nuxt;
mod old;
mod others;
mod plain_http;
mod react_router;
mod sveltekit;
mod vite;
mod vue_cli;
mod worker;

use plimsoll_source::{RuleInfo, Span};

use super::services::{self, Candidate};
use crate::{
    model::{Bind, BuildCache, Evidence, Fact, Framework, Gap, Role, Setting, Shape, Ships},
    rules,
};

/// One framework.
pub(in crate::detect) struct Known {
    /// What it looks for.
    pub(in crate::detect) name: &'static str,
    /// What a package is, if it is written with it.
    pub(super) find: fn(&Candidate<'_>) -> Option<Found>,
}

/// What a framework says about a package.
pub(super) struct Found {
    pub(super) role: Role,
    pub(super) frameworks: Vec<Framework>,
    pub(super) output: Option<Fact<String>>,
    /// The script that builds it, where it is not the usual one.
    pub(super) build: Option<Fact<String>>,
    pub(super) shape: Shape,
    pub(super) build_cache: Option<BuildCache>,
    pub(super) ships: Vec<Ships>,
    pub(super) single_page: bool,
    pub(super) hashed_assets: Option<Fact<String>>,
    /// The framework's own server finishes its work on this signal.
    pub(super) stops: Option<Fact<String>>,
    pub(super) settings: Vec<Setting>,
    pub(super) command: Option<Fact<Vec<String>>>,
    pub(super) port: Option<Fact<u16>>,
    pub(super) port_variable: Option<Fact<String>>,
    pub(super) bind: Bind,
    pub(super) gaps: Vec<Gap>,
}

impl Found {
    fn new(role: Role, tool: Framework) -> Self {
        Self {
            role,
            frameworks: vec![tool],
            output: None,
            build: None,
            shape: if role == Role::Site { Shape::Files } else { Shape::Package },
            build_cache: None,
            ships: Vec::new(),
            single_page: false,
            hashed_assets: None,
            stops: None,
            settings: Vec::new(),
            command: None,
            port: None,
            port_variable: None,
            bind: Bind::default(),
            gaps: Vec::new(),
        }
    }

    /// The evidence of the framework itself.
    fn evidence(&self) -> Vec<Evidence> {
        self.frameworks.first().map(|tool| tool.evidence.clone()).unwrap_or_default()
    }

    /// A fact that rests on the framework's conventions.
    fn by_convention<T>(&self, value: T, reason: &str) -> Fact<T> {
        let evidence =
            self.evidence().into_iter().map(|evidence| Evidence { reason: reason.to_owned(), ..evidence });
        Fact { value, evidence: evidence.collect() }
    }

    /// Its own server finishes open requests on SIGTERM.
    fn stops_gracefully(&mut self) {
        self.stops =
            Some(self.by_convention("SIGTERM".to_owned(), "its server finishes open requests on SIGTERM"));
    }

    fn command(&mut self, words: &[&str]) {
        let command = words.iter().map(|word| (*word).to_owned()).collect();
        self.command = Some(self.by_convention(command, "how the framework is started in production"));
    }

    /// It listens on a port that a variable sets.
    fn listens(&mut self, port: u16, variable: &str) {
        self.port = Some(self.by_convention(port, "the framework's own port"));
        self.port_variable = Some(self.by_convention(variable.to_owned(), "the framework reads it"));
    }

    fn set(&mut self, name: &str, value: &str, reason: &str) {
        self.settings.push(Setting {
            name: name.to_owned(),
            value: value.to_owned(),
            reason: reason.to_owned(),
            at_build: false,
        });
    }

    fn set_at_build(&mut self, name: &str, value: &str, reason: &str) {
        self.set(name, value, reason);
        self.settings
            .iter_mut()
            .filter(|setting| setting.name == name)
            .for_each(|setting| setting.at_build = true);
    }

    /// It listens where a variable says.
    fn binds(&mut self, variable: &str) {
        self.bind = Bind::Set { variable: self.by_convention(variable.to_owned(), "the framework reads it") };
    }

    fn gap(&mut self, rule: RuleInfo, message: &str, hint: &str, evidence: Vec<Evidence>) {
        let evidence = if evidence.is_empty() { self.evidence() } else { evidence };
        self.gaps.push(Gap {
            rule,
            subject: String::new(),
            message: message.to_owned(),
            hint: hint.to_owned(),
            evidence,
        });
    }

    /// Adds what the package is written with besides.
    fn also(&mut self, candidate: &Candidate<'_>, packages: &[(&str, &str)]) {
        for (package, reason) in packages {
            if self.frameworks.iter().any(|known| known.name == *package) {
                continue;
            }
            self.frameworks.extend(services::framework(candidate.manifest, package, reason));
        }
    }
}

pub(in crate::detect) const ALL: &[Known] = &[
    Known { name: "next", find: next::find },
    Known { name: "nuxt", find: nuxt::find },
    Known { name: "nitro", find: nitro::find },
    Known { name: "sveltekit", find: sveltekit::find },
    Known { name: "react router", find: react_router::find },
    Known { name: "astro", find: astro::find },
    Known { name: "nestjs", find: nestjs::find },
    Known { name: "angular", find: angular::find },
    Known { name: "fastify", find: fastify::find },
    Known { name: "koa", find: koa::find },
    Known { name: "hono", find: hono::find },
    Known { name: "express", find: express::find },
    Known { name: "http", find: plain_http::find },
    Known { name: "workers", find: worker::find },
    Known { name: "create-react-app", find: cra::find },
    Known { name: "vue-cli", find: vue_cli::find },
    Known { name: "site generators", find: others::find },
    Known { name: "vite", find: vite::find },
];

/// What a package is, by the first framework that says so.
pub(super) fn recognise(candidate: &Candidate<'_>) -> Option<Found> {
    let mut found = ALL.iter().find_map(|known| (known.find)(candidate))?;
    // Its only way into production is another platform's: `unknown` says so.
    let starts = services::STARTS.iter().any(|name| candidate.manifest.script(name).is_some());
    let unstarted = found.role == Role::Server && found.command.is_none() && !starts;
    if unstarted && deployed_elsewhere(candidate).is_some() {
        return None;
    }
    if found.role == Role::Site {
        found.also(candidate, &LIBRARIES);
    }
    old::say(candidate, &mut found);
    Some(found)
}

/// Libraries for pages.
const LIBRARIES: [(&str, &str); 5] = [
    ("react", "a library for pages"),
    ("vue", "a library for pages"),
    ("svelte", "a library for pages"),
    ("solid-js", "a library for pages"),
    ("preact", "a library for pages"),
];

/// What is built or started and not known; nothing for libraries and tools.
pub(super) fn unknown(candidate: &Candidate<'_>, workspaces: usize) -> Option<Gap> {
    let manifest = candidate.manifest;
    let gap = |rule, message: String, hint: String, evidence: Vec<Evidence>| Gap {
        rule,
        subject: if manifest.folder.is_empty() {
            "the repository".to_owned()
        } else {
            manifest.folder.clone()
        },
        message,
        hint,
        evidence,
    };
    if let Some((message, hint, evidence)) = sveltekit::foreign(candidate) {
        return Some(gap(rules::OTHER_PLATFORM, message, hint.to_owned(), evidence));
    }
    let config = candidate.config("vite.config");
    if let Some((full, place)) = vite::of_another_page(candidate, config.as_deref()) {
        let message = format!(
            "its build writes into {full}, a folder of another package, whose server hands it out below a path of its \
             own: no front serves it, and the server's image does not have it"
        );
        let hint = "let the build script of that server build it too, or build it into its own folder";
        return Some(gap(rules::BUILD_OUTPUT, message, hint.to_owned(), vec![place]));
    }
    if let Some(known) = others::known_but_not_generated(candidate) {
        return Some(known);
    }
    let by_hand = "write its Dockerfile and its service by hand; both are kept";
    let root_of_workspaces = manifest.folder.is_empty() && workspaces > 0;
    // Others may import its types: what is deployed is a service all the same.
    if let Some((command, span)) = deployed_elsewhere(candidate).filter(|_| !root_of_workspaces) {
        let message = format!("it is deployed by `{command}`, and nothing known runs it in a container");
        return Some(gap(
            rules::OTHER_PLATFORM,
            message,
            by_hand.to_owned(),
            vec![Evidence::new(&manifest.source, span, "the script")],
        ));
    }
    if candidate.used || root_of_workspaces || is_library(candidate) {
        return None;
    }
    let scripts = ["start", "build"].iter().find_map(|name| Some((*name, manifest.script(name)?)));
    let Some((name, (command, span))) = scripts else {
        let (bundler, span) = bundler(candidate)?;
        let message = format!(
            "its packages make files for pages ({bundler}), and no script `build` says how: they are not made"
        );
        let hint = "add a script `build` to its package.json, and commit or copy what it writes".to_owned();
        return Some(gap(
            rules::NO_BUILD_SCRIPT,
            message,
            hint,
            vec![Evidence::new(&manifest.source, span, "makes files for pages")],
        ));
    };
    let verb = if name == "start" { "started" } else { "built" };
    let known: Vec<&str> = ALL.iter().map(|known| known.name).collect();
    let message = format!("it is {verb} (`{command}`), and nothing known serves or runs it");
    let hint = format!("known are {}", known.join(", "));
    Some(gap(rules::NOT_RECOGNISED, message, hint, vec![Evidence::new(&manifest.source, span, "the script")]))
}

/// The script that deploys a package to a platform which runs no containers.
fn deployed_elsewhere<'a>(candidate: &'a Candidate<'_>) -> Option<(&'a str, Span)> {
    let platforms =
        ["wrangler", "vercel", "netlify", "firebase", "serverless", "sls", "cdk", "sst", "partykit"];
    candidate.manifest.scripts().find_map(|(name, command, span)| {
        let deploys = name.split(':').any(|part| part == "deploy");
        let foreign = command.split_whitespace().any(|word| platforms.contains(&word));
        (deploys && foreign).then_some((command, span))
    })
}

/// A package that makes files for pages: in a folder of its own somebody serves what it writes.
fn bundler(candidate: &Candidate<'_>) -> Option<(String, Span)> {
    let names =
        ["esbuild", "webpack", "rollup", "parcel", "vite", "tailwindcss", "sass", "gulp", "laravel-mix"];
    if candidate.manifest.folder.is_empty() {
        return None;
    }
    names.iter().find_map(|name| {
        let dependency = candidate.manifest.any_dependency(name)?;
        Some((dependency.name.to_owned(), dependency.span))
    })
}

/// A package that others install: it says what it exports, and nobody starts it.
fn is_library(candidate: &Candidate<'_>) -> bool {
    let manifest = candidate.manifest;
    let exports = ["exports", "module", "types", "typings", "bin", "files", "publishConfig"];
    manifest.script("start").is_none() && exports.iter().any(|key| manifest.has(key))
}

/// A server's package: the dependency at run time, and a program that listens or a script that starts one.
fn server(candidate: &Candidate<'_>, package: &str, reason: &str) -> Option<Found> {
    candidate.manifest.dependency(package)?;
    let starts = services::STARTS.iter().any(|name| candidate.manifest.script(name).is_some());
    // A plugin that other packages register is a library; a site's development server is none of production.
    let unstarted = !candidate.listens() && !starts && (candidate.used || is_library(candidate));
    let page_alone = !candidate.listens() && candidate.has("index.html") && candidate.builds_with("vite");
    if unstarted || page_alone {
        return None;
    }
    Some(Found::new(Role::Server, services::framework(candidate.manifest, package, reason)?))
}
