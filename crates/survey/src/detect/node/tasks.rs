//! What a script of package.json runs in the end: through other scripts, and through the programs that run several of
//! them with a syntax of their own (npm-run-all, concurrently, wireit, ...).

use std::collections::HashSet;

use crate::manifest::Manifest;

/// Scripts that call one another are followed this far, and so many commands are looked at.
const MAX_DEPTH: usize = 6;
const MAX_COMMANDS: usize = 200;

/// A program with its arguments.
pub(super) type Command = Vec<String>;

/// All commands behind the line of a script.
pub(super) fn commands(manifest: &Manifest, name: &str, line: &str) -> Vec<Command> {
    let mut walk = Walk { manifest, seen: HashSet::from([name.to_owned()]), found: Vec::new() };
    if is_wireit(line) {
        walk.wireit(name, 0);
    } else {
        walk.line(line, 0);
    }
    walk.found
}

fn is_wireit(line: &str) -> bool {
    line.split_whitespace().next() == Some("wireit")
}

struct Walk<'a> {
    manifest: &'a Manifest,
    seen: HashSet<String>,
    found: Vec<Command>,
}

impl Walk<'_> {
    fn line(&mut self, line: &str, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        for command in split(line) {
            if self.found.len() >= MAX_COMMANDS {
                return;
            }
            self.command(unwrap(command), depth);
        }
    }

    fn command(&mut self, words: Command, depth: usize) {
        let Some(program) = words.first().map(String::as_str) else { return };
        let rest = &words[1..];
        match program {
            "npm" | "pnpm" | "yarn" | "bun" => self.manager(&words, depth),
            "run-p" | "run-s" | "npm-run-all" | "npm-run-all2" | "run-script-os" => {
                for task in rest.iter().take_while(|word| *word != "--") {
                    let task = task.split_whitespace().next().unwrap_or_default();
                    if !task.starts_with('-') {
                        self.tasks(task, depth);
                    }
                }
            }
            "concurrently" | "conc" => {
                for task in rest.iter().filter(|word| !word.starts_with('-')) {
                    let managers = ["npm:", "pnpm:", "yarn:", "bun:", "node:"];
                    match managers.iter().find_map(|manager| task.strip_prefix(manager)) {
                        Some(script) => {
                            self.tasks(script.split_whitespace().next().unwrap_or_default(), depth);
                        }
                        None => self.line(task, depth + 1),
                    }
                }
            }
            "turbo" | "nx" | "lerna" | "wireit" | "nps" | "wsrun" => {
                for task in rest.iter().filter(|word| !word.starts_with('-')) {
                    self.tasks(task, depth);
                }
                self.found.push(words);
            }
            "sh" | "bash" if rest.first().is_some_and(|option| option == "-c") => {
                if let Some(line) = rest.get(1) {
                    self.line(line, depth + 1);
                }
            }
            _ => self.found.push(words),
        }
    }

    /// `npm run NAME`, `yarn NAME`, and a program that a manager starts.
    fn manager(&mut self, words: &[String], depth: usize) {
        let mut rest = words[1..].iter().skip_while(|word| word.starts_with('-')).peekable();
        let asked = rest.next_if(|word| matches!(word.as_str(), "run" | "run-script")).is_some();
        let mut rest = rest.skip_while(|word| word.starts_with('-')).peekable();
        let Some(name) = rest.peek().copied() else { return };
        // pnpm takes a regular expression: `/^build:.*/`.
        let pattern = name.strip_prefix("/^").and_then(|rest| rest.strip_suffix(".*/"));
        if let Some(beginning) = pattern {
            self.tasks(&format!("{beginning}**"), depth);
        } else if self.manifest.script(name).is_some() {
            self.tasks(name, depth);
        } else if asked || words.iter().any(|word| matches!(word.as_str(), "-r" | "--recursive" | "--filter"))
        {
            self.found.push(words.to_vec());
        } else {
            let inner: Command = rest.cloned().collect();
            self.command(unwrap(inner), depth + 1);
        }
    }

    /// The scripts that a name or a pattern means.
    fn tasks(&mut self, pattern: &str, depth: usize) {
        let fitting: Vec<(String, String)> = self
            .manifest
            .scripts()
            .filter(|(name, ..)| fits(pattern, name))
            .map(|(name, line, _)| (name.to_owned(), line.to_owned()))
            .collect();
        for (name, line) in fitting {
            if !self.seen.insert(name.clone()) {
                continue;
            }
            if is_wireit(&line) {
                self.wireit(&name, depth + 1);
            } else {
                self.line(&line, depth + 1);
            }
        }
    }

    /// wireit keeps the command of a script and what must run before it in a table of its own.
    fn wireit(&mut self, name: &str, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        for before in self.manifest.names(&["wireit", name, "dependencies"], "script") {
            if self.manifest.string(&["wireit", &before, "command"], "").is_some()
                && self.manifest.script(&before).is_none()
                && self.seen.insert(before.clone())
            {
                self.wireit(&before, depth + 1);
            } else {
                self.tasks(&before, depth);
            }
        }
        if let Some(command) = self.manifest.string(&["wireit", name, "command"], "") {
            self.line(&command.value, depth + 1);
        }
    }
}

