//! A `.env` that is in the repository: it was written for development, and Compose reads it beside the stack's file.

use std::collections::BTreeMap;

use plimsoll_source::{Source, Span};

use super::secret;
use crate::{
    context::Context,
    model::{Evidence, Gap, Survey},
    rules,
};

/// Beside the file of the stack.
const FILE: &str = ".env";
const MAX_LINES: usize = 2000;

/// Says which variables it answers, and has secrets made of what is public in it.
pub(super) fn detect(context: &Context<'_>, survey: &mut Survey) {
    let Some(source) = context.repository.source(FILE) else { return };
    let values = values(&source);
    for service in &mut survey.services {
        let mut named: Vec<(&str, Span)> = Vec::new();
        for variable in &mut service.environment {
            let Some((value, span)) = values.get(variable.name.as_str()) else { continue };
            if value.is_empty() || variable.secret {
                continue;
            }
            // Whoever reads the repository knows it: as good as a text that waits for a real secret.
            if secret::is_own(&variable.name, Some("default"), || false) {
                variable.secret = true;
                variable.evidence.push(Evidence::new(&source, *span, "its value is public: one is made"));
                continue;
            }
            named.push((variable.name.as_str(), *span));
        }
        let Some((_, first)) = named.first() else { continue };
        let names: Vec<&str> = named.iter().map(|(name, _)| *name).take(20).collect();
        let more = named.len().saturating_sub(names.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        survey.gaps.push(Gap { rule: rules::DEVELOPMENT_VALUES,
            subject: service.name.clone(),
            message: format!(
                "the {FILE} of the repository is read with the stack, and gives development's values to {}{more}",
                names.join(", ")
            ),
            hint: "give production's in the environment of `plimsoll up`, or take the file out of the repository"
                .to_owned(),
            evidence: vec![Evidence::new(&source, *first, "a value for development")],
        });
    }
}

/// `NAME=value`, with or without `export`, of each line.
fn values(source: &Source) -> BTreeMap<String, (String, Span)> {
    let mut found = BTreeMap::new();
    let mut start = 0;
    for line in source.text().split_inclusive('\n').take(MAX_LINES) {
        let span = Span::new(start, start + line.trim_end().len());
        start += line.len();
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else { continue };
        let value = value.trim().trim_matches(['"', '\'']);
        found.insert(name.trim().to_owned(), (value.to_owned(), span));
    }
    found
}
