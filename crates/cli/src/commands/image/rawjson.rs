//! `--progress=rawjson`: BuildKit's `SolveStatus`, one JSON object a line on standard error.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use plimsoll_build::{Event, Outcome, Progress};
use plimsoll_image::Digest;
use plimsoll_source::Source;
use serde_json::{Value, json};

/// Writes events as BuildKit's client prints them.
#[derive(Default)]
pub(crate) struct RawJson {
    /// step -> its name and when it began
    steps: Mutex<HashMap<usize, (String, String)>>,
}

/// A finding of the build checks, to be told.
pub(crate) struct Finding<'a> {
    pub(crate) rule: &'a str,
    pub(crate) description: &'a str,
    pub(crate) detail: &'a str,
    pub(crate) url: &'a str,
    /// First and last line, from 1.
    pub(crate) lines: (usize, usize),
}

impl RawJson {
    /// The whole stream is JSON from here on, errors and notes too.
    pub(crate) fn begin() {
        crate::render::instead_of_text(
            |text, is_error| if is_error { Self::fail(text) } else { Self::tell(text) },
        );
    }

    /// Why the build could not be done, as a vertex that failed.
    fn fail(text: &str) {
        let now = now();
        let name = text.lines().next().unwrap_or_default();
        let vertex = json!({
            "digest": digest(text), "name": name, "started": now, "completed": now, "error": text,
        });
        write(&json!({ "vertexes": [vertex] }));
    }

    /// The findings of the checks, as BuildKit sends them: with the step that read the Dockerfile.
    pub(crate) fn warn(dockerfile: &Source, findings: &[Finding<'_>]) {
        if findings.is_empty() {
            return;
        }
        let file = dockerfile.name().rsplit('/').next().unwrap_or_default();
        let name = format!("[internal] load build definition from {file}");
        Self::tell(&name);
        let data = STANDARD.encode(dockerfile.text());
        let warnings: Vec<Value> = findings
            .iter()
            .map(|finding| {
                let short = format!("{}: {} (line {})", finding.rule, finding.detail, finding.lines.0);
                json!({
                    "vertex": digest(&name),
                    "level": 1,
                    "short": STANDARD.encode(short),
                    "detail": [STANDARD.encode(finding.description)],
                    "url": finding.url,
                    "sourceInfo": { "filename": file, "data": data, "language": "Dockerfile" },
                    "range": [{ "start": { "line": finding.lines.0 }, "end": { "line": finding.lines.1 } }],
                })
            })
            .collect();
        write(&json!({ "warnings": warnings }));
    }

    /// A line that belongs to no step, as a vertex of its own.
    pub(crate) fn tell(line: &str) {
        let now = now();
        let vertex = json!({ "digest": digest(line), "name": line, "started": now, "completed": now });
        write(&json!({ "vertexes": [vertex] }));
    }
}

impl Progress for RawJson {
    fn event(&self, event: &Event<'_>) {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Note(note) => Self::tell(&format!("note: {note}")),
            Event::Started { step, title } => {
                let now = now();
                write(&json!({ "vertexes": [vertex(*step, title, &now)] }));
                steps.insert(*step, ((*title).to_owned(), now));
            }
            Event::Output { step, stream, bytes } => {
                let Some((title, _)) = steps.get(step) else { return };
                let stream = match stream {
                    plimsoll_build::Stream::Out => 1,
                    plimsoll_build::Stream::Err => 2,
                };
                log(*step, title, stream, bytes);
            }
            // as a line of the step's own, on standard error
            Event::Waiting { step, what } => {
                let Some((title, _)) = steps.get(step) else { return };
                log(*step, title, 2, format!("{what}\n").as_bytes());
            }
            Event::Finished { step, outcome, .. } => {
                let Some((title, started)) = steps.get(step) else { return };
                let mut vertex = vertex(*step, title, started);
                vertex["completed"] = Value::String(now());
                match outcome {
                    Outcome::Cached => vertex["cached"] = Value::Bool(true),
                    Outcome::Done(_) => {}
                    Outcome::Failed => vertex["error"] = Value::String("the step failed".to_owned()),
                    Outcome::Stopped => vertex["error"] = Value::String("context canceled".to_owned()),
                }
                write(&json!({ "vertexes": [vertex] }));
            }
        }
    }
}

/// Something that a step wrote; stream 1 is its standard output, 2 its standard error.
fn log(step: usize, title: &str, stream: u8, bytes: &[u8]) {
    write(&json!({ "logs": [{
        "vertex": digest(&format!("{step} {title}")),
        "stream": stream,
        "data": STANDARD.encode(bytes),
        "timestamp": now(),
    }] }));
}

fn vertex(step: usize, title: &str, started: &str) -> Value {
    json!({ "digest": digest(&format!("{step} {title}")), "name": title, "started": started })
}

/// A vertex is known by a digest; a step's number and title name it within a build.
fn digest(text: &str) -> String {
    Digest::of(text).to_string()
}

fn now() -> String {
    jiff::Timestamp::now().to_string()
}

fn write(status: &Value) {
    crate::say::verbatim(format_args!("{status}\n"));
}
