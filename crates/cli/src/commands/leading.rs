//! Options before the verb, where docker compose has them: `plimsoll -f stack.yml -p shop up`.

use std::ffi::OsString;

use crate::globals::Given;

/// Options with a value that belong to a project: short, long, and the name behind the verb.
const VALUED: [(&str, &str, &str); 6] = [
    ("-f", "--file", "--file"),
    ("-p", "--project-name", "--project-name"),
    ("", "--project-directory", "--project-directory"),
    ("", "--workdir", "--project-directory"),
    ("", "--profile", "--profile"),
    ("", "--env-file", "--env-file"),
];

/// Options with a value that hold for every verb.
const GLOBAL: [&str; 3] = ["--ansi", "--progress", "--parallel"];

/// Verbs that change nothing: they do under `--dry-run` what they always do.
const READING: [&str; 12] = [
    "config", "convert", "events", "images", "logs", "ls", "port", "ps", "stats", "top", "version", "volumes",
];

/// Verbs that are about no project: what names one has no meaning for them, as for docker compose.
const WITHOUT_PROJECT: [&str; 2] = ["ls", "version"];

/// A command line in one order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Leading {
    /// Program, verb, and all that belongs to the verb.
    pub(super) arguments: Vec<OsString>,
    /// What holds for every verb.
    pub(super) given: Given,
}

/// Moves what stands before the verb behind it, in its long form: `-p` and `-f` mean something else to some verbs.
pub(super) fn behind_the_verb(arguments: impl Iterator<Item = OsString>) -> Leading {
    let all: Vec<OsString> = arguments.collect();
    let mut given = Given::default();
    let mut moved: Vec<OsString> = Vec::new();
    let mut dry_run = false;
    let mut at = 1;
    while let Some(text) = all.get(at).and_then(|argument| argument.to_str()) {
        let (name, glued) = match text.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value)),
            _ => (text, None),
        };
        if let Some(flag) = flag(name, glued) {
            match flag {
                Flag::DryRun(on) => dry_run = on,
                Flag::Moved(true) => moved.push(name.into()),
                Flag::NoAnsi => given.ansi = Some("never".to_owned()),
                Flag::Version => {
                    return Leading {
                        arguments: vec![all[0].clone(), "version".into()],
                        given: Given::default(),
                    };
                }
                Flag::Moved(false) | Flag::Nothing => {}
            }
            at += 1;
            continue;
        }
        let global = GLOBAL.iter().position(|known| *known == name);
        let valued = VALUED.iter().find(|(short, long, _)| {
            name == *long || (!short.is_empty() && text.starts_with(short) && !text.starts_with("--"))
        });
        // `-fFILE` and `-f=FILE`
        let short =
            valued.filter(|(short, ..)| glued.is_none() && !short.is_empty() && text.starts_with(short));
        let glued = glued.map(str::to_owned).or_else(|| {
            short.map(|_| text[2..].trim_start_matches('=').to_owned()).filter(|value| !value.is_empty())
        });
        if global.is_none() && valued.is_none() {
            break;
        }
        let (value, step): (OsString, usize) = match (glued, all.get(at + 1)) {
            (Some(value), _) => (value.into(), 1),
            (None, Some(value)) => (value.clone(), 2),
            // the parser says that a value is missing
            (None, None) => return Leading { arguments: all, given: Given::default() },
        };
        at += step;
        match (global, valued) {
            (Some(which), _) => {
                let slot = [&mut given.ansi, &mut given.progress, &mut given.parallel];
                if let Some(slot) = slot.into_iter().nth(which) {
                    *slot = Some(value.to_string_lossy().into_owned());
                }
            }
            (None, Some((_, _, long))) => moved.extend([(*long).into(), value]),
            (None, None) => {}
        }
    }
    if at == 1 || at >= all.len() {
        return Leading { arguments: all, given: Given::default() };
    }
    let verb = all[at].to_str().unwrap_or_default();
    if WITHOUT_PROJECT.contains(&verb) {
        moved.clear();
    }
    if dry_run && !READING.contains(&verb) {
        moved.push("--dry-run".into());
    }
    let start = [all[0].clone(), all[at].clone()];
    Leading {
        arguments: start.into_iter().chain(moved).chain(all[at + 1..].iter().cloned()).collect(),
        given,
    }
}

enum Flag {
    /// `--dry-run`, on or off.
    DryRun(bool),
    /// Belongs to a project; on or off.
    Moved(bool),
    /// An old name of `--ansi never`.
    NoAnsi,
    /// A verb in the form of an option.
    Version,
    /// Without effect here.
    Nothing,
}

fn flag(name: &str, value: Option<&str>) -> Option<Flag> {
    let on = value.is_none_or(|value| plimsoll_ops::variables::truth(value) == Some(true));
    Some(match name {
        "--dry-run" => Flag::DryRun(on),
        "--all-resources" | "--compatibility" => Flag::Moved(on),
        "--no-ansi" => Flag::NoAnsi,
        "-v" => Flag::Version,
        "--verbose" => Flag::Nothing,
        _ => return None,
    })
}

