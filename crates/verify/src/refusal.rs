//! Whether a log line tells of a refused write or a missing permission.
//!
//! Others write into logs: requests, referrers, user agents, what somebody typed into a form. The words alone therefore
//! prove nothing. What counts is the form in which a program, its runtime or the C library reports a failed system call,
//! with the path or the call beside it, outside of what the line quotes from a request. And a database that refuses a
//! query, or an application that refuses a person, speaks of its own permissions, not of the file system's.

use std::cell::LazyCell;

use serde_json::Value;

/// How the C library, and every runtime after it, words EROFS and EACCES.
const PHRASES: &[&str] = &["read-only file system", "permission denied"];
/// The names of the errors, as Node.js, Ruby and Go's syscall package print them.
const NAMES: &[&str] = &["erofs", "eacces"];
/// What may follow the phrase if a system call failed.
const AFTER: &[&str] = &[")", "(os error", ":", "@ ", "[", ",", ";", ".", " in ", "- ", "!", "\\n"];
/// What follows if a database or a login refuses somebody.
const OTHER_SUBJECT: &[&str] = &[
    "for table",
    "for relation",
    "for schema",
    "for database",
    "for function",
    "for sequence",
    "for view",
    "for language",
    "for tablespace",
    "for type",
    "for user",
    "for role",
    "for materialized",
    "for large object",
    "for column",
    "for foreign",
    "(publickey",
    "to create database",
];
/// Calls, programs and words that stand beside a failed system call. What a person may do as well (create, write, open)
/// needs a path.
const CALLS: &[&str] = &[
    "openat",
    "creat",
    "mkdir",
    "mkdirat",
    "unlink",
    "unlinkat",
    "rmdir",
    "symlink",
    "chmod",
    "chown",
    "fchown",
    "utime",
    "mknod",
    "bind()",
    "scandir",
    "mkstemp",
    "fopen",
    "touch",
    "rm",
    "cp",
    "mv",
    "tee",
    "saving",
    "opening",
    "mkfifo",
    "lstat",
    "execve",
    "file",
    "files",
    "directory",
    "socket",
    "stream",
];
/// Members of a structured line that hold what somebody else sent.
const SENT_BY_OTHERS: &[&str] = &[
    "agent",
    "args",
    "body",
    "cookie",
    "cookies",
    "form",
    "headers",
    "host",
    "href",
    "input",
    "params",
    "payload",
    "query",
    "referer",
    "referrer",
    "remote",
    "req",
    "request",
    "request_uri",
    "requesturi",
    "search",
    "uri",
    "url",
    "user_agent",
    "useragent",
    "username",
];
/// How deep a structured line is looked into.
const DEPTH: usize = 8;
/// The name of a member, with what is around it, is no longer.
const MEMBER: usize = 64;

/// True if the line reports a refused write or a missing permission of the file system.
pub(crate) fn is_refusal(line: &str) -> bool {
    if !mentions(line) {
        return false;
    }
    let text = line.trim();
    if text.starts_with('{')
        && let Ok(value) = serde_json::from_str::<Value>(text)
    {
        return in_value(&value, DEPTH);
    }
    in_text(text)
}

/// True if the words are there at all; what is quoted counts as well.
pub(crate) fn mentions(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    PHRASES.iter().chain(NAMES).any(|sign| line.contains(sign))
}

fn in_value(value: &Value, depth: usize) -> bool {
    if depth == 0 {
        return false;
    }
    match value {
        // What a structured line says in one member is the program's own sentence.
        Value::String(text) => mentions(text) && text.lines().any(in_text),
        Value::Array(items) => items.iter().any(|item| in_value(item, depth - 1)),
        Value::Object(members) => {
            let code = members.get("code").and_then(Value::as_str).unwrap_or("");
            let call = members.get("syscall").is_some() || members.get("errno").is_some();
            (call && NAMES.contains(&code.to_ascii_lowercase().as_str()))
                || members
                    .iter()
                    .filter(|(key, _)| !SENT_BY_OTHERS.contains(&key.to_ascii_lowercase().as_str()))
                    .any(|(_, value)| in_value(value, depth - 1))
        }
        _ => false,
    }
}

fn in_text(text: &str) -> bool {
    let is_access_line = is_access_line(text);
    let (plain, quoted) = split_quotes(text);
    if reports(&plain) {
        return true;
    }
    // `err="open /x: permission denied"`: a program quotes its own error in a member of that name.
    !is_access_line
        && quoted.iter().any(|(end, inner)| {
            let before = last(&plain[..*end], MEMBER);
            let key = before
                .rsplit([' ', ',', '{'])
                .next()
                .unwrap_or("")
                .trim_end_matches(['=', ':'])
                .trim_matches('"');
            matches!(
                key.to_ascii_lowercase().as_str(),
                "err" | "error" | "msg" | "message" | "cause" | "reason" | "stderr"
            ) && before.ends_with(['=', ':'])
                && reports(&split_quotes(inner).0)
        })
}

/// `"GET /path HTTP/1.1"`: the line is about a request, and what it quotes came with that.
fn is_access_line(text: &str) -> bool {
    text.contains(" HTTP/1.") || text.contains(" HTTP/2") || text.contains(" HTTP/3")
}

