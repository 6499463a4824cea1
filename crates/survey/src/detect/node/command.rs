//! The program that a script starts, as it runs in production: prefixes are unwrapped, package managers and development
//! servers never stay, and a line that needs a shell is no command.

use super::runners;
use plimsoll_source::json;

use crate::{
    context::{Context, has_extension, join},
    manifest::Manifest,
    model::{Evidence, Fact},
};

/// What a script line comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// Programs that run one behind the other; the last one is the one that stays.
    pub(super) programs: Vec<Vec<String>>,
    /// Assignments in front of them.
    pub(super) settings: Vec<(String, String)>,
    /// Programs that only build, in front of them.
    pub(super) builds: Vec<Vec<String>>,
    /// Why it is no command of production, where it is none.
    pub(super) refused: Option<String>,
}

/// Scripts that call one another are followed this far.
const MAX_DEPTH: usize = 4;
/// Words of one line that are read.
const MAX_WORDS: usize = 200;

/// Options of Node.js that are followed by a value.
const WITH_VALUE: [&str; 13] = [
    "--import",
    "--require",
    "-r",
    "--loader",
    "--experimental-loader",
    "--env-file",
    "--env-file-if-exists",
    "--conditions",
    "-C",
    "--title",
    "--icu-data-dir",
    "--input-type",
    "--stack-trace-limit",
];

/// The words of a line, quotes taken away; operators of the shell are words of their own. `None` where a shell would
/// put something in, or a quote does not end.
pub(super) fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' => words.extend(word.take()),
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        end if end == c => break,
                        '$' | '`' if c == '"' => return None,
                        inner => word.push(inner),
                    }
                }
            }
            '&' | '|' | ';' => {
                words.extend(word.take());
                let mut operator = c.to_string();
                if chars.peek() == Some(&c) {
                    operator.push(c);
                    chars.next();
                }
                words.push(operator);
            }
            '$' | '`' | '>' | '<' | '(' | ')' => return None,
            c => word.get_or_insert_default().push(c),
        }
        if words.len() > MAX_WORDS {
            return None;
        }
    }
    words.extend(word);
    Some(words)
}

/// What the line of a script runs.
pub(super) fn line(context: &Context<'_>, manifest: &Manifest, text: &str) -> Line {
    let mut line = Line::default();
    read(context, manifest, (text, &[]), &mut line, 0);
    line
}

/// Reads a line, with the arguments that another script hands to its last program.
fn read(
    context: &Context<'_>,
    manifest: &Manifest,
    (text, handed): (&str, &[String]),
    line: &mut Line,
    depth: usize,
) {
    let Some(words) = words(text).filter(|_| depth < MAX_DEPTH) else {
        line.refused = Some("a shell has to read it".to_owned());
        return;
    };
    let mut commands = vec![Vec::new()];
    for word in words {
        match word.as_str() {
            "&&" | ";" => commands.push(Vec::new()),
            "&" | "|" | "||" => {
                line.refused = Some(format!("`{word}` needs a shell"));
                return;
            }
            _ => commands.last_mut().into_iter().for_each(|command| command.push(word.clone())),
        }
    }
    if let Some(last) = commands.last_mut().filter(|last| !last.is_empty()) {
        last.extend(handed.iter().cloned());
    }
    for command in commands.into_iter().filter(|command| !command.is_empty()) {
        one(context, manifest, command, line, depth);
    }
}

/// One command without operators.
fn one(context: &Context<'_>, manifest: &Manifest, words: Vec<String>, line: &mut Line, depth: usize) {
    let words = unwrap(words, line);
    let Some(program) = words.first() else { return };
    let script = match program.as_str() {
        "npm" | "pnpm" | "yarn" | "bun" => script_called(manifest, &words),
        _ => None,
    };
    if let Some((script, handed)) = script
        && let Some((text, _)) = manifest.script(&script)
    {
        let text = text.to_owned();
        read(context, manifest, (&text, &handed), line, depth + 1);
        return;
    }
    match argv(context, manifest, &words) {
        Ok(Some(argv)) => line.programs.push(argv),
        Ok(None) if COMPILERS.contains(&words[0].as_str()) => line.builds.push(words),
        Ok(None) => {}
        Err(reason) => line.refused = Some(reason),
    }
}

