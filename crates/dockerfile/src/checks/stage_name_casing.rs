//! Stage names are not told apart by case, so they should be in lower case.
use super::{Location, Rule, Sink};
use crate::syntax::Node;

pub(super) const RULE: Rule = Rule::new(
    "StageNameCasing",
    "Stage names should be lowercase",
    "https://docs.docker.com/go/dockerfile/rule/stage-name-casing/",
);

pub(super) fn check(node: &Node, sink: &mut Sink) {
    let [_, _, name] = node.args.as_slice() else { return };
    if name.text.to_lowercase() != name.text {
        let detail = format!("Stage name '{}' should be lowercase", name.text);
        sink.report(&RULE, Location::from(node).at(name.span), detail);
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::findings;

    #[test]
    fn upper_case_is_found() {
        assert_eq!(
            findings("FROM scratch AS Build\n"),
            ["1 StageNameCasing: Stage name 'Build' should be lowercase"]
        );
    }
}
