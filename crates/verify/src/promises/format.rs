//! `promises.toml`, documented in docs/promises.md.

use plimsoll_source::{Diagnostic, Source};
use serde::Deserialize;

use crate::{toml_file, verify};

/// The page that documents it.
const PAGE: &str = "`plimsoll help promises`";
/// At most so many promises in one file.
const LIMIT: usize = 500;

/// A document's promises, in its order.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromiseFile {
    /// The document's name, as its readers know it.
    pub document: String,
    /// The promises.
    #[serde(default, rename = "promise")]
    pub promises: Vec<Promise>,
}

/// One sentence of the document and what measures it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promise {
    /// The sentence.
    pub says: String,
    /// Claims of the certificate (`process-user`), which must hold.
    #[serde(default)]
    claims: Vec<String>,
    /// Names of smoke checks, which must pass.
    #[serde(default)]
    smoke: Vec<String>,
    /// The services that `claims` has to hold for; all that it is about without it.
    #[serde(default)]
    pub services: Vec<String>,
    /// A setting, as the running server reports it.
    setting: Option<Setting>,
    /// A command in a service's container and what it must print.
    run: Option<Run>,
    /// The sizes of images together.
    images: Option<ImageBound>,
    /// Why nothing measures it.
    not_measured: Option<String>,
}

/// A setting of a PostgreSQL, MariaDB, MySQL, Redis or Valkey server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// The service.
    pub service: String,
    /// The setting's name, as the server calls it.
    pub name: String,
    /// Its value, as the server prints it.
    pub is: String,
}

/// A command and its output.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The service.
    pub service: String,
    /// Command and arguments; no shell unless it is one.
    pub command: Vec<String>,
    /// Text that its standard output must contain. It must also end with 0.
    pub prints: String,
}

/// What images may have together.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageBound {
    /// The services.
    pub services: Vec<String>,
    /// Millions of bytes, unpacked.
    pub at_most_mb: u64,
}

/// What measures a promise.
#[derive(Clone, Copy, Debug)]
pub enum How<'a> {
    /// Claims of the certificate.
    Claims(&'a [String]),
    /// Smoke checks.
    Smoke(&'a [String]),
    /// What a server reports.
    Setting(&'a Setting),
    /// What a command prints.
    Run(&'a Run),
    /// Sizes of images.
    Images(&'a ImageBound),
    /// Nothing, for this reason.
    Nothing(&'a str),
}

impl Promise {
    /// What measures it; the first one where [`PromiseFile::parse`] did not see to it that there is one.
    pub fn how(&self) -> How<'_> {
        self.ways().next().unwrap_or(How::Nothing("nothing is said to measure it"))
    }

    fn ways(&self) -> impl Iterator<Item = How<'_>> {
        [
            (!self.claims.is_empty()).then_some(How::Claims(&self.claims)),
            (!self.smoke.is_empty()).then_some(How::Smoke(&self.smoke)),
            self.setting.as_ref().map(How::Setting),
            self.run.as_ref().map(How::Run),
            self.images.as_ref().map(How::Images),
            self.not_measured.as_deref().map(How::Nothing),
        ]
        .into_iter()
        .flatten()
    }

    /// The services that it names.
    pub fn named_services(&self) -> impl Iterator<Item = &str> {
        let others: Vec<&str> = match self.how() {
            How::Setting(setting) => vec![&setting.service],
            How::Run(run) => vec![&run.service],
            How::Images(bound) => bound.services.iter().map(String::as_str).collect(),
            How::Claims(_) | How::Smoke(_) | How::Nothing(_) => Vec::new(),
        };
        self.services.iter().map(String::as_str).chain(others)
    }

    /// What does not fit: the text to point at, and what is wrong with it.
    fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut say = |problem: String| found.push((self.says.clone(), problem));
        match self.ways().count() {
            1 => {}
            0 => say("nothing measures it: name `claims`, `smoke`, `setting`, `run` or `images`, or say why in `not_measured`".to_owned()),
            _ => say("it is measured in two ways: make two promises of it".to_owned()),
        }
        if !self.services.is_empty() && self.claims.is_empty() {
            say("`services` goes with `claims`".to_owned());
        }
        match self.how() {
            How::Claims(ids) => {
                for id in ids.iter().filter(|id| !verify::claims().any(|(known, _)| known == id.as_str())) {
                    found.push((
                        id.clone(),
                        "no claim of the certificate has this id; `plimsoll help certificate` lists them"
                            .to_owned(),
                    ));
                }
            }
            How::Run(run) if run.command.is_empty() || run.prints.is_empty() => {
                say("`run` needs a command, and a text that it prints: an empty one is in every output"
                    .to_owned());
            }
            How::Images(bound) if bound.services.is_empty() => say("`images` names no service".to_owned()),
            How::Nothing(reason) if reason.trim().is_empty() => {
                say("`not_measured` is the reason, in words".to_owned());
            }
            _ => {}
        }
        found
    }
}

impl PromiseFile {
    /// Reads the file. Errors show the place.
    pub fn parse(source: &Source) -> Result<Self, Vec<Diagnostic>> {
        let file: Self = toml_file::read(source, "the promises", PAGE)?;
        let mut problems: Vec<(String, String)> = file.promises.iter().flat_map(Promise::problems).collect();
        if file.promises.len() > LIMIT {
            problems.push((
                String::new(),
                format!("{} promises; at most {LIMIT} are allowed", file.promises.len()),
            ));
        }
        let mut seen = std::collections::BTreeSet::new();
        let twice = file.promises.iter().filter(|promise| !seen.insert(promise.says.as_str()));
        problems.extend(twice.map(|promise| (promise.says.clone(), "it is promised twice".to_owned())));
        if problems.is_empty() {
            Ok(file)
        } else {
            Err(problems
                .iter()
                .map(|found| {
                    toml_file::mistake(source, "a promise cannot be measured as it is written", found, PAGE)
                })
                .collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(promise: &str) -> Result<PromiseFile, Vec<Diagnostic>> {
        let text = format!("document = \"d\"\n[[promise]]\nsays = \"x\"\n{promise}\n");
        PromiseFile::parse(&Source::new("promises.toml", text))
    }

    #[test]
    fn a_promise_is_measured_in_one_way() {
        for right in [
            "claims = [\"process-user\"]\nservices = [\"web\"]",
            "smoke = [\"front page\"]",
            "setting = { service = \"db\", name = \"max_connections\", is = \"200\" }",
            "run = { service = \"worker\", command = [\"celery\", \"status\"], prints = \"online\" }",
            "images = { services = [\"web\"], at_most_mb = 150 }",
            "not_measured = \"nobody signs images here\"",
        ] {
            assert!(parse(right).is_ok(), "{right}: {:?}", parse(right).unwrap_err());
        }
        for wrong in [
            "",
            "claims = [\"process-users\"]",
            "claims = [\"process-user\"]\nsmoke = [\"x\"]",
            "smoke = [\"x\"]\nservices = [\"web\"]",
            "run = { service = \"worker\", command = [\"true\"], prints = \"\" }",
            "images = { services = [], at_most_mb = 150 }",
            "not_measured = \" \"",
            "measured = true",
            "smoke = [\"x\"]\n[[promise]]\nsays = \"x\"\nsmoke = [\"y\"]",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_mistake_is_shown_where_it_is() {
        let text = "document = \"d\"\n\n[[promise]]\nsays = \"x\"\nclaims = [\"process-users\"]\n";
        let source = Source::new("promises.toml", text);
        let errors = PromiseFile::parse(&source).unwrap_err();
        assert_eq!(source.line_col(errors[0].labels[0].span.start).line, 5);
    }
}
