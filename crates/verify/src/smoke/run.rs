//! Sends the checks and judges the answers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Check,
    format::{Capture, split_request},
};
use crate::{
    certificate::{Evidence, Status},
    http::{Answer, Ask, Endpoint, HttpError},
};

/// How much of a body is quoted.
const QUOTE: usize = 300;
/// The longest value that a check may capture, in bytes: it comes from the application, and goes into paths and bodies.
const MAX_CAPTURED: usize = 64 << 10;
/// What captured values may add to one text, in bytes.
const MAX_FILLED: usize = 1 << 20;

/// One run through the checks: what they captured so far.
#[derive(Debug, Default)]
pub(crate) struct Runner {
    captured: BTreeMap<String, String>,
    /// Requests that were sent.
    pub(crate) requests: u64,
}

/// What came out of a check.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    pub(crate) evidence: Vec<Evidence>,
    /// What came back.
    pub(crate) answer: Option<Answer>,
}

/// The judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed(String),
    Failed(String),
    /// It needs a value that an earlier check did not capture.
    Missing(String),
}

impl Verdict {
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Passed(_) => Status::Proved,
            Self::Failed(_) => Status::Failed,
            Self::Missing(_) => Status::NotChecked,
        }
    }

    pub(crate) fn observed(&self) -> &str {
        let (Self::Passed(text) | Self::Failed(text) | Self::Missing(text)) = self;
        text
    }
}

impl Runner {
    /// Sends one check to `endpoint`, and what it sends beside a stream to `public`.
    pub(crate) async fn check(&mut self, check: &Check, endpoint: &Endpoint, public: &Endpoint) -> Judged {
        let prepared = self.prepare(check);
        let (ask, during, expected) = match prepared {
            Ok(prepared) => prepared,
            Err(verdict) => return Judged { verdict, evidence: Vec::new(), answer: None },
        };
        self.requests += 1 + u64::from(during.is_some());
        let answer = if check.stream {
            let opened = async {
                if let Some(during) = &during {
                    // What became of it shows in the stream.
                    let _ = public.send(during).await;
                }
            };
            let enough = |text: &str| expected.body.as_ref().is_none_or(|wanted| text.contains(wanted));
            endpoint.watch(&ask, opened, enough).await
        } else {
            endpoint.send(&ask).await
        };
        let source = format!("{} {} at {}", ask.method, ask.path, endpoint.name());
        match answer {
            Err(error) => Judged {
                verdict: Verdict::Failed(error.to_string()),
                evidence: vec![quote_error(source, &error)],
                answer: None,
            },
            Ok(answer) => {
                let wrong = self.judge(check, &expected, &answer);
                let verdict = if wrong.is_empty() {
                    Verdict::Passed(answer.status.to_string())
                } else {
                    Verdict::Failed(wrong.join("; "))
                };
                let evidence = vec![quote(source, &answer)];
                Judged { verdict, evidence, answer: Some(answer) }
            }
        }
    }

    fn prepare(&self, check: &Check) -> Result<(Ask, Option<Ask>, super::Expect), Verdict> {
        let ask = self.ask(&check.request, check.json.as_ref(), &check.headers)?;
        let during = check.during.as_ref();
        let during = during
            .map(|during| self.ask(&during.request, during.json.as_ref(), &BTreeMap::new()))
            .transpose()?;
        let mut expected = check.expect.clone();
        for text in expected.body.iter_mut().chain(&mut expected.not_body).chain(expected.header.values_mut())
        {
            *text = self.fill(text)?;
        }
        for value in expected.json.values_mut() {
            self.fill_json(value)?;
        }
        Ok((ask, during, expected))
    }

