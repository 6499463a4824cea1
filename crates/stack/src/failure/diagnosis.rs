//! What the evidence of a failure means, and what to do.
//!
//! The order of evidence: what the program itself said comes before what others said of it. The probe of a container
//! that has ended could not reach it, so it says nothing.

use super::Failure;

/// Log lines that tell a cause begin or go on like this, in the languages that services are written in.
const CAUSES: [&str; 8] =
    ["Error: ", "error: ", "ERROR", "FATAL", "Fatal", "fatal: ", "panic: ", "Exception"];
/// A cause is shown up to here, in characters.
const SHOWN: usize = 200;

impl Failure {
    /// Known signatures; `None` where the evidence points to nothing.
    pub(super) fn diagnosis(&self) -> Option<String> {
        if self.out_of_memory {
            return Some("raise the memory limit, or give the program less to do".to_owned());
        }
        let own: Vec<&str> = self.logs.iter().map(String::as_str).chain([self.reason.as_str()]).collect();
        if let Some(hint) = of_program(&own) {
            return Some(hint);
        }
        if self.has_ended() {
            let cause = cause(&self.logs)?;
            return Some(format!("it ends by itself; the first error in its log: {cause}"));
        }
        let (_, probe) = self.probe.as_ref()?;
        of_probe(probe).or_else(|| of_program(&[probe.as_str()]))
    }

    fn has_ended(&self) -> bool {
        let ended = self.exit.as_ref().is_some_and(|exit| exit.code != 0);
        ended
            || self.reason.starts_with("it ends again and again")
            || self.reason.starts_with("it ended with exit code")
    }
}

/// The line that names the error: the one that ends a traceback of Python, or begins with the error's type, before any
/// that only has a word for errors in it (a supervisor that reports the end of its worker).
pub(crate) fn cause(logs: &[String]) -> Option<String> {
    let lines = || logs.iter().map(String::as_str);
    let traced = lines()
        .skip_while(|line| !line.contains("Traceback (most recent call last)"))
        .skip(1)
        .find(|line| !line.is_empty() && !line.starts_with(char::is_whitespace));
    let typed = || lines().find(|line| begins_with_type(line));
    let worded = || lines().find(|line| CAUSES.iter().any(|sign| line.contains(sign)));
    let line = traced.or_else(typed).or_else(worded)?;
    Some(line.trim().chars().take(SHOWN).collect())
}

/// `TypeError: …`, `SystemError [ERR_SYSTEM_ERROR]: …`, `java.io.IOException: …`.
fn begins_with_type(line: &str) -> bool {
    let line = line.trim_start();
    let line = line.strip_prefix("Uncaught ").unwrap_or(line);
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || "._".contains(c))).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    (name.ends_with("Error") || name.ends_with("Exception"))
        && (rest.starts_with(": ") || rest.starts_with(" ["))
}