/// Whether a pattern means this script: `*` stands for one part of a name, `**` for any rest.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    if let Some(beginning) = pattern.strip_suffix("**") {
        return name.starts_with(beginning);
    }
    let (mut parts, mut names) = (pattern.split(':'), name.split(':'));
    loop {
        match (parts.next(), names.next()) {
            (None, None) => return true,
            (Some(part), Some(name)) => {
                let same = match part.split_once('*') {
                    Some((before, behind)) => {
                        name.len() >= before.len() + behind.len()
                            && name.starts_with(before)
                            && name.ends_with(behind)
                    }
                    None => part == name,
                };
                if !same {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

/// The commands of a line, as far as that can be said without a shell.
fn split(line: &str) -> Vec<Command> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => {
                commands.last_mut().into_iter().for_each(|command| command.extend(word.take()));
            }
            (None, '&' | '|' | ';' | '(' | ')') => {
                commands.last_mut().into_iter().for_each(|command| command.extend(word.take()));
                commands.push(Vec::new());
            }
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    commands.last_mut().into_iter().for_each(|command| command.extend(word.take()));
    commands.retain(|command| !command.is_empty());
    commands
}

/// Programs that only set something and start the one behind them.
const WRAPPERS: [&str; 12] = [
    "cross-env",
    "cross-env-shell",
    "env",
    "exec",
    "npx",
    "bunx",
    "dlx",
    "x",
    "time",
    "dotenv",
    "dotenvx",
    "env-cmd",
];

/// Takes assignments and wrappers away, and names a program by its package where its file stands there.
pub(super) fn unwrap(mut words: Command) -> Command {
    loop {
        let Some(first) = words.first() else { return words };
        let assignment = first
            .split_once('=')
            .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
        if assignment {
            words.remove(0);
        } else if WRAPPERS.contains(&first.as_str()) {
            words.remove(0);
            while let Some(option) = words.first().filter(|word| word.starts_with('-') && *word != "--") {
                let valued = matches!(option.as_str(), "-e" | "-f" | "-c" | "-p" | "--file" | "--package");
                words.drain(..if valued { words.len().min(2) } else { 1 });
            }
            if words.first().is_some_and(|word| word == "--") {
                words.remove(0);
            }
        } else {
            break;
        }
    }
    if words[0] == "node" {
        let file = words.iter().skip(1).position(|word| !word.starts_with('-')).map(|at| at + 1);
        if let Some(at) = file
            && let Some(program) = installed(&words[at])
        {
            words.splice(..=at, [program]);
        }
    } else if let Some(program) = installed(&words[0]) {
        words[0] = program;
    }
    words
}

/// `vite` of `node_modules/vite/bin/vite.js` and of `./node_modules/.bin/vite`.
fn installed(path: &str) -> Option<String> {
    let (_, below) = path.rsplit_once("node_modules/")?;
    let below = below.strip_prefix(".bin/").unwrap_or(below);
    let mut parts = below.split('/');
    let first = parts.next()?;
    let scoped = first.starts_with('@').then(|| parts.next()).flatten();
    // A package with a scope has programs with names of their own.
    let file = below.rsplit('/').next()?.split('.').next()?;
    Some(if scoped.is_some() { file } else { first }.to_owned())
}
