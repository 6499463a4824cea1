//! `smoke.toml`, documented in docs/smoke.md.

use std::collections::BTreeMap;

use plimsoll_source::{Diagnostic, Source};
use serde::Deserialize;

use crate::toml_file;

/// The page that documents it.
const PAGE: &str = "`plimsoll help smoke`";
/// At most so many checks in one file.
const LIMIT: usize = 500;
/// The longest time that a check may ask again, in seconds.
const LONGEST: u64 = 120;

/// The checks, in the order in which they are sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmokeFile {
    /// The checks.
    #[serde(default, rename = "check")]
    pub checks: Vec<Check>,
}

/// One request and what it must answer. `{name}` in a text stands for what an earlier check captured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// What it shows, in words.
    pub name: String,
    /// `METHOD /path`.
    pub request: String,
    /// A JSON body.
    pub json: Option<serde_json::Value>,
    /// Headers of the request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// `service:port` for a request from inside that service's network; the published port without it.
    pub at: Option<String>,
    /// The answer is a stream: read until `expect.body` is seen, at most five seconds.
    #[serde(default)]
    pub stream: bool,
    /// A request that is sent while the stream is open.
    pub during: Option<During>,
    /// The service whose containers are killed (SIGKILL) and started again before the request.
    pub kill: Option<String>,
    /// The service whose containers are stopped and started again before the request.
    pub restart: Option<String>,
    /// The request is sent again and again until its answer is right, for at most so many seconds.
    pub within: Option<u64>,
    /// What the answer must be.
    #[serde(default)]
    pub expect: Expect,
    /// Values of the answer for later checks.
    #[serde(default)]
    pub capture: BTreeMap<String, Capture>,
}

/// A request beside an open stream.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct During {
    /// `METHOD /path`.
    pub request: String,
    /// A JSON body.
    pub json: Option<serde_json::Value>,
}

/// What an answer must be.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// The status.
    pub status: Option<u16>,
    /// The status must be less: 500 is "no error of the server".
    pub below: Option<u16>,
    /// Text that each named header must contain, upper and lower case the same.
    pub header: BTreeMap<String, String>,
    /// Values by JSON pointer (RFC 6901).
    pub json: BTreeMap<String, serde_json::Value>,
    /// Text that the body must contain.
    pub body: Option<String>,
    /// Text that the body must not contain.
    pub not_body: Option<String>,
}

/// Where a captured value is in the answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a JSON pointer like \"/id\", or { after = \"...\", before = \"...\" }")]
pub enum Capture {
    /// A JSON pointer.
    Pointer(String),
    /// The text between two texts of the body.
    #[serde(rename_all = "lowercase")]
    Between {
        /// The text before it.
        after: String,
        /// The text behind it.
        before: String,
    },
}

impl SmokeFile {
    /// Reads the file. Errors show the place.
    pub fn parse(source: &Source) -> Result<Self, Vec<Diagnostic>> {
        let file: Self = toml_file::read(source, "the smoke checks", PAGE)?;
        let problems: Vec<Diagnostic> = file
            .problems()
            .map(|problem| toml_file::mistake(source, "a smoke check is not complete", &problem, PAGE))
            .collect();
        if problems.is_empty() { Ok(file) } else { Err(problems) }
    }

    fn problems(&self) -> impl Iterator<Item = (String, String)> + '_ {
        let many = (self.checks.len() > LIMIT)
            .then(|| (String::new(), format!("{} checks; at most {LIMIT} are allowed", self.checks.len())));
        many.into_iter().chain(self.checks.iter().flat_map(Check::problems))
    }
}

impl Check {
    /// The service whose containers end and start again before the request.
    pub fn disturbed(&self) -> Option<&str> {
        self.kill.as_deref().or(self.restart.as_deref())
    }

    /// True if it can be sent again and again beside others: it waits for nothing and disturbs nothing.
    pub(crate) fn is_load(&self) -> bool {
        self.at.is_none() && self.within.is_none() && self.disturbed().is_none()
    }

    /// What does not fit: the text to point at, and what is wrong with it.
    fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for request in
            std::iter::once(&self.request).chain(self.during.as_ref().map(|during| &during.request))
        {
            if split_request(request).is_none() {
                found.push((request.clone(), "write a request as `METHOD /path`".to_owned()));
            }
        }
        if let Some(at) = &self.at
            && split_at(at).is_none()
        {
            found.push((at.clone(), "write `service:port`".to_owned()));
        }
        found.extend(self.expect.problems(&self.name));
        let empty = |capture: &Capture| matches!(capture, Capture::Between { after, before } if after.is_empty() && before.is_empty());
        if self.capture.values().any(empty) {
            found.push((self.name.clone(), "a capture between two empty texts is always empty".to_owned()));
        }
        if self.stream && self.expect.body.is_none() {
            found.push((
                self.name.clone(),
                "a stream needs `expect.body`: without it nothing says when it is enough".to_owned(),
            ));
        }
        if self.during.is_some() && !self.stream {
            found.push((self.name.clone(), "`during` needs `stream = true`".to_owned()));
        }
        if self.within.is_some_and(|seconds| !(1..=LONGEST).contains(&seconds)) {
            found.push((self.name.clone(), format!("`within` is between 1 and {LONGEST} seconds")));
        }
        if self.within.is_some() && self.stream {
            found.push((self.name.clone(), "`within` and `stream` exclude each other".to_owned()));
        }
        if self.kill.is_some() && self.restart.is_some() {
            found.push((self.name.clone(), "`kill` and `restart` exclude each other".to_owned()));
        }
        found
    }
}

