//! FROM sees only ARGs that stand before the first FROM, and the automatic platform arguments.
use super::{Location, Rule, Sink};
use crate::{GlobalArgs, suggest};
use std::collections::BTreeSet;

pub(super) const RULE: Rule = Rule::new(
    "UndefinedArgInFrom",
    "FROM command must use declared ARGs",
    "https://docs.docker.com/go/dockerfile/rule/undefined-arg-in-from/",
);

/// `unmatched` are the variables without a value; one that is declared without a default is fine.
pub(super) fn check(
    unmatched: &BTreeSet<String>,
    globals: &GlobalArgs,
    place: Location<'_>,
    sink: &mut Sink,
) {
    if unmatched.is_empty() || sink.is_full() {
        return;
    }
    let names = globals.names();
    for name in unmatched.iter().filter(|name| !names.contains(name.as_str())) {
        let detail = format!("FROM argument '{name}' is not declared");
        sink.report(&RULE, place, suggest::with_suggestion(detail, name, names.iter().copied(), false));
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::findings;

    #[test]
    fn slips_get_a_suggestion() {
        assert_eq!(
            findings("ARG VERSION=1 EMPTY\nFROM a:${VERSON:-1}${EMPTY}\n"),
            ["2 UndefinedArgInFrom: FROM argument 'VERSON' is not declared (did you mean VERSION?)"]
        );
    }
}
