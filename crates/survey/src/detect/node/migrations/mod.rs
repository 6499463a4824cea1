//! Migrations, one file for each tool: what applies them in production, their folder, and a gap where nothing does.

mod drizzle;
mod knex;
mod own;
mod prisma;
mod sequelize;
mod typeorm;

use super::{command, facts, services};
use crate::{
    context::{Context, join},
    manifest::Manifest,
    model::{Ecosystem, Evidence, Fact, Framework, Gap, Migration, Role, Service, Survey},
    rules,
};

/// The package whose migrations are looked at: the service's own, or one of its libraries.
struct Owner<'a> {
    context: &'a Context<'a>,
    manifest: &'a Manifest,
    service: &'a Service,
}

/// What a tool found.
struct Found {
    migration: Migration,
    gap: Option<Gap>,
}

/// In the order of trust: a tool of its own before plain SQL files.
const TOOLS: [fn(&Owner<'_>) -> Option<Found>; 6] =
    [prisma::find, drizzle::find, knex::find, typeorm::find, sequelize::find, own::find];

pub(in crate::detect) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let mut services = std::mem::take(&mut survey.services);
    let mut applied: Vec<String> = Vec::new();
    for service in &mut services {
        if service.ecosystem != Ecosystem::Node || service.role == Role::Site {
            continue;
        }
        let manifests = facts::manifests(context, survey, service);
        let found = manifests.iter().find_map(|manifest| {
            let place = Owner { context, manifest, service };
            let found = TOOLS.iter().find_map(|tool| tool(&place))?;
            Some((manifest.folder.clone(), found))
        });
        let Some((folder, mut found)) = found else { continue };
        // The start script says what it runs in front of the server.
        if let Some(before) = service.migration.take()
            && found.migration.command.is_none()
        {
            found.migration.command = before.command;
            found.gap = None;
        }
        // Two services that share a package share its migrations: the first server applies them.
        if applied.contains(&folder) {
            continue;
        }
        survey.gaps.extend(found.gap);
        if reads_settings(context, &folder) {
            let names = service.environment.iter().map(|variable| variable.name.clone());
            service.migrations_read.extend(names.collect::<Vec<_>>());
        }
        applied.push(folder);
        service.migration = Some(found.migration);
    }
    survey.services = services;
}

/// Files of settings of the tools.
const CONFIGS: [&str; 14] = [
    "drizzle.config.ts",
    "drizzle.config.js",
    "drizzle.config.mjs",
    "prisma.config.ts",
    "prisma.config.js",
    "knexfile.js",
    "knexfile.cjs",
    "knexfile.mjs",
    "knexfile.ts",
    "data-source.ts",
    "ormconfig.ts",
    "ormconfig.js",
    "config/config.js",
    "config/database.js",
];

/// Whether the tool's settings import a part of the program: what checks the program's variables checks them then too.
fn reads_settings(context: &Context<'_>, folder: &str) -> bool {
    let own =
        |specifier: &str| ["./", "../", "@/", "~/", "#", "src/"].iter().any(|own| specifier.starts_with(own));
    let scripts = CONFIGS.iter().filter_map(|file| context.script(&join(folder, file)));
    scripts.into_iter().any(|script| script.imported().iter().any(|(_, specifier)| own(specifier)))
}

/// Scripts that apply migrations, the one for production first.
const SCRIPTS: [&str; 10] = [
    "db:migrate:ci",
    "migrate:prod",
    "db:migrate:prod",
    "db:migrate:deploy",
    "migrate:deploy",
    "db:migrate",
    "migrate",
    "migration:run",
    "migrations:run",
    "db:deploy",
];

/// A script, its command in production, and why that is none.
type Script = (Fact<String>, Option<Fact<Vec<String>>>, Option<String>);

impl Owner<'_> {
    /// A script that applies migrations, with the command that it runs in production.
    fn script(&self) -> Option<Script> {
        SCRIPTS.iter().find_map(|name| {
            let (text, span) = self.manifest.script(name)?;
            let evidence =
                Evidence::new(&self.manifest.source, span, format!("applies the migrations: {text}"));
            let mut line = command::line(self.context, self.manifest, text);
            let command = line.programs.pop().filter(|_| line.refused.is_none());
            let command = command.map(|command| Fact::new(self.in_service(command), evidence.clone()));
            Some((Fact::new((*name).to_owned(), evidence), command, line.refused))
        })
    }

    /// A command of a library, as it runs in the service's folder.
    fn in_service(&self, command: Vec<String>) -> Vec<String> {
        if self.manifest.folder == self.service.path {
            return command;
        }
        let up = relative(&self.service.path, &self.manifest.folder);
        let file = |word: String| {
            let own =
                !word.starts_with('-') && word != "node" && (word.contains('/') || word.ends_with("js"));
            if own && !word.starts_with("node_modules/") { format!("{up}/{word}") } else { word }
        };
        command.into_iter().map(file).collect()
    }

    /// A path of the manifest's folder, below the service's where it lies there.
    fn path(&self, path: &str) -> String {
        if self.manifest.folder == self.service.path {
            return path.to_owned();
        }
        format!("{}/{path}", relative(&self.service.path, &self.manifest.folder))
    }

    fn tool(&self, package: &str) -> Option<Framework> {
        services::framework(self.manifest, package, "applies migrations")
    }

    fn gap(&self, message: &str, hint: &str, evidence: Vec<Evidence>) -> Gap {
        Gap {
            rule: rules::MIGRATIONS_NOT_APPLIED,
            subject: self.service.name.clone(),
            message: message.to_owned(),
            hint: hint.to_owned(),
            evidence,
        }
    }

    /// The first of these folders that holds a file which `accept` takes.
    fn folder(&self, names: &[String], accept: impl Fn(&str) -> bool) -> Option<Fact<String>> {
        names.iter().find_map(|name| {
            let folder = join(&self.manifest.folder, name);
            let first = self.context.repository.under(&folder).find(|file| accept(file))?;
            Some(Fact::new(self.path(name), Evidence::file(first, "a migration")))
        })
    }

    /// A command-line tool as it runs. Of a package for development the image has it then too.
    fn cli(&self, package: &str, words: &[&str]) -> Option<Fact<Vec<String>>> {
        let tool = self.tool(package)?;
        let command = words.iter().map(|word| (*word).to_owned()).collect();
        Some(Fact { value: command, evidence: tool.evidence })
    }
}

/// `apps/api` to `packages/db` is `../../packages/db`.
fn relative(from: &str, to: &str) -> String {
    let from: Vec<&str> = from.split('/').filter(|part| !part.is_empty()).collect();
    let to: Vec<&str> = to.split('/').filter(|part| !part.is_empty()).collect();
    let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let mut parts = vec![".."; from.len() - same];
    parts.extend(&to[same..]);
    parts.join("/")
}
