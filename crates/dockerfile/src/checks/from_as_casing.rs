//! `AS` should have the case of `FROM`.
use super::{
    Location, Rule, Sink,
    consistent_instruction_casing::{is_lower, is_upper},
};
use crate::syntax::Node;

pub(super) const RULE: Rule = Rule::new(
    "FromAsCasing",
    "The 'as' keyword should match the case of the 'from' keyword",
    "https://docs.docker.com/go/dockerfile/rule/from-as-casing/",
);

/// A FROM of mixed case is the matter of ConsistentInstructionCasing.
pub(super) fn check(node: &Node, sink: &mut Sink) {
    let [_, keyword, _, ..] = node.args.as_slice() else { return };
    let from = &node.keyword.text;
    let fits =
        if is_lower(from) { is_lower(&keyword.text) } else { !is_upper(from) || is_upper(&keyword.text) };
    if !fits {
        let detail = format!("'{}' and '{from}' keywords' casing do not match", keyword.text);
        sink.report(&RULE, Location::from(node).at(keyword.span), detail);
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::findings;

    #[test]
    fn both_directions() {
        assert_eq!(
            findings("FROM scratch as a\n"),
            ["1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match"]
        );
        assert_eq!(
            findings("from scratch AS a\n"),
            ["1 FromAsCasing: 'AS' and 'from' keywords' casing do not match"]
        );
        assert_eq!(findings("From scratch As a\n").len(), 1);
    }
}