/// The end of a text: of so many bytes, or a few more where a character would be cut.
fn last(text: &str, bytes: usize) -> &str {
    let from = (0..=text.len().saturating_sub(bytes)).rev().find(|at| text.is_char_boundary(*at));
    &text[from.unwrap_or(0)..]
}

/// The text with what is in quotes replaced: by `/` if it looks like a path, else by nothing. And each quoted part with
/// how much of the result stands before it.
fn split_quotes(text: &str) -> (String, Vec<(usize, &str)>) {
    let mut plain = String::with_capacity(text.len());
    let mut quoted = Vec::new();
    // What does not end here does not end further on: a text of open quotes is not searched again for each.
    let mut endless = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['"', '\'', '`', '\u{2018}']) {
        let open = rest[at..].chars().next().unwrap_or('"');
        let close = if open == '\u{2018}' { '\u{2019}' } else { open };
        let after = &rest[at + open.len_utf8()..];
        // An apostrophe is no quote: `can't create`.
        let apostrophe = open == '\'' && rest[..at].ends_with(char::is_alphanumeric);
        let known = apostrophe || endless.contains(&close);
        let end = if known { None } else { closing(after, close) };
        if end.is_none() && !known {
            endless.push(close);
        }
        plain.push_str(&rest[..at]);
        let Some(end) = end else {
            plain.push(' ');
            rest = after;
            continue;
        };
        let inner = &after[..end];
        if inner.contains('/') && !inner.contains(' ') {
            plain.push('/');
        }
        quoted.push((plain.len(), inner));
        rest = &after[end + close.len_utf8()..];
    }
    plain.push_str(rest);
    (plain, quoted)
}

/// Where the quote ends; a backslash takes the next character along.
fn closing(text: &str, close: char) -> Option<usize> {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            character if character == close => return Some(at),
            _ => {}
        }
    }
    None
}

/// Whether text without quotes reports a failed system call.
fn reports(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    // Asked for each place that has the words, answered once.
    let context = LazyCell::new(|| has_context(&lower));
    let names = NAMES.iter().any(|name| {
        lower.match_indices(name).any(|(at, _)| {
            let (before, after) = (&lower[..at], &lower[at + name.len()..]);
            // A word of its own, not a part of a path or an address.
            let alone = !before
                .ends_with(|c: char| c.is_alphanumeric() || matches!(c, '/' | '_' | '-' | '=' | '&' | '?'))
                && !after.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '/' | '_' | '-' | '&'));
            alone && (*context || after.starts_with(':'))
        })
    });
    names
        || PHRASES.iter().any(|phrase| {
            lower.match_indices(phrase).any(|(at, _)| is_report(&lower, at, phrase.len(), &|| *context))
        })
}

fn is_report(lower: &str, at: usize, length: usize, has_context: &dyn Fn() -> bool) -> bool {
    let (before, after) = (&lower[..at], &lower[at + length..]);
    let trimmed = after.trim();
    if OTHER_SUBJECT.iter().any(|subject| trimmed.starts_with(subject)) {
        return false;
    }
    // `: Permission denied`, `(13: Permission denied)`, `[Errno 13] Permission denied`, `(Permission denied)`.
    let introduced = before.trim_end().is_empty() || before.trim_end().ends_with([':', ']', '(', '-', '=']);
    let ended = trimmed.is_empty()
        || AFTER.iter().any(|end| after.starts_with(end) || trimmed.starts_with(end.trim()));
    let numbered = [
        "(13: ",
        "(30: ",
        "[errno 13] ",
        "[errno 30] ",
        "eacces: ",
        "erofs: ",
        "errno::eacces ",
        "errno=13 ",
    ]
    .iter()
    .any(|number| before.ends_with(number));
    let by_system = numbered || trimmed.starts_with("(os error");
    introduced && ended && (by_system || has_context())
}

/// A path or the name of a system call.
fn has_context(lower: &str) -> bool {
    let words = || {
        lower.split(|c: char| {
            c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')' | '[' | ']' | '=' | '\u{2019}')
        })
    };
    words().any(|word| {
        let word = word.trim_matches([':', '.', '<', '>']);
        word == "/" || is_path(word) || CALLS.contains(&word)
    })
}

