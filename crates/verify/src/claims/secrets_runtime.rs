use std::collections::BTreeSet;

use serde_json::Value;

use super::{ClaimSpec, MeasureError, Outcome};
use crate::{
    archive_scan::in_text,
    certificate::Group,
    secrets::{Secrets, names},
    stack::{Member, Stack},
};

pub(super) const CLAIM: ClaimSpec = ClaimSpec {
    id: "secrets-runtime",
    title: "no secret value is in an environment, a command line or the engine's description of a container",
    group: Group::Secrets,
    requirements: &["R-102", "R-103", "R-044"],
    disturbs: false,
    measure: |stack| Box::pin(async move { Ok::<_, MeasureError>(measure(stack)) }),
};

fn measure(stack: &Stack<'_>) -> Vec<Outcome> {
    let expected = "no secret value outside its file";
    let secrets = match &stack.secrets {
        Err(why) => return vec![Outcome::not_checked("stack", expected, why)],
        Ok(secrets) => secrets,
    };
    let mut outcomes: Vec<Outcome> =
        stack.members.iter().flat_map(|member| of_member(stack, member, secrets)).collect();
    let named: BTreeSet<(&str, &str)> =
        secrets.unsearchable().iter().map(|value| (value.name.as_str(), value.why.as_str())).collect();
    outcomes.extend(named.into_iter().map(|(name, why)| {
        Outcome::not_checked(
            format!("secret {name}"),
            expected,
            format!("{why}; a longer random value can be searched for"),
        )
    }));
    outcomes
}

fn of_member(stack: &Stack<'_>, member: &Member, secrets: &Secrets) -> Vec<Outcome> {
    let outcome = Outcome::new(
        &member.subject,
        format!(
            "none of {} values in any form in environ, cmdline or inspection, and no variable, argument, label or URL \
             that gives one away",
            secrets.len()
        ),
    );
    // Of a container that has ended only the engine's description is left.
    let ended = member.pid().is_none();
    let pids = match stack.processes(member) {
        Ok(processes) => processes,
        Err(_) if ended => Vec::new(),
        Err(why) => return vec![Outcome::not_checked(&member.subject, outcome.expected, why)],
    };
    let mut look = Look { secrets, found: Vec::new(), evidence: Vec::new(), unread: BTreeSet::new() };
    for (pid, _) in &pids {
        for file in ["environ", "cmdline"] {
            match stack.procfs.read(*pid, file) {
                Ok(content) => look.process(&format!("/proc/{pid}/{file}"), file, &content),
                Err(error) if has_ended(&error) => {}
                Err(error) => {
                    let why = format!("/proc/{pid}/{file}: {error}");
                    return vec![Outcome::not_checked(&member.subject, outcome.expected, why)];
                }
            }
        }
    }
    look.inspection(member);
    let observed = match look.found.as_slice() {
        [] if ended => "does not run; none in the environment and the command that it was given".to_owned(),
        [] => format!("none in {} processes", pids.len()),
        found => found.join("; "),
    };
    let outcome = outcome.judge(look.found.is_empty(), observed).all_evidence(look.evidence);
    let unread = (!look.unread.is_empty()).then(|| {
        Outcome::not_checked(
            format!("{}: compressed values", member.subject),
            "every compressed value in base64 is searched whole",
            look.unread.into_iter().collect::<Vec<_>>().join("; "),
        )
    });
    [outcome].into_iter().chain(unread).collect()
}

/// The search of one container.
struct Look<'a> {
    secrets: &'a Secrets,
    found: Vec<String>,
    evidence: Vec<(String, String)>,
    /// What was compressed and could not be unpacked.
    unread: BTreeSet<String>,
}