    fn ask(
        &self,
        request: &str,
        json: Option<&Value>,
        headers: &BTreeMap<String, String>,
    ) -> Result<Ask, Verdict> {
        let filled = self.fill(request)?;
        let (method, path) =
            split_request(&filled).ok_or_else(|| Verdict::Failed(format!("`{filled}` is not a request")))?;
        let mut ask = Ask::new(method, path);
        for (name, value) in headers {
            ask = ask.header(name, &self.fill(value)?);
        }
        if let Some(json) = json {
            let mut json = json.clone();
            self.fill_json(&mut json)?;
            ask = ask.header("content-type", "application/json");
            ask.body = Some(json.to_string().into_bytes());
        }
        Ok(ask)
    }

    /// Puts captured values in place of `{name}`. A name that nothing captured is an error; braces around anything
    /// else are text.
    fn fill(&self, text: &str) -> Result<String, Verdict> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find('{') {
            filled.push_str(&rest[..start]);
            rest = &rest[start..];
            let name = rest[1..].split('}').next().unwrap_or("");
            let is_name = !name.is_empty()
                && name.len() + 2 <= rest.len()
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            if !is_name {
                filled.push('{');
                rest = &rest[1..];
                continue;
            }
            let value = self.captured.get(name);
            let value =
                value.ok_or_else(|| Verdict::Missing(format!("no earlier check captured {{{name}}}")))?;
            if filled.len() + value.len() > text.len() + MAX_FILLED {
                let told = format!("captured values make a text longer than {MAX_FILLED} bytes");
                return Err(Verdict::Failed(told));
            }
            filled.push_str(value);
            rest = &rest[name.len() + 2..];
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn fill_json(&self, value: &mut Value) -> Result<(), Verdict> {
        match value {
            Value::String(text) => *text = self.fill(text)?,
            Value::Array(items) => items.iter_mut().try_for_each(|item| self.fill_json(item))?,
            Value::Object(fields) => fields.values_mut().try_for_each(|field| self.fill_json(field))?,
            _ => {}
        }
        Ok(())
    }

    /// Without a status in the check an answer is a success: an error page meets many other expectations.
    fn judge_status(expected: &super::Expect, answer: &Answer) -> Option<String> {
        match (expected.status, expected.below) {
            (Some(status), _) if status != answer.status => {
                Some(format!("status {} instead of {status}", answer.status))
            }
            (None, Some(below)) if answer.status >= below => {
                Some(format!("status {} instead of less than {below}", answer.status))
            }
            (None, None) if answer.status >= 400 => {
                Some(format!("status {}: an error, and the check does not expect one", answer.status))
            }
            _ => None,
        }
    }

    /// Everything that is not as expected; captures what later checks need.
    fn judge(&mut self, check: &Check, expected: &super::Expect, answer: &Answer) -> Vec<String> {
        let mut wrong: Vec<String> = Self::judge_status(expected, answer).into_iter().collect();
        for (name, wanted) in &expected.header {
            let found = answer.header(name).unwrap_or_default();
            if !found.to_ascii_lowercase().contains(&wanted.to_ascii_lowercase()) {
                wrong.push(format!("header {name} is `{found}`, without `{wanted}`"));
            }
        }
        let body = answer.text();
        if let Some(wanted) = expected.body.as_ref().filter(|wanted| !body.contains(*wanted)) {
            wrong.push(format!("the body does not contain `{wanted}`"));
        }
        if let Some(unwanted) = expected.not_body.as_ref().filter(|unwanted| body.contains(*unwanted)) {
            wrong.push(format!("the body contains `{unwanted}`"));
        }
        let json: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
        for (pointer, wanted) in &expected.json {
            let found = json.pointer(pointer);
            if found != Some(wanted) || (json.is_null() && body.trim() != "null") {
                let found = found.map_or_else(|| "absent".to_owned(), Value::to_string);
                wrong.push(format!("{pointer} is {found} instead of {wanted}"));
            }
        }
        for (name, capture) in &check.capture {
            match find(capture, &body, &json).filter(|value| !value.is_empty()) {
                Some(value) if value.len() > MAX_CAPTURED => wrong.push(format!(
                    "what is captured as {name} has {} bytes, more than {MAX_CAPTURED}",
                    value.len()
                )),
                Some(value) => drop(self.captured.insert(name.clone(), value)),
                None => wrong.push(format!("nothing to capture as {name}")),
            }
        }
        wrong
    }
}

fn find(capture: &Capture, body: &str, json: &Value) -> Option<String> {
    match capture {
        Capture::Pointer(pointer) => match json.pointer(pointer)? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        },
        Capture::Between { after, before } => {
            let start = body.find(after.as_str())? + after.len();
            let length = body[start..].find(before.as_str())?;
            Some(body[start..start + length].to_owned())
        }
    }
}

