//! A build script that also works on a database: an image is built where there is none, so that the script is taken apart.

use std::collections::HashSet;

use super::{command, services::Candidate, tasks};
use crate::{
    context::{has_extension, join},
    manifest::Manifest,
    model::{
        Confidence, Evidence, Fact, Framework, Gap, Manager, Migration, Question, Role, Service, Survey,
    },
    rules,
};

/// Scripts that call one another are followed this far.
const MAX_DEPTH: usize = 5;
/// Steps of one build that are kept.
const MAX_STEPS: usize = 40;

/// Scripts that projects keep for the build of an image.
const FOR_IMAGES: [&str; 5] =
    ["build:docker", "build-docker", "build:container", "build:image", "docker:build"];
/// Scripts that projects keep for a build without a database.
const FOR_CI: [&str; 7] =
    ["build:ci", "build-ci", "ci:build", "build:only", "build-only", "build:next", "build:app"];

/// Programs of the system and of Node.js itself; all others are programs of packages.
const OF_SYSTEM: [&str; 24] = [
    "node", "npm", "pnpm", "yarn", "bun", "npx", "bunx", "sh", "bash", "env", "cp", "mv", "rm", "mkdir",
    "ln", "touch", "chmod", "cat", "sed", "find", "tar", "echo", "true", "test",
];

/// Looks at the build script of a service; where it works on a database, the image is built without that part.
pub(super) fn detect(candidate: &Candidate<'_>, survey: &mut Survey, service: &mut Service) {
    let manifest = candidate.manifest;
    let Some(script) = service.build.clone() else { return };
    let manager = survey.install_of(service).map_or(Manager::Npm, |install| install.manager);
    let walk = Walk { candidate, manifest, manager };
    let whole = walk.with_hooks(&script.value);
    let Some(touching) = whole.iter().find_map(|name| walk.touches(name)) else { return };
    let places: Vec<Evidence> = whole
        .iter()
        .filter_map(|name| {
            let (line, span) = manifest.script(name)?;
            Some(Evidence::new(&manifest.source, span, format!("`{name}` of the build: {line}")))
        })
        .collect();
    let mut taken = Taken::default();
    let other =
        |names: &[&'static str]| names.iter().copied().find(|name| walk.takes_its_place(name, &script.value));
    let said = if let Some(name) = other(&FOR_IMAGES) {
        service.build = Some(Fact { value: name.to_owned(), evidence: places.clone() });
        format!("the image is built by the script `{name}`")
    } else if whole.iter().all(|name| walk.script(name, 0, &mut taken).is_some()) && !taken.steps.is_empty() {
        service.build_steps =
            taken.steps.into_iter().map(|value| Fact { value, evidence: places.clone() }).collect();
        "the image is built without that".to_owned()
    } else if let Some(name) = other(&FOR_CI) {
        service.build = Some(Fact { value: name.to_owned(), evidence: places.clone() });
        format!("the image is built by the script `{name}`")
    } else {
        survey.questions.push(question(service, &script.value, &touching, places));
        return;
    };
    if service.migration.is_none() && service.role != Role::Site {
        service.migration = walk.migration(&taken.left_out, &places);
    }
    let left_out = if taken.left_out.is_empty() { vec![touching.join(" ")] } else { texts(&taken.left_out) };
    survey.gaps.push(Gap { rule: rules::BUILD_NEEDS_DATABASE,
        subject: service.name.clone(),
        message: format!(
            "its build script `{}` works on a database (`{}`), and a build has none: {said}",
            script.value,
            left_out.join("`, `")
        ),
        hint: format!(
            "nothing has to be done, unless `--answer {}.build=SCRIPT` names another script; tables are made by the \
             migrations of the stack",
            service.name
        ),
        evidence: places,
    });
}

/// Nobody can say which part builds.
fn question(service: &Service, script: &str, touching: &[String], evidence: Vec<Evidence>) -> Question {
    Question {
        id: format!("{}.build", service.name),
        text: format!(
            "Which script builds {} without a database? `{script}` runs `{}`, and a build of an image has none.",
            service.name,
            touching.join(" ")
        ),
        options: Vec::new(),
        default: None,
        confidence: Confidence::Open,
        evidence,
    }
}

fn texts(commands: &[Vec<String>]) -> Vec<String> {
    commands.iter().map(|words| words.join(" ")).collect()
}

/// What a build script comes to.
#[derive(Default)]
struct Taken {
    /// What builds, in its order.
    steps: Vec<Vec<String>>,
    /// What works on a database.
    left_out: Vec<Vec<String>>,
    /// Scripts that ran already.
    seen: HashSet<String>,
}

struct Walk<'a> {
    candidate: &'a Candidate<'a>,
    manifest: &'a Manifest,
    manager: Manager,
}

