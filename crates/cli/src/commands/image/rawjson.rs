//! `--progress=rawjson`: BuildKit's `SolveStatus`, one JSON object a line on standard error.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use plimsoll_build::{Event, Outcome, Progress, remote::Transfer};
use plimsoll_buildx::call::Listed;
use plimsoll_image::Digest;
use plimsoll_ops::Pull;
use plimsoll_source::Source;
use serde_json::{Value, json};

use super::task::Task;

/// Writes events as BuildKit's client prints them.
#[derive(Default)]
pub(crate) struct RawJson {
    /// Pulls that have begun, by the name of their vertex.
    pulls: Mutex<HashMap<String, Task>>,
    steps: Mutex<HashMap<usize, OpenVertex>>,
}

/// A step that has begun.
struct OpenVertex {
    digest: String,
    /// As it was told when it began.
    vertex: Value,
}

impl RawJson {
    /// An image that is pulled is a vertex of its own.
    pub(crate) fn pull(&self, image: &str, platform: &str, event: &Pull<'_>) {
        let name = format!("pull {image} for {platform}");
        let mut pulls = self.pulls.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Pull::Begun => {
                let task = Task::begin(&name);
                pulls.insert(name, task);
            }
            Pull::Moved(progress) => {
                if let Some(task) = pulls.get(&name) {
                    task.transfer(progress);
                }
            }
            Pull::Ended(why) => {
                if let Some(task) = pulls.remove(&name) {
                    task.end(*why);
                }
            }
        }
    }

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
    pub(crate) fn warn(dockerfile: &Source, findings: &[Listed<'_>]) {
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
            Event::Started { step, title, inputs } => {
                let known = |input: &usize| steps.get(input).map(|step| step.digest.clone());
                let inputs: Vec<String> = inputs.iter().filter_map(known).collect();
                let begun = OpenVertex { digest: digest(&format!("{step} {title}")), vertex: Value::Null };
                let mut vertex =
                    json!({ "digest": begun.digest, "name": title.to_string(), "started": now() });
                // without any, BuildKit leaves the field out
                if !inputs.is_empty() {
                    vertex["inputs"] = inputs.into();
                }
                write(&json!({ "vertexes": [vertex] }));
                steps.insert(*step, OpenVertex { vertex, ..begun });
            }
            Event::Fetched { step, transfer } => {
                let Some(step) = steps.get(step) else { return };
                let Transfer { from, bytes, began, ended } = transfer;
                status(&step.digest, from, (*bytes, Some(*bytes)), &time(*began), Some(&time(*ended)));
            }
            Event::Output { step, stream, bytes } => {
                let Some(step) = steps.get(step) else { return };
                let stream = match stream {
                    plimsoll_build::Stream::Out => 1,
                    plimsoll_build::Stream::Err => 2,
                };
                log(&step.digest, stream, bytes);
            }
            // as a line of the step's own, on standard error
            Event::Waiting { step, what } => {
                let Some(step) = steps.get(step) else { return };
                log(&step.digest, 2, format!("{what}\n").as_bytes());
            }
            Event::Finished { step, outcome, .. } => {
                let Some(step) = steps.get(step) else { return };
                let mut vertex = step.vertex.clone();
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
fn log(vertex: &str, stream: u8, bytes: &[u8]) {
    write(&json!({ "logs": [{
        "vertex": vertex,
        "stream": stream,
        "data": STANDARD.encode(bytes),
        "timestamp": now(),
    }] }));
}

/// How much of something has moved, and how much there is, where that is known: BuildKit's `VertexStatus`.
pub(super) fn status(
    vertex: &str,
    id: &str,
    (current, total): (u64, Option<u64>),
    started: &str,
    completed: Option<&str>,
) {
    let mut status = json!({
        "id": id, "vertex": vertex, "name": id, "current": current, "timestamp": now(), "started": started,
    });
    if let Some(total) = total {
        status["total"] = total.into();
    }
    if let Some(completed) = completed {
        status["completed"] = completed.into();
    }
    write(&json!({ "statuses": [status] }));
}

/// A vertex is known by a digest; a step's number and title name it within a build.
pub(super) fn digest(text: &str) -> String {
    Digest::of(text).to_string()
}

pub(super) fn now() -> String {
    jiff::Timestamp::now().to_string()
}

fn time(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at).unwrap_or_default().to_string()
}

pub(super) fn write(status: &Value) {
    crate::say::verbatim(format_args!("{status}\n"));
}