/// Takes assignments and programs that only set something away.
fn unwrap(words: Vec<String>, line: &mut Line) -> Vec<String> {
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.peek() {
        let assignment = word.split_once('=').filter(|(name, _)| is_name(name));
        if let Some((name, value)) = assignment {
            line.settings.push((name.to_owned(), value.to_owned()));
            words.next();
            continue;
        }
        match word.as_str() {
            "cross-env" | "cross-env-shell" | "env" | "exec" | "npx" | "bunx" | "--" => drop(words.next()),
            "dotenv" | "dotenvx" | "env-cmd" | "dotenv-flow" => {
                words.next();
                // Options and their files up to `--`, or up to the program.
                while let Some(option) = words.peek() {
                    let option = option.clone();
                    if option == "run" {
                        words.next();
                    } else if option.starts_with('-') && option != "--" {
                        words.next();
                        if matches!(option.as_str(), "-e" | "-f" | "--file" | "-c") {
                            words.next();
                        }
                    } else {
                        break;
                    }
                }
            }
            _ => break,
        }
    }
    words.collect()
}

fn is_name(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(word)
}

/// The script of this package that a package manager is asked to run, and the arguments that it hands to it.
pub(super) fn script_called(manifest: &Manifest, words: &[String]) -> Option<(String, Vec<String>)> {
    let other = ["--filter", "-F", "--workspace", "-w", "--prefix", "-C", "workspace", "-r", "--recursive"];
    let own = || words.iter().take_while(|word| *word != "--");
    if own().any(|word| other.contains(&word.split('=').next().unwrap_or_default())) {
        return None;
    }
    let name = |from: usize| (from..words.len()).find(|&at| !words[at].starts_with('-'));
    let mut at = name(1)?;
    if matches!(words[at].as_str(), "run" | "run-script") {
        at = name(at + 1)?;
    }
    manifest.script(&words[at])?;
    let behind = &words[at + 1..];
    // npm keeps options in front of `--` for itself; the others hand all of them on.
    let split = behind.iter().position(|word| word == "--").unwrap_or(behind.len());
    let keeps = words[0] == "npm";
    let before = behind[..split].iter().filter(|word| !keeps || !word.starts_with('-'));
    let handed = before.chain(behind.iter().skip(split + 1)).cloned().collect();
    Some((words[at].clone(), handed))
}

/// Those of [`BUILDERS`] that make what the next program runs.
const COMPILERS: [&str; 9] =
    ["tsc", "tsup", "esbuild", "vite", "webpack", "rollup", "swc", "babel", "tsc-alias"];

/// Programs that only prepare the next one.
const BUILDERS: [&str; 17] = [
    "tsc",
    "tsup",
    "esbuild",
    "vite",
    "webpack",
    "rollup",
    "swc",
    "babel",
    "rimraf",
    "rm",
    "mkdir",
    "cp",
    "echo",
    "turbo",
    "prisma",
    "tsc-alias",
    "cpx",
];

/// Programs whose file has another name in another version of their package: the link in `node_modules/.bin`, which
/// every install makes, leads to the right one. The other command lines that are named below by their files have had
/// them in all versions.
const LINKED: [(&str, &str); 3] = [
    ("react-router-serve", "@react-router/serve"),
    ("remix-serve", "@remix-run/serve"),
    ("node-pg-migrate", "node-pg-migrate"),
];

/// The link to a program of a package.
pub(super) fn linked(program: &str) -> String {
    format!("{LINKS}{program}")
}

const LINKS: &str = "node_modules/.bin/";

/// The program and the package behind a word that is such a link.
pub(super) fn linked_package(word: &str) -> Option<(&'static str, &'static str)> {
    let program = word.strip_prefix(LINKS)?;
    LINKED.into_iter().find(|(known, _)| *known == program)
}