impl Expect {
    /// An expectation that every answer meets shows nothing.
    fn problems(&self, name: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let nothing = self.status.is_none()
            && self.below.is_none()
            && self.header.is_empty()
            && self.json.is_empty()
            && self.body.is_none()
            && self.not_body.is_none();
        if nothing {
            let what = "it expects nothing: without `expect` any answer passes, also that of a front without its application";
            found.push((name.to_owned(), what.to_owned()));
        }
        if self.below.is_some_and(|below| !(200..=500).contains(&below)) {
            let what = "`expect.below` is between 200 and 500: an answer of 500 and more is an error";
            found.push((name.to_owned(), what.to_owned()));
        }
        if self.status.is_some() && self.below.is_some() {
            found.push((name.to_owned(), "`expect.status` and `expect.below` exclude each other".to_owned()));
        }
        if self.header.values().any(String::is_empty) {
            found.push((
                name.to_owned(),
                "an empty text is in every header: name what it must contain".to_owned(),
            ));
        }
        for (key, text) in [("body", &self.body), ("not_body", &self.not_body)] {
            if text.as_ref().is_some_and(String::is_empty) {
                found.push((
                    name.to_owned(),
                    format!("`expect.{key}` is empty: an empty text is in every body"),
                ));
            }
        }
        if self.json.keys().any(|pointer| !pointer.is_empty() && !pointer.starts_with('/')) {
            found.push((name.to_owned(), "a JSON pointer begins with `/`".to_owned()));
        }
        found
    }
}

/// `METHOD /path`.
pub(crate) fn split_request(text: &str) -> Option<(hyper::Method, &str)> {
    let (method, path) = text.split_once(' ')?;
    let known = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    let path = path.trim();
    (known && path.starts_with('/')).then(|| Some((method.parse().ok()?, path)))?
}

/// `service:port`.
pub(crate) fn split_at(text: &str) -> Option<(&str, u16)> {
    let (service, port) = text.rsplit_once(':')?;
    Some((service, port.parse().ok().filter(|port| *port > 0)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SmokeFile, Vec<Diagnostic>> {
        SmokeFile::parse(&Source::new("smoke.toml", text))
    }

    #[test]
    fn the_example_can_be_read() {
        let text = include_str!("../../../../examples/pivotal/smoke.toml");
        let file = parse(text).unwrap();
        assert!((12..=15).contains(&file.checks.len()), "{}", file.checks.len());
    }

    #[test]
    fn a_mistake_is_shown_where_it_is() {
        let source = Source::new("smoke.toml", "[[check]]\nname = \"x\"\nrequest = \"/nowhere\"\n");
        let errors = SmokeFile::parse(&source).unwrap_err();
        assert_eq!(source.line_col(errors[0].labels[0].span.start).line, 3);
        assert!(parse("[[check]]\nname = \"x\"\nrequest = \"GET /\"\nexpects = 1\n").is_err());
        // Written in another way than it is read, the text is nowhere: no place is made up.
        let escaped = Source::new(
            "smoke.toml",
            "[[check]]\nname = \"x\"\nrequest = \"/no\\u0077\\u0068ere\"\nat = \"\\u00e9\"\n",
        );
        for label in SmokeFile::parse(&escaped).unwrap_err().iter().flat_map(|error| &error.labels) {
            assert!(escaped.text().get(label.span.range()).is_some(), "{label:?}");
        }
        assert!(parse("[[check]]\nname = \"x\"\nrequest = \"GET /\"\nstream = true\n").is_err());
        assert!(parse("[[check]]\nname = \"x\"\nrequest = \"GET /\"\nat = \"backend\"\n").is_err());
    }

    #[test]
    fn smoke_check_passes_on_502() {
        let check =
            |expect: &str| parse(&format!("[[check]]\nname = \"x\"\nrequest = \"GET /\"\n{expect}\n"));
        for expect in [
            "",
            "expect = {}",
            "expect = { header = { content-type = \"\" } }",
            "expect = { body = \"\" }",
            "expect = { not_body = \"\" }",
            "expect = { status = 200 }\ncapture = { x = { after = \"\", before = \"\" } }",
        ] {
            assert!(check(expect).is_err(), "{expect}");
        }
        for more in
            ["within = 0", "within = 121", "within = 5\nstream = true", "kill = \"a\"\nrestart = \"a\""]
        {
            assert!(check(&format!("{more}\nexpect = {{ status = 200, body = \"x\" }}")).is_err(), "{more}");
        }
        assert!(check("within = 5\nkill = \"worker\"\nexpect = { status = 200 }").is_ok());
        for expect in ["expect = { below = 600 }", "expect = { below = 500, status = 200 }"] {
            assert!(check(expect).is_err(), "{expect}");
        }
        assert!(check("expect = { below = 500 }").is_ok());
        assert!(check("expect = { not_body = \"stack\" }").is_ok());
        assert!(check("expect = { header = { content-type = \"html\" } }").is_ok());
    }
}
