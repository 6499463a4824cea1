//! `plimsoll image build --call`: what a Dockerfile offers and what is wrong with it, without building anything.
//! Text and JSON are those of `docker buildx build --call`.

mod check;
mod outline;
mod table;
mod targets;

use std::path::Path;

use plimsoll_build::BuildRequest;
use plimsoll_dockerfile::{BuildInputs, Lines};
use plimsoll_image::Store;
use plimsoll_source::{Diagnostic, Failure, Source};
use serde::Serialize;

pub use check::{Checks, Listed};

/// What `--call` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The image.
    Build,
    /// What the build checks find.
    Check,
    /// Arguments, secrets and the like that the target takes.
    Outline,
    /// The stages that can be built.
    Targets,
}

/// `--call=METHOD[,format=json]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// What is asked for.
    pub method: Method,
    json: bool,
}

impl Call {
    /// Reads the option; `check` is the flag `--check`.
    pub fn parse(text: &str, check: bool) -> Result<Self, Failure> {
        let wrong = |what: &str| {
            Failure::new(
                format!("`{what}` cannot be called"),
                "write --call=build, check, outline or targets, with `,format=json` for programs",
            )
        };
        let mut call = Self { method: if check { Method::Check } else { Method::Build }, json: false };
        for (place, field) in text.split(',').filter(|field| !field.is_empty()).enumerate() {
            match field.split_once('=') {
                Some(("format", "json")) => call.json = true,
                Some(("format", "text")) => call.json = false,
                Some(_) => return Err(wrong(field)),
                None if place > 0 => return Err(wrong(field)),
                None => {
                    let method = match field {
                        "build" if check => Method::Check,
                        "build" => Method::Build,
                        "check" | "lint" => Method::Check,
                        "outline" => Method::Outline,
                        "targets" => Method::Targets,
                        _ => return Err(wrong(field)),
                    };
                    if check && method != Method::Check {
                        return Err(Failure::new(
                            format!("--check and --call={field} exclude one another"),
                            "leave one of them out",
                        ));
                    }
                    call.method = method;
                }
            }
        }
        Ok(call)
    }

    /// Answers everything but `build`.
    pub fn run(self, request: &BuildRequest, store: &Store) -> Result<Answer, Failure> {
        let asked = Asked { request, inputs: inputs(request), json: self.json };
        let text = match self.method {
            Method::Outline => outline::text(&asked)?,
            Method::Targets => targets::text(&asked)?,
            Method::Check | Method::Build => return check::call(&asked, store),
        };
        let note = |context| {
            format!("note: the named context `{context}` takes the place of the stage of this name")
        };
        let notes = replacing(request).into_iter().map(note).collect();
        Ok(Answer { notes, text, json: asked.json, problem: None, is_fault: false, well: true })
    }
}

/// What a call gives: on standard output its text, then what is wrong with the Dockerfile.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Lines for a person, before the text.
    pub notes: Vec<String>,
    /// The answer.
    pub text: String,
    /// The text is a document for programs.
    pub json: bool,
    /// What stops a build of this file.
    pub problem: Option<Diagnostic>,
    /// The problem is a fault of the file, not findings that were asked to count as one.
    pub is_fault: bool,
    /// Nothing was found.
    pub well: bool,
}

/// The named contexts that take the place of a stage.
fn replacing(request: &BuildRequest) -> Vec<&str> {
    let stages = plimsoll_dockerfile::parse(&request.dockerfile).map(|file| file.stages).unwrap_or_default();
    let names = stages.iter().filter_map(|stage| stage.name.as_ref());
    names.filter_map(|name| request.context_for(&name.text)).collect()
}

/// One call with everything that it may look at.
struct Asked<'a> {
    request: &'a BuildRequest,
    inputs: BuildInputs,
    json: bool,
}

impl Asked<'_> {
    fn source(&self) -> &Source {
        &self.request.dockerfile
    }
}

fn inputs(request: &BuildRequest) -> BuildInputs {
    let host = crate::request::host_platform();
    BuildInputs {
        build_args: request.build_args.iter().cloned().collect(),
        target_platform: request.platform.clone().unwrap_or_else(|| host.clone()),
        build_platform: host,
        target: request.target.clone(),
    }
}

/// The Dockerfile's name without the folder.
fn file_name(source: &Source) -> String {
    Path::new(source.name())
        .file_name()
        .map_or_else(|| source.name().to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Where something is, as BuildKit's JSON has it.
#[derive(Clone, Debug, Serialize)]
struct Location {
    ranges: [Range; 1],
}

#[derive(Clone, Debug, Serialize)]
struct Range {
    start: Position,
    end: Position,
}

#[derive(Clone, Debug, Serialize)]
struct Position {
    line: usize,
}

impl Location {
    fn new(lines: Lines) -> Self {
        Self { ranges: [Range { start: Position { line: lines.first }, end: Position { line: lines.last } }] }
    }
}

fn json(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value)?;
    Ok(text + "\n")
}

/// Go writes bytes in JSON as base 64.
fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    pub(super) fn request(text: &str, target: Option<&str>) -> BuildRequest {
        let dockerfile = Source::new("some/Dockerfile", text);
        let request = BuildRequest::new(PathBuf::from("/"), dockerfile, None);
        BuildRequest { target: target.map(str::to_owned), ..request }
    }

    pub(super) fn asked(request: &BuildRequest, json: bool) -> Asked<'_> {
        Asked { request, inputs: inputs(request), json }
    }

    #[test]
    fn the_option_is_read() {
        let call = |text: &str, check| Call::parse(text, check).map(|call| (call.method, call.json));
        assert_eq!(call("build", false).ok(), Some((Method::Build, false)));
        assert_eq!(call("build", true).ok(), Some((Method::Check, false)));
        assert_eq!(call("lint,format=json", false).ok(), Some((Method::Check, true)));
        assert_eq!(call("outline,format=text", false).ok(), Some((Method::Outline, false)));
        for wrong in ["describe", "outline,targets", "check,format=yaml"] {
            assert!(call(wrong, false).is_err(), "{wrong}");
        }
        assert!(call("targets", true).is_err());
    }
}