impl Walk<'_> {
    /// The script with those that the manager runs before and behind it.
    fn with_hooks(&self, script: &str) -> Vec<String> {
        let hooks = self.manager != Manager::YarnBerry;
        let names = [format!("pre{script}"), script.to_owned(), format!("post{script}")];
        let there = |name: &String| name == script || hooks && self.manifest.script(name).is_some();
        names.into_iter().filter(there).collect()
    }

    fn commands(&self, script: &str) -> Vec<tasks::Command> {
        let line = self.manifest.script(script).map_or("", |(line, _)| line);
        tasks::commands(self.manifest, script, line)
    }

    /// What of a script works on a database.
    fn touches(&self, script: &str) -> Option<Vec<String>> {
        self.commands(script).into_iter().find(|words| self.is_of_database(words))
    }

    /// Whether another script builds the same and works on no database.
    fn takes_its_place(&self, name: &str, build: &str) -> bool {
        let program = |words: &tasks::Command| words.first().cloned().unwrap_or_default();
        let last = self.commands(build).iter().rfind(|words| !self.is_of_database(words)).map(program);
        let builds = self.commands(name).iter().any(|words| Some(program(words)) == last);
        builds
            && self.manifest.script(name).is_some()
            && self.with_hooks(name).iter().all(|name| self.touches(name).is_none())
    }

    /// The steps of a script; nothing where a shell has to read it.
    fn script(&self, name: &str, depth: usize, taken: &mut Taken) -> Option<()> {
        if depth > MAX_DEPTH || taken.steps.len() > MAX_STEPS {
            return None;
        }
        if !taken.seen.insert(name.to_owned()) {
            return Some(());
        }
        // The hooks of the build's own script are steps of their own: it cannot be called by its name.
        let hooked = depth == 0 && self.with_hooks(name).len() > 1;
        if self.touches(name).is_none() && !hooked {
            taken.steps.push(self.run(name));
            return Some(());
        }
        let (line, _) = self.manifest.script(name)?;
        let words = command::words(line)?;
        for words in words.split(|word| matches!(word.as_str(), "&&" | ";")).filter(|words| !words.is_empty())
        {
            self.command(words, depth, taken)?;
        }
        Some(())
    }

    fn command(&self, words: &[String], depth: usize, taken: &mut Taken) -> Option<()> {
        let glob = |word: &String| word.contains(['*', '?', '[', '{', '~']);
        if words.iter().any(|word| matches!(word.as_str(), "&" | "|" | "||")) {
            return None;
        }
        let plain = tasks::unwrap(words.to_vec());
        if self.is_of_database(&plain) {
            taken.left_out.push(plain);
            return Some(());
        }
        match plain.first()?.as_str() {
            "npm" | "pnpm" | "yarn" | "bun" => {
                if let Some((script, handed)) = command::script_called(self.manifest, &plain) {
                    if handed.is_empty() && plain == words {
                        return self.script(&script, depth + 1, taken);
                    }
                    self.touches(&script).is_none().then_some(())?;
                }
            }
            "run-s" | "run-p" | "npm-run-all" | "npm-run-all2" => {
                let tasks: Vec<&String> = plain[1..].iter().filter(|word| !word.starts_with('-')).collect();
                if tasks.iter().any(|task| task.contains(' ')) || plain.iter().any(|word| word == "--") {
                    return None;
                }
                for task in tasks {
                    let fitting = self.manifest.scripts().filter(|(name, ..)| tasks::fits(task, name));
                    let names: Vec<String> = fitting.map(|(name, ..)| name.to_owned()).collect();
                    for name in names {
                        self.script(&name, depth + 1, taken)?;
                    }
                }
                return Some(());
            }
            // Starts others: whether one of them works on a database, and where, its own syntax says.
            "concurrently" | "conc" | "turbo" | "nx" | "lerna" | "wireit" | "sh" | "bash" | "cd" => {
                return None;
            }
            _ => {}
        }
        if words.iter().any(glob) {
            return None;
        }
        taken.steps.push(as_run(words));
        Some(())
    }

    fn run(&self, script: &str) -> Vec<String> {
        let manager = match self.manager {
            Manager::Pnpm => "pnpm",
            Manager::YarnClassic | Manager::YarnBerry => "yarn",
            Manager::Bun => "bun",
            _ => "npm",
        };
        [manager, "run", script].map(str::to_owned).to_vec()
    }

    /// Whether a command, its prefixes taken away, works on a database.
    fn is_of_database(&self, words: &[String]) -> bool {
        let Some((program, rest)) = words.split_first() else { return false };
        let arguments: Vec<&str> =
            rest.iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
        let first = arguments.first().copied().unwrap_or_default();
        let second = arguments.get(1).copied().unwrap_or_default();
        match program.as_str() {
            "prisma" => match first {
                "migrate" => matches!(second, "deploy" | "dev" | "reset" | "resolve" | "status"),
                "db" => matches!(second, "push" | "seed" | "execute" | "pull"),
                _ => false,
            },
            "drizzle-kit" => matches!(first, "migrate" | "push" | "pull") || first.starts_with("push:"),
            "knex" => first.starts_with("migrate:") && first != "migrate:make" || first.starts_with("seed:"),
            "sequelize" | "sequelize-cli" => first.starts_with("db:"),
            "mikro-orm" => matches!(first, "migration:up" | "schema:update" | "seeder:run"),
            "payload" => first == "migrate",
            "kysely" => matches!(first, "migrate:latest" | "migrate:up") || first == "seed",
            "node-pg-migrate" | "migrate-mongo" | "db-migrate" => first == "up",
            "dbmate" => matches!(first, "up" | "migrate"),
            program if program.starts_with("typeorm") => {
                arguments.iter().any(|word| matches!(*word, "migration:run" | "schema:sync"))
            }
            "node" | "tsx" | "ts-node" | "bun" | "babel-node" | "jiti" | "esno" | "vite-node" => {
                let file = arguments.iter().copied().find(|word| !matches!(*word, "run" | "watch"));
                file.is_some_and(|file| self.is_program_of_database(file))
            }
            _ => false,
        }
    }

    /// A program of the repository that applies migrations or asks a database: by its name, or by what it calls.
    fn is_program_of_database(&self, file: &str) -> bool {
        let stem = file.rsplit('/').next().unwrap_or(file);
        let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem).to_ascii_lowercase();
        let parts: Vec<&str> = stem.split(['-', '_', '.']).collect();
        let has = |names: &[&str]| parts.iter().any(|part| names.contains(part));
        if has(&["migrate", "migrations", "migrator", "seed"])
            && !has(&["generate", "bundle", "copy", "build"])
        {
            return true;
        }
        let named = has_extension(file, "ts") || has_extension(file, "js");
        let ends: &[&str] =
            if named || stem.contains('.') { &[""] } else { &["", ".ts", ".js", ".mjs", "/index.ts"] };
        let paths = ends
            .iter()
            .map(|end| join(&self.manifest.folder, &format!("{}{end}", file.trim_start_matches("./"))));
        paths
            .into_iter()
            .find_map(|path| self.candidate.context.repository.source(&path))
            .is_some_and(|source| MARKS.iter().any(|mark| source.text().contains(mark)))
    }

    /// The one command among those left out that applies migrations, as it runs in production.
    fn migration(&self, left_out: &[Vec<String>], places: &[Evidence]) -> Option<Migration> {
        let words = left_out.iter().find(|words| words.iter().any(|word| word.contains("migrat")))?;
        // Prisma and the others with files of their own are found by those.
        if words[0] == "prisma" || words[0] == "drizzle-kit" {
            return None;
        }
        let mut line = command::line(self.candidate.context, self.manifest, &words.join(" "));
        let value = line.programs.pop().filter(|_| line.refused.is_none() && line.programs.is_empty())?;
        let tool =
            Framework { name: "own program".to_owned(), version: String::new(), evidence: places.to_vec() };
        let command = Some(Fact { value, evidence: places.to_vec() });
        Some(Migration { tool, script: None, command, folder: None, files: Vec::new() })
    }
}

/// Calls of a program that ask a database.
const MARKS: [&str; 6] =
    ["migrate deploy", "db push", ".$connect(", ".migrate.latest(", ".runMigrations(", "/migrator'"];

/// Programs of packages are found by npx, and a shell takes no quoted word for an assignment.
fn as_run(words: &[String]) -> Vec<String> {
    let is_assignment = |word: &&String| {
        word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        })
    };
    let settings = words.iter().take_while(is_assignment).count();
    let (settings, words) = words.split_at(settings);
    let mut run: Vec<String> = Vec::new();
    if !settings.is_empty() {
        run.push("env".to_owned());
        run.extend(settings.iter().cloned());
    }
    let own = words.first().is_some_and(|word| OF_SYSTEM.contains(&word.as_str()) || word.contains('/'));
    if !own {
        run.push("npx".to_owned());
    }
    run.extend(words.iter().cloned());
    run
}

/// Whether a text can be the name of a script.
pub(crate) fn is_script_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    !text.is_empty() && !text.starts_with('-') && text.chars().all(inner)
}
