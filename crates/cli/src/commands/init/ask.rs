//! The survey's questions, asked on a terminal.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, IsTerminal as _, Write as _},
};

use plimsoll_ops::Failure;
use plimsoll_survey::{Question, Survey};

/// Asks every question that has no answer yet, where a person sits at a terminal. An empty line takes the default.
pub(super) fn unanswered(survey: &Survey, answers: &mut BTreeMap<String, String>) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(());
    }
    for question in &survey.questions {
        if answers.contains_key(&question.id) {
            continue;
        }
        err!("{}", plimsoll_source::printable_output(&text(question)));
        std::io::stderr().flush().ok();
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        if read.map_err(|error| Failure::new(error.to_string(), "use --no-input"))? == 0 {
            return Ok(());
        }
        let value = line.trim();
        if !value.is_empty() && question.default.as_deref() != Some(value) {
            answers.insert(question.id.clone(), value.to_owned());
        }
    }
    Ok(())
}

/// The question with its evidence, its options and its default.
fn text(question: &Question) -> String {
    let place = question.evidence.first().map(|place| format!("  ({}:{})", place.file, place.line));
    let options = if question.options.is_empty() {
        String::new()
    } else {
        format!("  {}", question.options.join(" | "))
    };
    let default = question.default.as_ref().map_or(String::new(), |default| format!(" [{default}]"));
    format!("{}{}\n{options}{default} > ", question.text, place.unwrap_or_default())
}
