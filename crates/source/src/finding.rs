//! What a rule says of a text: where, why, how it is known, and what would mend it.

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::{Diagnostic, Edit, Label, LineCol, Severity, Source, Span};

/// What is known of a rule wherever it is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleInfo {
    /// The stable identifier that people search for and switch off.
    pub id: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// The page about it; empty when there is none.
    pub url: &'static str,
}

/// The rules of one crate: a constant for each, and `ALL` of them. The identifier is the crate's area and the rule's name.
#[macro_export]
macro_rules! rules {
    ($area:literal; $($constant:ident: $name:literal, $summary:literal;)+) => {
        $(
            #[doc = $summary]
            pub const $constant: $crate::RuleInfo =
                $crate::RuleInfo { id: concat!($area, "/", $name), summary: $summary, url: "" };
        )+

        /// Every rule, in the order of the documentation.
        pub const ALL: &[$crate::RuleInfo] = &[$($constant),+];
    };
}

impl Serialize for RuleInfo {
    /// A rule is its identifier: the rest is for people.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id)
    }
}

/// How a [`Finding`] is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// From the files alone.
    Parsed,
    /// From what is known of an image.
    ImageFacts,
    /// From a running stack.
    Measured,
}

/// Whether a [`Fix`] may be applied without being asked for one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Safety {
    /// Shown, never applied: a person has to choose or complete it.
    DisplayOnly,
    /// May change what the project does.
    Unsafe,
    /// Keeps what the project does.
    Safe,
}

/// Edits that mend a finding. They are applied together or not at all, in one file or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// What it does, as an order: `pin the version`.
    pub title: String,
    /// Whether it may be applied unasked.
    pub safety: Safety,
    /// The replacements; they do not overlap.
    pub edits: Vec<Edit>,
}

/// One rule broken, at one primary place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: RuleInfo,
    /// How bad it is.
    pub severity: Severity,
    /// Where; the first one is the primary place. Empty when no file shows it.
    pub places: Vec<Label>,
    /// What is wrong here, in one line.
    pub why: String,
    /// How it is known.
    pub evidence: EvidenceKind,
    /// What to do next, in words, where no edit of a file is known that does it.
    pub help: Option<String>,
    /// What would mend it, the best first; each is enough.
    pub fixes: Vec<Fix>,
}

impl Finding {
    /// A finding from the files alone, without places and fixes.
    pub fn new(rule: RuleInfo, severity: Severity, why: impl Into<String>) -> Self {
        let (places, fixes) = (Vec::new(), Vec::new());
        Self { rule, severity, places, why: why.into(), evidence: EvidenceKind::Parsed, help: None, fixes }
    }

    /// Adds a place; the first one added is the primary one.
    pub fn place(mut self, source: &Source, span: Span, message: impl Into<String>) -> Self {
        self.places.push(Label { source: source.clone(), span, message: message.into() });
        self
    }

    /// Says how it is known.
    pub fn evidence(mut self, evidence: EvidenceKind) -> Self {
        self.evidence = evidence;
        self
    }

    /// Says what to do next.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a fix.
    pub fn fix(mut self, title: impl Into<String>, safety: Safety, edits: Vec<Edit>) -> Self {
        self.fixes.push(Fix { title: title.into(), safety, edits });
        self
    }
}

impl From<&Finding> for Diagnostic {
    fn from(finding: &Finding) -> Self {
        let RuleInfo { id, summary, url } = finding.rule;
        let mut notes = Vec::new();
        // Help says it of this place, the rule's sentence of all places.
        if finding.help.is_none() && !summary.is_empty() && summary != finding.why {
            notes.push(summary.to_owned());
        }
        notes.extend(finding.fixes.iter().map(|fix| match fix.safety {
            Safety::Safe => format!("fix: {}", fix.title),
            Safety::Unsafe => format!("unsafe fix: {}", fix.title),
            Safety::DisplayOnly => format!("possible fix: {}", fix.title),
        }));
        Self {
            severity: finding.severity,
            code: Some(id),
            title: finding.why.clone(),
            labels: finding.places.clone(),
            notes,
            hint: finding.help.clone().or_else(|| (!url.is_empty()).then(|| format!("see {url}"))),
        }
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Finding", 7)?;
        object.serialize_field("rule", &self.rule)?;
        object.serialize_field("severity", &self.severity)?;
        object.serialize_field("why", &self.why)?;
        object.serialize_field("places", &self.places)?;
        object.serialize_field("evidence", &self.evidence)?;
        match &self.help {
            Some(help) => object.serialize_field("help", help)?,
            None => object.skip_field("help")?,
        }
        object.serialize_field("fixes", &self.fixes)?;
        object.end()
    }
}

impl Serialize for Label {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        placed(serializer, &self.source, self.span, "message", &self.message)
    }
}

impl Serialize for Edit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        placed(serializer, &self.source, self.span, "text", &self.text)
    }
}

fn placed<S: Serializer>(
    serializer: S,
    source: &Source,
    span: Span,
    name: &'static str,
    text: &str,
) -> Result<S::Ok, S::Error> {
    let position = |offset| {
        let LineCol { line, column } = source.line_col(offset);
        Position { line, column }
    };
    let mut object = serializer.serialize_struct("Place", 4)?;
    object.serialize_field("file", source.name())?;
    object.serialize_field("from", &position(span.start))?;
    object.serialize_field("to", &position(span.end))?;
    object.serialize_field(name, text)?;
    object.end()
}

/// Both from 1, columns in characters; `to` is the position behind the last character.
#[derive(Serialize)]
struct Position {
    line: usize,
    column: usize,
}
