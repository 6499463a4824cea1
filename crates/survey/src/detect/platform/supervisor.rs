//! supervisord.conf: the programs of one container that holds several.

use plimsoll_source::Source;

use super::{Platform, uwsgi};
use crate::model::Evidence;

const MAX_LINES: usize = 1000;

/// Programs that the stack has a container of its own for, or none.
const APART: [&str; 14] = [
    "nginx",
    "redis-server",
    "postgres",
    "mysqld",
    "cron",
    "crond",
    "sshd",
    "rsyslogd",
    "supervisord",
    "memcached",
    "caddy",
    "httpd",
    "apache2",
    "flower",
];
/// Programs that serve the web.
const SERVERS: [&str; 8] =
    ["gunicorn", "uvicorn", "hypercorn", "daphne", "uwsgi", "waitress-serve", "runserver", "granian"];

pub(super) fn read(source: &Source, folder: &str, platform: &mut Platform) {
    let mut program: Option<String> = None;
    for number in 1..=source.text().lines().count().min(MAX_LINES) {
        let span = source.line_span(number);
        let text = source.slice(span).trim();
        if let Some(section) = text.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            program = section.strip_prefix("program:").map(|name| name.trim().to_owned());
            continue;
        }
        let (Some(name), Some((key, command))) = (&program, text.split_once('=')) else { continue };
        let command = command.split(" ;").next().unwrap_or(command).trim();
        if key.trim() != "command" || command.is_empty() {
            continue;
        }
        let command = by_name(command);
        let words = || {
            let words = command.split_whitespace().map(|word| word.trim_matches(['\'', '"']));
            words.map(|word| word.rsplit('/').next().unwrap_or(word))
        };
        if words().next().is_some_and(|first| APART.contains(&first)) {
            continue;
        }
        let process = if words().any(|word| SERVERS.contains(&word)) { "web" } else { name.as_str() };
        let evidence = Evidence::new(source, span, "supervisord starts it");
        super::add(platform, process, &super::around(folder), &command, evidence, process == "web");
        uwsgi::with_interpreter(platform.launches.last_mut().and_then(|launch| launch.line.as_mut()));
    }
}

/// A program by its name: the folder of programs of another machine (`/home/me/venv/bin/`) is in no image.
fn by_name(command: &str) -> String {
    let end = command.find(char::is_whitespace).unwrap_or(command.len());
    let (program, rest) = command.split_at(end);
    match program.rsplit_once("/bin/") {
        Some((_, name)) if program.starts_with('/') && !name.is_empty() => format!("{name}{rest}"),
        _ => command.to_owned(),
    }
}