/// What a program says of its own trouble.
fn of_program(lines: &[&str]) -> Option<String> {
    let line = |texts: &[&str]| lines.iter().find(|line| texts.iter().any(|text| line.contains(text)));
    if let Some(line) = line(&["Read-only file system", "read-only file system", "EROFS"]) {
        let place = quoted_path(line).map_or_else(
            || "that directory".to_owned(),
            |path| {
                path.rsplit_once('/')
                    .map_or(path, |(folder, _)| if folder.is_empty() { "/" } else { folder })
                    .to_owned()
            },
        );
        return Some(format!(
            "it writes to a read-only root file system: give {place} a tmpfs with uid=,gid=,mode= or a volume"
        ));
    }
    if line(&["failed switching to"]).is_some() {
        return Some(
            "its entry point changes the user, which needs SETUID and SETGID: set `user:` instead".to_owned(),
        );
    }
    if line(&["exec format error"]).is_some() {
        return Some("the program is for another architecture, or a script lacks its first line".to_owned());
    }
    if line(&["executable file not found", "no such file or directory: unknown"]).is_some() {
        return Some(
            "the command does not exist in the image; slim and distroless images have no shell, curl or wget"
                .to_owned(),
        );
    }
    // PostgreSQL, MySQL, MongoDB, RabbitMQ
    if line(&[
        "password authentication failed",
        "Access denied for user",
        "Authentication failed",
        "ACCESS_REFUSED",
    ])
    .is_some()
    {
        return Some(
            "the store has another password: it took one when its volume was empty, and does not read it again. Put \
             the old secret back, change the password in the store, or remove the volume and lose its data"
                .to_owned(),
        );
    }
    if let Some(line) =
        line(&["Cannot find module", "ModuleNotFoundError", "ERR_MODULE_NOT_FOUND", "Cannot find package"])
    {
        let name = quoted(line).unwrap_or("a module");
        return Some(format!(
            "the image does not hold {name}: it is not among the dependencies of production, or was not built"
        ));
    }
    if line(&["listen EACCES", "bind: permission denied", "bind() to 0.0.0.0:80 failed (13"]).is_some() {
        return Some(
            "a port below 1024 is root's: let it listen on a higher one and publish that, or give it NET_BIND_SERVICE"
                .to_owned(),
        );
    }
    if line(&["ermission denied", "EACCES"]).is_some() {
        return Some("compare the owner of the path with the user that the service runs as".to_owned());
    }
    if line(&["failed to initialize logging driver"]).is_some() {
        return Some(
            "the engine writes the log, not the container: what `logging` names must listen, seen from the engine's \
             machine, before this starts"
                .to_owned(),
        );
    }
    if let Some(line) = line(REFUSED) {
        return Some(match target(line) {
            Some(target) if is_own(target) => format!(
                "it connects to {target}, which is the container itself: name the service instead, as SERVICE:PORT"
            ),
            _ => "what it connects to is not listening there: check host, port and that both share a network"
                .to_owned(),
        });
    }
    if line(&["EADDRINUSE", "address already in use", "Address already in use", "port is already allocated"])
        .is_some()
    {
        return Some("stop what holds the port, or publish another one".to_owned());
    }
    None
}

const REFUSED: &[&str] = &["ECONNREFUSED", "onnection refused"];

/// What a probe, which runs beside the program, says of it.
fn of_probe(output: &str) -> Option<String> {
    if REFUSED.iter().any(|text| output.contains(text)) {
        let place = target(output).unwrap_or("the address of its health check");
        return Some(format!(
            "it does not listen on {place}: it may listen on another port, on one address alone, or not yet"
        ));
    }
    let status = output.split(|c: char| !c.is_ascii_digit()).find(|word| word.len() == 3)?;
    status.starts_with('5').then(|| {
        format!("it answers with {status}: the application itself says that it is not ready; look at what its health route asks")
    })
}