/// Go's options of truth may have a value: `--rm=true`. Ours have none, so `true` is left out, `false` becomes the
/// option's opposite `--no-X` where there is one, and goes otherwise. What belongs to a program in a container stays.
pub(super) fn without_truth_values(command: &clap::Command, arguments: Vec<OsString>) -> Vec<OsString> {
    let verb = arguments.get(1).and_then(|word| word.to_str()).unwrap_or_default();
    let Some(verb) = command.find_subcommand(verb) else { return arguments };
    let passes_on = verb.get_positionals().any(clap::Arg::is_trailing_var_arg_set);
    let find = |name: &str| {
        verb.get_arguments().find(|known| {
            let aliases = known.get_all_aliases().unwrap_or_default();
            known.get_long() == Some(name) || aliases.contains(&name)
        })
    };
    let mut kept: Vec<OsString> = arguments.iter().take(2).cloned().collect();
    let mut rest = arguments.into_iter().skip(2);
    while let Some(word) = rest.next() {
        let text = word.to_str().unwrap_or_default();
        if text == "--" || (passes_on && !text.starts_with('-')) {
            kept.push(word);
            break;
        }
        let long = text.strip_prefix("--").map(|text| text.split_once('=').unwrap_or((text, "")));
        let known = long.and_then(|(name, value)| Some((find(name)?, name, value)));
        match known {
            Some((known, name, value)) if !known.get_action().takes_values() && text.contains('=') => {
                match plimsoll_ops::variables::truth(value) {
                    Some(true) => kept.push(format!("--{name}").into()),
                    Some(false) if find(&format!("no-{name}")).is_some() => {
                        kept.push(format!("--no-{name}").into());
                    }
                    // the one switch of docker compose that has two names
                    Some(false) if name.eq_ignore_ascii_case("no-tty") => kept.push("--tty".into()),
                    Some(false) => {}
                    // the parser says what is wrong
                    None => kept.push(word),
                }
            }
            Some((known, ..)) => {
                let separate = known.get_action().takes_values() && !text.contains('=');
                kept.push(word);
                kept.extend(rest.next_if(separate));
            }
            None => {
                let last = text.strip_prefix('-').and_then(|text| text.chars().last());
                let takes = |short| {
                    verb.get_arguments()
                        .any(|known| known.get_short() == Some(short) && known.get_action().takes_values())
                };
                let separate = text.len() == 2 && !text.starts_with("--") && last.is_some_and(takes);
                kept.push(word);
                kept.extend(rest.next_if(separate));
            }
        }
    }
    kept.extend(rest);
    kept
}

trait NextIf: Iterator {
    /// The next item, if it is wanted.
    fn next_if(&mut self, wanted: bool) -> Option<Self::Item> {
        if wanted { self.next() } else { None }
    }
}

impl<I: Iterator> NextIf for I {}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(line: &str) -> String {
        let leading = behind_the_verb(line.split(' ').map(OsString::from));
        let words = leading.arguments.iter().map(|word| word.to_string_lossy().into_owned());
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn options_of_the_project_may_stand_before_the_verb() {
        assert_eq!(moved("plimsoll up -f a"), "plimsoll up -f a");
        assert_eq!(
            moved("plimsoll -f a.yml --file=b.yml -pshop --profile x logs -f web"),
            "plimsoll logs --file a.yml --file b.yml --project-name shop --profile x -f web"
        );
        assert_eq!(moved("plimsoll --workdir d ps"), "plimsoll ps --project-directory d");
        for untouched in ["plimsoll", "plimsoll -f", "plimsoll -f a.yml", "plimsoll --help", "plimsoll -V"] {
            assert_eq!(moved(untouched), untouched);
        }
    }

    #[test]
    fn truth_values_of_options_are_understood() {
        let command = crate::commands::command();
        let plain = |line: &str| {
            let words = line.split(' ').map(OsString::from).collect();
            let words = without_truth_values(&command, words);
            words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            plain("plimsoll run --rm=true --detach=false -e A=true a x --rm=true"),
            "plimsoll run --rm -e A=true a x --rm=true"
        );
        assert_eq!(plain("plimsoll exec --tty=false a true"), "plimsoll exec --no-tty a true");
        assert_eq!(plain("plimsoll run --no-TTY=false a true"), "plimsoll run --tty a true");
        assert_eq!(plain("plimsoll up --build=maybe"), "plimsoll up --build=maybe");
        assert_eq!(plain("plimsoll ps --filter status=running"), "plimsoll ps --filter status=running");
    }

    #[test]
    fn what_holds_for_every_verb_is_taken_out() {
        let line = "plimsoll --ansi never --progress=plain --parallel 2 --all-resources up -d";
        let leading = behind_the_verb(line.split(' ').map(OsString::from));
        assert_eq!(leading.arguments, ["plimsoll", "up", "--all-resources", "-d"]);
        let given =
            Given { ansi: Some("never".into()), progress: Some("plain".into()), parallel: Some("2".into()) };
        assert_eq!(leading.given, given);
        assert_eq!(moved("plimsoll --dry-run up"), "plimsoll up --dry-run");
        assert_eq!(moved("plimsoll --dry-run ps"), "plimsoll ps");
        assert_eq!(moved("plimsoll --dry-run=false up"), "plimsoll up");
        assert_eq!(moved("plimsoll -v"), "plimsoll version");
        assert_eq!(moved("plimsoll -f a.yml -p shop ls --all"), "plimsoll ls --all");
    }
}
