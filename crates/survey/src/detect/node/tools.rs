//! Scripts of a package that are a team's tools and no part of its program: generators, releases, checks. They lie in
//! folders of their own, and neither the program nor a script that starts, builds or prepares it names them.

use std::collections::HashSet;

use super::tasks;
use crate::{
    context::has_extension, javascript::values::stem, manifest::Manifest, model::is_below,
    repository::Repository,
};

/// Folders of a package that usually hold tools.
const FOLDERS: [&str; 17] = [
    "scripts",
    "script",
    "tools",
    "tool",
    "extra",
    "extras",
    "hack",
    "generators",
    "generator",
    "ci",
    "devtools",
    "dev-tools",
    "bench",
    "benchmark",
    "benchmarks",
    "contrib",
    "release",
];
/// Folders with a dot whose files React Router and Remix take into the program.
const DOTTED: [&str; 2] = [".server", ".client"];

/// First words of scripts that run the program, build it, or prepare what it works with.
const RUNS: [&str; 26] = [
    "start",
    "prod",
    "production",
    "serve",
    "server",
    "dev",
    "develop",
    "watch",
    "worker",
    "workers",
    "queue",
    "cron",
    "schedule",
    "scheduler",
    "job",
    "jobs",
    "migrate",
    "migration",
    "migrations",
    "seed",
    "db",
    "database",
    "api",
    "bot",
    "web",
    "prestart",
];
const BUILDS: [&str; 6] = ["build", "build:prod", "prebuild", "postbuild", "postinstall", "preinstall"];

/// Files of platforms that start programs are read to this length.
const MAX_TEXT: usize = 100_000;

/// What decides which files are tools.
pub(crate) struct Tools {
    /// Paths below the package's folder, without their extensions, that its scripts name.
    named: HashSet<String>,
    /// Texts of files that start programs.
    texts: Vec<String>,
}

impl Tools {
    pub(crate) fn of(repository: &Repository, manifest: Option<&Manifest>, folder: &str) -> Self {
        let mut named = HashSet::new();
        for (name, line, _) in manifest.into_iter().flat_map(Manifest::scripts) {
            let first = name.split([':', '-', '.', '_']).next().unwrap_or_default();
            let test = name.split([':', '-']).any(|word| matches!(word, "test" | "tests" | "e2e"));
            if test || !(RUNS.contains(&first) || BUILDS.contains(&name)) {
                continue;
            }
            let commands = manifest.map(|manifest| tasks::commands(manifest, name, line)).unwrap_or_default();
            for word in commands.iter().flatten() {
                let value = word.split_once('=').map_or(word.as_str(), |(_, value)| value);
                named.insert(stem(value.trim_start_matches("./")).to_owned());
            }
        }
        let starts = |path: &&str| {
            let name = path.rsplit('/').next().unwrap_or(path);
            let usual = ["Procfile", "fly.toml", "render.yaml", "app.json", "ecosystem.config."];
            (is_below(path, folder) || !path.contains('/'))
                && (usual.iter().any(|usual| name.starts_with(usual))
                    || name.contains("compose")
                        && (has_extension(name, "yml") || has_extension(name, "yaml"))
                    || name.to_lowercase().contains("dockerfile"))
        };
        let texts = repository.files().filter(starts).take(20).filter_map(|path| repository.source(path));
        let texts = texts.map(|source| source.text().chars().take(MAX_TEXT).collect()).collect();
        Self { named, texts }
    }

    /// Whether a file, by its path below the package's folder, is a tool unless the program imports it.
    pub(crate) fn hold(&self, path: &str) -> bool {
        let (folders, _) = path.rsplit_once('/').unwrap_or_default();
        let dotted = folders.split('/').any(|part| part.starts_with('.') && !DOTTED.contains(&part));
        if dotted {
            return true;
        }
        let usual = FOLDERS.contains(&folders.split('/').next().unwrap_or_default());
        let bare = stem(path);
        usual
            && !self.named.contains(bare)
            && !bare.strip_suffix("/index").is_some_and(|folder| self.named.contains(folder))
            && !self.texts.iter().any(|text| text.contains(bare))
    }
}
