//! What the files leave open, and which requests belong to which service.

use plimsoll_source::{Diagnostic, Finding, RuleInfo, Severity, Source, Span};
use serde::Serialize;

use super::Evidence;
use crate::rules;

/// Which requests belong to which service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// Service whose pages send them, where one is known.
    pub from: Option<String>,
    /// Service that answers them.
    pub to: String,
    /// Path prefix, with `/` at its beginning.
    pub prefix: String,
    /// The prefix is taken away before the service sees the path.
    pub strip: bool,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

/// How sure a default answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// There is evidence for the default.
    Likely,
    /// The files do not say; the default is a convention.
    Open,
}

/// Something that the files leave open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Question {
    /// `SUBJECT.FIELD`, as `--answer` takes it: `api.port`.
    pub id: String,
    /// The question.
    pub text: String,
    /// What can be answered; empty where any value of the field's kind can.
    pub options: Vec<String>,
    /// What is taken where nobody answers; `None` where there has to be an answer.
    pub default: Option<String>,
    /// How sure the default is.
    pub confidence: Confidence,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

/// Something missing, contradictory or unreadable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The kind of gap; its identifier in JSON (docs/rules.md).
    pub rule: RuleInfo,
    /// The service or file that it concerns.
    pub subject: String,
    /// What is missing.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// Where, as far as there is a place.
    pub evidence: Vec<Evidence>,
}

impl Gap {
    /// A file that could not be read; the rest of the survey goes on.
    pub(crate) fn unreadable(diagnostic: &Diagnostic) -> Self {
        let label = diagnostic.labels.first();
        let evidence = label.map(|label| Evidence::new(&label.source, label.span, label.message.clone()));
        Self {
            rule: rules::UNREAD_FILE,
            subject: label.map_or_else(String::new, |label| label.source.name().to_owned()),
            message: diagnostic.title.clone(),
            hint: diagnostic.hint.clone().unwrap_or_else(|| "correct the file".to_owned()),
            evidence: evidence.into_iter().collect(),
        }
    }
    /// The gap as every rule says it. `source` has the text of a file of the repository; evidence of a file that has
    /// none, such as one that cannot be read, is no place.
    pub fn finding(&self, severity: Severity, source: impl Fn(&str) -> Option<Source>) -> Finding {
        let finding =
            Finding::new(self.rule, severity, format!("{}: {}", self.subject, self.message)).help(&self.hint);
        self.evidence.iter().fold(finding, |finding, evidence| match source(&evidence.file) {
            Some(source) => finding.place(&source, Span::new(evidence.start, evidence.end), &evidence.reason),
            None => finding,
        })
    }
}
