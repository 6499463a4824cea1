use crate::certificate::{Evidence, Status};

/// What was measured for one subject of a claim.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) subject: String,
    pub(crate) status: Status,
    pub(crate) expected: String,
    pub(crate) observed: String,
    pub(crate) evidence: Vec<Evidence>,
    /// A title and an addition to the claim's id, where one claim is a family (smoke checks).
    pub(crate) member: Option<(String, String)>,
}

impl Outcome {
    /// Nothing is measured yet.
    pub(crate) fn new(subject: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            status: Status::NotChecked,
            expected: expected.into(),
            observed: String::new(),
            evidence: Vec::new(),
            member: None,
        }
    }

    /// Cannot be so here.
    pub(crate) fn not_applicable(
        subject: impl Into<String>,
        expected: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Self { status: Status::NotApplicable, observed: why.into(), ..Self::new(subject, expected) }
    }

    /// Was not measured.
    pub(crate) fn not_checked(
        subject: impl Into<String>,
        expected: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Self { observed: why.into(), ..Self::new(subject, expected) }
    }

    /// The judgement on what was measured.
    pub(crate) fn judge(mut self, holds: bool, observed: impl Into<String>) -> Self {
        self.status = if holds { Status::Proved } else { Status::Failed };
        self.observed = observed.into();
        self
    }

    /// Adds a reading.
    pub(crate) fn evidence(mut self, source: impl Into<String>, value: impl Into<String>) -> Self {
        self.evidence.push(Evidence { source: source.into(), value: value.into() });
        self
    }

    /// Adds readings.
    pub(crate) fn all_evidence(mut self, readings: impl IntoIterator<Item = (String, String)>) -> Self {
        self.evidence.extend(readings.into_iter().map(|(source, value)| Evidence { source, value }));
        self
    }
}