impl Look<'_> {
    fn process(&mut self, source: &str, file: &str, content: &[u8]) {
        let texts: Vec<_> = content.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        let mut names = self.values(content);
        for text in &texts {
            names.extend(self.packed(text, source));
        }
        if file == "environ" {
            for (name, value) in texts.iter().filter_map(|text| text.split_once('=')) {
                names.extend(self.variable(name, value));
            }
        } else {
            names.extend(arguments(texts.iter().map(AsRef::as_ref)));
        }
        self.note(source.to_owned(), content.len(), names);
    }

    fn inspection(&mut self, member: &Member) {
        let source = format!("engine: inspection of container {}", member.name);
        let raw = &member.raw;
        let text = raw.to_string();
        let mut names = self.values(text.as_bytes());
        strings(raw, &mut |string| {
            for name in
                self.secrets.names_in(string.as_bytes()).into_iter().chain(self.packed(string, &source))
            {
                push(&mut names, name);
            }
        });
        for variable in list(raw, "/Config/Env") {
            let Some((name, value)) = variable.split_once('=') else { continue };
            names.extend(self.variable(name, value));
        }
        for pointer in ["/Config/Cmd", "/Config/Entrypoint", "/Config/Healthcheck/Test"] {
            names.extend(arguments(list(raw, pointer)));
        }
        let labels = raw.pointer("/Config/Labels").and_then(Value::as_object);
        let log_options = raw.pointer("/HostConfig/LogConfig/Config").and_then(Value::as_object);
        for (what, map) in [("the label", labels), ("the log option", log_options)] {
            for (key, value) in map.into_iter().flatten() {
                let value = value.as_str().unwrap_or_default();
                let last = key.rsplit('.').next().unwrap_or(key);
                if names::gives_away(last, value) || names::url_passwords(value).next().is_some() {
                    names.push(format!("a value of {what} {key}"));
                }
            }
        }
        names.dedup();
        self.note(source, text.len(), names);
    }

    fn values(&self, content: &[u8]) -> Vec<String> {
        let mut names = self.secrets.names_in(content);
        // An encoder breaks long lines.
        if content.contains(&b'\n') {
            let joined: Vec<u8> =
                content.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r' | b' ')).collect();
            for name in self.secrets.names_in(&joined) {
                push(&mut names, name);
            }
        }
        names
    }

    /// What is compressed, and in base64.
    fn packed(&mut self, text: &str, source: &str) -> Vec<String> {
        let encoded = in_text(text, self.secrets);
        self.unread.extend(encoded.unread.map(|why| format!("{source}: {why}")));
        encoded.names
    }

    fn variable(&self, name: &str, value: &str) -> Vec<String> {
        let mut names: Vec<String> = self
            .secrets
            .short_names_of(value)
            .into_iter()
            .map(|short| format!("{short} (as {name})"))
            .collect();
        if names::gives_away(name, value) {
            names.push(format!("a value of {name}"));
        } else if names::url_passwords(value).next().is_some() {
            names.push(format!("a URL with a password in {name}"));
        }
        if names::has_private_key(value.as_bytes()) {
            names.push(format!("a private key in {name}"));
        }
        names
    }

    fn note(&mut self, source: String, length: usize, mut names: Vec<String>) {
        names.sort();
        names.dedup();
        let value = if names.is_empty() {
            format!("{length} bytes, no secret")
        } else {
            format!("holds {}", names.join(", "))
        };
        self.found.extend(names.into_iter().map(|name| format!("{name} in {source}")));
        self.evidence.push((source, value));
    }
}

/// What arguments of a command give away.
fn arguments<'a>(arguments: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
    let mut names: Vec<String> = names::in_arguments(arguments.clone())
        .into_iter()
        .map(|(name, _)| format!("a value of the argument {name}"))
        .collect();
    for argument in arguments {
        if names::url_passwords(argument).next().is_some() {
            push(&mut names, "a URL with a password in an argument".to_owned());
        }
        if names::has_private_key(argument.as_bytes()) {
            push(&mut names, "a private key in an argument".to_owned());
        }
    }
    names
}

fn list<'a>(raw: &'a Value, pointer: &str) -> impl Iterator<Item = &'a str> + Clone {
    raw.pointer(pointer).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn strings(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, see)),
        Value::Object(fields) => {
            for (key, value) in fields {
                see(key);
                strings(value, see);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn push(names: &mut Vec<String>, name: String) {
    if !names.contains(&name) {
        names.push(name);
    }
}

/// A process that ends between two readings has no files any more (ENOENT), or no memory behind them (ESRCH).
fn has_ended(error: &std::io::Error) -> bool {
    let gone = rustix::io::Errno::SRCH.raw_os_error();
    error.kind() == std::io::ErrorKind::NotFound || error.raw_os_error() == Some(gone)
}