fn is_path(word: &str) -> bool {
    let path = word.strip_prefix("file://").unwrap_or(word);
    (path.starts_with('/') || path.starts_with("./") || path.starts_with("../")) && path.len() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_as_programs_write_them() {
        for line in [
            "Error: EROFS: read-only file system, open '/app/x'",
            "Error: EACCES: permission denied, mkdir '/app/uploads'",
            "2026/11/21 nginx: [emerg] 1#1: open() \"/run/nginx.pid\" failed (13: Permission denied)",
            "mkdir() \"/var/cache/nginx/client_temp\" failed (30: Read-only file system)",
            "[crit] 7#7: *1 open() \"/tmp/body/0001\" failed (13: Permission denied), client: 10.0.0.1, server: _, request: \"POST /upload HTTP/1.1\", host: \"shop\"",
            "touch: /usr/cannot: Read-only file system",
            "sh: can't create /x: Permission denied",
            "mkdir: cannot create directory \u{2018}/data/x\u{2019}: Permission denied",
            "PermissionError: [Errno 13] Permission denied: '/data/x'",
            "OSError: [Errno 30] Read-only file system: 'x'",
            "open /data/x: permission denied",
            "panic: open /etc/app.yml: permission denied",
            "Error: Permission denied (os error 13)",
            "java.io.FileNotFoundException: /data/x (Permission denied)",
            "FATAL:  could not create lock file \"/var/run/postgresql/.s.PGSQL.5432.lock\": Read-only file system",
            "Can't open the append-only file: Permission denied",
            "Failed opening the temp RDB file temp-1.rdb (in server root dir /data) for saving: Permission denied",
            "PHP Warning: fopen(/var/www/x): Failed to open stream: Permission denied in /var/www/i.php on line 3",
            "Errno::EACCES: Permission denied @ rb_sysopen - /app/log",
            "level=error msg=\"write failed\" err=\"open /data/x: permission denied\"",
            "{\"level\":50,\"err\":{\"code\":\"EACCES\",\"errno\":-13,\"syscall\":\"open\",\"path\":\"/x\"}}",
            "{\"level\":\"error\",\"message\":\"EROFS: read-only file system, open '/app/x'\"}",
            "{\"msg\":\"failed\",\"err\":{\"stack\":\"Error: EACCES: permission denied, open '/x'\\n    at y\"}}",
            "bash: line 1: /usr/local/bin/run: Permission denied",
            "open /app/x: Permission denied",
        ] {
            assert!(is_refusal(line), "{line}");
        }
    }

    #[test]
    fn what_others_wrote_is_no_refusal() {
        for line in [
            "database system is ready to accept connections",
            "10.0.0.1 - - [29/Nov/2026:21:00:00 +0000] \"GET /wp-admin/EACCES HTTP/1.1\" 200 12 \"-\" \"curl/8\"",
            "10.0.0.1 - - [..] \"GET / HTTP/1.1\" 200 12 \"-\" \"open /etc/x: permission denied\"",
            "10.0.0.1 - - [..] \"GET / HTTP/1.1\" 200 12 \"EROFS: read-only file system, open '/x'\" \"-\"",
            "[error] 7#7: *1 open() \"/srv/EACCES\" failed (2: No such file or directory), request: \"GET /EACCES HTTP/1.1\"",
            "GET /search?q=EACCES 200 3ms",
            "GET /EROFS/x 404",
            "ERROR:  permission denied for table users",
            "ERROR:  permission denied for schema public at character 15",
            "{\"req\":{\"url\":\"/x?e=EACCES: permission denied, open '/x'\"},\"status\":404}",
            "{\"request\":{\"uri\":\"/EROFS\",\"headers\":{\"User-Agent\":[\"open /x: permission denied\"]}},\"status\":200}",
            "{\"error\":\"permission denied\",\"status\":403}",
            "login of ann failed: permission denied",
            "sshd: Permission denied (publickey).",
            "answered 403 permission denied",
            "create order: permission denied",
            "access to the report: permission denied",
        ] {
            assert!(!is_refusal(line), "{line}");
        }
        assert!(mentions("GET /EACCES"));
    }

    #[test]
    fn any_line_can_be_read() {
        // Unclosed quotes, escapes at the end, letters of several bytes: none of them may end the reading.
        for line in [
            "EACCES '",
            "\"EACCES",
            "EACCES \"\\",
            "é EACCES ‘ü",
            "permission denied'é\"ü`",
            "{\"EACCES\"",
            "'' EROFS ''",
        ] {
            is_refusal(line);
        }
    }

    /// In quadratic time it takes minutes.
    #[test]
    fn a_long_line_is_read_whole() {
        for piece in [
            "=\"a/b\"",
            "\"a\"",
            "\u{2018}",
            "' \"",
            "a (permission denied) ",
            "x: permission denied for ",
            "eacces ",
        ] {
            let line = format!("{} permission denied", piece.repeat(400_000 / piece.len()));
            let _ = is_refusal(&line);
        }
        assert!(is_refusal("time=1 err=\"open /x: permission denied\" \u{2018}\u{2018}\""));
    }

    #[test]
    fn lines_of_any_pieces_can_be_read() {
        let pieces = [
            "EACCES",
            "EROFS",
            "permission denied",
            "Read-only file system",
            "\"",
            "'",
            "`",
            "\u{2018}",
            "\u{2019}",
            "\\",
            "{",
            "}",
            ":",
            "/x",
            " ",
            "err=",
            "é",
            "(13: ",
            "open()",
            "\0",
            "[",
            "HTTP/1.1",
        ];
        let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
        for _ in 0..20_000 {
            let mut line = String::new();
            for _ in 0..12 {
                // xorshift64: the same lines in every run.
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                line += pieces[usize::try_from(state % pieces.len() as u64).unwrap()];
            }
            // What counts has to have the words.
            assert!(!is_refusal(&line) || mentions(&line), "{line}");
        }
    }
}
