//! `FROM --platform=$TARGETPLATFORM` says what is so anyway.
use super::{Location, Rule, Sink};
use crate::{Expanded, GlobalArgs, Word};

pub(super) const RULE: Rule = Rule::new(
    "RedundantTargetPlatform",
    "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
    "https://docs.docker.com/go/dockerfile/rule/redundant-target-platform/",
);

pub(super) fn check(
    platform: &Word,
    expanded: &Expanded,
    globals: &GlobalArgs,
    place: Location<'_>,
    sink: &mut Sink,
) {
    let only = expanded.matched.len() == 1 && expanded.unmatched.is_empty();
    let target = "TARGETPLATFORM";
    if only && expanded.matched.contains(target) && globals.get(target) == Some(&expanded.text) {
        let detail = format!(
            "Setting platform to predefined {} in FROM is redundant as this is the default behavior",
            platform.text
        );
        sink.report(&RULE, place, detail);
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::findings;

    #[test]
    fn only_the_bare_variable_is_redundant() {
        assert_eq!(findings("FROM --platform=${TARGETPLATFORM} scratch\n").len(), 1);
        assert!(findings("FROM --platform=$TARGETOS/amd64 scratch\n").is_empty());
    }
}
