//! What a person answered: it counts more than what the files say.

use std::collections::BTreeMap;

use crate::model::{Bind, Edge, Evidence, Fact, Role, Service, Survey};

/// The file that answers are kept in.
const FILE: &str = "plimsoll.toml";

/// An answer that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AnswerError {
    /// Nothing in the survey has this name.
    #[error("{id}: no service is called `{subject}`")]
    Subject {
        /// The answer's id.
        id: String,
        /// What was looked for.
        subject: String,
        /// Services that there are.
        known: Vec<String>,
    },
    /// A service has no such field.
    #[error("{id}: `{field}` is nothing that can be answered")]
    Field {
        /// The answer's id.
        id: String,
        /// What was looked for.
        field: String,
    },
    /// The value has not the shape of the field.
    #[error("{id}: `{value}` is no {expected}")]
    Value {
        /// The answer's id.
        id: String,
        /// What was given.
        value: String,
        /// What it has to be.
        expected: &'static str,
    },
}

/// What can be answered about a service: field, what it takes.
pub const FIELDS: &[(&str, &str)] = &[
    ("deploy", "yes or no: whether the stack has this service"),
    ("command", "the program and its arguments, as they run in production"),
    ("port", "the port that it listens on"),
    ("health", "the path at which it says that it works"),
    ("prefix", "the path prefix of the requests that belong to it; `-` at the end takes it away: /api/-"),
    ("checks", "scripts that must pass before its image is made, with commas; `none`"),
];

/// Changes a survey by answers. Questions that were answered go; what an answer set has the answer as its evidence.
/// Returns the scripts that were chosen as checks, by service.
pub fn answer(
    survey: &mut Survey,
    answers: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Vec<String>>, AnswerError> {
    let mut checks = BTreeMap::new();
    for (id, value) in answers {
        let (subject, field) = id.rsplit_once('.').unwrap_or((id.as_str(), ""));
        if field == "prefix" {
            prefix(survey, id, subject, value)?;
        } else if field == "deploy" {
            deploy(survey, id, subject, value)?;
        } else {
            let service = service(survey, id, subject)?;
            one(service, id, field, value, &mut checks)?;
        }
        survey.questions.retain(|question| question.id != *id);
    }
    Ok(checks)
}

fn service<'a>(survey: &'a mut Survey, id: &str, subject: &str) -> Result<&'a mut Service, AnswerError> {
    let known: Vec<String> = survey.services.iter().map(|service| service.name.clone()).collect();
    survey.services.iter_mut().find(|service| service.name == subject).ok_or_else(|| AnswerError::Subject {
        id: id.to_owned(),
        subject: subject.to_owned(),
        known,
    })
}

fn evidence(id: &str) -> Evidence {
    Evidence::file(FILE, format!("answered as {id}"))
}

fn one(
    service: &mut Service,
    id: &str,
    field: &str,
    value: &str,
    checks: &mut BTreeMap<String, Vec<String>>,
) -> Result<(), AnswerError> {
    let wrong = |expected| AnswerError::Value { id: id.to_owned(), value: value.to_owned(), expected };
    match field {
        "port" => {
            let port = value.parse().ok().filter(|port| *port > 0).ok_or_else(|| wrong("port"))?;
            service.port = Some(Fact::new(port, evidence(id)));
        }
        "health" => {
            if !value.starts_with('/') {
                return Err(wrong("path of a URL"));
            }
            service.health.ready = Some(Fact::new(value.to_owned(), evidence(id)));
        }
        "command" => {
            let words: Vec<String> = value.split_whitespace().map(str::to_owned).collect();
            if words.is_empty() || value.contains(['&', '|', ';', '`', '<', '>']) {
                return Err(wrong("program with its arguments; a shell's line is none"));
            }
            service.command = Some(Fact::new(words, evidence(id)));
        }
        "bind" if value == "any" => service.bind = Bind::Any,
        "checks" => {
            let names = value.split(',').map(str::trim).filter(|name| !name.is_empty() && *name != "none");
            checks.insert(service.name.clone(), names.map(str::to_owned).collect());
        }
        _ => return Err(AnswerError::Field { id: id.to_owned(), field: field.to_owned() }),
    }
    Ok(())
}

fn prefix(survey: &mut Survey, id: &str, subject: &str, value: &str) -> Result<(), AnswerError> {
    let name = service(survey, id, subject)?.name.clone();
    let (prefix, strip) = value.strip_suffix('-').map_or((value, false), |prefix| (prefix, true));
    if !prefix.starts_with('/') {
        let value = value.to_owned();
        return Err(AnswerError::Value { id: id.to_owned(), value, expected: "path of a URL" });
    }
    survey.edges.retain(|edge| edge.to != name);
    survey.edges.push(Edge {
        from: None,
        to: name,
        prefix: prefix.to_owned(),
        strip,
        evidence: vec![evidence(id)],
    });
    Ok(())
}

fn deploy(survey: &mut Survey, id: &str, subject: &str, value: &str) -> Result<(), AnswerError> {
    let name = service(survey, id, subject)?.name.clone();
    match value {
        "yes" | "true" => {}
        "no" | "false" => {
            survey.services.retain(|service| service.name != name);
            survey.edges.retain(|edge| edge.to != name);
        }
        "worker" => service(survey, id, subject)?.role = Role::Worker,
        _ => {
            let value = value.to_owned();
            return Err(AnswerError::Value { id: id.to_owned(), value, expected: "`yes` or `no`" });
        }
    }
    Ok(())
}
