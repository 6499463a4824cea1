//! Programs that a server starts: they need to be in its image, and an init to reap what they leave behind.

use super::processes::imports;
use crate::{
    javascript::{Kind, values::Program},
    model::{Evidence, Fact, Service, is_below},
};

/// The first program that a service starts by itself: `sh` for a line of a shell, `node` for its own kind.
pub(super) fn detect(program: &Program, path: &str) -> Option<Fact<String>> {
    let mut found: Option<Fact<String>> = None;
    for script in program.scripts().filter(|script| is_below(script.source.name(), path)) {
        let module =
            ["child_process", "execa", "shelljs", "zx"].into_iter().find(|name| imports(script, name));
        let Some(module) =
            module.or_else(|| imports(script, "node:child_process").then_some("child_process"))
        else {
            continue;
        };
        for at in 0..script.tokens.len() {
            if !script.is(at + 1, "(") || at > 0 && script.is(at - 1, "function") {
                continue;
            }
            let started = match script.text(at) {
                // `/x/.exec(text)` is another one
                "exec" | "execSync" if module == "child_process" && !is_expression(script, at) => {
                    if is_text(script, at + 2) { "sh".to_owned() } else { UNKNOWN.to_owned() }
                }
                "spawn" | "spawnSync" | "execFile" | "execFileSync" | "execa" => {
                    let shell = script
                        .arguments(at + 1)
                        .iter()
                        .any(|&argument| script.is(argument, "{") && has_shell(script, argument));
                    if shell { "sh".to_owned() } else { named(script, at + 2) }
                }
                "fork" if module == "child_process" => "node".to_owned(),
                _ => continue,
            };
            let started = manager(script, at + 1).map_or(started, str::to_owned);
            // The one that needs most decides what the image must have.
            if found.as_ref().is_none_or(|known| demands(&known.value) < demands(&started)) {
                let evidence =
                    Evidence::new(&script.source, script.span(at, at + 2), "starts another program");
                found = Some(Fact::new(started, evidence));
            }
        }
    }
    found
}

fn is_expression(script: &crate::javascript::Script, at: usize) -> bool {
    at > 1
        && script.is(at - 1, ".")
        && !matches!(script.text(at - 2), "child_process" | "cp" | "childProcess")
}

/// `{ shell: true }`.
fn has_shell(script: &crate::javascript::Script, open: usize) -> bool {
    (open..(open + 40).min(script.tokens.len()))
        .any(|at| script.is(at, "shell") && script.is(at + 1, ":") && !script.is(at + 2, "false"))
}

/// How much of an image a program needs: Node.js alone, a system, the package managers.
fn demands(program: &str) -> u8 {
    match program {
        "node" => 0,
        program if program == UNKNOWN || MANAGERS.contains(&program) => 2,
        _ => 1,
    }
}

/// What a program is called whose name stands nowhere.
const UNKNOWN: &str = "a program";
/// Programs that come with Node.js, beside its executable.
const MANAGERS: [&str; 6] = ["npm", "npx", "yarn", "yarnpkg", "pnpm", "corepack"];

/// Whether a service may start a package manager when it runs.
pub fn may_start_manager(service: &Service) -> bool {
    let is_manager = |word: &str| MANAGERS.contains(&word);
    let started = service.spawns.as_ref().map(|program| program.value.as_str());
    started.is_some_and(|program| program == UNKNOWN || is_manager(program))
        || service.commands().flat_map(|command| &command.value).any(|word| is_manager(word))
}

/// A package manager that some text inside of a call's brackets names, as the program or in a line of a shell.
fn manager(script: &crate::javascript::Script, open: usize) -> Option<&'static str> {
    let close = script.close(open)?;
    let names = |text: &str, name: &str| {
        text.split(|c: char| !(c.is_ascii_alphanumeric() || "-_./@".contains(c))).any(|word| word == name)
    };
    let texts = (open..close.min(open + 200))
        .filter(|&at| matches!(script.kind(at), Some(Kind::String | Kind::Template)));
    let texts: Vec<&str> = texts.map(|at| script.text(at)).collect();
    MANAGERS.into_iter().find(|name| texts.iter().any(|text| names(text, name)))
}

/// A text, whatever is put into it.
fn is_text(script: &crate::javascript::Script, at: usize) -> bool {
    matches!(script.kind(at), Some(Kind::String | Kind::Template))
}

/// What the first argument says.
fn named(script: &crate::javascript::Script, at: usize) -> String {
    if script.is(at, "process") && script.is(at + 2, "execPath") {
        return "node".to_owned();
    }
    let text = (script.kind(at) == Some(Kind::String)).then(|| script.string(at)).flatten();
    text.unwrap_or_else(|| UNKNOWN.to_owned())
}
