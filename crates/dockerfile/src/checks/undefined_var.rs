//! A variable that nothing sets expands to nothing, most often because its name is misspelt.
use std::collections::BTreeSet;

use super::{Location, Rule, Sink};
use crate::{NON_ENV_ARGS, suggest};

pub(super) const RULE: Rule = Rule::new(
    "UndefinedVar",
    "Variables should be defined before their use",
    "https://docs.docker.com/go/dockerfile/rule/undefined-var/",
);

/// `name` has no value, `declared` are the stage's ARGs, `env` the names of all variables that have one.
pub(super) fn check<'e>(
    name: &str,
    declared: &BTreeSet<String>,
    env: impl IntoIterator<Item = &'e str>,
    place: Location<'_>,
    sink: &mut Sink,
) {
    if NON_ENV_ARGS.contains(&name) || declared.contains(name) || sink.is_full() {
        return;
    }
    let mut detail = format!("Usage of undefined variable '${name}'");
    if let Some(near) = suggest::nearest(name, env, false) {
        detail = format!("{detail} (did you mean ${near}?)");
    }
    sink.report(&RULE, place, detail);
}

#[cfg(test)]
mod tests {
    use plimsoll_source::Source;

    use crate::checks::{self, findings};

    #[test]
    fn every_use_is_found_and_declared_ones_are_not() {
        let text = "FROM scratch\nARG NAME=a EMPTY\nCOPY $NAM ${EMPTY} $NOTHING /\n\
            RUN --mount=type=cache,target=/$WHERE echo $SHELL_VARIABLE\n";
        assert_eq!(
            findings(text),
            [
                "3 UndefinedVar: Usage of undefined variable '$NAM' (did you mean $NAME?)",
                "3 UndefinedVar: Usage of undefined variable '$NOTHING'",
                "4 UndefinedVar: Usage of undefined variable '$WHERE'",
            ]
        );
    }

    #[test]
    fn nothing_is_claimed_of_images_that_are_not_known() {
        let report = checks::check(
            &Source::new("Dockerfile", "FROM node\nUSER $X\n"),
            &checks::CheckOptions::default(),
        );
        assert!(report.findings.is_empty());
    }
}