/// `HOST:PORT` behind the word of a refused connection, in Node's and in Go's form.
fn target(line: &str) -> Option<&str> {
    let is_target = |word: &&str| {
        word.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    let words = line.split(|c: char| c.is_whitespace() || ",;()\"'".contains(c));
    words.map(|word| word.trim_end_matches([':', '.'])).find(is_target)
}

fn is_own(target: &str) -> bool {
    let host = target.rsplit_once(':').map_or(target, |(host, _)| host);
    host == "localhost" || host.starts_with("127.") || matches!(host, "::1" | "[::1]" | "0.0.0.0")
}

/// The first text in single or double quotes.
fn quoted(line: &str) -> Option<&str> {
    let start = line.find(['\'', '"'])?;
    let quote = line[start..].chars().next()?;
    let rest = &line[start + 1..];
    Some(&rest[..rest.find(quote)?])
}

/// The first absolute path in quotes.
fn quoted_path(line: &str) -> Option<&str> {
    quoted(line).filter(|path| path.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::{super::ExitMeaning, *};

    fn hint(logs: &[&str], probe: Option<&str>, reason: &str, exit: Option<i64>) -> String {
        let failure = Failure {
            reason: reason.to_owned(),
            logs: logs.iter().map(|&line| line.to_owned()).collect(),
            probe: probe.map(|output| (1, output.to_owned())),
            exit: exit.map(ExitMeaning::of),
            ..Failure::default()
        };
        failure.diagnosis().unwrap_or_default()
    }

    #[test]
    fn hint_of_the_probe_hides_the_cause() {
        let logs = ["at start", "Error: LICENCE_FILE is not set", "    at main (dist/index.js:9)"];
        let loops = "it ends again and again (3 times, exit code 1)";
        let told = hint(&logs, Some("connect ECONNREFUSED 127.0.0.1:3000"), loops, None);
        assert_eq!(told, "it ends by itself; the first error in its log: Error: LICENCE_FILE is not set");
        assert_eq!(hint(&[], Some("connect ECONNREFUSED 127.0.0.1:3000"), loops, Some(1)), "");
        let silent = hint(
            &["listening on 4000"],
            Some("connect ECONNREFUSED 127.0.0.1:3000"),
            "its health check fails",
            None,
        );
        assert!(silent.starts_with("it does not listen on 127.0.0.1:3000"), "{silent}");
    }

    #[test]
    fn the_error_itself_comes_before_words_about_it() {
        let ends = |logs: &[&str]| hint(logs, None, "it ended with exit code 1 before it was ready", Some(1));
        let node = [
            "    at Object.userInfo (node:os:311:11)",
            "  code: 'ERR_SYSTEM_ERROR',",
            "SystemError [ERR_SYSTEM_ERROR]: A system error occurred: uv_os_get_passwd returned ENOENT",
        ];
        assert!(ends(&node).ends_with(
            "log: SystemError [ERR_SYSTEM_ERROR]: A system error occurred: uv_os_get_passwd returned ENOENT"
        ));
        let python = [
            "[1] [ERROR] Exception in worker process",
            "Traceback (most recent call last):",
            "  File \"/app/core/settings.py\", line 29, in <module>",
            "django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty.",
            "[1] [ERROR] Worker (pid:21) exited with code 3.",
        ];
        assert!(ends(&python).ends_with(
            "log: django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty."
        ));
        assert!(ends(&["[1] [ERROR] Worker (pid:21) exited with code 3."]).contains("exited with code 3"));
    }

    #[test]
    fn each_signature_has_its_hint() {
        for (line, part) in [
            ("Error: connect ECONNREFUSED 172.18.0.3:5432", "is not listening there"),
            ("dial tcp 127.0.0.1:6379: connect: connection refused", "it connects to 127.0.0.1:6379"),
            (
                "failed to initialize logging driver: dial tcp 127.0.0.1:24224: connect: connection refused",
                "the engine writes the log",
            ),
            ("Error: EROFS: read-only file system, open '/app/data/x.json'", "give /app/data a tmpfs"),
            ("OSError: [Errno 30] Read-only file system: '/var/cache/y'", "give /var/cache a tmpfs"),
            ("error: password authentication failed for user \"kiosk\"", "the store has another password"),
            ("ERROR 1045 (28000): Access denied for user 'app'@'%'", "the store has another password"),
            ("Error: Cannot find module 'express'", "the image does not hold express"),
            ("ModuleNotFoundError: No module named 'flask'", "the image does not hold flask"),
            ("Error: listen EACCES: permission denied 0.0.0.0:80", "a port below 1024"),
            ("Error: EACCES: permission denied, open '/x'", "compare the owner"),
            ("Error: listen EADDRINUSE: address already in use :::3000", "holds the port"),
        ] {
            let told = hint(&[line], None, "it ended with exit code 1 before it was ready", Some(1));
            assert!(told.contains(part), "{line}: {told}");
        }
        let not_ready = hint(
            &[],
            Some("503 {\"ok\":false}"),
            "its health check fails: the engine calls it unhealthy",
            None,
        );
        assert!(not_ready.contains("says that it is not ready"), "{not_ready}");
    }
}