fn quote(source: String, answer: &Answer) -> Evidence {
    let body: String = answer.text().chars().take(QUOTE).collect();
    let kind = answer.header("content-type").unwrap_or_default();
    Evidence { source, value: format!("{} {kind} {}", answer.status, body.trim()).trim().to_owned() }
}

fn quote_error(source: String, error: &HttpError) -> Evidence {
    Evidence { source, value: error.to_string() }
}

#[cfg(fuzzing)]
impl Runner {
    /// For the fuzz targets: prepares a check and judges an answer.
    pub(crate) fn fuzz(check: &Check, answer: &Answer, captured: BTreeMap<String, String>) -> Vec<String> {
        let mut runner = Self { captured, requests: 0 };
        let expected =
            runner.prepare(check).map_or_else(|_| check.expect.clone(), |(_, _, expected)| expected);
        let wrong = runner.judge(check, &expected, answer);
        assert!(runner.captured.values().all(|value| value.len() <= MAX_CAPTURED.max(answer.body.len() * 3)));
        let _ = quote(String::new(), answer);
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runner() -> Runner {
        Runner { captured: BTreeMap::from([("story".to_owned(), "42".to_owned())]), requests: 0 }
    }

    #[test]
    fn captured_values_are_put_in_place() {
        assert_eq!(runner().fill("/stories/{story}/move").unwrap(), "/stories/42/move");
        assert_eq!(runner().fill(r#"{"id":"{story}"}"#).unwrap(), r#"{"id":"42"}"#);
        assert_eq!(runner().fill("{} { {A} {").unwrap(), "{} { {A} {");
        assert!(matches!(runner().fill("/{other}"), Err(Verdict::Missing(_))));
    }

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, headers: hyper::HeaderMap::new(), body: body.into() }
    }

    #[test]
    fn an_error_page_passes_no_check_that_does_not_expect_it() {
        let text = "[[check]]\nname = \"x\"\nrequest = \"GET /\"\nexpect = { not_body = \"stack\" }\n";
        let source = plimsoll_source::Source::new("smoke.toml", text);
        let check = crate::smoke::SmokeFile::parse(&source).unwrap().checks.remove(0);
        for (status, passes) in [(200, true), (304, true), (404, false), (500, false), (502, false)] {
            let wrong = runner().judge(&check, &check.expect.clone(), &answer(status, "Bad Gateway"));
            assert_eq!(wrong.is_empty(), passes, "{status}: {wrong:?}");
        }
    }

    #[test]
    fn captured_values_do_not_multiply() {
        let long = "x".repeat(MAX_CAPTURED);
        let runner = Runner { captured: BTreeMap::from([("a".to_owned(), long)]), requests: 0 };
        assert!(runner.fill(&"{a}".repeat(10)).is_ok());
        assert!(matches!(runner.fill(&"{a}".repeat(100)), Err(Verdict::Failed(_))));
    }

    #[test]
    fn values_are_found_in_json_and_in_text() {
        let json: Value = serde_json::from_str(r#"{"id":7,"a":["x"]}"#).unwrap();
        assert_eq!(find(&Capture::Pointer("/id".into()), "", &json).unwrap(), "7");
        assert_eq!(find(&Capture::Pointer("/a/0".into()), "", &json).unwrap(), "x");
        let between = Capture::Between { after: "src=\"".into(), before: "\"".into() };
        assert_eq!(find(&between, "<script src=\"/a.js\">", &Value::Null).unwrap(), "/a.js");
        assert_eq!(find(&between, "<script>", &Value::Null), None);
    }
}