/// The program and its arguments; nothing where it only builds; an error where production must not run it.
fn argv(context: &Context<'_>, manifest: &Manifest, words: &[String]) -> Result<Option<Vec<String>>, String> {
    let (program, rest) =
        words.split_first().map(|(program, rest)| (program.as_str(), rest)).unwrap_or_default();
    let run = |file: &str, arguments: &[String]| {
        let mut argv = vec!["node".to_owned(), file.to_owned()];
        argv.extend(arguments.iter().cloned());
        Ok(Some(argv))
    };
    match (program, rest.first().map(String::as_str)) {
        ("node", _) => node(context, manifest, rest).map(Some),
        ("next", Some("start")) => run("node_modules/next/dist/bin/next", rest),
        ("next" | "nuxt" | "nest" | "astro" | "ng", Some("build")) => Ok(None),
        ("nest", Some("start")) => run("dist/main.js", &[]),
        ("react-router-serve" | "remix-serve", Some(_)) => run(&linked(program), rest),
        ("fastify", Some("start")) => run("node_modules/fastify-cli/cli.js", rest),
        ("pm2-runtime" | "pm2", _) => {
            let file = rest.iter().find(|word| word.ends_with("js"));
            file.filter(|file| !file.contains("ecosystem")).map_or_else(
                || Err("pm2 is told by a file of its own what to run".to_owned()),
                |file| run(plain(file), &[]),
            )
        }
        ("nf" | "foreman" | "honcho", Some("start")) | ("heroku", Some("local")) => {
            Err("it starts all processes of the Procfile".to_owned())
        }
        ("nodemon", _) => nodemon(context, manifest, rest),
        (program, _) if runners::RUNNERS.contains(&program) => {
            runners::run(context, manifest, program, rest).map(Some)
        }
        ("typeorm" | "typeorm-ts-node-commonjs" | "typeorm-ts-node-esm", _)
            if rest.iter().any(|word| word == "migration:run") =>
        {
            runners::file(context, manifest, "node_modules/typeorm/cli.js", rest).map(Some)
        }
        ("drizzle-kit", Some("migrate")) => {
            // Named, so that it is known to be read: it may import the program's sources.
            let file = ["drizzle.config.ts", "drizzle.config.js", "drizzle.config.mjs"]
                .into_iter()
                .find(|file| context.repository.contains(&join(&manifest.folder, file)));
            let mut arguments = rest.to_vec();
            if let Some(file) = file.filter(|_| !rest.iter().any(|word| word.starts_with("--config"))) {
                arguments.extend(["--config".to_owned(), file.to_owned()]);
            }
            run("node_modules/drizzle-kit/bin.cjs", &arguments)
        }
        ("npm" | "pnpm" | "yarn", _) => {
            Err(format!("{program} would stand between the signal and the program"))
        }
        ("prisma", Some("migrate")) if rest.get(1).is_some_and(|word| word == "deploy") => {
            run("node_modules/prisma/build/index.js", rest)
        }
        ("knex", Some("migrate:latest")) => run("node_modules/knex/bin/cli.js", rest),
        ("sequelize" | "sequelize-cli", Some("db:migrate")) => {
            run("node_modules/sequelize-cli/lib/sequelize", rest)
        }
        ("node-pg-migrate", Some("up")) => run(&linked(program), rest),
        (program, Some("dev" | "serve" | "preview")) => {
            Err(format!("`{program} {}` is a development server", rest[0]))
        }
        ("vite" | "react-scripts" | "ng" | "vue-cli-service" | "serve" | "http-server", _)
            if rest.first().is_none_or(|word| word != "build") =>
        {
            Err(format!("`{program}` is a development server"))
        }
        (program, _) if BUILDERS.contains(&program) => Ok(None),
        ("", _) => Ok(None),
        (program, _) => Err(format!("`{program}` is not known to be a program of production")),
    }
}

/// What `nodemon` starts: the program behind `--exec`, else the file itself.
fn nodemon(
    context: &Context<'_>,
    manifest: &Manifest,
    rest: &[String],
) -> Result<Option<Vec<String>>, String> {
    let valued =
        ["--watch", "-w", "--ext", "-e", "--ignore", "-i", "--delay", "-d", "--signal", "-s", "--config"];
    let mut run: Vec<String> = Vec::new();
    let mut rest = rest.iter();
    let mut inner = false;
    while let Some(word) = rest.next() {
        let (option, value) = match word.split_once('=') {
            Some((option, value)) if word.starts_with("--") => (option, Some(value.to_owned())),
            _ => (word.as_str(), None),
        };
        match option {
            "--exec" | "-x" => {
                let text = value.or_else(|| rest.next().cloned()).unwrap_or_default();
                run = words(&text).ok_or("a shell has to read what it executes")?;
                inner = !run.is_empty();
            }
            option if valued.contains(&option) => {
                if value.is_none() {
                    rest.next();
                }
            }
            option if option.starts_with('-') && (inner || run.is_empty()) => {}
            _ => {
                run.push(word.clone());
                run.extend(rest.cloned());
                break;
            }
        }
    }
    if run.is_empty()
        && let Some(text) = nodemon_file(context, manifest)
    {
        run = words(&text).ok_or("a shell has to read what it executes")?;
        inner = !run.is_empty();
    }
    if run.iter().any(|word| matches!(word.as_str(), "&&" | "||" | ";" | "|" | "&")) {
        return Err("a shell has to read what it executes".to_owned());
    }
    if inner {
        // One inside of the other would never end.
        return if run[0] == "nodemon" { Ok(None) } else { argv(context, manifest, &run) };
    }
    if run.first().is_some_and(|file| has_extension(file, "ts")) {
        return runners::run(context, manifest, "ts-node", &run).map(Some);
    }
    if run.is_empty() {
        run.push(".".to_owned());
    }
    node(context, manifest, &run).map(Some)
}

