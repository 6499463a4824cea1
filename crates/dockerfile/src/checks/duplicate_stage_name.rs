//! Of two stages with one name only the last can be reached.
use std::collections::HashSet;

use super::{Location, Rule, Sink};
use crate::{Dockerfile, quote::quote};

pub(super) const RULE: Rule = Rule::new(
    "DuplicateStageName",
    "Stage names should be unique",
    "https://docs.docker.com/go/dockerfile/rule/duplicate-stage-name/",
);

pub(super) fn check(dockerfile: &Dockerfile, sink: &mut Sink) {
    let mut seen = HashSet::new();
    for stage in &dockerfile.stages {
        let Some(name) = &stage.name else { continue };
        if !seen.insert(name.text.as_str()) {
            let detail = format!("Duplicate stage name {}, stage names should be unique", quote(&name.text));
            sink.report(&RULE, Location::from(stage).at(name.span), detail);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::findings;

    #[test]
    fn names_are_compared_without_case() {
        let found = findings("FROM scratch AS a\nFROM scratch AS b\nFROM scratch AS A\n");
        assert!(found.contains(
            &"3 DuplicateStageName: Duplicate stage name \"a\", stage names should be unique".to_owned()
        ));
    }
}
