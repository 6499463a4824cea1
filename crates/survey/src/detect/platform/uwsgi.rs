//! uwsgi.ini: the programs that uWSGI starts beside the server.

use plimsoll_source::Source;

use super::{Launch, Platform, words};
use crate::{context::has_extension, model::Evidence};

const MAX_LINES: usize = 1000;

pub(super) fn read(source: &Source, folder: &str, platform: &mut Platform) {
    // Under a condition of uWSGI's own.
    let mut conditions = 0_usize;
    for number in 1..=source.text().lines().count().min(MAX_LINES) {
        let span = source.line_span(number);
        let text = source.slice(span).trim();
        if text.starts_with("endif") {
            conditions = conditions.saturating_sub(1);
            continue;
        }
        if text.starts_with("if-") {
            conditions += 1;
            continue;
        }
        let Some((key, value)) = text.split_once('=') else { continue };
        let value = value.trim();
        let command = match key.trim() {
            "attach-daemon" | "attach-daemon2" => value.strip_prefix("cmd=").unwrap_or(value).to_owned(),
            // Its first word is the file with the process's number.
            "smart-attach-daemon" => {
                value.split_once(char::is_whitespace).map_or("", |(_, rest)| rest).to_owned()
            }
            "mule" if has_extension(value, "py") => format!("python {value}"),
            _ => continue,
        };
        let evidence = Evidence::new(source, span, "uWSGI starts it beside the server");
        let mut line = words::line(&command).filter(|_| conditions == 0 && !command.contains("%("));
        with_interpreter(line.as_mut());
        let name = name(&command);
        platform.launches.push(Launch {
            process: name,
            folder: super::around(folder),
            line,
            text: command,
            evidence,
            weak: false,
        });
    }
}

/// A script of Python without its interpreter: `./manage.py work`.
pub(super) fn with_interpreter(line: Option<&mut words::Line>) {
    let Some(line) = line else { return };
    let script =
        line.words.first().and_then(|word| word.strip_prefix("./")).filter(|word| has_extension(word, "py"));
    if let Some(script) = script.map(str::to_owned) {
        script.clone_into(&mut line.words[0]);
        line.words.insert(0, "python".to_owned());
    }
}

/// What a command is called: `work` of `./manage.py work --loop`, `mailer` of `python mailer.py`.
fn name(command: &str) -> String {
    let program =
        |word: &&str| !word.starts_with('-') && !word.starts_with("python") && !word.ends_with("manage.py");
    let word = command.split_whitespace().find(program).unwrap_or("daemon");
    let word = word.rsplit('/').next().unwrap_or(word);
    word.strip_suffix(".py").unwrap_or(word).to_owned()
}