/// `exec` of nodemon.json, or of `nodemonConfig`.
fn nodemon_file(context: &Context<'_>, manifest: &Manifest) -> Option<String> {
    let own = manifest.string(&["nodemonConfig", "exec"], "").map(|exec| exec.value);
    own.or_else(|| {
        let source = context.repository.source(&join(&manifest.folder, "nodemon.json"))?;
        Some(json::parse(&source).ok()?.get("exec")?.value.str()?.to_owned())
    })
}

pub(super) fn plain(file: &str) -> &str {
    file.trim_start_matches("./")
}

/// `node [options with values] file [arguments]`.
fn node(context: &Context<'_>, manifest: &Manifest, rest: &[String]) -> Result<Vec<String>, String> {
    let mut argv = vec!["node".to_owned()];
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        let option = word.split('=').next().unwrap_or_default();
        if matches!(option, "--watch" | "--watch-path" | "--inspect" | "--inspect-brk") {
            // They belong to development.
            continue;
        }
        if matches!(option, "--test" | "-e" | "--eval" | "-p" | "--print") {
            return Err(format!("`node {option}` runs no file of the project"));
        }
        if matches!(option, "--env-file" | "--env-file-if-exists") {
            // The file of a developer's machine; the stack sets the variables.
            if word == option {
                words.next();
            }
            continue;
        }
        if word.starts_with('-') {
            let value = WITH_VALUE.contains(&word.as_str()).then(|| words.next().cloned()).flatten();
            // It reads a file that the stack does not have, and production may not have the package either.
            let alone =
                manifest.any_dependency("dotenv").is_some() && manifest.dependency("dotenv").is_none();
            let dotenv = |text: &str| text == "dotenv/config" && alone;
            if value.as_deref().or(word.split_once('=').map(|(_, value)| value)).is_some_and(dotenv) {
                continue;
            }
            argv.push(word.clone());
            argv.extend(value);
            continue;
        }
        argv.push(word.clone());
        let at = argv.len() - 1;
        argv[at] = entry(context, manifest, word);
        argv.extend(words.cloned());
        return Ok(argv);
    }
    Err("no file follows `node`".to_owned())
}

/// The file of a path: `.` and folders are resolved by `main` and `index.js`.
fn entry(context: &Context<'_>, manifest: &Manifest, path: &str) -> String {
    let path = plain(path);
    if matches!(path, "." | "" | "./") {
        let main = manifest.string(&["main"], "").map(|main| main.value);
        let main = main.as_deref().map_or("index.js", plain);
        return entry_file(context, manifest, main);
    }
    entry_file(context, manifest, path)
}

fn entry_file(context: &Context<'_>, manifest: &Manifest, path: &str) -> String {
    let there = |path: &str| context.repository.contains(&join(&manifest.folder, path));
    let with = format!("{path}.js");
    let index = format!("{}/index.js", path.trim_end_matches('/'));
    if there(path) {
        path.to_owned()
    } else if there(&with) {
        with
    } else if there(&index) {
        index
    } else {
        path.to_owned()
    }
}

/// The command that a script starts, with the rest of what its line says.
pub(super) struct Started {
    pub(super) start: Fact<String>,
    pub(super) line: Line,
}

/// The first of these scripts that is there.
pub(super) fn started(context: &Context<'_>, manifest: &Manifest, names: &[&str]) -> Option<Started> {
    names.iter().find_map(|name| {
        let (text, span) = manifest.script(name)?;
        let evidence = Evidence::new(&manifest.source, span, "starts the service");
        let line = line(context, manifest, text);
        Some(Started { start: Fact::new(text.to_owned(), evidence), line })
    })
}
